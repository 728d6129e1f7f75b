-- Which role somebody gets by what a provider says of them. Role: 1 viewer, 2 support, 3 operator, 4 admin.
CREATE TABLE organization_claim_rule (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization (id),
    provider text NOT NULL,
    claim text NOT NULL CHECK (claim <> ''),
    value text NOT NULL CHECK (value <> ''),
    role smallint NOT NULL CHECK (role BETWEEN 1 AND 4),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organization_claim_rule_once UNIQUE (organization_id, provider, claim, value)
);

-- Members whose role is by claims, of which provider. It holds as long as the membership has that role: whoever gives another by hand ends it.
-- What they had by hand before is the least they have.
CREATE TABLE membership_by_claim (
    organization_id uuid NOT NULL,
    account_id uuid NOT NULL,
    provider text NOT NULL,
    role smallint NOT NULL CHECK (role BETWEEN 1 AND 4),
    base_role smallint CHECK (base_role BETWEEN 1 AND 4),
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, account_id),
    CONSTRAINT membership_by_claim_membership FOREIGN KEY (organization_id, account_id)
        REFERENCES membership (organization_id, account_id) ON DELETE CASCADE
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['organization_claim_rule', 'membership_by_claim'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY organization ON %I TO kaliun_app
            USING (organization_id = current_organization() AND reaches_all()) WITH CHECK (organization_id = current_organization() AND reaches_all())', name);
        EXECUTE format('CREATE POLICY system ON %I TO kaliun_system
            USING (current_organization() IS NULL OR (organization_id = current_organization() AND reaches_all()))
            WITH CHECK (current_organization() IS NULL OR (organization_id = current_organization() AND reaches_all()))', name);
        EXECUTE format('GRANT SELECT ON %I TO kaliun_app', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO kaliun_system', name);
    END LOOP;
END;
$$;
