-- The second wall of what belongs to a person: a transaction of kaliun_system that acts for somebody about their own things says for whom
-- (kaliun.account_id), and sees nobody else's.
CREATE FUNCTION current_account() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('kaliun.account_id', true), '')::uuid;

COMMENT ON FUNCTION current_account() IS 'The person of this transaction; null when it acts for nobody in particular.';

DROP POLICY system ON account_session;
CREATE POLICY system ON account_session TO kaliun_system
    USING (current_account() IS NULL OR account_id = current_account())
    WITH CHECK (current_account() IS NULL OR account_id = current_account());
ALTER TABLE address_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE address_change FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON address_change TO kaliun_system
    USING (current_account() IS NULL OR account_id = current_account())
    WITH CHECK (current_account() IS NULL OR account_id = current_account());
DROP POLICY system ON account;
CREATE POLICY system ON account TO kaliun_system
    USING (current_account() IS NULL OR id = current_account())
    WITH CHECK (current_account() IS NULL OR id = current_account());
-- Nobody's own: restrictive, beside the policies of organizations.
CREATE POLICY own ON membership AS RESTRICTIVE TO kaliun_system USING (current_account() IS NULL OR account_id = current_account());
CREATE POLICY own ON home_membership AS RESTRICTIVE TO kaliun_system USING (current_account() IS NULL OR account_id = current_account());
CREATE POLICY own ON consent AS RESTRICTIVE TO kaliun_system USING (current_account() IS NULL OR account_id = current_account());
CREATE POLICY own ON audit AS RESTRICTIVE FOR SELECT TO kaliun_system USING (current_account() IS NULL OR actor_id = current_account());
