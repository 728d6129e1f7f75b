-- Which of its certificates a device showed, by the order in which they were made: one that a newer one has taken the place of comes
-- from a copy of its disk, or from a disk that was set back.
ALTER TABLE device_certificate ADD COLUMN serial bytea CHECK (octet_length(serial) <= 20);
ALTER TABLE device_identity
    -- Of the certificate that opened the last session: its serial number, and its row's.
    ADD COLUMN shown_serial bytea,
    ADD COLUMN shown_certificate bigint,
    -- Of the newest that opened one.
    ADD COLUMN newest_certificate bigint,
    ADD COLUMN outdated_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN outdated_since timestamptz,
    ADD COLUMN outdated_at timestamptz,
    ADD COLUMN outdated_source text;
CREATE INDEX device_identity_outdated ON device_identity (organization_id, outdated_at) WHERE outdated_at IS NOT NULL;
