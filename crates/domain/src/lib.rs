//! Patchward's words as types: ids, enums, moments, package grammar and version order.
//!
//! This crate may not do I/O, read a clock, use randomness or know how anything is stored or shown.
//! It compiles for the server, the agent and the browser alike, so it stays small (no chrono, no regex).

pub mod device;
pub mod id;
pub mod moment;
pub mod package;
pub mod patch;
pub mod role;
pub mod version;

pub use device::{DeviceState, Measured, RebootPolicy};
pub use id::*;
pub use moment::{Moment, Span};
pub use package::{Arch, GrammarError, PackageName, VersionText};
pub use patch::{Category, CategoryBasis, PatchState, Severity, Urgency};
pub use role::{Permission, Role};
pub use version::compare_debian;
