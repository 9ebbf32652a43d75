//! Stored inventories, compressed.
