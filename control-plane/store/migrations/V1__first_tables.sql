-- The first tables. Everything belongs to exactly one organization, but for pending enrolments by code, which belong to nobody.
--
-- Roles: kaliun_owner owns all of it and never logs in; kaliun_app acts for people inside one organization, named by the
-- setting kaliun.organization_id of its transaction; kaliun_system authenticates, ingests and reconciles.

CREATE FUNCTION current_organization() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('kaliun.organization_id', true), '')::uuid;

COMMENT ON FUNCTION current_organization() IS 'The organization of this transaction; null when none was set, which shows no row.';

-- Whether labels fulfil all requirements of a selector: [{"key":…,"op":"in"|"notin"|"exists"|"missing","values":[…]}, …].
CREATE FUNCTION labels_match(labels jsonb, requirements jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN NOT EXISTS (
        SELECT FROM jsonb_array_elements(requirements) AS requirement
        WHERE NOT CASE requirement ->> 'op'
            WHEN 'in' THEN coalesce((requirement -> 'values') ? (labels ->> (requirement ->> 'key')), false)
            WHEN 'notin' THEN NOT coalesce((requirement -> 'values') ? (labels ->> (requirement ->> 'key')), false)
            WHEN 'exists' THEN labels ? (requirement ->> 'key')
            ELSE NOT labels ? (requirement ->> 'key')
        END);

-- How often this database came back from a backup. Prefixes epochs, so that old sessions cannot write.
CREATE TABLE cluster (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    incarnation bigint NOT NULL DEFAULT 1
);
INSERT INTO cluster DEFAULT VALUES;

CREATE TABLE organization (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE account (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX account_email ON account (lower(email));

-- Role: 1 viewer, 2 support, 3 operator, 4 admin.
CREATE TABLE membership (
    organization_id uuid NOT NULL REFERENCES organization (id),
    account_id uuid NOT NULL REFERENCES account (id),
    role smallint NOT NULL CHECK (role BETWEEN 1 AND 4),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, account_id)
);
CREATE INDEX membership_account ON membership (account_id);

CREATE TABLE installation (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    name text NOT NULL CHECK (name <> ''),
    time_zone text NOT NULL DEFAULT 'UTC',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, name)
);

CREATE TABLE browser_session (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    account_id uuid NOT NULL REFERENCES account (id),
    secret_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX browser_session_organization ON browser_session (organization_id);

CREATE TABLE api_token (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    name text NOT NULL,
    role smallint NOT NULL CHECK (role BETWEEN 1 AND 4),
    secret_hash bytea NOT NULL UNIQUE,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_token_organization ON api_token (organization_id, id);

CREATE TABLE join_token (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    description text NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    labels jsonb NOT NULL DEFAULT '{}',
    max_uses integer NOT NULL CHECK (max_uses > 0),
    uses integer NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND max_uses),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX join_token_organization ON join_token (organization_id, id);

CREATE TABLE device (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    installation_id uuid REFERENCES installation (id),
    name text NOT NULL,
    labels jsonb NOT NULL DEFAULT '{}',
    -- SHA-256 of the SubjectPublicKeyInfo.
    key_hash bytea NOT NULL,
    certificate_expires_at timestamptz NOT NULL,
    enrolled_at timestamptz NOT NULL DEFAULT now(),
    -- Grows with each change by a person.
    version bigint NOT NULL DEFAULT 1,
    -- A deleted device stays as a tombstone, so that its certificate is refused with the true reason.
    deleted_at timestamptz
);
CREATE UNIQUE INDEX device_name ON device (organization_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX device_key ON device (key_hash) WHERE deleted_at IS NULL;
CREATE INDEX device_enrolled ON device (organization_id, enrolled_at DESC, id) WHERE deleted_at IS NULL;
CREATE INDEX device_labels ON device USING gin (labels jsonb_path_ops);

-- What is observed of a device. One narrow row that each report rewrites in place: half of each page is kept free for that.
CREATE TABLE device_status (
    device_id uuid PRIMARY KEY REFERENCES device (id),
    organization_id uuid NOT NULL REFERENCES organization (id),
    -- The newest session's number. Every durable write of a session names it.
    session_epoch bigint NOT NULL DEFAULT 0,
    replica_id uuid,
    online boolean NOT NULL DEFAULT false,
    link_since timestamptz NOT NULL DEFAULT now(),
    link_reason text NOT NULL DEFAULT 'link.never_connected',
    boot_id uuid,
    agent_version text NOT NULL DEFAULT '',
    -- How far each class of the box's spool is stored.
    sample_spool_id bytea,
    sample_sequence bigint NOT NULL DEFAULT 0,
    event_spool_id bytea,
    event_sequence bigint NOT NULL DEFAULT 0,
    -- The newest sample.
    sampled_at timestamptz,
    sample_stored_at timestamptz,
    sample_values bytea,
    -- 1 ok, 2 degraded, 3 critical: as the box concluded.
    verdict smallint,
    reasons bytea
) WITH (fillfactor = 50);
CREATE INDEX device_status_replica ON device_status (replica_id) WHERE online;

-- Order of gravity as of now: 1 critical, 2 degraded, 3 stale, 4 never reported, 5 ok. A minute is STALE_AFTER_MS of kaliun-types.
CREATE FUNCTION device_health_rank(verdict smallint, stored_at timestamptz) RETURNS smallint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE
        WHEN stored_at IS NULL OR verdict IS NULL THEN 4
        WHEN stored_at < now() - interval '60 seconds' THEN 3
        WHEN verdict = 3 THEN 1
        WHEN verdict = 2 THEN 2
        ELSE 5
    END::smallint;

-- What a box says of itself: an encoded kaliun.telemetry.v1.Facts.
CREATE TABLE device_facts (
    device_id uuid PRIMARY KEY REFERENCES device (id),
    organization_id uuid NOT NULL REFERENCES organization (id),
    facts bytea NOT NULL,
    facts_hash bytea NOT NULL,
    reported_at timestamptz NOT NULL
);

-- A box that waits for somebody's yes. State: 1 pending, 2 approved, 3 denied.
CREATE TABLE enrollment (
    id uuid PRIMARY KEY,
    -- Nobody's until somebody claims it.
    organization_id uuid REFERENCES organization (id),
    key_hash bytea NOT NULL UNIQUE,
    claim_code text UNIQUE,
    code_expires_at timestamptz NOT NULL,
    state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3),
    facts bytea NOT NULL,
    source_address text NOT NULL,
    device_id uuid REFERENCES device (id),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX enrollment_expiry ON enrollment (code_expires_at);

-- How the boxes of an organization report: an encoded kaliun.link.v1.SettingsDocument.
CREATE TABLE report_settings (
    organization_id uuid PRIMARY KEY REFERENCES organization (id),
    generation bigint NOT NULL DEFAULT 1,
    document bytea NOT NULL
);

-- One row a report, all its metrics in one value: a row costs 28 bytes before its data. Hourly partitions by time of storing.
CREATE TABLE sample_head (
    organization_id uuid NOT NULL,
    device_id uuid NOT NULL,
    spool_id bytea NOT NULL,
    sequence bigint NOT NULL,
    sampled_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL,
    sample_values bytea NOT NULL
) PARTITION BY RANGE (stored_at);
CREATE INDEX sample_head_device ON sample_head (device_id, sampled_at);

-- Makes the partition of an hour if it is missing. Owner's rights, for nobody else may create tables.
CREATE FUNCTION sample_head_prepare(hour timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    first timestamptz := date_trunc('hour', hour, 'UTC');
    partition text := 'sample_head_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD_HH24');
BEGIN
    IF to_regclass(partition) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF sample_head FOR VALUES FROM (%L) TO (%L)',
                       partition, first, first + interval '1 hour');
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    END IF;
END;
$$;

-- Drops the partitions that ended before a time; answers how many.
CREATE FUNCTION sample_head_drop_before(horizon timestamptz) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
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

-- A fact in time.
CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    device_id uuid REFERENCES device (id),
    code text NOT NULL,
    message text NOT NULL,
    actor text NOT NULL,
    happened_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_organization ON event (organization_id, id DESC);
CREATE INDEX event_device ON event (device_id, id DESC);

-- Who changed what. Written in the transaction of the change.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    before jsonb,
    after jsonb,
    request_id text NOT NULL
);
CREATE INDEX audit_organization ON audit (organization_id, id DESC);

-- One running control plane process. Its sessions are over when it has not been heard of for the lease.
CREATE TABLE replica (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    heard_at timestamptz NOT NULL DEFAULT now()
);

-- The second wall. Every tenant table: enabled, forced, one policy for the application, one for the system role.
DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['membership', 'installation', 'browser_session', 'api_token', 'join_token', 'device',
        'device_status', 'device_facts', 'enrollment', 'report_settings', 'sample_head', 'event', 'audit']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY organization ON %I TO kaliun_app
            USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization())', tenant_table);
        EXECUTE format('CREATE POLICY system ON %I TO kaliun_system USING (true) WITH CHECK (true)', tenant_table);
    END LOOP;
END;
$$;
ALTER TABLE organization ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON organization TO kaliun_app USING (id = current_organization());
CREATE POLICY system ON organization TO kaliun_system USING (true) WITH CHECK (true);
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE account FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON account TO kaliun_app USING (EXISTS (
    SELECT FROM membership m WHERE m.account_id = account.id AND m.organization_id = current_organization()));
CREATE POLICY system ON account TO kaliun_system USING (true) WITH CHECK (true);

GRANT SELECT ON organization, membership, installation, device_status, device_facts, report_settings, sample_head TO kaliun_app;
GRANT SELECT (id, email, created_at) ON account TO kaliun_app;
GRANT SELECT, INSERT, UPDATE ON device, api_token, join_token TO kaliun_app;
GRANT SELECT, INSERT ON event, audit TO kaliun_app;

GRANT SELECT, INSERT, UPDATE ON cluster, organization, account, membership, installation, browser_session, api_token, join_token,
    device, device_status, device_facts, report_settings, replica TO kaliun_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON enrollment TO kaliun_system;
GRANT DELETE ON replica, browser_session TO kaliun_system;
GRANT SELECT, INSERT ON sample_head, event, audit TO kaliun_system;
REVOKE EXECUTE ON FUNCTION sample_head_prepare(timestamptz), sample_head_drop_before(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sample_head_prepare(timestamptz), sample_head_drop_before(timestamptz) TO kaliun_system;
