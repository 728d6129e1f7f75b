-- Who an account's person is at other people's identity providers. The subject is what the provider never gives to another; the address is
-- what it said when they were linked, for the person to recognize.
CREATE TABLE account_identity (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    provider text NOT NULL,
    subject text NOT NULL CHECK (subject <> ''),
    email text NOT NULL DEFAULT '',
    linked_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT account_identity_subject UNIQUE (provider, subject),
    CONSTRAINT account_identity_provider UNIQUE (account_id, provider)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_identity TO kaliun_system;

-- Somebody who was sent to a provider and has not come back. The session is that of somebody who links an identity; who signs in has none.
CREATE TABLE sign_in_attempt (
    state_hash bytea PRIMARY KEY,
    -- Of what the browser keeps that began.
    browser_hash bytea NOT NULL,
    provider text NOT NULL,
    redirect_uri text NOT NULL,
    nonce text NOT NULL,
    pkce_verifier text NOT NULL,
    -- Where they go on afterwards, on this server.
    return_path text NOT NULL CHECK (return_path LIKE '/%'),
    session_id uuid REFERENCES account_session (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_attempt_expiry ON sign_in_attempt (expires_at);
CREATE INDEX sign_in_attempt_session ON sign_in_attempt (session_id) WHERE session_id IS NOT NULL;
GRANT SELECT, INSERT, DELETE ON sign_in_attempt TO kaliun_system;
