-- What `/metrics` says of attempts, without reading them all: their table only grows.

-- How many attempts are in which state, kept by triggers like the counts of devices (fleet_count).
CREATE TABLE attempt_count (
    state INTEGER PRIMARY KEY,
    n     INTEGER NOT NULL
) STRICT;
INSERT INTO attempt_count (state, n) SELECT state, count(*) FROM attempt GROUP BY state;
CREATE TRIGGER attempt_counted AFTER INSERT ON attempt BEGIN
    INSERT INTO attempt_count (state, n) VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER attempt_recounted AFTER UPDATE OF state ON attempt WHEN OLD.state <> NEW.state BEGIN
    UPDATE attempt_count SET n = n - 1 WHERE state = OLD.state;
    INSERT INTO attempt_count (state, n) VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER attempt_uncounted AFTER DELETE ON attempt BEGIN
    UPDATE attempt_count SET n = n - 1 WHERE state = OLD.state;
END;

-- Installs that ended well and that no scan has shown yet: few, and none for long.
CREATE INDEX attempt_unproven ON attempt (proven_at) WHERE kind = 1 AND state = 3 AND proven_at IS NULL;
