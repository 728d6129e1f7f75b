-- What the migrations make of an empty database, as pg_dump of Postgres 15 tells it. Nobody runs this file: a test
-- compares it with the migrations. After a new one: KALIUN_WRITE_SCHEMA=1 cargo nextest run -p kaliun-store schema_file

CREATE FUNCTION public.current_account() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('kaliun.account_id'::text, true), ''::text))::uuid;

ALTER FUNCTION public.current_account() OWNER TO kaliun_owner;

COMMENT ON FUNCTION public.current_account() IS 'The person of this transaction; null when it acts for nobody in particular.';

CREATE FUNCTION public.current_organization() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('kaliun.organization_id'::text, true), ''::text))::uuid;

ALTER FUNCTION public.current_organization() OWNER TO kaliun_owner;

COMMENT ON FUNCTION public.current_organization() IS 'The organization of this transaction; null when none was set, which shows no row.';

CREATE FUNCTION public.device_health_rank(verdict smallint, stored_at timestamp with time zone) RETURNS smallint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (CASE WHEN ((stored_at IS NULL) OR (verdict IS NULL)) THEN 4 WHEN (stored_at < (now() - '00:01:00'::interval)) THEN 3 WHEN (verdict = 3) THEN 1 WHEN (verdict = 2) THEN 2 ELSE 5 END)::smallint;

ALTER FUNCTION public.device_health_rank(verdict smallint, stored_at timestamp with time zone) OWNER TO kaliun_owner;

