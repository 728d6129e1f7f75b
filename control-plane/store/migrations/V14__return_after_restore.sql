-- Return after a database restore.

-- Devices that came with a certificate of ours and of which there is neither a record nor a tombstone: they were enrolled after the backup
-- was made that this database came back from. They wait until somebody takes them back. At most as many as there are such certificates.
CREATE TABLE returned_device (
    device_id uuid PRIMARY KEY,
    -- Whose it was, as its certificate says; null where that says nothing, or names an organization that is not here either.
    organization_id uuid REFERENCES organization (id),
    key_hash bytea NOT NULL,
    certificate_authority integer NOT NULL,
    certificate_expires_at timestamptz NOT NULL,
    source text NOT NULL,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX returned_device_organization ON returned_device (organization_id, device_id);
CREATE INDEX returned_device_end ON returned_device (certificate_expires_at);
ALTER TABLE returned_device ENABLE ROW LEVEL SECURITY;
ALTER TABLE returned_device FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON returned_device TO kaliun_app
    USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY system ON returned_device TO kaliun_system USING (true) WITH CHECK (true);
GRANT SELECT ON returned_device TO kaliun_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON returned_device TO kaliun_system;

-- Since when, and when last, a box remembered what this database does not, though nobody has said that it came back from a backup.
ALTER TABLE device_identity ADD COLUMN ahead_since timestamptz;
ALTER TABLE device_identity ADD COLUMN ahead_at timestamptz;
-- The incarnation that it knows then.
ALTER TABLE device_identity ADD COLUMN ahead_incarnation bigint;
CREATE INDEX device_identity_ahead ON device_identity (ahead_at) WHERE ahead_at IS NOT NULL;

-- When somebody said last that the database came back from a backup.
ALTER TABLE cluster ADD COLUMN restored_at timestamptz;

-- Devices that may not connect any more, for the journal of them that is kept outside the database.
CREATE INDEX device_ended ON device
    (greatest(coalesce(revoked_at, '-infinity'), coalesce(deleted_at, '-infinity'), coalesce(decommissioned_at, '-infinity')), id)
    WHERE revoked_at IS NOT NULL OR deleted_at IS NOT NULL;
