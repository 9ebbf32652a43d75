-- After some failures a device is not asked again until a person has looked: by resolving a hold of the patch, or, since this migration, by
-- giving one device its tries anew, for the install of a patch or for going back from it. Ordering a rollback gives its tries anew, too.

CREATE TABLE tries_given (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    patch_id INTEGER NOT NULL REFERENCES patch (id),
    -- As of attempts: 1 install, 2 rollback.
    kind INTEGER NOT NULL,
    given_at INTEGER NOT NULL,
    given_by INTEGER NOT NULL REFERENCES account (id),
    reason TEXT NOT NULL,
    -- The latest audit record then: attempts that ended before it do not count any more (migration 0007).
    given_after INTEGER NOT NULL
) STRICT;
CREATE INDEX tries_given_pair ON tries_given (device_id, patch_id);
