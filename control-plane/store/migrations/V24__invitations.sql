-- Somebody asked into an organization, or into one home of it. Gone once accepted or taken back; the audit keeps what happened.
CREATE TABLE invitation (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    email text NOT NULL,
    role smallint CHECK (role BETWEEN 1 AND 4),
    installation_id uuid,
    home_role smallint CHECK (home_role BETWEEN 1 AND 3),
    invited_by text NOT NULL,
    -- Whether the secret went to the address, so that who has it reads the mail there.
    mailed boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT invitation_installation FOREIGN KEY (organization_id, installation_id) REFERENCES installation (organization_id, id),
    CONSTRAINT invitation_to_one CHECK ((role IS NULL) <> (installation_id IS NULL) AND (home_role IS NULL) = (installation_id IS NULL))
);
CREATE INDEX invitation_organization ON invitation (organization_id, id DESC);
CREATE UNIQUE INDEX invitation_once ON invitation (organization_id, lower(email), coalesce(installation_id, '00000000-0000-0000-0000-000000000000'));
CREATE INDEX invitation_email ON invitation (lower(email));
ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON invitation TO kaliun_app
    USING (organization_id = current_organization() AND (reaches_all() OR reaches_home(installation_id)))
    WITH CHECK (organization_id = current_organization() AND (reaches_all() OR reaches_home(installation_id)));
CREATE POLICY system ON invitation TO kaliun_system
    USING (current_organization() IS NULL OR (organization_id = current_organization() AND (reaches_all() OR reaches_home(installation_id))))
    WITH CHECK (current_organization() IS NULL OR (organization_id = current_organization() AND (reaches_all() OR reaches_home(installation_id))));
GRANT SELECT, INSERT, UPDATE ON invitation TO kaliun_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON invitation TO kaliun_system;
