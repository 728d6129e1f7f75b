-- What belongs together belongs to one organization, by the database too: checks of foreign keys do not ask row-level security.
ALTER TABLE installation ADD CONSTRAINT installation_of_organization UNIQUE (organization_id, id);
ALTER TABLE device ADD CONSTRAINT device_of_organization UNIQUE (organization_id, id);
ALTER TABLE device
    DROP CONSTRAINT device_installation_id_fkey,
    ADD CONSTRAINT device_installation FOREIGN KEY (organization_id, installation_id) REFERENCES installation (organization_id, id);
ALTER TABLE device_status
    DROP CONSTRAINT device_status_device_id_fkey,
    ADD CONSTRAINT device_status_device FOREIGN KEY (organization_id, device_id) REFERENCES device (organization_id, id);
ALTER TABLE device_facts
    DROP CONSTRAINT device_facts_device_id_fkey,
    ADD CONSTRAINT device_facts_device FOREIGN KEY (organization_id, device_id) REFERENCES device (organization_id, id);
ALTER TABLE event
    DROP CONSTRAINT event_device_id_fkey,
    ADD CONSTRAINT event_device FOREIGN KEY (organization_id, device_id) REFERENCES device (organization_id, id);
ALTER TABLE enrollment
    DROP CONSTRAINT enrollment_device_id_fkey,
    ADD CONSTRAINT enrollment_device FOREIGN KEY (organization_id, device_id) REFERENCES device (organization_id, id);

-- Two replicas that start in the same moment both want the same hour: the second waits, and finds it made.
CREATE OR REPLACE FUNCTION sample_head_prepare(hour timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS
$$
DECLARE
    first timestamptz := date_trunc('hour', hour, 'UTC');
    partition text := 'sample_head_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD_HH24');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('sample_head_prepare'));
    -- Not by to_regclass: what it did not find before is remembered in this session, and an advisory lock does not make it look again.
    IF NOT EXISTS (SELECT FROM pg_class WHERE relname = partition AND relnamespace = 'public'::regnamespace) THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF sample_head FOR VALUES FROM (%L) TO (%L)',
                       partition, first, first + interval '1 hour');
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    END IF;
END;
$$;
