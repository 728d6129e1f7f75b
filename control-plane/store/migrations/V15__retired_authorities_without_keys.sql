-- The key of an authority that nobody of us believes any more is of use to a thief alone: a box that slept through still believes it.
ALTER TABLE authority ALTER COLUMN sealed_key DROP NOT NULL;
UPDATE authority SET sealed_key = NULL WHERE retired_at IS NOT NULL;
ALTER TABLE authority ADD CONSTRAINT authority_key_ends_with_it CHECK ((retired_at IS NULL) = (sealed_key IS NOT NULL));

-- Certificates and signed bundles are written once.
REVOKE UPDATE ON authority, trust_bundle FROM kaliun_system;
GRANT UPDATE (retired_at, sealed_key) ON authority TO kaliun_system;
GRANT UPDATE (sealed_key) ON trust_bundle TO kaliun_system;
