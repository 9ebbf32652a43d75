//! Rows of attempts and of their results.
