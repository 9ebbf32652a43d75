//! The one place where the planner's words are made: for pages, the CLI and the API.

use crate::evidence::unseen_failure_permille;
use crate::facts::HoldCause;
use crate::profile::WhyProfile;
use crate::reason::{Decision, GateStatus, Reason, Verdict};
use domain::{
    AccountId, DeviceState, ExceptionId, FreezeId, GroupId, LocationId, Moment, OsReleaseId, PatchId, ProductId,
    ProfileId, RingId, Span, Urgency, WindowId,
};

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

/// `1 device`, `3 devices`.
fn devices(n: u32) -> String {
    if n == 1 {
        "1 device".to_owned()
    } else {
        format!("{n} devices")
    }
}

/// `with these 10 devices a failure rate up to 26 % would go unseen`.
#[must_use]
pub fn proof(clean: u32) -> String {
    let permille = unseen_failure_permille(clean);
    let percent = if permille < 100 && !permille.is_multiple_of(10) {
        format!("{}.{}", permille / 10, permille % 10)
    } else {
        format!("{}", (permille + 5) / 10)
    };
    let these = if clean == 1 {
        "this 1 device".to_owned()
    } else {
        format!("these {clean} devices")
    };
    format!("with {these} a failure rate up to {percent} % would go unseen")
}

/// `5 of 7 days`, or in smaller units where the soak is not of whole days.
fn progress(done: Span, needed: Span) -> String {
    if needed.0 >= 86_400 && needed.0 % 86_400 == 0 {
        format!("{} of {} days", done.0.clamp(0, needed.0) / 86_400, needed.0 / 86_400)
    } else {
        format!("{} of {}", span(done), span(needed))
    }
}

/// `2 of 20 devices have rebooted`.
fn rebooted(rebooted: u32, clean: u32) -> String {
    let have = if rebooted == 1 { "has" } else { "have" };
    format!("{rebooted} of {} {have} rebooted since", devices(clean))
}

/// Why a rollout was stopped.
#[must_use]
pub fn cause(cause: HoldCause) -> String {
    match cause {
        HoldCause::Problem(id) => format!("problem report {id}"),
        HoldCause::Failures { failed, finished } => format!("{failed} of {finished} devices failed"),
        HoldCause::Vanished { devices: n } => format!("{} started and did not come back", devices(n)),
        HoldCause::FirstDevice => "the first device, sent alone, failed".to_owned(),
        HoldCause::Person => "stopped by a person".to_owned(),
    }
}

fn why(why: WhyProfile, names: &dyn Names) -> String {
    match why {
        WhyProfile::Only => "the only one that covers the device".to_owned(),
        WhyProfile::NamesDevice => "it names the device".to_owned(),
        WhyProfile::DeepestGroup(group) => format!("it names {}, the most specific group", names.group(group)),
        WhyProfile::Position => "first by position among equals".to_owned(),
        WhyProfile::LowerId => "oldest among equals".to_owned(),
    }
}

/// A reason or note as a sentence without a full stop.
#[must_use]
pub fn reason(reason: &Reason, names: &dyn Names) -> String {
    schedule(reason, names)
        .or_else(|| rollout(reason, names))
        .unwrap_or_else(|| pair(reason, names))
}

