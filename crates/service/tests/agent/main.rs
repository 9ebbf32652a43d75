//! The server's side of the agent protocol, on the real migrations: what devices send, and what it leaves behind.
//! "I-n" names an invariant of `docs/invariants.md`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clock;
mod counts;
mod enrol;
mod evidence;
mod hostile;
mod lines;
mod messages;
mod missed;
mod numbers;
mod permits;
mod power;
mod rebuilt;
mod reports;
mod results;
mod rings;
mod rollback;
mod rounds;
mod schedule;
mod seen;
mod steps;
mod support;
mod waves;
