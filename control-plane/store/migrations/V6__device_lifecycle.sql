-- The end of a device's service, and what is watched about what devices are known by.

-- Since when a device is out of service for good. It is revoked then, too, so that whatever asks for that refuses it.
ALTER TABLE device ADD COLUMN decommissioned_at timestamptz;
-- Whether the box shall delete its identity when it is told.
ALTER TABLE device ADD COLUMN wipe_identity boolean NOT NULL DEFAULT false;
-- The device that serves its home now.
ALTER TABLE device ADD COLUMN replaced_by uuid;
ALTER TABLE device ADD CONSTRAINT device_replaced_by
    FOREIGN KEY (organization_id, replaced_by) REFERENCES device (organization_id, id);
ALTER TABLE device ADD CONSTRAINT device_decommissioned_is_revoked
    CHECK (decommissioned_at IS NULL OR revoked_at IS NOT NULL);
ALTER TABLE device ADD CONSTRAINT device_wiped_is_decommissioned
    CHECK (NOT wipe_identity OR decommissioned_at IS NOT NULL);

-- What is watched about what a device is known by. One row for each device that ever had a session.
CREATE TABLE device_identity (
    device_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    -- The boots that came with its identity, the last one at the end. At most 16, of some 200 bytes each.
    boots jsonb NOT NULL DEFAULT '[]',
    -- Since when two boxes seem to use it: it reports nothing and takes no commands until somebody has chosen.
    parked_at timestamptz,
    -- What it was refused for: revoked, out of service, or a boot that was not chosen.
    refused_count bigint NOT NULL DEFAULT 0,
    refused_since timestamptz,
    refused_at timestamptz,
    refused_reason text,
    -- Where its key came under another identity, or its name with another key.
    key_reused_count bigint NOT NULL DEFAULT 0,
    key_reused_since timestamptz,
    key_reused_at timestamptz,
    key_reused_source text,
    FOREIGN KEY (organization_id, device_id) REFERENCES device (organization_id, id)
);
-- What somebody has to look at: few, of many.
CREATE INDEX device_identity_parked ON device_identity (organization_id, parked_at) WHERE parked_at IS NOT NULL;
CREATE INDEX device_identity_refused ON device_identity (organization_id, refused_at) WHERE refused_at IS NOT NULL;
CREATE INDEX device_identity_key_reused ON device_identity (organization_id, key_reused_at) WHERE key_reused_at IS NOT NULL;
ALTER TABLE device_identity ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_identity FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON device_identity TO kaliun_app
    USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY system ON device_identity TO kaliun_system USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON device_identity TO kaliun_app;
GRANT SELECT, INSERT, UPDATE ON device_identity TO kaliun_system;
