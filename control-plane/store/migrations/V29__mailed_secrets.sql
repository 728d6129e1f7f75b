-- Secrets in the links of mails, as hashes. Several may live for one subject: each attempt to send a mail makes one.
CREATE TABLE mailed_secret (
    id uuid PRIMARY KEY,
    -- 1 confirm an address, 2 reset a password, 3 change an address, 4 accept an invitation.
    purpose smallint NOT NULL CHECK (purpose BETWEEN 1 AND 4),
    -- The account, the change, the invitation.
    subject uuid NOT NULL,
    -- SHA-256.
    secret_hash bytea NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    -- When it was used, or became void.
    used_at timestamptz
);
CREATE INDEX mailed_secret_subject ON mailed_secret (subject, purpose) WHERE used_at IS NULL;
CREATE INDEX mailed_secret_expiry ON mailed_secret (expires_at);

GRANT SELECT, INSERT, DELETE ON mailed_secret TO kaliun_system;
GRANT UPDATE (used_at) ON mailed_secret TO kaliun_system;
