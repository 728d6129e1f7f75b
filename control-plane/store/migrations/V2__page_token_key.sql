-- What page tokens are sealed with. One for all replicas and beyond their lives, so that a list can be read on after a restart and
-- at another replica. The first replica that needs it makes it; kaliun_app has no right to this table.
ALTER TABLE cluster ADD COLUMN page_token_key bytea CHECK (octet_length(page_token_key) = 32);
