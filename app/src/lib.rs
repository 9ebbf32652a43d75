//! The pages: Leptos components and server functions.
//!
//! May not: read a clock, know SQL, or pull time-zone data into the browser. The features `ssr` and `hydrate` are
//! chosen by the crates that use this one (`server` and `frontend`), never together.
#![recursion_limit = "256"]

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!("`ssr` and `hydrate` exclude each other: build `frontend` for wasm32 only, apart from the rest");

pub mod address;
#[cfg(feature = "ssr")]
mod answer;
pub mod api;
mod app;
mod components;
#[cfg(feature = "ssr")]
pub mod ctx;
mod error;
#[cfg(feature = "ssr")]
mod forms;
mod lazy;
mod live;
pub mod notice;
mod pages;
mod shell;
mod words;

pub use app::{App, load_page_shown};
pub use error::AppError;
pub use live::CHANGES;
pub use shell::shell;
