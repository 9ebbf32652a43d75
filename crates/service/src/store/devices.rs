//! Rows of devices.