/// Reasons of the device, the patch and the two together.
fn pair(reason: &Reason, names: &dyn Names) -> String {
    match *reason {
        Reason::DeviceNotActive {
            state: DeviceState::Revoked,
        } => "The device is revoked; it must enrol anew".to_owned(),
        Reason::DeviceNotActive { state } => format!("The device is {}", state.label().to_lowercase()),
        Reason::ScanOnly => "The device is only scanned, never changed".to_owned(),
        Reason::ReleaseNotCovered { release } => format!("{} is not covered", names.release(release)),
        Reason::CategoryNotCovered { category } => format!(
            "Patches of the kind {} are not covered",
            category.label().to_lowercase()
        ),
        Reason::NotSeen { last_scan: Some(at) } => format!("Not known: the last complete scan was {}", names.time(at)),
        Reason::NotSeen { last_scan: None } => "Not known: the device has not been scanned".to_owned(),
        Reason::NotNeeded { state } | Reason::InProgress { state } => state.label().to_owned(),
        Reason::HeldOnDevice => "The package is marked as held on the device".to_owned(),
        Reason::PhasedOnDevice { percent } => {
            format!("The vendor has let it out to {percent} % of machines, not yet to this one")
        }
        Reason::PinnedOnDevice => "A pin on the device keeps another version".to_owned(),
        Reason::Superseded { by } => format!("{} takes its place and is approved", names.patch(by)),
        Reason::SuccessorNotApproved { by } => {
            format!("{} takes its place, but is not approved for this ring", names.patch(by))
        }
        Reason::RolledBackHere => "It was rolled back on this device and not approved again since".to_owned(),
        Reason::RollbackNotRequired => "Not required by policy".to_owned(),
        Reason::NoRollbackPlan => "There is no rollback plan".to_owned(),
        Reason::RollbackNotReady { said: Some(_) } => "The device could not roll it back now".to_owned(),
        Reason::RollbackNotReady { said: None } => "The device has not said whether it could roll it back".to_owned(),
        Reason::RollbackWaived { by } => format!("{} decided to go without a rollback plan", names.account(by)),
        Reason::PackageNotRequired => "Not required by policy".to_owned(),
        Reason::PackageMissing => "The package is not in the patch cache".to_owned(),
        Reason::PackageFetching => "The package is on its way to the patch cache".to_owned(),
        Reason::BackOff { failed, max, until } => {
            format!("Failed {failed} of {max} times; next try {}", names.time(until))
        }
        Reason::RetriesUsed { failed, max } => format!("Failed {failed} times; {max} are tried"),
        Reason::ManagerBroken => "The device's package manager is in a state that it cannot leave by itself".to_owned(),
        Reason::RebootOwed { since } => format!("The device owes a reboot since {}", names.time(since)),
        Reason::DiskLow { free_mib, needed_mib } => format!("{free_mib} MiB are free, {needed_mib} MiB are needed"),
        Reason::OnBattery => "The device runs on battery".to_owned(),
        // Their words are made by `rollout` and `schedule`, which are asked first.
        Reason::Denied { .. }
        | Reason::Excepted { .. }
        | Reason::NoRing
        | Reason::UnknownRing { .. }
        | Reason::NotApproved { .. }
        | Reason::Approved { .. }
        | Reason::FirstRing { .. }
        | Reason::UrgentSkipsSoak { .. }
        | Reason::NoSuccessYet { .. }
        | Reason::Soaking { .. }
        | Reason::SoakPaused { .. }
        | Reason::TooFewSuccesses { .. }
        | Reason::ReleaseNotProven { .. }
        | Reason::ShareTooSmall { .. }
        | Reason::TooFewReboots { .. }
        | Reason::ProductNotProven { .. }
        | Reason::Soaked { .. }
        | Reason::Held { .. }
        | Reason::NoProfile
        | Reason::ByProfile { .. }
        | Reason::OutsideFrame { .. }
        | Reason::FrameTooShort { .. }
        | Reason::UrgentSkipsWindows { .. }
        | Reason::NoWindow
        | Reason::InWindow { .. }
        | Reason::OutsideWindow { .. }
        | Reason::TooLittleLeft { .. }
        | Reason::NoWindowFits { .. }
        | Reason::Frozen { .. }
        | Reason::FreezeNear { .. }
        | Reason::CatchUp { .. }
        | Reason::BeyondHorizon
        | Reason::DeviceBusy { .. }
        | Reason::AfterOnDevice { .. }
        | Reason::FirstGoesAlone { .. }
        | Reason::WaveFull { .. }
        | Reason::WaveRest { .. }
        | Reason::RingFull { .. }
        | Reason::LocationFull { .. }
        | Reason::FleetFull { .. } => String::new(),
    }
}

