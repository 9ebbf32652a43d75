//! What happened, on the disk before it is acted on or told: append-only lines `<16 hex digits of SHA-256> <json>`, synced one by one.
//! A torn last line is cut off; a damaged line in the middle is passed over and counted. Records stay until the server has committed
//! them, and 90 days longer, so that a server restored from a backup can be told again.

use crate::restart::{Restart, Step};
use domain::{Moment, Span};
use protocol::v1::{AttemptEvent, AttemptRecord, Order, PackageVersion, Permit};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// How long acknowledged records are kept (THREATS 2.7).
const KEEP: Span = Span::days(90);
/// The journal is rewritten without what is no longer needed when it has grown beyond this.
const COMPACT_AT: u64 = 4 * 1024 * 1024;

/// Everything needed to take up an attempt again after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What was asked for.
    pub order: Order,
    /// What allowed it.
    pub permit: Permit,
    /// What was installed before.
    pub from: Vec<PackageVersion>,
    /// Packages marked as automatically installed before: naming them on a command line changes the mark.
    pub automatic: Vec<String>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum Entry {
    /// A record for the server; `job` comes with `Started`, `restart_in` with a `Finished` that asks for a restart: the boot that is to end.
    Record {
        record: AttemptRecord,
        job: Option<Box<Job>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restart_in: Option<String>,
    },
    /// Another step of the restart that an end asked for.
    Restart(Restart),
    /// The server has committed these, or refused them for ever.
    Settled { ids: Vec<String>, at: Moment },
    /// The server was restored from a backup: everything that is kept is told again.
    Resend { epoch: u64 },
}

/// The journal.
pub struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    records: Vec<(AttemptRecord, Option<Box<Job>>)>,
    settled: BTreeSet<String>,
    restart: Option<Restart>,
    damaged: usize,
}

