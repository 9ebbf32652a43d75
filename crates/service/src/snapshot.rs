//! Rows into the planner's facts, read in one transaction.
