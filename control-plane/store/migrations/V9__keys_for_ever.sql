-- Every row of a key, deleted ones too: a key that was revoked once is refused for ever, and a box that recovers is found by its key.
CREATE INDEX device_key_ever ON device (key_hash);

-- The history of certificates ends some time.
CREATE INDEX device_certificate_end ON device_certificate (expires_at);
GRANT DELETE ON device_certificate TO kaliun_system;