impl Journal {
    /// Opens or creates the journal, cutting off a torn end.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        crate::files::sync_parent(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let journal = Self::replay(path, file, &bytes);
        // What follows the last good line was never promised to anybody: the writer had not returned.
        journal.file.set_len(journal.length)?;
        journal.file.sync_all()?;
        if journal.damaged > 0 {
            tracing::warn!(
                lines = journal.damaged,
                "the journal has damaged lines; they are passed over"
            );
        }
        Ok(journal)
    }

    /// Reads the journal beside an agent that may be writing it; changes nothing and cannot be written to.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn peek(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self::replay(path, file, &bytes))
    }

    fn replay(path: &Path, file: File, bytes: &[u8]) -> Self {
        let mut journal = Self {
            path: path.to_owned(),
            file,
            length: 0,
            records: Vec::new(),
            settled: BTreeSet::new(),
            restart: None,
            damaged: 0,
        };
        let mut rest = bytes;
        let mut skipped = 0;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            match decode(line) {
                Some(entry) => {
                    journal.damaged += std::mem::take(&mut skipped);
                    journal.apply(entry);
                    journal.length = (bytes.len() - after.len()) as u64;
                }
                None => skipped += 1,
            }
            rest = after;
        }
        journal
    }

    /// Appends a record and syncs it. When this returns an error the record is not in the journal.
    ///
    /// # Errors
    /// Whatever the file system says, e.g. a full disk.
    pub fn record(&mut self, record: AttemptRecord, job: Option<Job>) -> io::Result<()> {
        self.append(Entry::Record {
            record,
            job: job.map(Box::new),
            restart_in: None,
        })
    }

    /// Appends the record of an end, together with the boot that it asks to end, and syncs it.
    ///
    /// # Errors
    /// As [`Journal::record`].
    pub fn finish(&mut self, record: AttemptRecord, restart_in: Option<String>) -> io::Result<()> {
        self.append(Entry::Record {
            record,
            job: None,
            restart_in,
        })
    }

    /// The restart that the last end with such a wish asked for, as far as it is.
    #[must_use]
    pub fn restart(&self) -> Option<&Restart> {
        self.restart.as_ref()
    }

    /// Notes the next step of that restart and syncs it.
    ///
    /// # Errors
    /// Whatever the file system says; what was to be noted must then not be done.
    pub fn restarts(&mut self, step: Step, now: Moment) -> io::Result<()> {
        match self.restart.as_ref().map(|r| r.at(step, now)) {
            Some(next) => self.append(Entry::Restart(next)),
            None => Ok(()),
        }
    }

    /// Notes what the server has committed or refused for ever.
    ///
    /// # Errors
    /// Whatever the file system says; the records are then sent once more, which the server takes as the same.
    pub fn settle(&mut self, ids: Vec<String>, now: Moment) -> io::Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        self.append(Entry::Settled { ids, at: now })?;
        if self.length > COMPACT_AT {
            self.compact(now)
        } else {
            Ok(())
        }
    }

    /// Marks everything that is kept as not yet told.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn resend(&mut self, epoch: u64) -> io::Result<()> {
        self.append(Entry::Resend { epoch })
    }

    /// Records that the server has not settled, oldest first.
    #[must_use]
    pub fn unsettled(&self) -> Vec<&AttemptRecord> {
        self.records
            .iter()
            .map(|(r, _)| r)
            .filter(|r| !self.settled.contains(&r.id))
            .collect()
    }

    /// The attempt that was started and has no end.
    #[must_use]
    pub fn open_job(&self) -> Option<(&AttemptRecord, &Job)> {
        // Only the last attempt can be open. Its end comes after it: a server restored from a backup may give a number anew.
        let (record, job) = self
            .records
            .iter()
            .rev()
            .find_map(|(record, job)| match &record.event {
                AttemptEvent::Started { .. } => Some((record, job.as_deref())),
                AttemptEvent::Finished { .. } => None,
            })?;
        let after = self.records.iter().rev().take_while(|(r, _)| r.id != record.id);
        let ended = after.into_iter().any(|(r, _)| r.attempt == record.attempt);
        job.filter(|_| !ended).map(|job| (record, job))
    }

    /// All records that are kept.
    #[must_use]
    pub fn records(&self) -> Vec<&AttemptRecord> {
        self.records.iter().map(|(r, _)| r).collect()
    }

    fn append(&mut self, entry: Entry) -> io::Result<()> {
        let line = encode(&entry)?;
        let write = |file: &mut File, at: u64| {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&line)?;
            file.sync_data()
        };
        if let Err(e) = write(&mut self.file, self.length) {
            // Half a line must not stay in front of the next one.
            let _ = self.file.set_len(self.length);
            return Err(e);
        }
        self.length += line.len() as u64;
        self.apply(entry);
        Ok(())
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Record {
                record,
                job,
                restart_in,
            } => {
                if let Some(boot_id) = restart_in {
                    self.restart = Some(Restart {
                        of: record.id.clone(),
                        boot_id,
                        at: record.at,
                        step: Step::Owed,
                    });
                }
                self.records.push((record, job));
            }
            Entry::Restart(restart) => self.restart = Some(restart),
            Entry::Settled { ids, .. } => self.settled.extend(ids),
            Entry::Resend { .. } => self.settled.clear(),
        }
    }

    /// Rewrites the file without settled records older than 90 days.
    fn compact(&mut self, now: Moment) -> io::Result<()> {
        let oldest = now - KEEP;
        let settled = std::mem::take(&mut self.settled);
        self.records.retain(|(r, _)| !settled.contains(&r.id) || r.at >= oldest);
        self.settled = self
            .records
            .iter()
            .map(|(r, _)| r.id.clone())
            .filter(|id| settled.contains(id))
            .collect();
        let mut bytes = Vec::new();
        for (record, job) in &self.records {
            bytes.extend(encode(&Entry::Record {
                record: record.clone(),
                job: job.clone(),
                restart_in: None,
            })?);
        }
        if let Some(restart) = &self.restart {
            bytes.extend(encode(&Entry::Restart(restart.clone()))?);
        }
        let ids = self.settled.iter().cloned().collect();
        bytes.extend(encode(&Entry::Settled { ids, at: now })?);
        crate::files::replace(&self.path, &bytes, 0o600)?;
        self.file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        self.length = bytes.len() as u64;
        Ok(())
    }
}

fn check(json: &[u8]) -> String {
    hex::encode(&Sha256::digest(json)[..8])
}

fn encode(entry: &Entry) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(entry).map_err(io::Error::other)?;
    let mut line = check(&json).into_bytes();
    line.push(b' ');
    line.extend(json);
    line.push(b'\n');
    Ok(line)
}