CREATE FUNCTION public.labels_match(labels jsonb, requirements jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (NOT (EXISTS (SELECT FROM jsonb_array_elements(labels_match.requirements) requirement(value) WHERE (NOT CASE (requirement.value ->> 'op'::text) WHEN 'in'::text THEN COALESCE(((requirement.value -> 'values'::text) ? (labels_match.labels ->> (requirement.value ->> 'key'::text))), false) WHEN 'notin'::text THEN (NOT COALESCE(((requirement.value -> 'values'::text) ? (labels_match.labels ->> (requirement.value ->> 'key'::text))), false)) WHEN 'exists'::text THEN (labels_match.labels ? (requirement.value ->> 'key'::text)) ELSE (NOT (labels_match.labels ? (requirement.value ->> 'key'::text))) END))));

ALTER FUNCTION public.labels_match(labels jsonb, requirements jsonb) OWNER TO kaliun_owner;

CREATE FUNCTION public.mail_room(recipient text, an_hour integer, waiting integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mail_room'), hashtext(lower(mail_room.recipient)));
    IF (SELECT count(*) FROM (SELECT FROM mail m
            WHERE lower(m.recipient) = lower(mail_room.recipient) AND m.created_at > clock_timestamp() - interval '1 hour'
            LIMIT an_hour) AS lately) >= an_hour THEN
        RETURN 1;
    END IF;
    IF (SELECT count(*) FROM (SELECT FROM mail m WHERE m.sent_at IS NULL AND m.given_up_at IS NULL LIMIT mail_room.waiting)
            AS waiting_now) >= mail_room.waiting THEN
        RETURN 2;
    END IF;
    RETURN 0;
END;
$$;

ALTER FUNCTION public.mail_room(recipient text, an_hour integer, waiting integer) OWNER TO kaliun_owner;

CREATE FUNCTION public.reaches_all() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (COALESCE(current_setting('kaliun.reach'::text, true), ''::text) = '*'::text);

ALTER FUNCTION public.reaches_all() OWNER TO kaliun_owner;

CREATE TABLE public.device (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    installation_id uuid,
    name text NOT NULL,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    key_hash bytea NOT NULL,
    certificate_expires_at timestamp with time zone NOT NULL,
    enrolled_at timestamp with time zone DEFAULT now() NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    deleted_at timestamp with time zone,
    certificate_authority integer DEFAULT 1 NOT NULL,
    recoverable_until timestamp with time zone,
    revoked_at timestamp with time zone,
    decommissioned_at timestamp with time zone,
    wipe_identity boolean DEFAULT false NOT NULL,
    replaced_by uuid,
    CONSTRAINT device_decommissioned_is_revoked CHECK (((decommissioned_at IS NULL) OR (revoked_at IS NOT NULL))),
    CONSTRAINT device_wiped_is_decommissioned CHECK (((NOT wipe_identity) OR (decommissioned_at IS NOT NULL)))
);

ALTER TABLE ONLY public.device FORCE ROW LEVEL SECURITY;

ALTER TABLE public.device OWNER TO kaliun_owner;

CREATE FUNCTION public.reaches_device(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE COALESCE(current_setting('kaliun.reach'::text, true), ''::text) WHEN ''::text THEN false WHEN '*'::text THEN false ELSE (EXISTS (SELECT FROM public.device WHERE ((device.id = reaches_device.wanted) AND (device.installation_id = ANY ((current_setting('kaliun.reach'::text, true))::uuid[]))))) END;

ALTER FUNCTION public.reaches_device(wanted uuid) OWNER TO kaliun_owner;

CREATE FUNCTION public.reaches_home(installation uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE COALESCE(current_setting('kaliun.reach'::text, true), ''::text) WHEN ''::text THEN false WHEN '*'::text THEN false ELSE COALESCE((installation = ANY ((current_setting('kaliun.reach'::text, true))::uuid[])), false) END;

ALTER FUNCTION public.reaches_home(installation uuid) OWNER TO kaliun_owner;

CREATE FUNCTION public.sample_head_drop_before(horizon timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    partition text;
    dropped integer := 0;
BEGIN
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'sample_head'::regclass
          AND to_timestamp(substr(c.relname, 13), 'YYYYMMDD_HH24')::timestamp AT TIME ZONE 'UTC' + interval '1 hour' <= horizon
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END;
$$;

ALTER FUNCTION public.sample_head_drop_before(horizon timestamp with time zone) OWNER TO kaliun_owner;

CREATE FUNCTION public.sample_head_prepare(hour timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    first timestamptz := date_trunc('hour', hour, 'UTC');
    partition text := 'sample_head_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD_HH24');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('sample_head_prepare'));
    -- Not by to_regclass: what it did not find before is remembered in this session, and an advisory lock does not make it look again.
    IF NOT EXISTS (SELECT FROM pg_class WHERE relname = partition AND relnamespace = 'public'::regnamespace) THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF sample_head FOR VALUES FROM (%L) TO (%L)',
                       partition, first, first + interval '1 hour');
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    END IF;
END;
$$;

ALTER FUNCTION public.sample_head_prepare(hour timestamp with time zone) OWNER TO kaliun_owner;

CREATE TABLE public.account (
    id uuid NOT NULL,
    email text NOT NULL,
    password_hash text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    confirmed_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.account FORCE ROW LEVEL SECURITY;

ALTER TABLE public.account OWNER TO kaliun_owner;

CREATE TABLE public.account_identity (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    provider text NOT NULL,
    subject text NOT NULL,
    email text DEFAULT ''::text NOT NULL,
    linked_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT account_identity_subject_check CHECK ((subject <> ''::text))
);

ALTER TABLE ONLY public.account_identity FORCE ROW LEVEL SECURITY;

ALTER TABLE public.account_identity OWNER TO kaliun_owner;

CREATE TABLE public.account_session (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    secret_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    kind smallint NOT NULL,
    client text DEFAULT ''::text NOT NULL,
    source_address text DEFAULT ''::text NOT NULL,
    last_used_at timestamp with time zone DEFAULT now() NOT NULL,
    access_expires_at timestamp with time zone,
    refresh_hash bytea,
    spent_refresh_hash bytea,
    CONSTRAINT account_session_kind_check CHECK ((kind = ANY (ARRAY[1, 2]))),
    CONSTRAINT account_session_tokens CHECK (((kind = 2) = ((access_expires_at IS NOT NULL) AND (refresh_hash IS NOT NULL))))
);

ALTER TABLE ONLY public.account_session FORCE ROW LEVEL SECURITY;

ALTER TABLE public.account_session OWNER TO kaliun_owner;

CREATE TABLE public.address_change (
    account_id uuid NOT NULL,
    new_email text NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.address_change FORCE ROW LEVEL SECURITY;

ALTER TABLE public.address_change OWNER TO kaliun_owner;

CREATE TABLE public.api_token (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    role smallint NOT NULL,
    secret_hash bytea NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    installation_ids uuid[],
    CONSTRAINT api_token_installation_ids_check CHECK (((installation_ids IS NULL) OR ((cardinality(installation_ids) >= 1) AND (cardinality(installation_ids) <= 100)))),
    CONSTRAINT api_token_role_check CHECK (((role >= 1) AND (role <= 4)))
);

ALTER TABLE ONLY public.api_token FORCE ROW LEVEL SECURITY;

ALTER TABLE public.api_token OWNER TO kaliun_owner;

CREATE TABLE public.audit (
    id bigint NOT NULL,
    organization_id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor text,
    action text NOT NULL,
    target text NOT NULL,
    before jsonb,
    after jsonb,
    request_id text NOT NULL,
    actor_kind smallint NOT NULL,
    actor_id uuid,
    source_address text DEFAULT ''::text,
    consent_id uuid,
    actor_salt uuid DEFAULT gen_random_uuid(),
    source_salt uuid DEFAULT gen_random_uuid(),
    before_salt uuid DEFAULT gen_random_uuid(),
    after_salt uuid DEFAULT gen_random_uuid(),
    sequence bigint,
    hash bytea,
    actor_digest bytea,
    source_digest bytea,
    before_digest bytea,
    after_digest bytea,
    CONSTRAINT audit_actor_kind_check CHECK (((actor_kind >= 1) AND (actor_kind <= 3))),
    CONSTRAINT audit_sealed CHECK (((sequence IS NULL) = (hash IS NULL))),
    CONSTRAINT audit_sequence_check CHECK ((sequence > 0))
);

ALTER TABLE ONLY public.audit FORCE ROW LEVEL SECURITY;

ALTER TABLE public.audit OWNER TO kaliun_owner;

CREATE TABLE public.audit_chain (
    organization_id uuid NOT NULL,
    head_sequence bigint DEFAULT 0 NOT NULL,
    head_hash bytea NOT NULL,
    checkpoint_sequence bigint DEFAULT 0 NOT NULL,
    checkpoint_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    sealer uuid,
    leased_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    cut_sequence bigint DEFAULT 0 NOT NULL,
    cut_hash bytea,
    cut_at timestamp with time zone,
    cut_key integer,
    cut_signature bytea,
    CONSTRAINT audit_chain_check CHECK (((checkpoint_sequence >= 0) AND (checkpoint_sequence <= head_sequence))),
    CONSTRAINT audit_chain_check1 CHECK (((cut_sequence >= 0) AND (cut_sequence <= checkpoint_sequence))),
    CONSTRAINT audit_chain_cut CHECK (((cut_sequence = 0) = (cut_signature IS NULL))),
    CONSTRAINT audit_chain_head_sequence_check CHECK ((head_sequence >= 0))
);

ALTER TABLE ONLY public.audit_chain FORCE ROW LEVEL SECURITY;

ALTER TABLE public.audit_chain OWNER TO kaliun_owner;

CREATE TABLE public.audit_checkpoint (
    organization_id uuid NOT NULL,
    sequence bigint NOT NULL,
    incarnation bigint NOT NULL,
    hash bytea NOT NULL,
    signed_at timestamp with time zone NOT NULL,
    key_number integer NOT NULL,
    signature bytea NOT NULL,
    CONSTRAINT audit_checkpoint_sequence_check CHECK ((sequence > 0))
);

ALTER TABLE ONLY public.audit_checkpoint FORCE ROW LEVEL SECURITY;

ALTER TABLE public.audit_checkpoint OWNER TO kaliun_owner;

ALTER TABLE public.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.audit_key (
    number integer NOT NULL,
    public_key bytea NOT NULL,
    sealed_key bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_key_number_check CHECK ((number > 0))
);

ALTER TABLE public.audit_key OWNER TO kaliun_owner;

CREATE TABLE public.authority (
    number integer NOT NULL,
    certificate bytea NOT NULL,
    sealed_key bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT authority_key_ends_with_it CHECK (((retired_at IS NULL) = (sealed_key IS NOT NULL))),
    CONSTRAINT authority_number_check CHECK ((number > 0))
);

ALTER TABLE public.authority OWNER TO kaliun_owner;

CREATE TABLE public.cluster (
    singleton boolean DEFAULT true NOT NULL,
    incarnation bigint DEFAULT 1 NOT NULL,
    page_token_key bytea,
    restored_at timestamp with time zone,
    CONSTRAINT cluster_page_token_key_check CHECK ((octet_length(page_token_key) = 32)),
    CONSTRAINT cluster_singleton_check CHECK (singleton)
);

ALTER TABLE public.cluster OWNER TO kaliun_owner;

CREATE TABLE public.consent (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    installation_id uuid NOT NULL,
    account_id uuid,
    asked_by text NOT NULL,
    asked_by_name text NOT NULL,
    reason text NOT NULL,
    duration interval NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    answer_until timestamp with time zone NOT NULL,
    decided_by text DEFAULT ''::text NOT NULL,
    granted_at timestamp with time zone,
    denied_at timestamp with time zone,
    ends_at timestamp with time zone,
    CONSTRAINT consent_decided CHECK ((((granted_at IS NULL) = (ends_at IS NULL)) AND ((granted_at IS NULL) OR (denied_at IS NULL)))),
    CONSTRAINT consent_duration_check CHECK (((duration >= '00:15:00'::interval) AND (duration <= '7 days'::interval))),
    CONSTRAINT consent_reason_check CHECK ((reason <> ''::text))
);

ALTER TABLE ONLY public.consent FORCE ROW LEVEL SECURITY;

ALTER TABLE public.consent OWNER TO kaliun_owner;

CREATE TABLE public.device_certificate (
    id bigint NOT NULL,
    organization_id uuid NOT NULL,
    device_id uuid NOT NULL,
    authority integer NOT NULL,
    cause smallint NOT NULL,
    issued_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    serial bytea,
    CONSTRAINT device_certificate_cause_check CHECK (((cause >= 1) AND (cause <= 4))),
    CONSTRAINT device_certificate_serial_check CHECK ((octet_length(serial) <= 20))
);

ALTER TABLE ONLY public.device_certificate FORCE ROW LEVEL SECURITY;

ALTER TABLE public.device_certificate OWNER TO kaliun_owner;

ALTER TABLE public.device_certificate ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.device_certificate_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.device_facts (
    device_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    facts bytea NOT NULL,
    facts_hash bytea NOT NULL,
    reported_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.device_facts FORCE ROW LEVEL SECURITY;

ALTER TABLE public.device_facts OWNER TO kaliun_owner;

CREATE TABLE public.device_identity (
    device_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    boots jsonb DEFAULT '[]'::jsonb NOT NULL,
    parked_at timestamp with time zone,
    refused_count bigint DEFAULT 0 NOT NULL,
    refused_since timestamp with time zone,
    refused_at timestamp with time zone,
    refused_reason text,
    key_reused_count bigint DEFAULT 0 NOT NULL,
    key_reused_since timestamp with time zone,
    key_reused_at timestamp with time zone,
    key_reused_source text,
    ahead_since timestamp with time zone,
    ahead_at timestamp with time zone,
    ahead_incarnation bigint,
    shown_serial bytea,
    shown_certificate bigint,
    newest_certificate bigint,
    outdated_count bigint DEFAULT 0 NOT NULL,
    outdated_since timestamp with time zone,
    outdated_at timestamp with time zone,
    outdated_source text
);

ALTER TABLE ONLY public.device_identity FORCE ROW LEVEL SECURITY;

ALTER TABLE public.device_identity OWNER TO kaliun_owner;

CREATE TABLE public.device_status (
    device_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    session_epoch bigint DEFAULT 0 NOT NULL,
    replica_id uuid,
    online boolean DEFAULT false NOT NULL,
    link_since timestamp with time zone DEFAULT now() NOT NULL,
    link_reason text DEFAULT 'link.never_connected'::text NOT NULL,
    boot_id uuid,
    agent_version text DEFAULT ''::text NOT NULL,
    sample_spool_id bytea,
    sample_sequence bigint DEFAULT 0 NOT NULL,
    event_spool_id bytea,
    event_sequence bigint DEFAULT 0 NOT NULL,
    sampled_at timestamp with time zone,
    sample_stored_at timestamp with time zone,
    sample_values bytea,
    verdict smallint,
    reasons bytea,
    trust_version bigint DEFAULT 0 NOT NULL,
    shown_authority integer DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.device_status FORCE ROW LEVEL SECURITY;

ALTER TABLE public.device_status OWNER TO kaliun_owner;

CREATE TABLE public.enrollment (
    id uuid NOT NULL,
    organization_id uuid,
    key_hash bytea NOT NULL,
    claim_code text,
    code_expires_at timestamp with time zone NOT NULL,
    state smallint DEFAULT 1 NOT NULL,
    facts bytea NOT NULL,
    source_address text NOT NULL,
    device_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    check_nonce bytea,
    check_misses smallint DEFAULT 0 NOT NULL,
    begun_count bigint DEFAULT 1 NOT NULL,
    collected_at timestamp with time zone,
    join_token_id uuid,
    check_commitment bytea,
    check_bytes bytea,
    CONSTRAINT enrollment_approved_has_a_device CHECK (((state <> 2) OR (device_id IS NOT NULL))),
    CONSTRAINT enrollment_by_code_is_nobodys CHECK (((claim_code IS NULL) OR ((state = 1) AND (organization_id IS NULL)))),
    CONSTRAINT enrollment_by_token_has_an_organization CHECK (((join_token_id IS NULL) OR (organization_id IS NOT NULL))),
    CONSTRAINT enrollment_check_bytes_check CHECK ((octet_length(check_bytes) = 32)),
    CONSTRAINT enrollment_check_commitment_check CHECK ((octet_length(check_commitment) = 32)),
    CONSTRAINT enrollment_check_misses_check CHECK (((check_misses >= 0) AND (check_misses <= 5))),
    CONSTRAINT enrollment_check_nonce_check CHECK ((octet_length(check_nonce) = 32)),
    CONSTRAINT enrollment_reveals_what_was_committed CHECK (((check_bytes IS NULL) OR ((check_nonce IS NOT NULL) AND (check_commitment IS NOT NULL) AND (sha256(check_bytes) = check_commitment)))),
    CONSTRAINT enrollment_state_check CHECK (((state >= 1) AND (state <= 4)))
);

ALTER TABLE ONLY public.enrollment FORCE ROW LEVEL SECURITY;

ALTER TABLE public.enrollment OWNER TO kaliun_owner;

CREATE TABLE public.enrollment_refusal (
    hour timestamp with time zone NOT NULL,
    source text NOT NULL,
    organization_id uuid,
    reason text NOT NULL,
    refused_count bigint NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    CONSTRAINT enrollment_refusal_refused_count_check CHECK ((refused_count > 0))
);

ALTER TABLE ONLY public.enrollment_refusal FORCE ROW LEVEL SECURITY;

ALTER TABLE public.enrollment_refusal OWNER TO kaliun_owner;

CREATE TABLE public.event (
    id bigint NOT NULL,
    organization_id uuid NOT NULL,
    device_id uuid,
    code text NOT NULL,
    message text NOT NULL,
    actor text NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    stored_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.event FORCE ROW LEVEL SECURITY;

ALTER TABLE public.event OWNER TO kaliun_owner;

ALTER TABLE public.event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.home_membership (
    organization_id uuid NOT NULL,
    installation_id uuid NOT NULL,
    account_id uuid NOT NULL,
    role smallint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT home_membership_role_check CHECK (((role >= 1) AND (role <= 3)))
);

ALTER TABLE ONLY public.home_membership FORCE ROW LEVEL SECURITY;

ALTER TABLE public.home_membership OWNER TO kaliun_owner;

CREATE TABLE public.installation (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT installation_name_check CHECK ((name <> ''::text))
);

ALTER TABLE ONLY public.installation FORCE ROW LEVEL SECURITY;

ALTER TABLE public.installation OWNER TO kaliun_owner;

CREATE TABLE public.invitation (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    email text NOT NULL,
    role smallint,
    installation_id uuid,
    home_role smallint,
    invited_by text NOT NULL,
    mailed boolean NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT invitation_home_role_check CHECK (((home_role >= 1) AND (home_role <= 3))),
    CONSTRAINT invitation_role_check CHECK (((role >= 1) AND (role <= 4))),
    CONSTRAINT invitation_to_one CHECK ((((role IS NULL) <> (installation_id IS NULL)) AND ((home_role IS NULL) = (installation_id IS NULL))))
);

ALTER TABLE ONLY public.invitation FORCE ROW LEVEL SECURITY;

ALTER TABLE public.invitation OWNER TO kaliun_owner;

CREATE TABLE public.join_token (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    description text NOT NULL,
    secret_hash bytea NOT NULL,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    max_uses integer NOT NULL,
    uses integer DEFAULT 0 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    needs_approval boolean DEFAULT false NOT NULL,
    name_pattern text DEFAULT ''::text NOT NULL,
    CONSTRAINT join_token_check CHECK (((uses >= 0) AND (uses <= max_uses))),
    CONSTRAINT join_token_max_uses_check CHECK ((max_uses > 0)),
    CONSTRAINT join_token_name_pattern_check CHECK ((octet_length(name_pattern) <= 128))
);

ALTER TABLE ONLY public.join_token FORCE ROW LEVEL SECURITY;

ALTER TABLE public.join_token OWNER TO kaliun_owner;

CREATE TABLE public.login (
    id uuid NOT NULL,
    device_code_hash bytea NOT NULL,
    user_code text NOT NULL,
    client text NOT NULL,
    source_address text NOT NULL,
    state smallint DEFAULT 1 NOT NULL,
    account_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    polled_at timestamp with time zone,
    interval_seconds integer DEFAULT 5 NOT NULL,
    CONSTRAINT login_decided CHECK (((state = 2) = (account_id IS NOT NULL))),
    CONSTRAINT login_interval_seconds_check CHECK (((interval_seconds >= 1) AND (interval_seconds <= 300))),
    CONSTRAINT login_state_check CHECK (((state >= 1) AND (state <= 3)))
);

ALTER TABLE public.login OWNER TO kaliun_owner;

CREATE TABLE public.mail (
    id uuid NOT NULL,
    organization_id uuid,
    recipient text NOT NULL,
    kind text NOT NULL,
    parameters jsonb NOT NULL,
    subject uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone,
    given_up_at timestamp with time zone,
    last_error text,
    CONSTRAINT mail_ends_once CHECK (((sent_at IS NULL) OR (given_up_at IS NULL))),
    CONSTRAINT mail_recipient_check CHECK (((recipient <> ''::text) AND (octet_length(recipient) <= 320)))
);

ALTER TABLE ONLY public.mail FORCE ROW LEVEL SECURITY;

ALTER TABLE public.mail OWNER TO kaliun_owner;

CREATE TABLE public.mailed_secret (
    id uuid NOT NULL,
    purpose smallint NOT NULL,
    subject uuid NOT NULL,
    secret_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT mailed_secret_purpose_check CHECK (((purpose >= 1) AND (purpose <= 4))),
    CONSTRAINT mailed_secret_secret_hash_check CHECK ((octet_length(secret_hash) = 32))
);

ALTER TABLE public.mailed_secret OWNER TO kaliun_owner;

CREATE TABLE public.membership (
    organization_id uuid NOT NULL,
    account_id uuid NOT NULL,
    role smallint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT membership_role_check CHECK (((role >= 1) AND (role <= 4)))
);

ALTER TABLE ONLY public.membership FORCE ROW LEVEL SECURITY;

ALTER TABLE public.membership OWNER TO kaliun_owner;

CREATE TABLE public.membership_by_claim (
    organization_id uuid NOT NULL,
    account_id uuid NOT NULL,
    provider text NOT NULL,
    role smallint NOT NULL,
    base_role smallint,
    since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT membership_by_claim_base_role_check CHECK (((base_role >= 1) AND (base_role <= 4))),
    CONSTRAINT membership_by_claim_role_check CHECK (((role >= 1) AND (role <= 4)))
);

ALTER TABLE ONLY public.membership_by_claim FORCE ROW LEVEL SECURITY;

ALTER TABLE public.membership_by_claim OWNER TO kaliun_owner;

CREATE TABLE public.organization (
    id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    runs_platform boolean DEFAULT false NOT NULL,
    made_by uuid,
    CONSTRAINT organization_name_check CHECK ((name <> ''::text))
);

ALTER TABLE ONLY public.organization FORCE ROW LEVEL SECURITY;

ALTER TABLE public.organization OWNER TO kaliun_owner;

CREATE TABLE public.organization_claim_rule (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    provider text NOT NULL,
    claim text NOT NULL,
    value text NOT NULL,
    role smallint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT organization_claim_rule_claim_check CHECK ((claim <> ''::text)),
    CONSTRAINT organization_claim_rule_role_check CHECK (((role >= 1) AND (role <= 4))),
    CONSTRAINT organization_claim_rule_value_check CHECK ((value <> ''::text))
);

ALTER TABLE ONLY public.organization_claim_rule FORCE ROW LEVEL SECURITY;

ALTER TABLE public.organization_claim_rule OWNER TO kaliun_owner;

CREATE TABLE public.organization_domain (
    organization_id uuid NOT NULL,
    domain text NOT NULL,
    word text NOT NULL,
    role smallint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    verified_at timestamp with time zone,
    verified_by text DEFAULT ''::text NOT NULL,
    CONSTRAINT organization_domain_domain_check CHECK (((domain <> ''::text) AND (domain = lower(domain)))),
    CONSTRAINT organization_domain_role_check CHECK (((role >= 1) AND (role <= 3)))
);

ALTER TABLE ONLY public.organization_domain FORCE ROW LEVEL SECURITY;

ALTER TABLE public.organization_domain OWNER TO kaliun_owner;

CREATE TABLE public.replica (
    id uuid NOT NULL,
    name text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    heard_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.replica OWNER TO kaliun_owner;

CREATE TABLE public.report_settings (
    organization_id uuid NOT NULL,
    generation bigint DEFAULT 1 NOT NULL,
    document bytea NOT NULL
);

ALTER TABLE ONLY public.report_settings FORCE ROW LEVEL SECURITY;

ALTER TABLE public.report_settings OWNER TO kaliun_owner;

CREATE TABLE public.returned_device (
    device_id uuid NOT NULL,
    organization_id uuid,
    key_hash bytea NOT NULL,
    certificate_authority integer NOT NULL,
    certificate_expires_at timestamp with time zone NOT NULL,
    source text NOT NULL,
    first_at timestamp with time zone DEFAULT now() NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.returned_device FORCE ROW LEVEL SECURITY;

ALTER TABLE public.returned_device OWNER TO kaliun_owner;

CREATE TABLE public.rotation (
    singleton boolean DEFAULT true NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    phase smallint DEFAULT 1 NOT NULL,
    phase_since timestamp with time zone DEFAULT now() NOT NULL,
    current_authority integer NOT NULL,
    next_authority integer,
    grace_seconds bigint,
    waits_since timestamp with time zone DEFAULT now() NOT NULL,
    paused_at timestamp with time zone,
    paused_by text,
    pause_reason text,
    CONSTRAINT rotation_check CHECK (((phase = 1) = (next_authority IS NULL))),
    CONSTRAINT rotation_grace_seconds_check CHECK ((grace_seconds > 0)),
    CONSTRAINT rotation_pause_is_whole CHECK ((((paused_at IS NULL) = (paused_by IS NULL)) AND ((paused_at IS NULL) = (pause_reason IS NULL)))),
    CONSTRAINT rotation_phase_check CHECK (((phase >= 1) AND (phase <= 4))),
    CONSTRAINT rotation_singleton_check CHECK (singleton),
    CONSTRAINT rotation_steady_is_not_steered CHECK (((phase <> 1) OR ((paused_at IS NULL) AND (grace_seconds IS NULL))))
);

ALTER TABLE public.rotation OWNER TO kaliun_owner;

CREATE TABLE public.sample_head (
    organization_id uuid NOT NULL,
    device_id uuid NOT NULL,
    spool_id bytea NOT NULL,
    sequence bigint NOT NULL,
    sampled_at timestamp with time zone NOT NULL,
    stored_at timestamp with time zone NOT NULL,
    sample_values bytea NOT NULL
)
PARTITION BY RANGE (stored_at);

ALTER TABLE ONLY public.sample_head FORCE ROW LEVEL SECURITY;

ALTER TABLE public.sample_head OWNER TO kaliun_owner;

CREATE TABLE public.sign_in_attempt (
    state_hash bytea NOT NULL,
    browser_hash bytea NOT NULL,
    provider text NOT NULL,
    redirect_uri text NOT NULL,
    nonce text NOT NULL,
    pkce_verifier text NOT NULL,
    return_path text NOT NULL,
    session_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT sign_in_attempt_return_path_check CHECK ((return_path ~~ '/%'::text))
);

ALTER TABLE public.sign_in_attempt OWNER TO kaliun_owner;

CREATE TABLE public.sign_up (
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    source_address text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

ALTER TABLE public.sign_up OWNER TO kaliun_owner;

CREATE TABLE public.trust_bundle (
    version bigint NOT NULL,
    bundle bytea NOT NULL,
    signature bytea NOT NULL,
    sealed_key bytea,
    CONSTRAINT trust_bundle_version_check CHECK ((version > 0))
);

ALTER TABLE public.trust_bundle OWNER TO kaliun_owner;

CREATE TABLE public.unsigned_bundle (
    singleton boolean DEFAULT true NOT NULL,
    revision bigint NOT NULL,
    step smallint NOT NULL,
    version bigint NOT NULL,
    bundle bytea NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    authority_number integer,
    authority_certificate bytea,
    authority_sealed_key bytea,
    grace_seconds bigint,
    CONSTRAINT unsigned_bundle_check CHECK (((step = 1) = (authority_number IS NOT NULL))),
    CONSTRAINT unsigned_bundle_check1 CHECK (((authority_number IS NULL) = (authority_certificate IS NULL))),
    CONSTRAINT unsigned_bundle_check2 CHECK (((authority_number IS NULL) = (authority_sealed_key IS NULL))),
    CONSTRAINT unsigned_bundle_grace_seconds_check CHECK ((grace_seconds > 0)),
    CONSTRAINT unsigned_bundle_singleton_check CHECK (singleton),
    CONSTRAINT unsigned_bundle_step_check CHECK (((step >= 1) AND (step <= 3))),
    CONSTRAINT unsigned_bundle_version_check CHECK ((version > 0))
);

ALTER TABLE public.unsigned_bundle OWNER TO kaliun_owner;

ALTER TABLE ONLY public.account_identity
    ADD CONSTRAINT account_identity_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.account_identity
    ADD CONSTRAINT account_identity_provider UNIQUE (account_id, provider);

ALTER TABLE ONLY public.account_identity
    ADD CONSTRAINT account_identity_subject UNIQUE (provider, subject);

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.account_session
    ADD CONSTRAINT account_session_refresh_hash_key UNIQUE (refresh_hash);

ALTER TABLE ONLY public.account_session
    ADD CONSTRAINT account_session_spent_refresh_hash_key UNIQUE (spent_refresh_hash);

ALTER TABLE ONLY public.address_change
    ADD CONSTRAINT address_change_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY public.audit_chain
    ADD CONSTRAINT audit_chain_pkey PRIMARY KEY (organization_id);

ALTER TABLE ONLY public.audit_checkpoint
    ADD CONSTRAINT audit_checkpoint_pkey PRIMARY KEY (organization_id, sequence);

ALTER TABLE ONLY public.audit_key
    ADD CONSTRAINT audit_key_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.authority
    ADD CONSTRAINT authority_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.account_session
    ADD CONSTRAINT browser_session_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.account_session
    ADD CONSTRAINT browser_session_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY public.cluster
    ADD CONSTRAINT cluster_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.consent
    ADD CONSTRAINT consent_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.device_certificate
    ADD CONSTRAINT device_certificate_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.device_facts
    ADD CONSTRAINT device_facts_pkey PRIMARY KEY (device_id);

ALTER TABLE ONLY public.device_identity
    ADD CONSTRAINT device_identity_pkey PRIMARY KEY (device_id);

ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_of_organization UNIQUE (organization_id, id);

ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.device_status
    ADD CONSTRAINT device_status_pkey PRIMARY KEY (device_id);

ALTER TABLE ONLY public.enrollment
    ADD CONSTRAINT enrollment_claim_code_key UNIQUE (claim_code);

ALTER TABLE ONLY public.enrollment
    ADD CONSTRAINT enrollment_key_hash_key UNIQUE (key_hash);

ALTER TABLE ONLY public.enrollment
    ADD CONSTRAINT enrollment_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.home_membership
    ADD CONSTRAINT home_membership_pkey PRIMARY KEY (installation_id, account_id);

ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_of_organization UNIQUE (organization_id, id);

ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_organization_id_name_key UNIQUE (organization_id, name);

ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.invitation
    ADD CONSTRAINT invitation_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.join_token
    ADD CONSTRAINT join_token_of_organization UNIQUE (organization_id, id);

ALTER TABLE ONLY public.join_token
    ADD CONSTRAINT join_token_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.join_token
    ADD CONSTRAINT join_token_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY public.login
    ADD CONSTRAINT login_device_code_hash_key UNIQUE (device_code_hash);

ALTER TABLE ONLY public.login
    ADD CONSTRAINT login_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.login
    ADD CONSTRAINT login_user_code_key UNIQUE (user_code);

ALTER TABLE ONLY public.mail
    ADD CONSTRAINT mail_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.mailed_secret
    ADD CONSTRAINT mailed_secret_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.mailed_secret
    ADD CONSTRAINT mailed_secret_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY public.membership_by_claim
    ADD CONSTRAINT membership_by_claim_pkey PRIMARY KEY (organization_id, account_id);

ALTER TABLE ONLY public.membership
    ADD CONSTRAINT membership_pkey PRIMARY KEY (organization_id, account_id);

ALTER TABLE ONLY public.organization_claim_rule
    ADD CONSTRAINT organization_claim_rule_once UNIQUE (organization_id, provider, claim, value);

ALTER TABLE ONLY public.organization_claim_rule
    ADD CONSTRAINT organization_claim_rule_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.organization_domain
    ADD CONSTRAINT organization_domain_pkey PRIMARY KEY (organization_id, domain);

ALTER TABLE ONLY public.organization
    ADD CONSTRAINT organization_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.replica
    ADD CONSTRAINT replica_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.report_settings
    ADD CONSTRAINT report_settings_pkey PRIMARY KEY (organization_id);

ALTER TABLE ONLY public.returned_device
    ADD CONSTRAINT returned_device_pkey PRIMARY KEY (device_id);

ALTER TABLE ONLY public.rotation
    ADD CONSTRAINT rotation_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.sign_in_attempt
    ADD CONSTRAINT sign_in_attempt_pkey PRIMARY KEY (state_hash);

ALTER TABLE ONLY public.sign_up
    ADD CONSTRAINT sign_up_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.trust_bundle
    ADD CONSTRAINT trust_bundle_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.unsigned_bundle
    ADD CONSTRAINT unsigned_bundle_pkey PRIMARY KEY (singleton);

CREATE UNIQUE INDEX account_email ON public.account USING btree (lower(email));

CREATE INDEX account_session_account ON public.account_session USING btree (account_id, id);

CREATE INDEX account_session_expiry ON public.account_session USING btree (expires_at);

CREATE INDEX api_token_organization ON public.api_token USING btree (organization_id, id);

CREATE INDEX audit_actor ON public.audit USING btree (actor_id, id DESC) WHERE (actor_id IS NOT NULL);

CREATE INDEX audit_chain_unsigned ON public.audit_chain USING btree (organization_id) WHERE (head_sequence > checkpoint_sequence);

CREATE INDEX audit_checkpoint_time ON public.audit_checkpoint USING btree (signed_at, organization_id, sequence);

CREATE INDEX audit_naming ON public.audit USING btree (id) WHERE ((strpos((before)::text, '@'::text) > 0) OR (strpos((after)::text, '@'::text) > 0) OR starts_with(target, 'account/'::text));

CREATE UNIQUE INDEX audit_sequence ON public.audit USING btree (organization_id, sequence) WHERE (sequence IS NOT NULL);

CREATE INDEX audit_target ON public.audit USING btree (organization_id, target, at DESC, id DESC);

CREATE INDEX audit_time ON public.audit USING btree (organization_id, at DESC, id DESC);

CREATE INDEX audit_unsealed ON public.audit USING btree (organization_id, id) WHERE (sequence IS NULL);

CREATE INDEX consent_account ON public.consent USING btree (account_id) WHERE (granted_at IS NOT NULL);

CREATE INDEX consent_asker ON public.consent USING btree (account_id, id DESC);

CREATE INDEX consent_installation ON public.consent USING btree (installation_id, id DESC);

CREATE INDEX consent_organization ON public.consent USING btree (organization_id, id DESC);

CREATE INDEX device_certificate_device ON public.device_certificate USING btree (device_id, id DESC);

CREATE INDEX device_certificate_end ON public.device_certificate USING btree (expires_at);

CREATE UNIQUE INDEX device_certificate_enrolled ON public.device_certificate USING btree (device_id) WHERE (cause = 1);

CREATE INDEX device_certificate_expiry ON public.device USING btree (certificate_expires_at) WHERE ((deleted_at IS NULL) AND (revoked_at IS NULL));

CREATE INDEX device_certificate_expiry_organization ON public.device USING btree (organization_id, certificate_expires_at) WHERE ((deleted_at IS NULL) AND (revoked_at IS NULL));

CREATE INDEX device_ended ON public.device USING btree (GREATEST(COALESCE(revoked_at, '-infinity'::timestamp with time zone), COALESCE(deleted_at, '-infinity'::timestamp with time zone), COALESCE(decommissioned_at, '-infinity'::timestamp with time zone)), id) WHERE ((revoked_at IS NOT NULL) OR (deleted_at IS NOT NULL));

CREATE INDEX device_enrolled ON public.device USING btree (organization_id, enrolled_at DESC, id) WHERE (deleted_at IS NULL);

CREATE INDEX device_identity_ahead ON public.device_identity USING btree (ahead_at) WHERE (ahead_at IS NOT NULL);

CREATE INDEX device_identity_key_reused ON public.device_identity USING btree (organization_id, key_reused_at) WHERE (key_reused_at IS NOT NULL);

CREATE INDEX device_identity_outdated ON public.device_identity USING btree (organization_id, outdated_at) WHERE (outdated_at IS NOT NULL);

CREATE INDEX device_identity_parked ON public.device_identity USING btree (organization_id, parked_at) WHERE (parked_at IS NOT NULL);

CREATE INDEX device_identity_refused ON public.device_identity USING btree (organization_id, refused_at) WHERE (refused_at IS NOT NULL);

CREATE INDEX device_installation ON public.device USING btree (installation_id, id) WHERE (installation_id IS NOT NULL);

CREATE UNIQUE INDEX device_key ON public.device USING btree (key_hash) WHERE (deleted_at IS NULL);

CREATE INDEX device_key_ever ON public.device USING btree (key_hash);

CREATE INDEX device_labels ON public.device USING gin (labels jsonb_path_ops);

CREATE UNIQUE INDEX device_name ON public.device USING btree (organization_id, name) WHERE (deleted_at IS NULL);

CREATE INDEX device_status_replica ON public.device_status USING btree (replica_id) WHERE online;

CREATE INDEX enrollment_expiry ON public.enrollment USING btree (code_expires_at);

CREATE INDEX enrollment_refusal_organization ON public.enrollment_refusal USING btree (organization_id, source, hour);

CREATE UNIQUE INDEX enrollment_refusal_place ON public.enrollment_refusal USING btree (hour, source, COALESCE(organization_id, '00000000-0000-0000-0000-000000000000'::uuid), reason);

CREATE INDEX enrollment_waiting ON public.enrollment USING btree (organization_id, id) WHERE ((state = 1) AND (organization_id IS NOT NULL));

CREATE INDEX event_device ON public.event USING btree (device_id, id DESC);

CREATE INDEX event_organization ON public.event USING btree (organization_id, id DESC);

CREATE INDEX home_membership_account ON public.home_membership USING btree (account_id, organization_id);

CREATE INDEX invitation_email ON public.invitation USING btree (lower(email));

CREATE INDEX invitation_installation ON public.invitation USING btree (installation_id) WHERE (installation_id IS NOT NULL);

CREATE UNIQUE INDEX invitation_once ON public.invitation USING btree (organization_id, lower(email), COALESCE(installation_id, '00000000-0000-0000-0000-000000000000'::uuid));

CREATE INDEX invitation_organization ON public.invitation USING btree (organization_id, id DESC);

CREATE INDEX join_token_organization ON public.join_token USING btree (organization_id, id);

CREATE INDEX login_expiry ON public.login USING btree (expires_at);

CREATE INDEX mail_due ON public.mail USING btree (next_attempt_at) WHERE ((sent_at IS NULL) AND (given_up_at IS NULL));

CREATE INDEX mail_given_up ON public.mail USING btree (id) WHERE (given_up_at IS NOT NULL);

CREATE INDEX mail_organization ON public.mail USING btree (organization_id, id);

CREATE INDEX mail_recipient ON public.mail USING btree (lower(recipient), created_at);

CREATE INDEX mail_subject ON public.mail USING btree (subject) WHERE ((sent_at IS NULL) AND (given_up_at IS NULL));

CREATE INDEX mailed_secret_expiry ON public.mailed_secret USING btree (expires_at);

CREATE INDEX mailed_secret_subject ON public.mailed_secret USING btree (subject, purpose) WHERE (used_at IS NULL);

CREATE INDEX membership_account ON public.membership USING btree (account_id);

CREATE UNIQUE INDEX organization_domain_verified ON public.organization_domain USING btree (domain) WHERE (verified_at IS NOT NULL);

CREATE INDEX organization_made_by ON public.organization USING btree (made_by, created_at) WHERE (made_by IS NOT NULL);

CREATE UNIQUE INDEX organization_runs_platform ON public.organization USING btree (runs_platform) WHERE runs_platform;

CREATE INDEX returned_device_end ON public.returned_device USING btree (certificate_expires_at);

CREATE INDEX returned_device_organization ON public.returned_device USING btree (organization_id, device_id);

CREATE INDEX sample_head_device ON ONLY public.sample_head USING btree (device_id, sampled_at);

CREATE INDEX sign_in_attempt_expiry ON public.sign_in_attempt USING btree (expires_at);

CREATE INDEX sign_in_attempt_session ON public.sign_in_attempt USING btree (session_id) WHERE (session_id IS NOT NULL);

CREATE INDEX sign_up_email ON public.sign_up USING btree (lower(email));

CREATE INDEX sign_up_expiry ON public.sign_up USING btree (expires_at);

ALTER TABLE ONLY public.account_identity
    ADD CONSTRAINT account_identity_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.address_change
    ADD CONSTRAINT address_change_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.audit_chain
    ADD CONSTRAINT audit_chain_cut_key_fkey FOREIGN KEY (cut_key) REFERENCES public.audit_key(number);

ALTER TABLE ONLY public.audit_chain
    ADD CONSTRAINT audit_chain_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.audit_checkpoint
    ADD CONSTRAINT audit_checkpoint_key_number_fkey FOREIGN KEY (key_number) REFERENCES public.audit_key(number);

ALTER TABLE ONLY public.audit_checkpoint
    ADD CONSTRAINT audit_checkpoint_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.account_session
    ADD CONSTRAINT browser_session_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.consent
    ADD CONSTRAINT consent_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.consent
    ADD CONSTRAINT consent_installation FOREIGN KEY (organization_id, installation_id) REFERENCES public.installation(organization_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.consent
    ADD CONSTRAINT consent_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.device_certificate
    ADD CONSTRAINT device_certificate_organization_id_device_id_fkey FOREIGN KEY (organization_id, device_id) REFERENCES public.device(organization_id, id);

ALTER TABLE ONLY public.device_facts
    ADD CONSTRAINT device_facts_device FOREIGN KEY (organization_id, device_id) REFERENCES public.device(organization_id, id);

ALTER TABLE ONLY public.device_facts
    ADD CONSTRAINT device_facts_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.device_identity
    ADD CONSTRAINT device_identity_organization_id_device_id_fkey FOREIGN KEY (organization_id, device_id) REFERENCES public.device(organization_id, id);

ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_installation FOREIGN KEY (organization_id, installation_id) REFERENCES public.installation(organization_id, id);

ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_replaced_by FOREIGN KEY (organization_id, replaced_by) REFERENCES public.device(organization_id, id);

ALTER TABLE ONLY public.device_status
    ADD CONSTRAINT device_status_device FOREIGN KEY (organization_id, device_id) REFERENCES public.device(organization_id, id);

ALTER TABLE ONLY public.device_status
    ADD CONSTRAINT device_status_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.enrollment
    ADD CONSTRAINT enrollment_device FOREIGN KEY (organization_id, device_id) REFERENCES public.device(organization_id, id);

ALTER TABLE ONLY public.enrollment
    ADD CONSTRAINT enrollment_join_token FOREIGN KEY (organization_id, join_token_id) REFERENCES public.join_token(organization_id, id);

ALTER TABLE ONLY public.enrollment
    ADD CONSTRAINT enrollment_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.enrollment_refusal
    ADD CONSTRAINT enrollment_refusal_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_device FOREIGN KEY (organization_id, device_id) REFERENCES public.device(organization_id, id);

ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.home_membership
    ADD CONSTRAINT home_membership_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.home_membership
    ADD CONSTRAINT home_membership_installation FOREIGN KEY (organization_id, installation_id) REFERENCES public.installation(organization_id, id);

ALTER TABLE ONLY public.home_membership
    ADD CONSTRAINT home_membership_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.invitation
    ADD CONSTRAINT invitation_installation FOREIGN KEY (organization_id, installation_id) REFERENCES public.installation(organization_id, id);

ALTER TABLE ONLY public.invitation
    ADD CONSTRAINT invitation_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.join_token
    ADD CONSTRAINT join_token_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.login
    ADD CONSTRAINT login_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.mail
    ADD CONSTRAINT mail_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.membership
    ADD CONSTRAINT membership_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.membership_by_claim
    ADD CONSTRAINT membership_by_claim_membership FOREIGN KEY (organization_id, account_id) REFERENCES public.membership(organization_id, account_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.membership
    ADD CONSTRAINT membership_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.organization_claim_rule
    ADD CONSTRAINT organization_claim_rule_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.organization_domain
    ADD CONSTRAINT organization_domain_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.organization
    ADD CONSTRAINT organization_made_by_fkey FOREIGN KEY (made_by) REFERENCES public.account(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.report_settings
    ADD CONSTRAINT report_settings_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.returned_device
    ADD CONSTRAINT returned_device_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.organization(id);

ALTER TABLE ONLY public.rotation
    ADD CONSTRAINT rotation_current_authority_fkey FOREIGN KEY (current_authority) REFERENCES public.authority(number);

ALTER TABLE ONLY public.rotation
    ADD CONSTRAINT rotation_next_authority_fkey FOREIGN KEY (next_authority) REFERENCES public.authority(number);

ALTER TABLE ONLY public.sign_in_attempt
    ADD CONSTRAINT sign_in_attempt_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.account_session(id) ON DELETE CASCADE;

ALTER TABLE public.account ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_identity ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_session ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.address_change ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.api_token ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_chain ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_checkpoint ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.consent ENABLE ROW LEVEL SECURITY;

CREATE POLICY counting ON public.mail FOR SELECT TO kaliun_owner USING (true);

ALTER TABLE public.device ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.device_certificate ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.device_facts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.device_identity ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.device_status ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.enrollment ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.enrollment_refusal ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.event ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.home_membership ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.installation ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.invitation ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.join_token ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.mail ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.membership ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.membership_by_claim ENABLE ROW LEVEL SECURITY;

CREATE POLICY organization ON public.account TO kaliun_app USING ((EXISTS ( SELECT
   FROM public.membership m
  WHERE ((m.account_id = account.id) AND (m.organization_id = public.current_organization())))));

CREATE POLICY organization ON public.api_token TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.audit TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.audit_chain TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.audit_checkpoint TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.consent TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id))));

CREATE POLICY organization ON public.device TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id))));

CREATE POLICY organization ON public.device_certificate TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))));

CREATE POLICY organization ON public.device_facts TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))));

