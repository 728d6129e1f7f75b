-- Who acts, in a form that outlives names: 1 a person, 2 an API token, 3 the control plane itself or somebody at its machine.
ALTER TABLE audit
    ADD COLUMN actor_kind smallint NOT NULL DEFAULT 3 CHECK (actor_kind BETWEEN 1 AND 3),
    ADD COLUMN actor_id uuid,
    ADD COLUMN source_address text NOT NULL DEFAULT '',
    -- The owner's leave that support acted by.
    ADD COLUMN consent_id uuid;
ALTER TABLE audit ALTER COLUMN actor_kind DROP DEFAULT;
