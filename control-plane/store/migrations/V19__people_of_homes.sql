-- Who has a role in a home: 1 member, 2 installer, 3 owner.
CREATE TABLE home_membership (
    organization_id uuid NOT NULL REFERENCES organization (id),
    installation_id uuid NOT NULL,
    account_id uuid NOT NULL REFERENCES account (id),
    role smallint NOT NULL CHECK (role BETWEEN 1 AND 3),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (installation_id, account_id),
    CONSTRAINT home_membership_installation FOREIGN KEY (organization_id, installation_id) REFERENCES installation (organization_id, id)
);
CREATE INDEX home_membership_account ON home_membership (account_id, organization_id);

-- Homes that a token reaches; null for the whole organization.
ALTER TABLE api_token ADD COLUMN installation_ids uuid[] CHECK (installation_ids IS NULL OR cardinality(installation_ids) BETWEEN 1 AND 100);

GRANT SELECT ON home_membership TO kaliun_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON home_membership TO kaliun_system;
GRANT DELETE ON installation TO kaliun_system;
