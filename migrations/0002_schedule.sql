-- Schedules: profiles, maintenance windows, freezes, and exceptions (waivers). Forward only.
-- The rule is the planner's own type as JSON, so that what was saved is what is decided by; the number of the row is the number in it.

CREATE TABLE product (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE                 -- patch.source; a row is made when an exception first names it
) STRICT;

CREATE TABLE schedule (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       INTEGER NOT NULL,              -- 1 profile, 2 window, 3 freeze, 4 exception
    name       TEXT NOT NULL,                 -- empty for exceptions
    rule       TEXT NOT NULL,                 -- JSON
    note       TEXT NOT NULL DEFAULT '',      -- why, for exceptions
    version    INTEGER NOT NULL,              -- the policy_version that brought it as it is
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX schedule_name ON schedule(kind, name) WHERE kind <> 4;

-- What a server did before there were schedules: everything, once a day, at any hour.
INSERT INTO schedule (id, kind, name, rule, version, created_at, created_by, updated_at, updated_by) VALUES
    (1, 1, 'Every device',
     '{"id":1,"position":0,"scan_every":86400,"install_every":86400,"frame":null,"scope":{"everything":true,"groups":[],"devices":[],"not_groups":[],"not_devices":[]}}',
     1, 0, 'server', 0, 'server');
