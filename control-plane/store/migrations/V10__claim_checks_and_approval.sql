-- Check characters: whoever claims a box by its code has to type what only the box's screen shows once the code was entered. And boxes
-- that came with a join token and wait for an operator of its organization.

-- State: 1 pending, 2 approved, 3 denied, 4 ended by wrong check characters.
ALTER TABLE enrollment DROP CONSTRAINT enrollment_state_check;
ALTER TABLE enrollment ADD CONSTRAINT enrollment_state_check CHECK (state BETWEEN 1 AND 4);
-- Made when somebody first entered the code. A new code has a new one.
ALTER TABLE enrollment ADD COLUMN check_nonce bytea CHECK (octet_length(check_nonce) = 32);
-- Wrong check characters so far.
ALTER TABLE enrollment ADD COLUMN check_misses smallint NOT NULL DEFAULT 0 CHECK (check_misses BETWEEN 0 AND 5);
-- How often the box began to wait: what a stream that ended does must not touch the one that followed.
ALTER TABLE enrollment ADD COLUMN begun_count bigint NOT NULL DEFAULT 1;
-- When the box took its certificate after the yes. It is given once; what follows is given again, and says so.
ALTER TABLE enrollment ADD COLUMN collected_at timestamptz;
UPDATE enrollment SET collected_at = now() WHERE state = 2;

-- Whether somebody has to say yes to each box that comes with a token, and what its boxes are called; empty for what they call themselves.
ALTER TABLE join_token ADD COLUMN needs_approval boolean NOT NULL DEFAULT false;
ALTER TABLE join_token ADD COLUMN name_pattern text NOT NULL DEFAULT '' CHECK (octet_length(name_pattern) <= 128);
ALTER TABLE join_token ADD CONSTRAINT join_token_of_organization UNIQUE (organization_id, id);
ALTER TABLE enrollment ADD COLUMN join_token_id uuid;
ALTER TABLE enrollment ADD CONSTRAINT enrollment_join_token
    FOREIGN KEY (organization_id, join_token_id) REFERENCES join_token (organization_id, id);
-- A foreign key of two columns is not looked at when one of them is null.
ALTER TABLE enrollment ADD CONSTRAINT enrollment_by_token_has_an_organization
    CHECK (join_token_id IS NULL OR organization_id IS NOT NULL);
-- A box that waits by code is nobody's, and only a box that waits has a code.
ALTER TABLE enrollment ADD CONSTRAINT enrollment_by_code_is_nobodys
    CHECK (claim_code IS NULL OR (state = 1 AND organization_id IS NULL));
ALTER TABLE enrollment ADD CONSTRAINT enrollment_approved_has_a_device CHECK (state <> 2 OR device_id IS NOT NULL);
CREATE INDEX enrollment_waiting ON enrollment (organization_id, id) WHERE state = 1 AND organization_id IS NOT NULL;

-- What an organization sees of the boxes that wait for it. Codes and nonces are for kaliun_system alone.
GRANT SELECT (id, organization_id, join_token_id, key_hash, state, facts, source_address, code_expires_at, created_at)
    ON enrollment TO kaliun_app;

-- Each device has one certificate by which it came in.
CREATE UNIQUE INDEX device_certificate_enrolled ON device_certificate (device_id) WHERE cause = 1;
