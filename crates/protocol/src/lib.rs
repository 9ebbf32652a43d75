//! The agent wire format, version 1. Owns every struct that travels between `patchward-agent` and the server, their limits
//! (`limits`), and how messages are signed (`sign`). See `docs/protocol.md`.
//!
//! This crate may not do I/O or read a clock. Old JSON must parse for ever: fields are only added, with a default.

pub mod limits;
pub mod sign;
pub mod text;
pub mod v1;

pub use text::{LongText, ShortText};
