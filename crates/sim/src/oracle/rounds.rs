//! How often a device installs, by the plain reading of the rule (I-41): a round begins with a permit, is open for four
//! hours, and the next one begins no sooner than the device's interval after the opening of the window in which it
//! began; where no window is open, or one that is longer than the interval, after its beginning.
//!
//! Whether a permit counts is not always seen from outside: urgent approvals and tries after a failure do not. Of each
//! device's latest round the books therefore keep the earliest and the latest moment at which it may have begun, and
//! complain only where neither fits.

use super::{Oracle, Ruling, UNNOTICED, Violation};
use domain::{DeviceId, GroupId, Moment, PatchId, RingId, Span, Urgency};
use protocol::v1::ActionKind;

/// How long a round is open.
const OPEN: Span = Span::hours(4);
/// The interval where no profile names the device's groups.
const DAILY: Span = Span::hours(24);
/// Two readings of the server's clock, each off unnoticed.
const OFF: Span = Span(2 * UNNOTICED.0);

/// When the latest round of a device began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoundBook {
    /// Not before; 0: nothing is known.
    earliest: Moment,
    /// Not after.
    latest: Moment,
    /// The interval counts from then or later.
    counts_from: Moment,
}

impl Oracle {
    /// The interval of a device: that of the nearest of its groups with one.
    fn interval(&self, device: DeviceId) -> Span {
        let interval = |group: &GroupId| self.intervals.get(group).copied();
        self.chain(device).iter().find_map(interval).unwrap_or(DAILY)
    }

    /// A new permit to install.
    ///
    /// # Errors
    /// I-41.
    pub(super) fn installs(
        &mut self,
        device: DeviceId,
        ring: Option<RingId>,
        patch: PatchId,
        now: Moment,
    ) -> Result<(), Violation> {
        let ruling = ring.and_then(|ring| self.patches.get(&patch)?.rulings.get(&ring));
        let again = self
            .attempts
            .values()
            .any(|a| a.device == device && a.patch == patch && a.kind == ActionKind::Install);
        if again
            || ruling
                != Some(&Ruling::Approved {
                    urgent: Urgency::Normal,
                })
        {
            self.may_begin(device, now);
            return Ok(());
        }
        let every = self.interval(device);
        let counts_from = self.opened(device, now, every).unwrap_or(now);
        let Some(book) = self.rounds.get_mut(&device) else {
            let began = RoundBook {
                earliest: now,
                latest: now,
                counts_from,
            };
            self.rounds.insert(device, began);
            return Ok(());
        };
        let inside = now < book.latest + OPEN + OFF;
        if !inside && now + OFF < book.counts_from + every {
            let text = format!(
                "device {device} begins a round {} s after what the interval counts from, of at least {} s",
                now.since(book.counts_from).0,
                every.0
            );
            return Err(Violation::new("I-41", text));
        }
        if !inside {
            *book = RoundBook {
                earliest: now,
                latest: now,
                counts_from,
            };
        } else if now + OFF >= book.earliest + OPEN {
            book.latest = now;
        }
        Ok(())
    }

    /// A permit that may have begun a round, or not.
    pub(super) fn may_begin(&mut self, device: DeviceId, now: Moment) {
        let unknown = RoundBook {
            earliest: Moment(0),
            latest: now,
            counts_from: Moment(0),
        };
        let book = self.rounds.entry(device).or_insert(unknown);
        if now + OFF >= book.earliest + OPEN {
            book.latest = now;
        }
    }
}
