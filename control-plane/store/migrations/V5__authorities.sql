-- The fleet's own certificate authorities, and the chain of trust bundles by which boxes know the server. Of no tenant: kaliun_app has
-- no right to any of it. Keys are sealed with a key from a file that the database never sees.

CREATE TABLE authority (
    number integer PRIMARY KEY CHECK (number > 0),
    certificate bytea NOT NULL,
    sealed_key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Since when nothing that it signed is believed any more.
    retired_at timestamptz
);

CREATE TABLE trust_bundle (
    version bigint PRIMARY KEY CHECK (version > 0),
    bundle bytea NOT NULL,
    signature bytea NOT NULL,
    -- Signs the next version. None when it is kept elsewhere.
    sealed_key bytea
);

-- Which authority does what. Phase: 1 steady, 2 trust, 3 issue, 4 drain.
CREATE TABLE rotation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- Grows with each change, so that replicas see that there was one.
    revision bigint NOT NULL DEFAULT 1,
    phase smallint NOT NULL DEFAULT 1 CHECK (phase BETWEEN 1 AND 4),
    phase_since timestamptz NOT NULL DEFAULT now(),
    current_authority integer NOT NULL REFERENCES authority (number),
    -- The one that takes its place.
    next_authority integer REFERENCES authority (number),
    CHECK ((phase = 1) = (next_authority IS NULL))
);

-- Each certificate that a device got. Cause: 1 enrolled, 2 given again, 3 renewed, 4 recovered.
CREATE TABLE device_certificate (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL,
    device_id uuid NOT NULL,
    authority integer NOT NULL,
    cause smallint NOT NULL CHECK (cause BETWEEN 1 AND 4),
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (organization_id, device_id) REFERENCES device (organization_id, id)
);
CREATE INDEX device_certificate_device ON device_certificate (device_id, id DESC);
ALTER TABLE device_certificate ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_certificate FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON device_certificate TO kaliun_app
    USING (organization_id = current_organization()) WITH CHECK (organization_id = current_organization());
CREATE POLICY system ON device_certificate TO kaliun_system USING (true) WITH CHECK (true);
GRANT SELECT ON device_certificate TO kaliun_app;
GRANT SELECT, INSERT ON device_certificate TO kaliun_system;

-- Whose signature is on a device's newest certificate.
ALTER TABLE device ADD COLUMN certificate_authority integer NOT NULL DEFAULT 1;
-- Until when a device may get a new certificate with its key though its allowance is used up, as somebody set it.
ALTER TABLE device ADD COLUMN recoverable_until timestamptz;
-- Since when nothing that the device's key proves counts any more. It stays, and is refused with that reason.
ALTER TABLE device ADD COLUMN revoked_at timestamptz;
-- Which trust bundle a box said it holds; 0 for none.
ALTER TABLE device_status ADD COLUMN trust_version bigint NOT NULL DEFAULT 0;

-- The organization whose admins run the control plane itself: the first one.
ALTER TABLE organization ADD COLUMN runs_platform boolean NOT NULL DEFAULT false;
UPDATE organization SET runs_platform = true WHERE id = (SELECT id FROM organization ORDER BY created_at, id LIMIT 1);
CREATE UNIQUE INDEX organization_runs_platform ON organization (runs_platform) WHERE runs_platform;

GRANT SELECT, INSERT, UPDATE ON authority, trust_bundle, rotation TO kaliun_system;
