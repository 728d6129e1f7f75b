-- Who made an organization, as long as the account is there: a person makes so many a day.
ALTER TABLE organization ADD COLUMN made_by uuid REFERENCES account (id) ON DELETE SET NULL;
CREATE INDEX organization_made_by ON organization (made_by, created_at) WHERE made_by IS NOT NULL;
