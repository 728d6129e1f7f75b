-- All that one person asked for, also what waits or was refused: their own list, and how often they ask.
CREATE INDEX consent_asker ON consent (account_id, id DESC);
