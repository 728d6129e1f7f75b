-- Whoever somebody is at a provider is theirs alone to see, by the second wall too.
ALTER TABLE account_identity ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_identity FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON account_identity TO kaliun_system
    USING (current_account() IS NULL OR account_id = current_account())
    WITH CHECK (current_account() IS NULL OR account_id = current_account());
