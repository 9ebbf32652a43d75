//! A model of the agent's journal: what is synced stays, what was being written when the power went may stay or not.

use agent::journal::Job;
use domain::AttemptId;
use protocol::v1::{AttemptEvent, AttemptRecord};
use std::collections::BTreeSet;

/// The journal of one device.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    records: Vec<(AttemptRecord, Option<Job>)>,
    settled: BTreeSet<String>,
}

impl Journal {
    /// A record that is on the disk when this returns.
    pub fn write(&mut self, record: AttemptRecord, job: Option<Job>) {
        self.records.push((record, job));
    }

    /// Notes what the server has committed or refused for ever.
    pub fn settle(&mut self, ids: impl IntoIterator<Item = String>) {
        self.settled.extend(ids);
    }

    /// Everything is told again.
    pub fn resend(&mut self) {
        self.settled.clear();
    }

    /// Records that the server has not settled, oldest first.
    pub fn unsettled(&self) -> impl Iterator<Item = &AttemptRecord> {
        self.records
            .iter()
            .map(|(r, _)| r)
            .filter(|r| !self.settled.contains(&r.id))
    }

    /// All records.
    pub fn records(&self) -> impl Iterator<Item = &AttemptRecord> {
        self.records.iter().map(|(r, _)| r)
    }

    /// How many are not settled.
    #[must_use]
    pub fn unsent(&self) -> u32 {
        u32::try_from(self.unsettled().count()).unwrap_or(u32::MAX)
    }

    /// The attempt that was started and has no end.
    #[must_use]
    pub fn open_job(&self) -> Option<(&AttemptRecord, &Job)> {
        self.records
            .iter()
            .rev()
            .find_map(|(record, job)| match (&record.event, job) {
                (AttemptEvent::Started { .. }, Some(job)) if !self.ended(record.attempt) => Some((record, job)),
                _ => None,
            })
    }

    fn ended(&self, attempt: AttemptId) -> bool {
        self.records
            .iter()
            .any(|(r, _)| r.attempt == attempt && matches!(r.event, AttemptEvent::Finished { .. }))
    }
}
