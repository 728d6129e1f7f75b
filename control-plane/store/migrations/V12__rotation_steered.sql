-- A rotation that goes on by itself, one that stands still because somebody said so, and a bundle whose key is kept elsewhere.

-- How long devices that have not come along are waited for in each phase; none when somebody takes each step by hand.
ALTER TABLE rotation ADD COLUMN grace_seconds bigint CHECK (grace_seconds > 0);
-- Since when they are waited for: the phase's beginning, or the end of the last pause.
ALTER TABLE rotation ADD COLUMN waits_since timestamptz NOT NULL DEFAULT now();
ALTER TABLE rotation ADD COLUMN paused_at timestamptz;
ALTER TABLE rotation ADD COLUMN paused_by text;
ALTER TABLE rotation ADD COLUMN pause_reason text;
ALTER TABLE rotation ADD CONSTRAINT rotation_pause_is_whole
    CHECK ((paused_at IS NULL) = (paused_by IS NULL) AND (paused_at IS NULL) = (pause_reason IS NULL));
ALTER TABLE rotation ADD CONSTRAINT rotation_steady_is_not_steered
    CHECK (phase <> 1 OR (paused_at IS NULL AND grace_seconds IS NULL));

-- The step that waits for a signature made elsewhere. Step: 1 start, 2 advance, 3 roll back.
CREATE TABLE unsigned_bundle (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- The rotation's revision that the step begins from. With another one it is void.
    revision bigint NOT NULL,
    step smallint NOT NULL CHECK (step BETWEEN 1 AND 3),
    version bigint NOT NULL CHECK (version > 0),
    bundle bytea NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    -- The new authority, and how the rotation shall go on: with a start alone.
    authority_number integer,
    authority_certificate bytea,
    authority_sealed_key bytea,
    grace_seconds bigint CHECK (grace_seconds > 0),
    CHECK ((step = 1) = (authority_number IS NOT NULL)),
    CHECK ((authority_number IS NULL) = (authority_certificate IS NULL)),
    CHECK ((authority_number IS NULL) = (authority_sealed_key IS NULL))
);
GRANT SELECT, INSERT, UPDATE, DELETE ON unsigned_bundle TO kaliun_system;
