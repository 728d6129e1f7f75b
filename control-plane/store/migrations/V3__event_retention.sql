-- Old events are deleted. They are read by id, and ids grow with time: the oldest stand first in the primary key, so finding them
-- needs no index of its own.
GRANT DELETE ON event TO kaliun_system;
