-- Whoever is signed in is so as a person; the organization is named by each call. Kind: 1 a browser's, by cookie; 2 fleetctl's, by tokens.
ALTER TABLE account
    ADD COLUMN name text NOT NULL DEFAULT '',
    -- When somebody proved to have the address, or an admin of the server said so.
    ADD COLUMN confirmed_at timestamptz NOT NULL DEFAULT now(),
    -- Without one a provider of identities signs the person in.
    ALTER COLUMN password_hash DROP NOT NULL;
ALTER TABLE account ALTER COLUMN confirmed_at DROP DEFAULT;
ALTER TABLE browser_session RENAME TO account_session;
DROP POLICY organization ON account_session;
DROP INDEX browser_session_organization;
ALTER TABLE account_session
    DROP COLUMN organization_id,
    ADD COLUMN kind smallint NOT NULL DEFAULT 1 CHECK (kind IN (1, 2)),
    -- What it said of itself, and where it was opened.
    ADD COLUMN client text NOT NULL DEFAULT '',
    ADD COLUMN source_address text NOT NULL DEFAULT '',
    ADD COLUMN last_used_at timestamptz NOT NULL DEFAULT now(),
    -- Of fleetctl's: until when the secret, an access token, is good; the hash of the token that brings the next one, and of the one before
    -- it, which is worth nothing and tells of a thief.
    ADD COLUMN access_expires_at timestamptz,
    ADD COLUMN refresh_hash bytea UNIQUE,
    ADD COLUMN spent_refresh_hash bytea UNIQUE,
    ADD CONSTRAINT account_session_tokens CHECK ((kind = 2) = (access_expires_at IS NOT NULL AND refresh_hash IS NOT NULL));
ALTER TABLE account_session ALTER COLUMN kind DROP DEFAULT;
CREATE INDEX account_session_account ON account_session (account_id, id);
CREATE INDEX account_session_expiry ON account_session (expires_at);
GRANT DELETE ON account, membership TO kaliun_system;
