-- An audit row is written by the change it is about, and gets its place in the organization's chain by the sealer, once it is committed:
-- sequence, hash, and the digests of what may be erased. Salts go with what they salt.
ALTER TABLE audit
    ALTER COLUMN actor DROP NOT NULL,
    ALTER COLUMN source_address DROP NOT NULL,
    ADD COLUMN actor_salt uuid DEFAULT gen_random_uuid(),
    ADD COLUMN source_salt uuid DEFAULT gen_random_uuid(),
    ADD COLUMN before_salt uuid DEFAULT gen_random_uuid(),
    ADD COLUMN after_salt uuid DEFAULT gen_random_uuid(),
    ADD COLUMN sequence bigint CHECK (sequence > 0),
    ADD COLUMN hash bytea,
    ADD COLUMN actor_digest bytea,
    ADD COLUMN source_digest bytea,
    ADD COLUMN before_digest bytea,
    ADD COLUMN after_digest bytea,
    ADD CONSTRAINT audit_sealed CHECK ((sequence IS NULL) = (hash IS NULL));

-- Lists are by time, newest first, of all or of one thing.
CREATE INDEX audit_time ON audit (organization_id, at DESC, id DESC);
CREATE INDEX audit_target ON audit (organization_id, target, at DESC, id DESC);
DROP INDEX audit_organization;
CREATE UNIQUE INDEX audit_sequence ON audit (organization_id, sequence) WHERE sequence IS NOT NULL;
-- What the sealer looks for, each half second: it has nothing but what waits.
CREATE INDEX audit_unsealed ON audit (organization_id, id) WHERE sequence IS NULL;
-- What somebody did; and what may name somebody, which are few rows: an erasure looks for both.
CREATE INDEX audit_actor ON audit (actor_id, id DESC) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_naming ON audit (id)
    WHERE strpos(before::text, '@') > 0 OR strpos(after::text, '@') > 0 OR starts_with(target, 'account/');

-- Nobody writes what the sealer writes, and nobody writes a row anew: but for its seal, and for what is erased.
REVOKE INSERT ON audit FROM kaliun_app, kaliun_system;
GRANT INSERT (organization_id, actor_kind, actor_id, actor, source_address, action, target, before, after, request_id, consent_id)
    ON audit TO kaliun_app, kaliun_system;
GRANT UPDATE (sequence, hash, actor_digest, source_digest, before_digest, after_digest,
    actor, source_address, before, after, actor_salt, source_salt, before_salt, after_salt) ON audit TO kaliun_system;
GRANT DELETE ON audit TO kaliun_system;