CREATE POLICY organization ON public.device_identity TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))));

CREATE POLICY organization ON public.device_status TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))));

CREATE POLICY organization ON public.enrollment TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.enrollment_refusal TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.event TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))));

CREATE POLICY organization ON public.home_membership TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id))));

CREATE POLICY organization ON public.installation TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(id))));

CREATE POLICY organization ON public.invitation TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id))));

CREATE POLICY organization ON public.join_token TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.mail TO kaliun_app USING ((organization_id = public.current_organization())) WITH CHECK ((organization_id = public.current_organization()));

CREATE POLICY organization ON public.membership TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.membership_by_claim TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

ALTER TABLE public.organization ENABLE ROW LEVEL SECURITY;

CREATE POLICY organization ON public.organization TO kaliun_app USING ((id = public.current_organization()));

CREATE POLICY organization ON public.organization_claim_rule TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.organization_domain TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.report_settings TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.returned_device TO kaliun_app USING (((organization_id = public.current_organization()) AND public.reaches_all())) WITH CHECK (((organization_id = public.current_organization()) AND public.reaches_all()));

CREATE POLICY organization ON public.sample_head TO kaliun_app USING (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))) WITH CHECK (((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))));

ALTER TABLE public.organization_claim_rule ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.organization_domain ENABLE ROW LEVEL SECURITY;

