-- What came after what must not depend on a clock that people set. A failure counts when it came after the last hold of its patch was
-- resolved: both remember the number of the last audit record before them. NULL = before anything was recorded.

ALTER TABLE attempt ADD COLUMN ended_after INTEGER;
ALTER TABLE hold ADD COLUMN resolved_after INTEGER;

-- What has happened already: the audit log tells its order.
UPDATE attempt SET ended_after = (
    SELECT max(o.seq) - 1 FROM audit_object o JOIN audit a ON a.seq = o.seq
    WHERE o.word = 'attempt:' || attempt.id AND a.action = 'attempt.ended')
WHERE finished_at IS NOT NULL;
UPDATE hold SET resolved_after = (
    SELECT max(o.seq) - 1 FROM audit_object o JOIN audit a ON a.seq = o.seq
    WHERE o.word = 'hold:' || hold.id AND a.action = 'rollout.resumed')
WHERE resolved_at IS NOT NULL;
