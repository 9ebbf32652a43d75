-- In which hours of the week each device was seen, on its own wall, over the last four weeks: what allowed hours are suggested from.

CREATE TABLE device_seen (
    device_id  INTEGER PRIMARY KEY REFERENCES device(id),
    since_hour INTEGER NOT NULL,              -- first hour that is known of; hours are counted from a Monday, on the device's wall
    last_hour  INTEGER NOT NULL,              -- last hour in which it was seen
    weeks      BLOB NOT NULL                  -- 168 bytes, Monday 00:00 first; bit n: n weeks before the week of last_hour
) STRICT;