CREATE POLICY own ON public.audit AS RESTRICTIVE FOR SELECT TO kaliun_system USING (((public.current_account() IS NULL) OR (actor_id = public.current_account())));

CREATE POLICY own ON public.consent AS RESTRICTIVE TO kaliun_system USING (((public.current_account() IS NULL) OR (account_id = public.current_account())));

CREATE POLICY own ON public.home_membership AS RESTRICTIVE TO kaliun_system USING (((public.current_account() IS NULL) OR (account_id = public.current_account())));

CREATE POLICY own ON public.membership AS RESTRICTIVE TO kaliun_system USING (((public.current_account() IS NULL) OR (account_id = public.current_account())));

ALTER TABLE public.report_settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.returned_device ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.sample_head ENABLE ROW LEVEL SECURITY;

CREATE POLICY system ON public.account TO kaliun_system USING (((public.current_account() IS NULL) OR (id = public.current_account()))) WITH CHECK (((public.current_account() IS NULL) OR (id = public.current_account())));

CREATE POLICY system ON public.account_identity TO kaliun_system USING (((public.current_account() IS NULL) OR (account_id = public.current_account()))) WITH CHECK (((public.current_account() IS NULL) OR (account_id = public.current_account())));

CREATE POLICY system ON public.account_session TO kaliun_system USING (((public.current_account() IS NULL) OR (account_id = public.current_account()))) WITH CHECK (((public.current_account() IS NULL) OR (account_id = public.current_account())));

