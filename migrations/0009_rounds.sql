-- A device installs in rounds (SCH-1): a round begins with a permit, and its profile says how long after that the next
-- one may begin.

-- When its latest round began; NULL = none yet. Installs from before this was counted began none: the next one may come
-- at once. No trigger goes with it: what is kept under the stamps of migration 0005 is told of patches, and devices are
-- read anew each time.
ALTER TABLE device ADD COLUMN round_started INTEGER;

-- Profiles have named an interval from the beginning, but nothing obeyed it, and some were saved without one or with
-- one that is too short or too long now. A day is the default.
UPDATE schedule
SET rule = json_set(rule, '$.install_every', min(max(coalesce(rule ->> '$.install_every', 86400), 3600), 2592000))
WHERE kind = 1;
