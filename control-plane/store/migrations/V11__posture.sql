-- What the posture of a fleet's identities is read from, beside what device and device_identity say already.

-- Enrolments that came to nothing, counted by hour and by where they came from: never a row for each.
CREATE TABLE enrollment_refusal (
    -- Its beginning, by the database's clock.
    hour timestamptz NOT NULL,
    -- An IPv4 address, or the /64 of an IPv6 address. Empty for all together that there was no room to tell apart, and where sources
    -- are not known.
    source text NOT NULL,
    -- Whose join token was shown; null for nobody's: a wrong token, or none.
    organization_id uuid REFERENCES organization (id),
    reason text NOT NULL,
    refused_count bigint NOT NULL CHECK (refused_count > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX enrollment_refusal_place ON enrollment_refusal
    (hour, source, (coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid)), reason);
CREATE INDEX enrollment_refusal_organization ON enrollment_refusal (organization_id, source, hour);
ALTER TABLE enrollment_refusal ENABLE ROW LEVEL SECURITY;
ALTER TABLE enrollment_refusal FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON enrollment_refusal TO kaliun_app
    USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY system ON enrollment_refusal TO kaliun_system USING (true) WITH CHECK (true);
GRANT SELECT ON enrollment_refusal TO kaliun_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON enrollment_refusal TO kaliun_system;

-- Certificates of one organization that run out, for its posture: in a fleet that renews, few of many.
CREATE INDEX device_certificate_expiry_organization ON device (organization_id, certificate_expires_at)
    WHERE deleted_at IS NULL AND revoked_at IS NULL;
