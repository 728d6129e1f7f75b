-- Somebody of support in a home, or who wants to be. It waits while granted_at and denied_at are null.
CREATE TABLE consent (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    installation_id uuid NOT NULL,
    -- Who asks. Gone with the account; the name stays for the owner to read.
    account_id uuid REFERENCES account (id) ON DELETE SET NULL,
    asked_by text NOT NULL,
    asked_by_name text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    duration interval NOT NULL CHECK (duration BETWEEN interval '15 minutes' AND interval '7 days'),
    asked_at timestamptz NOT NULL DEFAULT now(),
    -- Until when an owner can say yes.
    answer_until timestamptz NOT NULL,
    decided_by text NOT NULL DEFAULT '',
    granted_at timestamptz,
    denied_at timestamptz,
    -- When it ends by itself; moved back when somebody ends it.
    ends_at timestamptz,
    CONSTRAINT consent_installation FOREIGN KEY (organization_id, installation_id) REFERENCES installation (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT consent_decided CHECK ((granted_at IS NULL) = (ends_at IS NULL) AND (granted_at IS NULL OR denied_at IS NULL))
);
CREATE INDEX consent_installation ON consent (installation_id, id DESC);
CREATE INDEX consent_organization ON consent (organization_id, id DESC);
CREATE INDEX consent_account ON consent (account_id) WHERE granted_at IS NOT NULL;
ALTER TABLE consent ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON consent TO kaliun_app
    USING (organization_id = current_organization() AND (reaches_all() OR reaches_home(installation_id)))
    WITH CHECK (organization_id = current_organization() AND (reaches_all() OR reaches_home(installation_id)));
CREATE POLICY system ON consent TO kaliun_system
    USING (current_organization() IS NULL OR (organization_id = current_organization() AND (reaches_all() OR reaches_home(installation_id))))
    WITH CHECK (current_organization() IS NULL OR (organization_id = current_organization() AND (reaches_all() OR reaches_home(installation_id))));
GRANT SELECT, INSERT, UPDATE ON consent TO kaliun_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON consent TO kaliun_system;
