-- The interval of a device's rounds counts from the opening of the window or the hours in which the latest round began, where that time is
-- no longer than the interval (docs/adr/0011): a round that begins twenty minutes into its window does not move the next one.

-- From when on the interval counts; NULL = from the beginning of the round, as for rounds from before this was written down.
ALTER TABLE device ADD COLUMN round_counts_from INTEGER;