/// Reasons of decisions, rings, holds and waves.
fn rollout(reason: &Reason, names: &dyn Names) -> Option<String> {
    Some(match *reason {
        Reason::Denied { ring, by, at, .. } => format!(
            "Denied for {} by {} on {}",
            names.ring(ring),
            names.account(by),
            names.time(at)
        ),
        Reason::Excepted {
            exception,
            owner,
            until,
        } => {
            format!(
                "{} of {} until {}",
                names.exception(exception),
                names.account(owner),
                names.time(until)
            )
        }
        Reason::NoRing => "The device is in no ring".to_owned(),
        Reason::UnknownRing { ring } => format!("{} does not exist", names.ring(ring)),
        Reason::NotApproved { ring } => format!("Not approved for {}", names.ring(ring)),
        Reason::Approved {
            ring, by, at, urgent, ..
        } => {
            let urgent = if urgent == Urgency::Normal {
                String::new()
            } else {
                format!(", {}", urgent.label().to_lowercase())
            };
            format!(
                "For {} by {} on {}{urgent}",
                names.ring(ring),
                names.account(by),
                names.time(at)
            )
        }
        Reason::FirstRing { ring } => format!("{} is the first ring", names.ring(ring)),
        Reason::UrgentSkipsSoak { by, .. } => format!("Skipped by the urgent approval of {}", names.account(by)),
        Reason::NoSuccessYet { ring, targets: 0 } => format!(
            "No device of {} is known to need it, so nothing proves it",
            names.ring(ring)
        ),
        Reason::NoSuccessYet { ring, targets } => {
            let need = if targets == 1 {
                "1 needs it".to_owned()
            } else {
                format!("{targets} need it")
            };
            format!("No device in {} has it yet; {need}", names.ring(ring))
        }
        Reason::Soaking {
            ring,
            since,
            needed,
            paused,
            until,
            clean,
            rebooted: since_rebooted,
        } => {
            let done = progress(names.now().since(since + paused), needed);
            let reboots = since_rebooted.map_or_else(String::new, |n| format!("{}; ", rebooted(n, clean)));
            let paused = if paused.0 > 0 {
                format!(", {} of hold not counted", span(paused))
            } else {
                String::new()
            };
            format!(
                "Soaking in {}: {done}{paused}, until {}; {reboots}{}",
                names.ring(ring),
                names.time(until),
                proof(clean)
            )
        }
        Reason::SoakPaused { ring, at, .. } => format!(
            "The soak in {} stands still since the hold of {}",
            names.ring(ring),
            names.time(at)
        ),
        Reason::TooFewSuccesses { ring, clean, needed } => {
            format!("{clean} of {needed} devices needed in {} have it", names.ring(ring))
        }
        Reason::ReleaseNotProven { ring, release } => format!(
            "No device with {} in {} has it yet",
            names.release(release),
            names.ring(ring)
        ),
        Reason::ShareTooSmall {
            ring,
            clean,
            targets,
            percent,
        } => {
            format!(
                "{clean} of {targets} devices in {} have it; {percent} % must",
                names.ring(ring)
            )
        }
        Reason::TooFewReboots {
            ring,
            rebooted: so_far,
            needed,
            clean,
            since,
            soak,
            paused,
        } => {
            format!(
                "{} in {}; {}, {needed} must; {}",
                progress(names.now().since(since + paused).min(soak), soak),
                names.ring(ring),
                rebooted(so_far, clean),
                proof(clean)
            )
        }
        Reason::ProductNotProven { ring, product } => {
            format!(
                "No device with {} in {} has it yet; it is business-critical here",
                names.product(product),
                names.ring(ring)
            )
        }
        Reason::Soaked { ring, at, clean } => format!(
            "Soaked in {} since {}; {}",
            names.ring(ring),
            names.time(at),
            proof(clean)
        ),
        Reason::Held {
            ring,
            cause: why,
            at,
            by,
            ..
        } => {
            let ring = ring.map_or_else(
                || "everywhere".to_owned(),
                |ring| format!("from {} on", names.ring(ring)),
            );
            let by = by.map_or_else(String::new, |by| format!(", {}", names.account(by)));
            format!("Held {ring} since {}: {}{by}", names.time(at), cause(why))
        }
        Reason::AfterOnDevice { patch } => format!("{} goes first on this device", names.patch(patch)),
        Reason::DeviceBusy { attempt } => format!("Attempt {attempt} runs on the device"),
        Reason::FirstGoesAlone { ring, wave } => {
            format!("The first device of wave {wave} in {} goes alone", names.ring(ring))
        }
        Reason::WaveFull {
            ring,
            wave,
            started,
            cap,
        } => {
            format!(
                "Wave {wave} in {} is full: {started} of {cap} have started",
                names.ring(ring)
            )
        }
        Reason::WaveRest { ring, wave, until } => {
            format!("Wave {wave} in {} starts {}", names.ring(ring), names.time(until))
        }
        Reason::RingFull { ring, cap } => format!("As many install it in {} as may at once ({cap})", names.ring(ring)),
        Reason::LocationFull { location, cap } => {
            format!("As many install in {} as may at once ({cap})", names.location(location))
        }
        Reason::FleetFull { cap } => format!("As many install in the fleet as may at once ({cap})"),
        _ => return None,
    })
}

