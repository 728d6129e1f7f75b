-- What a device showed, rather than what it was granted, says how far a rotation has come: a certificate can be lost on its way.

-- Number of the authority that signed the certificate which the device showed when its newest session began; 0 before its first.
ALTER TABLE device_status ADD COLUMN shown_authority integer NOT NULL DEFAULT 0;
