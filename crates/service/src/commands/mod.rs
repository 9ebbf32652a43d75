//! What people can do. Each command checks the right, validates, and commits state and audit record together.

pub mod accounts;
pub mod backup;
pub(crate) mod checks;
pub mod decide;
pub mod devices;
pub mod exceptions;
pub mod groups;
pub mod hold;
mod passwords;
pub mod places;
pub(crate) mod retries;
pub mod rings;
pub mod rollback;
pub mod rollback_plan;
pub mod schedule;
pub mod session;
pub mod tokens;
pub mod views;
