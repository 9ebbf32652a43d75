-- What every contact changes, in narrow rows of its own: a fleet that checks in rewrites a few pages of these, not one wide row of `device`
-- for each of its devices.

CREATE TABLE device_contact (
    device_id       INTEGER PRIMARY KEY REFERENCES device(id),
    seq             INTEGER NOT NULL,  -- the latest message that was taken
    last_contact_at INTEGER NOT NULL,
    in_window_at    INTEGER NOT NULL   -- last heard of while a window of it was open, or enrolled
) STRICT;
INSERT INTO device_contact (device_id, seq, last_contact_at, in_window_at)
SELECT id, seq, coalesce(last_contact_at, enrolled_at), coalesce(in_window_at, enrolled_at) FROM device;

ALTER TABLE device DROP COLUMN seq;
ALTER TABLE device DROP COLUMN last_contact_at;
ALTER TABLE device DROP COLUMN in_window_at;

-- Every device has its row.
CREATE TRIGGER device_first_contact AFTER INSERT ON device BEGIN
    INSERT INTO device_contact (device_id, seq, last_contact_at, in_window_at) VALUES (NEW.id, 0, NEW.enrolled_at, NEW.enrolled_at);
END;
