//! The one planner: what will be installed where and when, and why not yet.
//!
//! A pure function of facts and an instant: [`decide`] for one device and patch, `plan` for a fleet. The server asks it before every install,
//! the pages, the CLI and the API show its words ([`words`]).
//!
//! This crate may not do I/O, read a clock, use randomness, floats, hash maps, logging or async. It is the only one that knows time
//! zones ([`calendar`]).
#![deny(clippy::float_arithmetic)]

pub mod calendar;
pub mod compile;
mod decide;
pub mod evidence;
mod expand;
pub mod facts;
mod gates;
pub mod policy;
pub mod profile;
pub mod reason;
pub mod schedule;
pub mod words;

pub use compile::Compiled;
pub use decide::{Schedule, decide};
pub use expand::next_spans;
pub use facts::{
    Brake, DecisionFact, DecisionKind, DeviceFacts, Evidence, HoldCause, HoldFact, Load, PackageFact, PairFacts,
    PatchFacts, RollbackPlan,
};
pub use policy::Policy;
pub use policy::{
    Coverage, Durations, EvidencePolicy, Exception, ExceptionFor, ExceptionOf, Group, HoldPolicy, Location,
    MissedWindows, PackagePolicy, PermitPolicy, RetryPolicy, Ring, RollbackPolicy, WavePolicy, WaveStep,
};
pub use profile::WhyProfile;
pub use reason::{Decision, Gate, GateReport, GateStatus, Reason, Verdict};
pub use schedule::{Days, Frame, Freeze, Local, Profile, Recurrence, Scope, Window, ZoneRule};