fn decode(line: &[u8]) -> Option<Entry> {
    let (sum, json) = line.split_at_checked(16)?;
    let json = json.strip_prefix(b" ")?;
    if check(json).as_bytes() != sum {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use domain::{AttemptId, PatchId, RebootPolicy};
    use protocol::v1::{ActionKind, Outcome};

    fn record(id: u32, event: AttemptEvent) -> AttemptRecord {
        AttemptRecord {
            id: format!("{id:032x}"),
            attempt: AttemptId(7),
            fence: 1,
            at: Moment(1_000_000 + i64::from(id)),
            event,
        }
    }

    pub(crate) fn started(id: u32) -> (AttemptRecord, Option<Job>) {
        let order = Order {
            patch: PatchId(1),
            kind: ActionKind::Install,
            packages: vec![],
        };
        let permit = Permit {
            attempt: AttemptId(7),
            fence: 1,
            start_within: 60,
            server_time: Moment(0),
            packages: vec![],
            reboot: RebootPolicy::Never,
        };
        let job = Job {
            order,
            permit,
            from: vec![],
            automatic: vec!["libssl3".into()],
        };
        (record(id, AttemptEvent::Started { from: vec![] }), Some(job))
    }

    fn finished(id: u32) -> AttemptRecord {
        let event = AttemptEvent::Finished {
            outcome: Outcome::Succeeded,
            observed: vec![],
            log: Default::default(),
            took: 3,
        };
        record(id, event)
    }

    /// I-17, I-21: whatever byte the power cut hits, every record whose write had returned is there, and the journal takes new ones.
    #[test]
    fn every_prefix_of_the_file_opens_and_holds_what_was_synced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut ends = vec![0];
        let mut journal = Journal::open(&path).unwrap();
        for id in 0..3 {
            let (record, job) = started(id);
            journal.record(record, job).unwrap();
            ends.push(journal.length);
        }
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let cut = folder.path().join("cut");
        for length in 0..=whole.len() {
            std::fs::write(&cut, &whole[..length]).unwrap();
            let kept = ends.iter().filter(|e| **e > 0 && **e <= length as u64).count();
            let seen = Journal::peek(&cut).unwrap();
            assert_eq!(seen.records().len(), kept, "prefix of {length} bytes");
            // Syncing takes its time; the way on is tried around every end and here and there between.
            let near = ends.iter().any(|e| e.abs_diff(length as u64) <= 2);
            if !near && !length.is_multiple_of(61) {
                continue;
            }
            let mut journal = Journal::open(&cut).unwrap();
            journal.record(finished(9), None).unwrap();
            drop(journal);
            let journal = Journal::open(&cut).unwrap();
            let now = (journal.records().len(), journal.damaged);
            assert_eq!(now, (kept + 1, 0), "after a prefix of {length} bytes");
        }
    }

    #[test]
    fn a_damaged_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        for id in 0..3 {
            journal.record(finished(id), None).unwrap();
        }
        drop(journal);
        let mut bytes = std::fs::read(&path).unwrap();
        let second = bytes.iter().position(|b| *b == b'\n').unwrap() + 40;
        bytes[second] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert_eq!((journal.records().len(), journal.damaged), (2, 1));
    }

    /// A server restored from a backup gives a number that it gave before; the old end is not the new one's.
    #[test]
    fn an_end_belongs_to_the_start_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal")).unwrap();
        for (id, open) in [(0, true), (2, true)] {
            let (record, job) = started(id);
            journal.record(record, job).unwrap();
            assert_eq!(journal.open_job().is_some(), open);
            journal.record(finished(id + 1), None).unwrap();
            assert!(journal.open_job().is_none());
        }
    }

    /// A restart is remembered from the end that asked for it, step by step, through every new life and a rewriting of the file.
    #[test]
    fn a_restart_is_remembered_step_by_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.finish(finished(1), None).unwrap();
        assert_eq!(journal.restart(), None, "this end asks for none");
        journal.restarts(Step::Ordered, Moment(7)).unwrap();
        assert_eq!(journal.restart(), None, "what is not owed cannot be ordered");
        journal.finish(finished(2), Some("boot-a".to_owned())).unwrap();
        let owed = Journal::open(&path).unwrap().restart().cloned().unwrap();
        assert_eq!(
            (owed.of, owed.boot_id.as_str(), owed.step),
            (finished(2).id, "boot-a", Step::Owed)
        );
        journal.restarts(Step::Ordered, Moment(8)).unwrap();
        let ordered = Journal::open(&path).unwrap().restart().cloned().unwrap();
        assert_eq!((ordered.at, &ordered.step), (Moment(8), &Step::Ordered));
        journal.compact(Moment(1_000_000)).unwrap();
        assert_eq!(Journal::open(&path).unwrap().restart(), Some(&ordered));
    }

    /// A journal of an agent that did not know of restarts.
    #[test]
    fn a_line_of_an_earlier_agent_is_read() {
        let line = r#"{"kind":"record","record":RECORD,"job":null}"#;
        let record = serde_json::to_string(&finished(1)).unwrap();
        let json = line.replace("RECORD", &record);
        let line = format!("{} {json}", check(json.as_bytes()));
        assert!(matches!(
            decode(line.as_bytes()),
            Some(Entry::Record { restart_in: None, .. })
        ));
    }

    #[test]
    fn records_stay_until_settled_and_are_told_again_after_a_restore() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        let (first, job) = started(0);
        journal.record(first.clone(), job).unwrap();
        assert!(journal.open_job().is_some());
        journal.record(finished(1), None).unwrap();
        assert!(journal.open_job().is_none(), "finished");
        journal.settle(vec![first.id], Moment(2)).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.unsettled().len(), 1);
        journal.settle(vec![finished(1).id], Moment(2)).unwrap();
        assert!(journal.unsettled().is_empty());
        journal.resend(2).unwrap();
        assert_eq!(Journal::open(&path).unwrap().unsettled().len(), 2);
        journal.settle(vec![finished(1).id], Moment(3)).unwrap();
        journal.compact(Moment(1_000_000) + KEEP + Span(5)).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert_eq!(
            journal.records().len(),
            1,
            "old and settled is dropped, old and unsettled is kept"
        );
        assert_eq!(journal.unsettled().len(), 1);
    }
}
