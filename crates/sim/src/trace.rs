//! What happened, line by line: the last lines for a failure, a hash of all of them to tell whether two runs were the same.

use domain::Moment;
use std::{collections::VecDeque, fmt};

/// So many lines are shown with a failure.
const KEPT: usize = 30;

/// The history.
#[derive(Debug)]
pub struct Trace {
    verbose: bool,
    lines: u64,
    hash: u64,
    last: VecDeque<String>,
}

impl Trace {
    /// An empty one; `verbose` prints each line.
    #[must_use]
    pub fn new(verbose: bool) -> Self {
        Self {
            verbose,
            lines: 0,
            hash: 0xcbf2_9ce4_8422_2325,
            last: VecDeque::with_capacity(KEPT),
        }
    }

    /// Adds a line.
    pub fn add(&mut self, now: Moment, text: fmt::Arguments<'_>) {
        let line = format!("{} {text}", &now.rfc3339()[5..19]);
        for byte in line.bytes() {
            // FNV-1a: nobody attacks this hash.
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.lines += 1;
        if self.verbose {
            println!("{line}");
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// Hash of everything so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines there were.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The last lines.
    pub fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}
