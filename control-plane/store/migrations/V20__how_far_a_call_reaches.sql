-- The second wall knows how far a call reaches: into its organization (kaliun.organization_id), and there to everything or to some homes
-- only (kaliun.reach: '*', or their ids as an array; nothing when it is not set). It holds for both roles: kaliun_system is bound as soon
-- as it acts for somebody, which is when an organization is set.

CREATE FUNCTION reaches_all() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(current_setting('kaliun.reach', true), '') = '*';

-- Whether a home is one of those. The two are asked after reaches_all, which costs nothing, so that they are not asked for each row of a fleet.
CREATE FUNCTION reaches_home(installation uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE coalesce(current_setting('kaliun.reach', true), '')
        WHEN '' THEN false
        WHEN '*' THEN false
        ELSE coalesce(installation = ANY (current_setting('kaliun.reach', true)::uuid[]), false)
    END;

-- By the device's own row, which is behind the same wall.
CREATE FUNCTION reaches_device(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE coalesce(current_setting('kaliun.reach', true), '')
        WHEN '' THEN false
        WHEN '*' THEN false
        ELSE EXISTS (SELECT FROM device WHERE device.id = wanted AND device.installation_id = ANY (current_setting('kaliun.reach', true)::uuid[]))
    END;

DO $$
DECLARE
    wall record;
BEGIN
    FOR wall IN
        SELECT * FROM (VALUES
            ('api_token', 'reaches_all()'), ('audit', 'reaches_all()'), ('join_token', 'reaches_all()'), ('membership', 'reaches_all()'),
            ('report_settings', 'reaches_all()'), ('enrollment', 'reaches_all()'), ('enrollment_refusal', 'reaches_all()'),
            ('returned_device', 'reaches_all()'),
            ('installation', '(reaches_all() OR reaches_home(id))'), ('home_membership', '(reaches_all() OR reaches_home(installation_id))'), ('device', '(reaches_all() OR reaches_home(installation_id))'),
            ('device_certificate', '(reaches_all() OR reaches_device(device_id))'), ('device_facts', '(reaches_all() OR reaches_device(device_id))'),
            ('device_identity', '(reaches_all() OR reaches_device(device_id))'), ('device_status', '(reaches_all() OR reaches_device(device_id))'),
            ('event', '(reaches_all() OR reaches_device(device_id))'), ('sample_head', '(reaches_all() OR reaches_device(device_id))')
        ) AS tables (name, reached)
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', wall.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', wall.name);
        EXECUTE format('DROP POLICY IF EXISTS organization ON %I', wall.name);
        EXECUTE format('DROP POLICY IF EXISTS system ON %I', wall.name);
        EXECUTE format('CREATE POLICY organization ON %1$I TO kaliun_app
            USING (organization_id = current_organization() AND %2$s) WITH CHECK (organization_id = current_organization() AND %2$s)',
            wall.name, wall.reached);
        EXECUTE format('CREATE POLICY system ON %1$I TO kaliun_system
            USING (current_organization() IS NULL OR (organization_id = current_organization() AND %2$s))
            WITH CHECK (current_organization() IS NULL OR (organization_id = current_organization() AND %2$s))', wall.name, wall.reached);
    END LOOP;
END;
$$;

-- A call by somebody of a home writes what it did, too, and reads none of it.
CREATE POLICY written ON audit FOR INSERT TO kaliun_app WITH CHECK (organization_id = current_organization());
CREATE POLICY written_for_somebody ON audit FOR INSERT TO kaliun_system WITH CHECK (organization_id = current_organization());
-- A box that waits by its code belongs to nobody until somebody takes it; who does may be of one home only.
DROP POLICY system ON enrollment;
CREATE POLICY system ON enrollment TO kaliun_system
    USING (current_organization() IS NULL OR organization_id = current_organization())
    WITH CHECK (current_organization() IS NULL OR organization_id = current_organization());
CREATE POLICY unclaimed ON enrollment TO kaliun_system USING (organization_id IS NULL);
-- What a restored database does not know may be of no organization.
CREATE POLICY unclaimed ON returned_device TO kaliun_system USING (organization_id IS NULL);
DROP POLICY system ON organization;
CREATE POLICY system ON organization TO kaliun_system
    USING (current_organization() IS NULL OR id = current_organization())
    WITH CHECK (current_organization() IS NULL OR id = current_organization());
