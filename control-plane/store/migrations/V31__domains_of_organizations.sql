-- Domains that an organization says are its own. Several may say so; it is one's whose word stands in the domain's record, or whom an admin
-- of the server believes. Role: what newcomers with an address there become (1 viewer, 2 support, 3 operator).
CREATE TABLE organization_domain (
    organization_id uuid NOT NULL REFERENCES organization (id),
    domain text NOT NULL CHECK (domain <> '' AND domain = lower(domain)),
    -- What the record has to say.
    word text NOT NULL,
    role smallint NOT NULL CHECK (role BETWEEN 1 AND 3),
    created_at timestamptz NOT NULL DEFAULT now(),
    verified_at timestamptz,
    -- "dns", or who believed it.
    verified_by text NOT NULL DEFAULT '',
    PRIMARY KEY (organization_id, domain)
);
CREATE UNIQUE INDEX organization_domain_verified ON organization_domain (domain) WHERE verified_at IS NOT NULL;
ALTER TABLE organization_domain ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization_domain FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON organization_domain TO kaliun_app
    USING (organization_id = current_organization() AND reaches_all()) WITH CHECK (organization_id = current_organization() AND reaches_all());
CREATE POLICY system ON organization_domain TO kaliun_system
    USING (current_organization() IS NULL OR (organization_id = current_organization() AND reaches_all()))
    WITH CHECK (current_organization() IS NULL OR (organization_id = current_organization() AND reaches_all()));
GRANT SELECT ON organization_domain TO kaliun_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON organization_domain TO kaliun_system;
