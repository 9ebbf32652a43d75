//! The one place where the planner's words are made: for pages, the CLI and the API.

use crate::reason::{Decision, GateStatus, Reason, Verdict};
use domain::{
    AccountId, DeviceState, ExceptionId, FreezeId, GroupId, LocationId, Moment, OsReleaseId, PatchId, ProductId,
    ProfileId, RingId, Span, WindowId,
};

mod reasons;

pub use reasons::{cause, proof, reason};

/// Stands around a moment inside a sentence until [`parts`] takes it out again. No sentence has it otherwise: it is taken out of names.
const MARK: char = '\u{1}';

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Words(String),
    /// A moment, in whatever zone the reader wants.
    At(Moment),
}

/// A sentence in which moments are still moments: `make` is one of this module's functions, e.g. [`reason`].
pub fn parts(names: &dyn Names, make: impl FnOnce(&dyn Names) -> String) -> Vec<Part> {
    let text = make(&Marked(names));
    // Every second piece is a moment: marks come in pairs.
    let pieces = text.split(MARK).enumerate().filter(|(_, piece)| !piece.is_empty());
    pieces
        .map(|(i, piece)| match piece.parse() {
            Ok(at) if i % 2 == 1 => Part::At(Moment(at)),
            _ => Part::Words(piece.to_owned()),
        })
        .collect()
}

macro_rules! names {
    ($($(#[$doc:meta])* $method:ident($id:ident) = $what:literal;)+) => {
        /// Gives names to ids and words to moments. Whoever knows no better name leaves the default, e.g. `window 3`.
        pub trait Names {
            /// The reader's now, for words such as "5 of 7 days".
            fn now(&self) -> Moment;
            /// A moment, in the zone or zones that the reader wants.
            fn time(&self, at: Moment) -> String;
            $($(#[$doc])* fn $method(&self, id: $id) -> String { format!(concat!($what, " {}"), id) })+
        }

        /// The same names, with marks in place of moments.
        struct Marked<'a>(&'a dyn Names);

        impl Names for Marked<'_> {
            fn now(&self) -> Moment {
                self.0.now()
            }
            fn time(&self, at: Moment) -> String {
                format!("{MARK}{}{MARK}", at.0)
            }
            $(fn $method(&self, id: $id) -> String { self.0.$method(id).replace(MARK, "") })+
        }
    };
}

names! {
    /// A patch, e.g. `openssl 3.0.15-1~deb12u1`.
    patch(PatchId) = "patch";
    /// A ring.
    ring(RingId) = "ring";
    /// An account.
    account(AccountId) = "account";
    /// A group.
    group(GroupId) = "group";
    /// A location.
    location(LocationId) = "location";
    /// A maintenance window.
    window(WindowId) = "window";
    /// A freeze.
    freeze(FreezeId) = "freeze";
    /// A profile.
    profile(ProfileId) = "profile";
    /// An exception.
    exception(ExceptionId) = "exception";
    /// An OS release, e.g. `Debian 12`.
    release(OsReleaseId) = "release";
    /// A product.
    product(ProductId) = "product";
}

/// `7 days`, `3 h 20 min`, `45 s`: two units at most, rounded down.
#[must_use]
pub fn span(span: Span) -> String {
    let s = span.0.max(0);
    let (days, hours, minutes) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
    let day = if days == 1 { "day" } else { "days" };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} {day}"),
        (_, _, _) => format!("{days} {day} {hours} h"),
    }
}

