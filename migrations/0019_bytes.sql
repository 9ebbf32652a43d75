-- What one device would download of a patch. The size of a patch is that of all its packages, for every architecture: more than any device
-- needs. NULL = the device has not said since this is kept; then the patch's size counts.

ALTER TABLE device_patch ADD COLUMN bytes INTEGER;
