//! Devices without computers: they hold packages, are offered what a vendor released, and speak the agent protocol with keys of their own.
//!
//! For the demonstration (`patchward demo`) and the benchmark (`cargo xtask bench`): both go the way that real reports go. The histories are
//! real (`data/releases.tsv`); the devices are not. No I/O, no clock, no randomness but what is given.

pub mod device;
pub mod releases;

pub use device::{Device, Message};
pub use releases::{Os, Release, Releases};

/// A number that looks random and depends on `seed` and `n` only (splitmix64).
#[must_use]
pub const fn mix(seed: u64, n: u64) -> u64 {
    let mut z = seed
        .wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