/// Who must do what, or what must happen, for a closed gate to open; `None` for what time opens and for notes.
#[must_use]
pub fn remedy(reason: &Reason, names: &dyn Names) -> Option<String> {
    let text = match *reason {
        Reason::DeviceNotActive {
            state: DeviceState::Pending,
        } => "an administrator accepts the device",
        Reason::DeviceNotActive {
            state: DeviceState::Quarantined,
        } => "an administrator looks into the device and releases it",
        Reason::ScanOnly => "an administrator lets the device be changed",
        Reason::ReleaseLeftOut { .. } => "an administrator no longer leaves it out",
        Reason::CategoryNotCovered { .. } => "an administrator covers every kind of update there",
        Reason::NotSeen { .. } => "the device reports a complete scan",
        Reason::HeldOnDevice | Reason::PinnedOnDevice => "somebody lifts that on the device",
        Reason::PhasedOnDevice { .. } => "the vendor lets it out further",
        Reason::Superseded { by } => return Some(format!("{} is installed instead", names.patch(by))),
        Reason::Denied { by, .. } => {
            return Some(format!(
                "{} or another security officer withdraws the denial",
                names.account(by)
            ));
        }
        Reason::RolledBackHere => "a security officer approves it again",
        Reason::NoRing | Reason::UnknownRing { .. } => "an administrator puts the device into a ring",
        Reason::NotApproved { ring } => {
            return Some(format!("a security officer approves it for {}", names.ring(ring)));
        }
        Reason::NoSuccessYet { ring, targets: 0 } => {
            return Some(format!(
                "a device that needs it joins {}, or an urgent approval skips the soak",
                names.ring(ring)
            ));
        }
        Reason::NoSuccessYet { ring, .. } => {
            return Some(format!("the first device in {} is seen to have it", names.ring(ring)));
        }
        Reason::SoakPaused { .. } | Reason::Held { .. } => "somebody resolves the hold with a note",
        Reason::TooFewSuccesses { .. } | Reason::ShareTooSmall { .. } => "more devices are seen to have it",
        Reason::ReleaseNotProven { release, .. } => {
            return Some(format!("a device with {} is seen to have it", names.release(release)));
        }
        Reason::ProductNotProven { product, .. } => {
            return Some(format!("a device with {} is seen to have it", names.product(product)));
        }
        Reason::TooFewReboots { .. } => "more of them reboot",
        Reason::NoRollbackPlan => "a security officer writes a rollback plan or waives it",
        Reason::RollbackNotReady { .. } => "the device says that it could roll back",
        Reason::PackageMissing | Reason::PackageFetching => "the package arrives in the patch cache",
        Reason::RetriesUsed { .. } => "somebody lets the device try again, or resolves a hold of the patch with a note",
        Reason::ManagerBroken => "somebody mends the package manager on the device",
        Reason::RebootOwed { .. } => "the device reboots",
        Reason::DiskLow { .. } => "space is made on the device",
        Reason::OnBattery => "the device reports that it is on mains power",
        Reason::NoProfile => "an administrator covers the device by a profile",
        Reason::FrameTooShort { .. } => "an administrator widens the hours",
        Reason::NoWindowFits { .. } => "an administrator adds a window that is long enough",
        Reason::BeyondHorizon => "the server works its schedule out again",
        Reason::DeviceBusy { .. } | Reason::AfterOnDevice { .. } => "that attempt has a result",
        Reason::FirstGoesAlone { .. } => "the first device has a result",
        Reason::WaveFull { .. } | Reason::RingFull { .. } | Reason::LocationFull { .. } | Reason::FleetFull { .. } => {
            "one of them has a result"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// A gate's word: `Open since …`, `Opens …: why`, `Closed: why; until who does what`.
#[must_use]
pub fn status(status: &GateStatus, names: &dyn Names) -> String {
    match status {
        GateStatus::Open {
            since: None,
            note: None,
        } => "Open".to_owned(),
        GateStatus::Open {
            since: Some(at),
            note: None,
        } => format!("Open since {}", names.time(*at)),
        GateStatus::Open { note: Some(note), .. } => format!("Open. {}", reason(note, names)),
        GateStatus::OpensAt { at, reason: r } => format!("Opens {}. {}", names.time(*at), reason(r, names)),
        GateStatus::Closed { reason: r } => match remedy(r, names) {
            Some(until) => format!("Closed. {}; until {until}", reason(r, names)),
            None => format!("Closed. {}", reason(r, names)),
        },
    }
}

/// The decision in one line: what happens, or the first gate that is not open and the earliest moment.
#[must_use]
pub fn headline(decision: &Decision, names: &dyn Names) -> String {
    match (&decision.verdict, decision.headline()) {
        (Verdict::Settled { how }, _) => how.label().to_owned(),
        (Verdict::Install { not_after: None, .. }, _) | (Verdict::Hold { .. }, None) => {
            "May be installed now".to_owned()
        }
        (
            Verdict::Install {
                not_after: Some(at), ..
            },
            _,
        ) => format!("May be installed now, if started by {}", names.time(*at)),
        (Verdict::Hold { .. }, Some(first)) => {
            let why = first.status.reason().map_or_else(String::new, |r| reason(r, names));
            match (decision.earliest, first.status) {
                (Some(at), GateStatus::OpensAt { at: opens, .. }) if at == opens => why,
                (Some(at), _) => format!("{why}; installed {} at the earliest", names.time(at)),
                (None, _)
                    if decision
                        .ladder
                        .iter()
                        .all(|r| !matches!(r.status, GateStatus::Closed { .. })) =>
                {
                    format!("{why}; but the profile's hours and the windows do not meet from then on")
                }
                (None, _) => match first.status.reason().and_then(|r| remedy(r, names)) {
                    Some(until) => format!("{why}; waits until {until}"),
                    None => why,
                },
            }
        }
    }
}

/// Moments in one zone, ids by their numbers: for tests and wherever nothing else is known.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// The reader's now.
    pub now: Moment,
    /// The reader's zone.
    pub zone: crate::calendar::Zone,
}

impl Names for Plain {
    fn now(&self) -> Moment {
        self.now
    }
    fn time(&self, at: Moment) -> String {
        self.zone.text_with_zone(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Zone;

    /// A window that is called `5\u{1}7`.
    struct Odd(Plain);

    impl Names for Odd {
        fn now(&self) -> Moment {
            self.0.now()
        }
        fn time(&self, at: Moment) -> String {
            self.0.time(at)
        }
        fn window(&self, _: WindowId) -> String {
            "5\u{1}7".to_owned()
        }
    }

    #[test]
    fn moments_stay_moments_in_a_sentence() {
        let odd = Odd(Plain {
            now: Moment(0),
            zone: Zone::UTC,
        });
        let opens = Reason::OutsideWindow {
            window: WindowId(1),
            opens: Moment(3_600),
        };
        let told = parts(&odd, |names| reason(&opens, names));
        assert_eq!(told, [Part::Words("57 opens ".to_owned()), Part::At(Moment(3_600))]);
        let none = parts(&odd, |names| reason(&Reason::NoRing, names));
        assert_eq!(none, [Part::Words("The device is in no ring".to_owned())]);
    }
}
