-- Everything that the planner can be told about rings, groups, places and the fleet. Forward only.
-- What a new ring, group or place starts with is what `planner::Policy::default` says; what exists goes on as it did.

ALTER TABLE ring ADD COLUMN min_share_percent INTEGER NOT NULL DEFAULT 0 CHECK (min_share_percent BETWEEN 0 AND 100);
ALTER TABLE ring ADD COLUMN critical_products INTEGER NOT NULL DEFAULT 0; -- 1 = every business-critical product of the target was seen
ALTER TABLE ring ADD COLUMN rebooted          INTEGER NOT NULL DEFAULT 0; -- 1 = as many devices as min_successes have rebooted, where the patch needs it
ALTER TABLE ring ADD COLUMN wave_steps        TEXT    NOT NULL DEFAULT '[{"devices":1},{"percent":5},{"percent":25}]' CHECK (json_valid(wave_steps));
ALTER TABLE ring ADD COLUMN wave_rest_seconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ring ADD COLUMN hold_percent      INTEGER NOT NULL DEFAULT 5 CHECK (hold_percent BETWEEN 0 AND 100); -- together with hold_failures
ALTER TABLE ring ADD COLUMN hold_vanished     INTEGER NOT NULL DEFAULT 2;
ALTER TABLE ring ADD COLUMN max_in_flight     INTEGER CHECK (max_in_flight > 0);  -- open attempts of one patch; NULL = no limit
ALTER TABLE ring ADD COLUMN version           INTEGER NOT NULL DEFAULT 1;         -- the policy_version that brought it as it is
ALTER TABLE ring ADD COLUMN removed_at        INTEGER;                            -- kept for the history that names it; its position is below 0
-- Until now any failure counted, whatever the share: no rollout becomes less careful by an update.
UPDATE ring SET hold_percent = 0, hold_vanished = hold_failures;

ALTER TABLE device_group ADD COLUMN blocks_inheritance INTEGER NOT NULL DEFAULT 0; -- 1 = windows of groups above do not count here
ALTER TABLE device_group ADD COLUMN missed_after       INTEGER CHECK (missed_after >= 0); -- 0 = wait, n = catch up after n missed windows, NULL = the parent's
ALTER TABLE device_group ADD COLUMN version            INTEGER NOT NULL DEFAULT 1;

ALTER TABLE location ADD COLUMN max_in_flight INTEGER CHECK (max_in_flight > 0);  -- devices that may install, and so download, at once; NULL = no limit
ALTER TABLE location ADD COLUMN version       INTEGER NOT NULL DEFAULT 1;

-- What counts for the whole fleet: one row.
CREATE TABLE fleet_policy (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    max_in_flight    INTEGER CHECK (max_in_flight > 0),       -- open attempts; NULL = no limit
    retry_max        INTEGER NOT NULL CHECK (retry_max > 0),  -- failed attempts after which a person must look
    retry_first      INTEGER NOT NULL CHECK (retry_first >= 0),
    retry_longest    INTEGER NOT NULL CHECK (retry_longest >= retry_first),
    install_seconds  INTEGER NOT NULL CHECK (install_seconds > 0), -- expected until it was measured
    reboot_seconds   INTEGER NOT NULL CHECK (reboot_seconds >= 0),
    bytes_per_second INTEGER NOT NULL CHECK (bytes_per_second > 0),
    version          INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    updated_by       TEXT NOT NULL
) STRICT;
INSERT INTO fleet_policy VALUES (1, NULL, 3, 3600, 86400, 600, 600, 1000000, 1, 0, 'server');

-- A person says that a product must not fail.
ALTER TABLE product ADD COLUMN critical INTEGER NOT NULL DEFAULT 0;

-- Seen on some device: installed, and a reboot was owed for it.
ALTER TABLE patch ADD COLUMN needs_reboot INTEGER NOT NULL DEFAULT 0;
UPDATE patch SET needs_reboot = 1 WHERE id IN (SELECT patch_id FROM device_patch WHERE state = 8);

-- The boot in which the device asked for the permit: another one since is a reboot.
ALTER TABLE attempt ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';

-- Heard of while a window of it was open. Windows before this are not held against anybody.
ALTER TABLE device ADD COLUMN in_window_at INTEGER;
UPDATE device SET in_window_at = last_contact_at;
