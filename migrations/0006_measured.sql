-- How long things took, as the devices saw it: what is expected the next time (SCH-2). NULL = not measured.

-- Seconds that the package manager ran. What a message took on its way is not in it; for what came before this it is, which is never too short.
ALTER TABLE attempt ADD COLUMN took INTEGER;
UPDATE attempt SET took = finished_at - started_at WHERE kind = 1 AND state = 3 AND finished_at > started_at;
-- Bytes per second of the last download that was large enough to tell.
ALTER TABLE device ADD COLUMN download_rate INTEGER;
-- Seconds from the agent's order to restart to its next start.
ALTER TABLE device ADD COLUMN restart_took INTEGER;
