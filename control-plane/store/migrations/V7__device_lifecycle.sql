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
