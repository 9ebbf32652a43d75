//! What people do and see, on the real migrations: commands with their rights and records, queries with their counts, backups.
//! "I-n" names an invariant of `docs/invariants.md`.

mod backup;
mod counts;
mod decide;
mod log;
mod numbers;
mod pages;
mod rights;
mod rollback;
mod sessions;
mod support;
