-- A machine without a browser that asks to be signed in (RFC 8628). State: 1 pending, 2 approved, 3 denied.
CREATE TABLE login (
    id uuid PRIMARY KEY,
    device_code_hash bytea NOT NULL UNIQUE,
    -- Eight letters without vowels, upper case, without hyphen.
    user_code text NOT NULL UNIQUE,
    client text NOT NULL,
    source_address text NOT NULL,
    state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3),
    account_id uuid REFERENCES account (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    polled_at timestamptz,
    interval_seconds integer NOT NULL DEFAULT 5 CHECK (interval_seconds BETWEEN 1 AND 300),
    CONSTRAINT login_decided CHECK ((state = 2) = (account_id IS NOT NULL))
);
CREATE INDEX login_expiry ON login (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON login TO kaliun_system;
