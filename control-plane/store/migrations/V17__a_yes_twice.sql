-- Whoever says yes once more, for the answer was lost, is told which device it became.
GRANT SELECT (device_id) ON enrollment TO kaliun_app;
