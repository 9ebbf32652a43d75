//! Pages, a folder or file for each area. A page reads its filter from the address, asks one server function, and renders plain data.

pub mod accounts;
pub mod audit;
pub mod devices;
mod forms;
pub mod not_found;
pub mod password;
pub mod patches;
pub mod rings;
pub mod schedule;
pub mod sign_in;
