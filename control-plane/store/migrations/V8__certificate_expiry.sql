-- Which certificates run out next: looked for once a minute, so that somebody is told before boxes are cut off.
CREATE INDEX device_certificate_expiry ON device (certificate_expires_at) WHERE deleted_at IS NULL AND revoked_at IS NULL;
