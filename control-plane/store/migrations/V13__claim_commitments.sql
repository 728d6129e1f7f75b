-- Both sides of a claim make its check characters: the box commits itself to its bytes before it knows the server's.

-- SHA-256 of the box's bytes, as the newest stream's proof named it. None of boxes that wait for an operator.
ALTER TABLE enrollment ADD COLUMN check_commitment bytea CHECK (octet_length(check_commitment) = 32);
-- The box's bytes, once it has revealed them: only after it was told check_nonce.
ALTER TABLE enrollment ADD COLUMN check_bytes bytea CHECK (octet_length(check_bytes) = 32);
ALTER TABLE enrollment ADD CONSTRAINT enrollment_reveals_what_was_committed
    CHECK (check_bytes IS NULL OR (check_nonce IS NOT NULL AND check_commitment IS NOT NULL AND sha256(check_bytes) = check_commitment));
