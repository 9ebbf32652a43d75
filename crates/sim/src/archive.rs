//! The vendor's archive: releases new versions over time and drops old ones.

use crate::chance::Chance;
use domain::{Moment, Span};

/// OS releases in the world: version and codename.
pub const RELEASES: [(&str, &str); 2] = [("12", "bookworm"), ("13", "trixie")];

/// A product: its source package and the binary packages built from it.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Source package.
    pub source: &'static str,
    /// Binary packages.
    pub binaries: &'static [&'static str],
    /// Updates come from the security archive.
    pub security: bool,
    /// An update needs a restart of the device.
    pub reboot: bool,
}

/// Every product.
pub const PRODUCTS: [Product; 7] = [
    Product {
        source: "openssl",
        binaries: &["libssl3", "openssl"],
        security: true,
        reboot: false,
    },
    Product {
        source: "linux",
        binaries: &["linux-image"],
        security: true,
        reboot: true,
    },
    Product {
        source: "curl",
        binaries: &["curl", "libcurl4", "libcurl4-doc"],
        security: true,
        reboot: false,
    },
    Product {
        source: "bash",
        binaries: &["bash"],
        security: false,
        reboot: false,
    },
    Product {
        source: "nginx",
        binaries: &["nginx", "nginx-common"],
        security: true,
        reboot: false,
    },
    Product {
        source: "tzdata",
        binaries: &["tzdata"],
        security: false,
        reboot: false,
    },
    Product {
        source: "vim",
        binaries: &["vim", "vim-common"],
        security: false,
        reboot: false,
    },
];

/// One version of a product for one OS release.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// Grows with every version.
    pub number: u32,
    /// When it came.
    pub at: Moment,
    /// So many in a thousand installs of it fail.
    pub fails: u32,
}

/// The archive.
#[derive(Debug)]
pub struct Archive {
    chance: Chance,
    /// By OS release and product.
    lists: Vec<Vec<Vec<Release>>>,
    /// Versions older than the newest stay for so long.
    keeps: Span,
}

/// The text of a version.
#[must_use]
pub fn version_text(os: usize, number: u32) -> String {
    // Past nine the order of text and the order of versions differ, which is what real versions do.
    format!("1.{number}-1~deb{}u1", RELEASES[os].0)
}

impl Archive {
    /// Every product in its first version.
    #[must_use]
    pub fn new(seed: u64, now: Moment) -> Self {
        let first = Release {
            number: 7,
            at: now,
            fails: 0,
        };
        let mut chance = Chance::new(seed, "archive", 0);
        let keeps = Span::days(chance.between(0, 20));
        Self {
            chance,
            lists: vec![vec![vec![first]; PRODUCTS.len()]; RELEASES.len()],
            keeps,
        }
    }

    /// Releases one new version; returns which.
    pub fn release(&mut self, now: Moment) -> (usize, usize, u32) {
        let os = usize::try_from(self.chance.below(RELEASES.len() as u64)).unwrap_or(0);
        let product = usize::try_from(self.chance.below(PRODUCTS.len() as u64)).unwrap_or(0);
        let fails = if self.chance.permille(200) { 600 } else { 0 };
        let list = &mut self.lists[os][product];
        let number = list.last().map_or(1, |r| r.number) + 1;
        list.push(Release { number, at: now, fails });
        (os, product, number)
    }

    /// The newest version of a product.
    #[must_use]
    pub fn newest(&self, os: usize, product: usize) -> u32 {
        self.lists[os][product].last().map_or(0, |r| r.number)
    }

    /// Whether a version can be fetched.
    #[must_use]
    pub fn has(&self, os: usize, product: usize, number: u32, now: Moment) -> bool {
        let list = &self.lists[os][product];
        let Some(at) = list.iter().position(|r| r.number == number) else {
            return false;
        };
        // It is dropped some time after its successor came.
        list.get(at + 1).is_none_or(|next| next.at + self.keeps > now)
    }

    /// How often an install of a version fails.
    #[must_use]
    pub fn fails(&self, os: usize, product: usize, number: u32) -> u32 {
        self.lists[os][product]
            .iter()
            .find(|r| r.number == number)
            .map_or(0, |r| r.fails)
    }
}