CREATE POLICY system ON public.address_change TO kaliun_system USING (((public.current_account() IS NULL) OR (account_id = public.current_account()))) WITH CHECK (((public.current_account() IS NULL) OR (account_id = public.current_account())));

CREATE POLICY system ON public.api_token TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.audit TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.audit_chain TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.audit_checkpoint TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.consent TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id)))));

CREATE POLICY system ON public.device TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id)))));

CREATE POLICY system ON public.device_certificate TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))));

CREATE POLICY system ON public.device_facts TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))));

CREATE POLICY system ON public.device_identity TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))));

CREATE POLICY system ON public.device_status TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))));

CREATE POLICY system ON public.enrollment TO kaliun_system USING (((public.current_organization() IS NULL) OR (organization_id = public.current_organization()))) WITH CHECK (((public.current_organization() IS NULL) OR (organization_id = public.current_organization())));

CREATE POLICY system ON public.enrollment_refusal TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.event TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))));

CREATE POLICY system ON public.home_membership TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id)))));

CREATE POLICY system ON public.installation TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(id)))));

CREATE POLICY system ON public.invitation TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_home(installation_id)))));

CREATE POLICY system ON public.join_token TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.mail TO kaliun_system USING (true) WITH CHECK (true);

CREATE POLICY system ON public.membership TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.membership_by_claim TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.organization TO kaliun_system USING (((public.current_organization() IS NULL) OR (id = public.current_organization()))) WITH CHECK (((public.current_organization() IS NULL) OR (id = public.current_organization())));

