-- The core: people, devices, the catalog, states, decisions, attempts, audit.
-- Moments are whole seconds since 1970 (UTC). Enums are stored by the numbers of `crates/domain`. Forward only.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
-- epoch: grows with every restore. policy_version: grows with every change that devices must follow. clock_high_water: latest moment seen.
INSERT INTO meta VALUES ('epoch', '1'), ('policy_version', '1'), ('clock_high_water', '0');

-- People -------------------------------------------------------------------------------------------------------------

CREATE TABLE account (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role          INTEGER NOT NULL,
    password_hash TEXT,                       -- Argon2id PHC text; NULL = only sign-in links work
    created_at    INTEGER NOT NULL,
    disabled_at   INTEGER
) STRICT;

CREATE TABLE session (
    token_hash   BLOB PRIMARY KEY,            -- SHA-256 of the cookie's value
    id           TEXT NOT NULL UNIQUE,        -- shown in lists, names the session in the audit log
    account_id   INTEGER NOT NULL REFERENCES account(id),
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,            -- absolute end
    client       TEXT NOT NULL
) STRICT;
CREATE INDEX session_account ON session(account_id);

CREATE TABLE sign_in_link (
    token_hash BLOB PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account(id),
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;

CREATE TABLE sign_in_throttle (
    key           TEXT PRIMARY KEY,           -- 'account:<name>' or 'peer:<address>'
    failures      INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    actor     TEXT NOT NULL,                  -- 'account:3 anna', 'device:7', 'host', 'server'
    action    TEXT NOT NULL,                  -- closed list in service::audit
    object    TEXT NOT NULL,                  -- 'patch:12', 'device:7 ring:1', ...
    before    TEXT,                           -- JSON
    after     TEXT,                           -- JSON
    reason    TEXT NOT NULL,
    prev_hash BLOB NOT NULL,
    hash      BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- The words of `audit.object`, so that a page finds its own records without reading the log.
CREATE TABLE audit_object (
    word TEXT NOT NULL,
    seq  INTEGER NOT NULL REFERENCES audit(seq),
    PRIMARY KEY (word, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_object_no_update BEFORE UPDATE ON audit_object BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_object_no_delete BEFORE DELETE ON audit_object BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- Devices ------------------------------------------------------------------------------------------------------------

CREATE TABLE ring (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT NOT NULL UNIQUE,
    position         INTEGER NOT NULL UNIQUE, -- 1 = first
    soak_seconds     INTEGER NOT NULL,        -- time a patch must prove itself in this ring before the next one opens
    min_successes    INTEGER NOT NULL,        -- successes asked of this ring before the next one opens
    per_os_release   INTEGER NOT NULL,        -- 1 = at least one success for every OS release concerned
    hold_failures    INTEGER NOT NULL         -- so many failures hold the rollout
) STRICT;
INSERT INTO ring (id, name, position, soak_seconds, min_successes, per_os_release, hold_failures) VALUES
    (1, 'Pilot', 1, 604800, 1, 1, 1), (2, 'Production', 2, 0, 1, 0, 2);

CREATE TABLE location (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL UNIQUE,
    zone     TEXT NOT NULL,
    rate_kib INTEGER                          -- shared by concurrent downloads; NULL = no limit
) STRICT;

CREATE TABLE device_group (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL UNIQUE,
    parent_id     INTEGER REFERENCES device_group(id),
    ring_id       INTEGER REFERENCES ring(id), -- NULL = the parent's
    reboot_policy INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO device_group (id, name, parent_id, ring_id) VALUES (1, 'Pilot', NULL, 1), (2, 'Production', NULL, 2);

CREATE TABLE os_release (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    os_id    TEXT NOT NULL,                   -- 'debian'
    version  TEXT NOT NULL,                   -- '12'
    codename TEXT NOT NULL,
    name     TEXT NOT NULL,                   -- 'Debian GNU/Linux 12 (bookworm)'
    UNIQUE (os_id, version)
) STRICT;

CREATE TABLE enrol_token (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash BLOB NOT NULL UNIQUE,
    label      TEXT NOT NULL,
    group_id   INTEGER REFERENCES device_group(id),
    scan_only  INTEGER NOT NULL,
    accept     INTEGER NOT NULL,              -- 1 = devices become active at once
    max_uses   INTEGER NOT NULL,
    uses       INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE TABLE device (
    id               INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    key_id           TEXT NOT NULL UNIQUE,    -- the identity: hash of the public key
    public_key       BLOB NOT NULL,
    state            INTEGER NOT NULL,
    state_reason     TEXT NOT NULL DEFAULT '',
    token_id         INTEGER REFERENCES enrol_token(id),
    scan_only        INTEGER NOT NULL,
    hostname         TEXT NOT NULL,
    os_release_id    INTEGER NOT NULL REFERENCES os_release(id),
    arch             TEXT NOT NULL,
    manager          TEXT,
    zone             TEXT NOT NULL,
    group_id         INTEGER REFERENCES device_group(id),
    location_id      INTEGER REFERENCES location(id),
    enrolled_at      INTEGER NOT NULL,
    -- kept by check-ins, written in batches
    seq              INTEGER NOT NULL DEFAULT 0,
    last_contact_at  INTEGER,
    boot_id          TEXT NOT NULL DEFAULT '',
    agent_version    TEXT NOT NULL DEFAULT '',
    policy_version   INTEGER NOT NULL DEFAULT 0,
    -- kept by reports
    inventory_digest TEXT,
    last_scan_at     INTEGER,
    silent           INTEGER NOT NULL DEFAULT 0, -- 1 = no scan for too long: its patches count as unknown
    reboot_since     INTEGER,                 -- a restart is owed since
    reboot_reasons   TEXT NOT NULL DEFAULT '[]',
    services         TEXT NOT NULL DEFAULT '[]',
    sources          TEXT NOT NULL DEFAULT '[]',
    manager_error    TEXT,
    disk_free_mib    INTEGER NOT NULL DEFAULT 0,
    -- counts that pages show, kept in the same transactions as the states they count
    n_open           INTEGER NOT NULL DEFAULT 0, -- patches the device still needs
    n_security       INTEGER NOT NULL DEFAULT 0, -- of those, security
    n_failed         INTEGER NOT NULL DEFAULT 0,
    n_pending        INTEGER NOT NULL DEFAULT 0, -- pending reboot or restart
    fence            INTEGER NOT NULL DEFAULT 0, -- grows with every permit
    scan_asked_at    INTEGER
) STRICT;
CREATE INDEX device_group_of ON device(group_id);
CREATE INDEX device_last_scan ON device(last_scan_at);
CREATE INDEX device_hostname ON device(hostname, id);

-- How many devices are in which state, with (0) and without (1) a recent scan. Kept by triggers, so that the status view does not count the fleet.
CREATE TABLE fleet_count (
    state  INTEGER NOT NULL,
    unseen INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (state, unseen)
) STRICT, WITHOUT ROWID;
INSERT INTO fleet_count VALUES (0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 1, 0), (3, 0, 0), (3, 1, 0);
CREATE TRIGGER device_counted AFTER INSERT ON device BEGIN
    UPDATE fleet_count SET n = n + 1 WHERE state = NEW.state AND unseen = (NEW.silent <> 0 OR NEW.last_scan_at IS NULL);
END;
CREATE TRIGGER device_recounted AFTER UPDATE OF state, silent, last_scan_at ON device
WHEN OLD.state <> NEW.state OR (OLD.silent <> 0 OR OLD.last_scan_at IS NULL) <> (NEW.silent <> 0 OR NEW.last_scan_at IS NULL) BEGIN
    UPDATE fleet_count SET n = n - 1 WHERE state = OLD.state AND unseen = (OLD.silent <> 0 OR OLD.last_scan_at IS NULL);
    UPDATE fleet_count SET n = n + 1 WHERE state = NEW.state AND unseen = (NEW.silent <> 0 OR NEW.last_scan_at IS NULL);
END;

CREATE TABLE device_inventory (
    device_id INTEGER PRIMARY KEY REFERENCES device(id),
    body      BLOB NOT NULL                   -- zstd of the inventory's JSON
) STRICT;

-- The catalog --------------------------------------------------------------------------------------------------------

CREATE TABLE patch (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    os_release_id  INTEGER NOT NULL REFERENCES os_release(id),
    source         TEXT NOT NULL,             -- source package = product
    version        TEXT NOT NULL,             -- its exact version
    origin         TEXT NOT NULL,             -- 'Debian-Security bookworm-security'; a security origin wins where there are several
    vendor         TEXT NOT NULL,
    summary        TEXT NOT NULL,
    severity       INTEGER NOT NULL,
    category       INTEGER NOT NULL,
    category_basis INTEGER NOT NULL,
    released_at    INTEGER,
    first_seen_at  INTEGER NOT NULL,
    size           INTEGER NOT NULL,          -- bytes of all its packages seen
    superseded_by  INTEGER REFERENCES patch(id),
    revision       INTEGER NOT NULL DEFAULT 1, -- grows with every decision or hold: "approve what you saw"
    n_missing      INTEGER NOT NULL DEFAULT 0, -- missing, downloading, staged, installing
    n_installed    INTEGER NOT NULL DEFAULT 0, -- installed or installed by superseding
    n_failed       INTEGER NOT NULL DEFAULT 0,
    n_pending      INTEGER NOT NULL DEFAULT 0, -- pending reboot, restart needed
    n_unknown      INTEGER NOT NULL DEFAULT 0,
    n_superseded   INTEGER NOT NULL DEFAULT 0,
    n_rolled_back  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (os_release_id, source, version, origin)
) STRICT;
-- The status view's orders. Superseded patches are out of it unless asked for, so they are out of its indexes.
CREATE INDEX patch_severity ON patch(severity DESC, n_missing DESC, id) WHERE superseded_by IS NULL;
CREATE INDEX patch_released ON patch(released_at DESC, id) WHERE superseded_by IS NULL;
CREATE INDEX patch_missing ON patch(n_missing DESC, id) WHERE superseded_by IS NULL;
CREATE INDEX patch_source ON patch(source, id) WHERE superseded_by IS NULL;
CREATE INDEX patch_superseded_by ON patch(superseded_by) WHERE superseded_by IS NOT NULL;

CREATE TABLE patch_package (
    patch_id INTEGER NOT NULL REFERENCES patch(id),
    name     TEXT NOT NULL,
    arch     TEXT NOT NULL,
    version  TEXT NOT NULL,
    size     INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    fresh    INTEGER NOT NULL,                -- 1 = a package that the update brings in anew
    PRIMARY KEY (patch_id, name, arch)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_patch (
    device_id INTEGER NOT NULL REFERENCES device(id),
    patch_id  INTEGER NOT NULL REFERENCES patch(id),
    state     INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    ours      INTEGER NOT NULL DEFAULT 0,     -- 1 = installed by a permit of ours
    brake     TEXT,                           -- JSON of protocol::v1::Brake
    PRIMARY KEY (device_id, patch_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_patch_by_patch ON device_patch(patch_id, state, device_id);

-- Decisions and rollouts ---------------------------------------------------------------------------------------------

CREATE TABLE decision (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    patch_id        INTEGER NOT NULL REFERENCES patch(id),
    ring_id         INTEGER NOT NULL REFERENCES ring(id),
    kind            INTEGER NOT NULL,         -- 1 approve, 2 deny
    urgent          INTEGER NOT NULL,         -- 1 = skips the soak
    reason          TEXT NOT NULL,
    at              INTEGER NOT NULL,
    account_id      INTEGER NOT NULL REFERENCES account(id),
    withdrawn_at    INTEGER,
    withdrawn_by    INTEGER REFERENCES account(id),
    withdraw_reason TEXT
) STRICT;
CREATE UNIQUE INDEX decision_in_force ON decision(patch_id, ring_id) WHERE withdrawn_at IS NULL;

CREATE TABLE hold (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    patch_id    INTEGER NOT NULL REFERENCES patch(id),
    cause       INTEGER NOT NULL,             -- service::commands::hold::Cause
    device_id   INTEGER REFERENCES device(id),
    detail      TEXT NOT NULL,
    opened_at   INTEGER NOT NULL,
    opened_by   TEXT NOT NULL,
    resolved_at INTEGER,
    resolved_by INTEGER REFERENCES account(id),
    note        TEXT
) STRICT;
CREATE INDEX hold_of_patch ON hold(patch_id) WHERE resolved_at IS NULL;

CREATE TABLE problem_report (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id INTEGER NOT NULL REFERENCES device(id),
    patch_id  INTEGER NOT NULL REFERENCES patch(id),
    account_id INTEGER NOT NULL REFERENCES account(id),
    at        INTEGER NOT NULL,
    text      TEXT NOT NULL,
    hold_id   INTEGER NOT NULL REFERENCES hold(id)
) STRICT;

CREATE TABLE attempt (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id    INTEGER NOT NULL REFERENCES device(id),
    patch_id     INTEGER NOT NULL REFERENCES patch(id),
    ring_id      INTEGER REFERENCES ring(id), -- the device's ring when permitted
    kind         INTEGER NOT NULL,            -- 1 install, 2 roll back
    fence        INTEGER NOT NULL,
    state        INTEGER NOT NULL,            -- 1 permitted, 2 started, 3 succeeded, 4 failed, 5 broken, 6 not started, 7 lapsed, 8 vanished
    permitted_at INTEGER NOT NULL,
    start_by     INTEGER NOT NULL,
    deadline     INTEGER NOT NULL,            -- no result and no contact by then = vanished (I-30)
    started_at   INTEGER,
    finished_at  INTEGER,
    proven_at    INTEGER,                     -- a later scan showed it
    previous     TEXT NOT NULL DEFAULT '[]',  -- JSON of Vec<PackageVersion>: what was installed before
    detail       TEXT NOT NULL DEFAULT '{}',  -- JSON of the outcome
    log          TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX attempt_open ON attempt(device_id) WHERE state IN (1, 2);
CREATE INDEX attempt_of_pair ON attempt(device_id, patch_id, id);
CREATE INDEX attempt_of_patch ON attempt(patch_id, kind, state);

CREATE TABLE result (
    id         TEXT PRIMARY KEY,              -- made by the agent
    hash       BLOB NOT NULL,                 -- of the record: the same id with other content is refused (I-20)
    device_id  INTEGER NOT NULL REFERENCES device(id),
    attempt_id INTEGER NOT NULL,
    taken_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A rolled-back version stays blocked on its device until a person lifts it (I-33).
CREATE TABLE rollback_order (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id   INTEGER NOT NULL REFERENCES device(id),
    patch_id    INTEGER NOT NULL REFERENCES patch(id),
    packages    TEXT NOT NULL,                -- JSON of Vec<PackageVersion>: where to go back to
    reason      TEXT NOT NULL,
    ordered_at  INTEGER NOT NULL,
    ordered_by  INTEGER NOT NULL REFERENCES account(id),
    done_at     INTEGER,                      -- proven by a scan, or given up
    lifted_at   INTEGER,
    lifted_by   INTEGER REFERENCES account(id),
    lift_reason TEXT
) STRICT;
CREATE INDEX rollback_of_pair ON rollback_order(device_id, patch_id);
CREATE UNIQUE INDEX rollback_blocks ON rollback_order(device_id, patch_id) WHERE lifted_at IS NULL;
