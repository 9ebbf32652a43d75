-- How long things took, as the devices saw it: what is expected the next time (SCH-2). NULL = not measured.

-- Seconds that the package manager ran. What a message took on its way is not in it.
ALTER TABLE attempt ADD COLUMN took INTEGER;
-- Bytes per second of the last download that was large enough to tell.
ALTER TABLE device ADD COLUMN download_rate INTEGER;
-- Seconds from the agent's order to restart to its next start.
ALTER TABLE device ADD COLUMN restart_took INTEGER;