CREATE POLICY system ON public.organization_claim_rule TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.organization_domain TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.report_settings TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.returned_device TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all()))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND public.reaches_all())));

CREATE POLICY system ON public.sample_head TO kaliun_system USING (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id))))) WITH CHECK (((public.current_organization() IS NULL) OR ((organization_id = public.current_organization()) AND (public.reaches_all() OR public.reaches_device(device_id)))));

CREATE POLICY unclaimed ON public.enrollment TO kaliun_system USING ((organization_id IS NULL));

CREATE POLICY unclaimed ON public.returned_device TO kaliun_system USING ((organization_id IS NULL));

CREATE POLICY written ON public.audit FOR INSERT TO kaliun_app WITH CHECK ((organization_id = public.current_organization()));

CREATE POLICY written_for_somebody ON public.audit FOR INSERT TO kaliun_system WITH CHECK ((organization_id = public.current_organization()));

GRANT CREATE ON SCHEMA public TO kaliun_owner;

REVOKE ALL ON FUNCTION public.mail_room(recipient text, an_hour integer, waiting integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.mail_room(recipient text, an_hour integer, waiting integer) TO kaliun_app;
GRANT ALL ON FUNCTION public.mail_room(recipient text, an_hour integer, waiting integer) TO kaliun_system;

GRANT SELECT,INSERT,UPDATE ON TABLE public.device TO kaliun_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device TO kaliun_system;

REVOKE ALL ON FUNCTION public.sample_head_drop_before(horizon timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sample_head_drop_before(horizon timestamp with time zone) TO kaliun_system;

REVOKE ALL ON FUNCTION public.sample_head_prepare(hour timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sample_head_prepare(hour timestamp with time zone) TO kaliun_system;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.account TO kaliun_system;

GRANT SELECT(id) ON TABLE public.account TO kaliun_app;

GRANT SELECT(email) ON TABLE public.account TO kaliun_app;

GRANT SELECT(created_at) ON TABLE public.account TO kaliun_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.account_identity TO kaliun_system;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.account_session TO kaliun_system;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.address_change TO kaliun_system;

GRANT SELECT,INSERT,UPDATE ON TABLE public.api_token TO kaliun_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.api_token TO kaliun_system;

GRANT SELECT ON TABLE public.audit TO kaliun_app;
GRANT SELECT,DELETE ON TABLE public.audit TO kaliun_system;

GRANT INSERT(organization_id) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(organization_id) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(actor) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(actor),UPDATE(actor) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(action) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(action) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(target) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(target) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(before) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(before),UPDATE(before) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(after) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(after),UPDATE(after) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(request_id) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(request_id) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(actor_kind) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(actor_kind) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(actor_id) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(actor_id) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(source_address) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(source_address),UPDATE(source_address) ON TABLE public.audit TO kaliun_system;

GRANT INSERT(consent_id) ON TABLE public.audit TO kaliun_app;
GRANT INSERT(consent_id) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(actor_salt) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(source_salt) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(before_salt) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(after_salt) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(sequence) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(hash) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(actor_digest) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(source_digest) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(before_digest) ON TABLE public.audit TO kaliun_system;

GRANT UPDATE(after_digest) ON TABLE public.audit TO kaliun_system;

GRANT SELECT ON TABLE public.audit_chain TO kaliun_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.audit_chain TO kaliun_system;

GRANT SELECT ON TABLE public.audit_checkpoint TO kaliun_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.audit_checkpoint TO kaliun_system;

GRANT SELECT,INSERT ON TABLE public.audit_key TO kaliun_system;

GRANT SELECT(number) ON TABLE public.audit_key TO kaliun_app;

GRANT SELECT(public_key) ON TABLE public.audit_key TO kaliun_app;

GRANT UPDATE(sealed_key) ON TABLE public.audit_key TO kaliun_system;

GRANT SELECT,INSERT ON TABLE public.authority TO kaliun_system;

GRANT UPDATE(sealed_key) ON TABLE public.authority TO kaliun_system;

GRANT UPDATE(retired_at) ON TABLE public.authority TO kaliun_system;

GRANT SELECT,INSERT,UPDATE ON TABLE public.cluster TO kaliun_system;

GRANT SELECT(incarnation) ON TABLE public.cluster TO kaliun_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.consent TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.consent TO kaliun_system;

GRANT SELECT ON TABLE public.device_certificate TO kaliun_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.device_certificate TO kaliun_system;

GRANT SELECT ON TABLE public.device_facts TO kaliun_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_facts TO kaliun_system;

GRANT SELECT,UPDATE ON TABLE public.device_identity TO kaliun_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_identity TO kaliun_system;

GRANT SELECT ON TABLE public.device_status TO kaliun_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_status TO kaliun_system;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.enrollment TO kaliun_system;

GRANT SELECT(id) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT(organization_id) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT(key_hash) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT(code_expires_at) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT(state) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT(facts) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT(source_address) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT(device_id) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT(created_at) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT(join_token_id) ON TABLE public.enrollment TO kaliun_app;

GRANT SELECT ON TABLE public.enrollment_refusal TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.enrollment_refusal TO kaliun_system;

GRANT SELECT,INSERT ON TABLE public.event TO kaliun_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.event TO kaliun_system;

GRANT SELECT ON TABLE public.home_membership TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.home_membership TO kaliun_system;

GRANT SELECT ON TABLE public.installation TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.installation TO kaliun_system;

GRANT SELECT,INSERT,UPDATE ON TABLE public.invitation TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invitation TO kaliun_system;

GRANT SELECT,INSERT,UPDATE ON TABLE public.join_token TO kaliun_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.join_token TO kaliun_system;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.login TO kaliun_system;

GRANT SELECT,INSERT,DELETE ON TABLE public.mail TO kaliun_system;

GRANT INSERT(id) ON TABLE public.mail TO kaliun_app;

GRANT INSERT(organization_id) ON TABLE public.mail TO kaliun_app;

GRANT INSERT(recipient) ON TABLE public.mail TO kaliun_app;

GRANT INSERT(kind) ON TABLE public.mail TO kaliun_app;

GRANT INSERT(parameters) ON TABLE public.mail TO kaliun_app;

GRANT INSERT(subject) ON TABLE public.mail TO kaliun_app;

GRANT UPDATE(attempts) ON TABLE public.mail TO kaliun_system;

GRANT UPDATE(next_attempt_at) ON TABLE public.mail TO kaliun_system;

GRANT UPDATE(sent_at) ON TABLE public.mail TO kaliun_system;

GRANT UPDATE(given_up_at) ON TABLE public.mail TO kaliun_system;

GRANT UPDATE(last_error) ON TABLE public.mail TO kaliun_system;

GRANT SELECT,INSERT,DELETE ON TABLE public.mailed_secret TO kaliun_system;

GRANT UPDATE(used_at) ON TABLE public.mailed_secret TO kaliun_system;

GRANT SELECT ON TABLE public.membership TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.membership TO kaliun_system;

GRANT SELECT ON TABLE public.membership_by_claim TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.membership_by_claim TO kaliun_system;

GRANT SELECT ON TABLE public.organization TO kaliun_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.organization TO kaliun_system;

GRANT SELECT ON TABLE public.organization_claim_rule TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.organization_claim_rule TO kaliun_system;

GRANT SELECT ON TABLE public.organization_domain TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.organization_domain TO kaliun_system;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.replica TO kaliun_system;

GRANT SELECT ON TABLE public.report_settings TO kaliun_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.report_settings TO kaliun_system;

GRANT SELECT ON TABLE public.returned_device TO kaliun_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.returned_device TO kaliun_system;

GRANT SELECT,INSERT,UPDATE ON TABLE public.rotation TO kaliun_system;

GRANT SELECT ON TABLE public.sample_head TO kaliun_app;
GRANT SELECT,INSERT ON TABLE public.sample_head TO kaliun_system;

GRANT SELECT,INSERT,DELETE ON TABLE public.sign_in_attempt TO kaliun_system;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sign_up TO kaliun_system;

GRANT SELECT,INSERT ON TABLE public.trust_bundle TO kaliun_system;

GRANT UPDATE(sealed_key) ON TABLE public.trust_bundle TO kaliun_system;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.unsigned_bundle TO kaliun_system;
