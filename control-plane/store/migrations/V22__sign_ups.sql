-- Who asked for an account and has not shown that the address is theirs. Several may ask for one address: the account is of the one who
-- reads its mail and knows the password of their own request.
CREATE TABLE sign_up (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    source_address text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_up_email ON sign_up (lower(email));
CREATE INDEX sign_up_expiry ON sign_up (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_up TO kaliun_system;

-- An address that somebody wants instead of theirs.
CREATE TABLE address_change (
    account_id uuid PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    new_email text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON address_change TO kaliun_system;
