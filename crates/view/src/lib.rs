//! What pages show. Plain data, made by the service's queries, carried by server functions, rendered by the UI on both sides.
//!
//! Why a crate of its own: the browser must know these types and must not link the store; the store fills them without a second copy.
//! This crate may not hold logic beyond reading and writing the address bar's filters.

pub mod account;
pub mod audit;
pub mod calendar;
pub mod device;
pub mod error;
pub mod filter;
pub mod patch;
pub mod rings;
pub mod schedule;
pub mod schedule_form;
pub mod text;

pub use account::*;
pub use audit::*;
pub use calendar::*;
pub use device::*;
pub use error::*;
pub use filter::*;
pub use patch::*;
pub use rings::*;
pub use schedule::*;
pub use schedule_form::*;
pub use text::*;
