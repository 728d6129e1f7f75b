-- Mails that are to be sent, and for a month those that were. The secret of a link is not in here: it is made when the mail is sent.
CREATE TABLE mail (
    id uuid PRIMARY KEY,
    -- For whom it is sent; null for what concerns an account alone.
    organization_id uuid REFERENCES organization (id),
    recipient text NOT NULL CHECK (recipient <> '' AND octet_length(recipient) <= 320),
    -- Which mail it is, and what it says: names, words and times.
    kind text NOT NULL,
    parameters jsonb NOT NULL,
    -- What the secret of its link is about: an account, an invitation.
    subject uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Attempts begun.
    attempts integer NOT NULL DEFAULT 0,
    -- When the next one is due. While a replica sends the mail, until when nobody else does.
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    given_up_at timestamptz,
    -- Of the last attempt that failed.
    last_error text,
    CONSTRAINT mail_ends_once CHECK (sent_at IS NULL OR given_up_at IS NULL)
);
CREATE INDEX mail_due ON mail (next_attempt_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX mail_given_up ON mail (id) WHERE given_up_at IS NOT NULL;
CREATE INDEX mail_recipient ON mail (lower(recipient), created_at);
CREATE INDEX mail_subject ON mail (subject) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX mail_organization ON mail (organization_id, id);

ALTER TABLE mail ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON mail TO kaliun_app
    USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY system ON mail TO kaliun_system USING (true) WITH CHECK (true);
-- For mail_room alone: its owner counts across organizations.
CREATE POLICY counting ON mail FOR SELECT TO kaliun_owner USING (true);
-- The application puts mails in and never reads them.
GRANT INSERT (id, organization_id, recipient, kind, parameters, subject) ON mail TO kaliun_app;
GRANT SELECT, INSERT, DELETE ON mail TO kaliun_system;
GRANT UPDATE (attempts, next_attempt_at, sent_at, given_up_at, last_error) ON mail TO kaliun_system;

-- Whether there is room for one more mail: 0 yes, 1 the address has had as many within an hour as it may, 2 as many wait as may. Holds
-- the address until the transaction ends, so that two at once do not both take the last place.
CREATE FUNCTION mail_room(recipient text, an_hour integer, waiting integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
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
REVOKE EXECUTE ON FUNCTION mail_room(text, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail_room(text, integer, integer) TO kaliun_app, kaliun_system;
