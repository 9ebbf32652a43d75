//! The one planner: what will be installed where and when, and why not yet.
//!
//! A pure function of facts and an instant: [`decide`] for one device and patch, `plan` for a fleet. The server asks it before every install,
//! the pages, the CLI and the API show its words ([`words`]).
//!
//! This crate may not do I/O, read a clock, use randomness, floats, hash maps, logging or async. It is the only one that knows time
//! zones ([`calendar`]).
#![deny(clippy::float_arithmetic)]

pub mod calendar;
mod changes;
mod check;
pub mod compile;
mod decide;
pub mod evidence;
mod expand;
pub mod facts;
pub mod fleet;
mod forecast;
mod gates;
mod missed;
pub mod policy;
pub mod presence;
pub mod profile;
pub mod reason;
pub mod schedule;
mod standing;
mod suggest;
mod validate;
pub mod words;

pub use changes::{Change, changes};
pub use check::{Violation, check};
pub use compile::{Compiled, frame_spans_of};
pub use decide::{Drawn, Schedule, decide};
pub use expand::{next_frames, next_spans};
pub use facts::{
    Brake, DecisionFact, DecisionKind, DeviceFacts, Evidence, HoldCause, HoldFact, Load, PackageFact, PairFacts,
    PatchFacts, RollbackPlan,
};
pub use fleet::{BadInput, Pair, Plan, PlanInput, plan};
pub use forecast::{Forecast, RUNNING, Run, forecast};
pub use gates::interval::{ROUND, Round};
pub use missed::{missed_windows, window_open};
pub use policy::Policy;
pub use policy::{
    Durations, EvidencePolicy, Exception, ExceptionFor, ExceptionOf, Group, HoldPolicy, Location, MissedWindows,
    PackagePolicy, PermitPolicy, RetryPolicy, Ring, RollbackPolicy, WavePolicy, WaveStep,
};
pub use presence::{Presence, Presences, WallHour};
pub use profile::{ProfileChoice, WhyProfile, profile_of};
pub use reason::{Decision, Gate, GateReport, GateStatus, Reason, Verdict};
pub use schedule::{Coverage, Days, Frame, Freeze, Local, Profile, Recurrence, Scope, Window, ZoneRule};
pub use suggest::{Seen, Suggestion, all_fit, long_enough, suggest};
pub use validate::{Refusal, Warning, one_window, validate, warnings};
