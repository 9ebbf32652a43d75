-- What the planner is told about a patch is read once for as long as nothing in it changes. `patch.facts` grows with everything that is
-- about one patch, `meta.facts` with everything that may be about all of them; states of devices grow it in `service::store::states`.

ALTER TABLE patch ADD COLUMN facts INTEGER NOT NULL DEFAULT 1;
INSERT INTO meta (key, value) VALUES ('facts', '1');

-- The approval of a newer version is a fact about the older ones, too.
CREATE TRIGGER facts_of_new_decision AFTER INSERT ON decision BEGIN
    UPDATE patch SET facts = facts + 1
    WHERE (os_release_id, source) = (SELECT os_release_id, source FROM patch WHERE id = NEW.patch_id);
END;
CREATE TRIGGER facts_of_decision AFTER UPDATE ON decision BEGIN
    UPDATE patch SET facts = facts + 1
    WHERE (os_release_id, source) = (SELECT os_release_id, source FROM patch WHERE id = NEW.patch_id);
END;

CREATE TRIGGER facts_of_new_hold AFTER INSERT ON hold BEGIN UPDATE patch SET facts = facts + 1 WHERE id = NEW.patch_id; END;
CREATE TRIGGER facts_of_hold AFTER UPDATE ON hold BEGIN UPDATE patch SET facts = facts + 1 WHERE id = NEW.patch_id; END;
CREATE TRIGGER facts_of_problem AFTER INSERT ON problem_report BEGIN UPDATE patch SET facts = facts + 1 WHERE id = NEW.patch_id; END;
CREATE TRIGGER facts_of_new_attempt AFTER INSERT ON attempt BEGIN UPDATE patch SET facts = facts + 1 WHERE id = NEW.patch_id; END;
CREATE TRIGGER facts_of_attempt AFTER UPDATE ON attempt BEGIN UPDATE patch SET facts = facts + 1 WHERE id = NEW.patch_id; END;
CREATE TRIGGER facts_of_new_order AFTER INSERT ON rollback_order BEGIN UPDATE patch SET facts = facts + 1 WHERE id = NEW.patch_id; END;
CREATE TRIGGER facts_of_order AFTER UPDATE ON rollback_order BEGIN UPDATE patch SET facts = facts + 1 WHERE id = NEW.patch_id; END;

CREATE TRIGGER facts_of_patch AFTER UPDATE OF source, version, category, size, superseded_by, needs_reboot ON patch
WHEN OLD.source <> NEW.source OR OLD.version <> NEW.version OR OLD.category <> NEW.category OR OLD.size <> NEW.size
    OR OLD.superseded_by IS NOT NEW.superseded_by OR OLD.needs_reboot <> NEW.needs_reboot BEGIN
    UPDATE patch SET facts = facts + 1 WHERE id = NEW.id;
END;

-- Another boot is the reboot that a patch's evidence may wait for.
CREATE TRIGGER facts_of_boot AFTER UPDATE OF boot_id ON device WHEN OLD.boot_id <> NEW.boot_id BEGIN
    UPDATE patch SET facts = facts + 1 WHERE id IN (SELECT patch_id FROM attempt WHERE device_id = NEW.id AND kind = 1);
END;

-- Which ring a device counts for, and whether it counts.
CREATE TRIGGER facts_of_device AFTER UPDATE OF group_id, state, scan_only, os_release_id ON device
WHEN OLD.group_id IS NOT NEW.group_id OR OLD.state <> NEW.state OR OLD.scan_only <> NEW.scan_only OR OLD.os_release_id <> NEW.os_release_id BEGIN
    UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'facts';
END;
CREATE TRIGGER facts_of_group AFTER UPDATE OF parent_id, ring_id ON device_group BEGIN
    UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'facts';
END;
CREATE TRIGGER facts_of_new_product AFTER INSERT ON product BEGIN
    UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'facts';
END;
CREATE TRIGGER facts_of_product AFTER UPDATE ON product BEGIN
    UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'facts';
END;
