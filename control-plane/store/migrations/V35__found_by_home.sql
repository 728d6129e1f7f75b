-- What serves a home, and who is invited to it: looked for when the home goes, by each call that reaches some homes only, and by checks
-- of foreign keys.
CREATE INDEX device_installation ON device (installation_id, id) WHERE installation_id IS NOT NULL;
CREATE INDEX invitation_installation ON invitation (installation_id) WHERE installation_id IS NOT NULL;
