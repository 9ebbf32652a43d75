//! What the planner asks of a rollout: decisions, holds, evidence, rollback orders.
