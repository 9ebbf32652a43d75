-- RBK-1: a rollback plan for each patch, and whether a ring asks for one. Forward only.

ALTER TABLE ring ADD COLUMN rollback_plan INTEGER NOT NULL DEFAULT 0; -- 1 = no approval and no install without a plan or a waiver
-- A new installation asks for it in production. Where devices are managed already, people turn it on themselves: no rollout stops by an update.
UPDATE ring SET rollback_plan = 1 WHERE id = 2 AND NOT EXISTS (SELECT 1 FROM device) AND NOT EXISTS (SELECT 1 FROM patch);

CREATE TABLE rollback_plan (
    patch_id    INTEGER PRIMARY KEY REFERENCES patch (id),
    -- Who carries it out; NULL = a waiver, which has nobody.
    owner_id    INTEGER REFERENCES account (id),
    how         TEXT NOT NULL,             -- empty for a waiver
    use_when    TEXT NOT NULL,             -- empty for a waiver
    reason      TEXT NOT NULL,             -- why it was waived; empty for a plan
    version     INTEGER NOT NULL,          -- grows with every change: "change what you saw"
    written_at  INTEGER NOT NULL,
    written_by  INTEGER NOT NULL REFERENCES account (id),
    CHECK ((owner_id IS NULL) = (reason <> ''))
) STRICT;

-- The plan is among what the planner is told about a patch (see 0005).
CREATE TRIGGER facts_of_new_plan AFTER INSERT ON rollback_plan BEGIN UPDATE patch SET facts = facts + 1 WHERE id = NEW.patch_id; END;
CREATE TRIGGER facts_of_plan AFTER UPDATE ON rollback_plan BEGIN UPDATE patch SET facts = facts + 1 WHERE id = NEW.patch_id; END;
