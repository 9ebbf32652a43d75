//! A process that is asked to end waits for no program. A test of its own process, because the request is for the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use agent::command::{self, CommandError};
use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

/// A download may be slow on purpose and take hours; a device that goes down does not wait for it.
#[test]
fn a_long_download_does_not_keep_the_agent() {
    let hour = Duration::from_secs(3_600);
    let (said, hears) = mpsc::channel();
    let began = Instant::now();
    let asked = std::thread::spawn(move || {
        said.send(()).unwrap();
        command::download("sleep", ["3600"], hour, "/")
    });
    hears.recv().unwrap();
    command::stop_downloads();
    let answer = asked.join().unwrap();
    assert!(matches!(answer, Err(CommandError::Stopped { .. })), "{answer:?}");
    assert!(began.elapsed() < hour / 60);
}
