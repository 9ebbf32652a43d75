//! Patches: the status view, the step before a decision, one patch.

pub mod decide;
mod filters;
pub mod list;
pub mod one;
mod rollout;
mod table;