/// Reasons of profiles, windows and freezes.
fn schedule(reason: &Reason, names: &dyn Names) -> Option<String> {
    Some(match *reason {
        Reason::NoProfile => "No profile covers the device".to_owned(),
        Reason::ByProfile {
            profile,
            why: w,
            until: None,
        } => format!("All day by {} ({})", names.profile(profile), why(w, names)),
        Reason::ByProfile {
            profile,
            why: w,
            until: Some(until),
        } => {
            format!(
                "Until {} by {} ({})",
                names.time(until),
                names.profile(profile),
                why(w, names)
            )
        }
        Reason::OutsideFrame { profile, why: w, opens } => {
            format!(
                "Outside the hours of {} ({}) until {}",
                names.profile(profile),
                why(w, names),
                names.time(opens)
            )
        }
        Reason::FrameTooShort { profile, needed } => {
            format!(
                "The hours of {} never have the {} that it takes",
                names.profile(profile),
                span(needed)
            )
        }
        Reason::UrgentSkipsWindows { by, .. } => format!("Skipped by the urgent approval of {}", names.account(by)),
        Reason::NoWindow => "No window limits this device".to_owned(),
        Reason::InWindow { window, until } => format!("In {} until {}", names.window(window), names.time(until)),
        Reason::OutsideWindow { window, opens } => format!("{} opens {}", names.window(window), names.time(opens)),
        Reason::TooLittleLeft {
            window,
            until,
            needed,
            next,
        } => {
            let (window, until, next) = (names.window(window), names.time(until), names.time(next));
            format!("{window} ends {until}; it takes {}; next time {next}", span(needed))
        }
        Reason::NoWindowFits { needed, .. } => format!("No window to come has the {} that it takes", span(needed)),
        Reason::Frozen { freeze, until } => format!("Frozen by {} until {}", names.freeze(freeze), names.time(until)),
        Reason::FreezeNear { freeze, from, until } => {
            format!(
                "{} begins {}, before it could end, and lasts until {}",
                names.freeze(freeze),
                names.time(from),
                names.time(until)
            )
        }
        Reason::CatchUp { group, missed } => format!(
            "{missed} windows were missed; {} lets the device catch up",
            names.group(group)
        ),
        Reason::BeyondHorizon => "The schedule is not worked out for this time".to_owned(),
        _ => return None,
    })
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
        Reason::ReleaseNotCovered { .. } | Reason::CategoryNotCovered { .. } => {
            "an administrator adds it to the coverage"
        }
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
        Reason::RetriesUsed { .. } => "somebody resets the count of failures",
        Reason::ManagerBroken => "somebody mends the package manager on the device",
        Reason::RebootOwed { .. } => "the device reboots",
        Reason::DiskLow { .. } => "space is made on the device",
        Reason::OnBattery => "the device is on mains power",
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
