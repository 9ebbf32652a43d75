-- What a clock that was set ahead of the time makes of a soak: a step forward that an administrator confirmed is no time that a patch was
-- watched in (I-12). It is the same for every patch.

CREATE TABLE clock_step (
    from_at INTEGER NOT NULL,                 -- the time that the server went by
    to_at   INTEGER NOT NULL                  -- what was confirmed
) STRICT;
CREATE TRIGGER facts_of_clock_step AFTER INSERT ON clock_step BEGIN
    UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'facts';
END;
