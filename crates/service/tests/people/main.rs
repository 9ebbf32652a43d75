//! What people do and see, on the real migrations: commands with their rights and records, queries with their counts, backups.
//! "I-n" names an invariant of `docs/invariants.md`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backup;
mod calendar;
mod check;
mod counts;
mod coverage;
mod decide;
mod log;
mod migrations;
mod numbers;
mod pages;
mod rights;
mod rollback;
mod rollback_plan;
mod schedule;
mod sessions;
mod support;
mod views;
