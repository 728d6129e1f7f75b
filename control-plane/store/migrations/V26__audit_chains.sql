-- The keys that sign checkpoints, sealed as those of the authorities are. Who verifies a chain is given the public ones.
CREATE TABLE audit_key (
    number integer PRIMARY KEY CHECK (number > 0),
    -- Uncompressed point, P-256.
    public_key bytea NOT NULL,
    sealed_key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT (number, public_key) ON audit_key TO kaliun_app;
GRANT SELECT, INSERT, UPDATE (sealed_key) ON audit_key TO kaliun_system;

-- Where each organization's chain ends, and where it begins after old entries were deleted.
CREATE TABLE audit_chain (
    organization_id uuid PRIMARY KEY REFERENCES organization (id),
    -- The newest sealed row; 0 and the hash that is made of the organization's id before the first.
    head_sequence bigint NOT NULL DEFAULT 0 CHECK (head_sequence >= 0),
    head_hash bytea NOT NULL,
    -- The newest checkpoint.
    checkpoint_sequence bigint NOT NULL DEFAULT 0 CHECK (checkpoint_sequence BETWEEN 0 AND head_sequence),
    checkpoint_at timestamptz NOT NULL DEFAULT '-infinity',
    -- Who seals now.
    sealer uuid,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    -- The last row that was deleted for its age, signed.
    cut_sequence bigint NOT NULL DEFAULT 0 CHECK (cut_sequence BETWEEN 0 AND checkpoint_sequence),
    cut_hash bytea,
    cut_at timestamptz,
    cut_key integer REFERENCES audit_key (number),
    cut_signature bytea,
    CONSTRAINT audit_chain_cut CHECK ((cut_sequence = 0) = (cut_signature IS NULL))
);
CREATE INDEX audit_chain_unsigned ON audit_chain (organization_id) WHERE head_sequence > checkpoint_sequence;

-- Signatures over the hash at one row.
CREATE TABLE audit_checkpoint (
    organization_id uuid NOT NULL REFERENCES organization (id),
    sequence bigint NOT NULL CHECK (sequence > 0),
    incarnation bigint NOT NULL,
    hash bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    key_number integer NOT NULL REFERENCES audit_key (number),
    signature bytea NOT NULL,
    PRIMARY KEY (organization_id, sequence)
);
CREATE INDEX audit_checkpoint_time ON audit_checkpoint (signed_at, organization_id, sequence);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['audit_chain', 'audit_checkpoint']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY organization ON %I TO kaliun_app
            USING (organization_id = current_organization() AND reaches_all())
            WITH CHECK (organization_id = current_organization() AND reaches_all())', tenant_table);
        EXECUTE format('CREATE POLICY system ON %I TO kaliun_system
            USING (current_organization() IS NULL OR (organization_id = current_organization() AND reaches_all()))
            WITH CHECK (current_organization() IS NULL OR (organization_id = current_organization() AND reaches_all()))', tenant_table);
    END LOOP;
END;
$$;
GRANT SELECT ON audit_chain, audit_checkpoint TO kaliun_app;
-- Which life of the database a chain was read in.
GRANT SELECT (incarnation) ON cluster TO kaliun_app;
GRANT SELECT, INSERT, UPDATE ON audit_chain TO kaliun_system;
GRANT SELECT, INSERT, DELETE ON audit_checkpoint TO kaliun_system;
