//! Why something is not installed yet, or why it may be.

use super::{Names, span};
use crate::evidence::unseen_failure_permille;
use crate::facts::HoldCause;
use crate::profile::WhyProfile;
use crate::reason::Reason;
use domain::{DeviceState, Span, Urgency};

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
        format!("{} of {}", span(done.max(Span(0))), span(needed))
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
        Reason::ReleaseLeftOut { release, profile } => {
            format!("{} is left out by {}", names.release(release), names.profile(profile))
        }
        Reason::CategoryNotCovered { category, profile } => format!(
            "Patches of the kind {} are not covered by {}",
            category.label().to_lowercase(),
            names.profile(profile)
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
        Reason::NotStarted { times: 1, until } => {
            format!(
                "The device had leave and did not start it; next try {}",
                names.time(until)
            )
        }
        Reason::NotStarted { times, until } => {
            format!(
                "The device had leave {times} times and did not start it; next try {}",
                names.time(until)
            )
        }
        Reason::InRound { began, until } => {
            format!(
                "The device installs since {}; that round is open until {}",
                names.time(began),
                names.time(until)
            )
        }
        Reason::IntervalNotOver {
            profile,
            began,
            every,
            until,
        } => {
            format!(
                "{} installs at most every {}; the device began its latest round {}, the next one may begin {}",
                names.profile(profile),
                span(every),
                names.time(began),
                names.time(until)
            )
        }
        Reason::UrgentSkipsInterval { by, .. } => {
            format!(
                "The urgent approval by {} does not wait for a round of installs",
                names.account(by)
            )
        }
        Reason::RetrySkipsInterval { .. } => "A try after a failure does not wait for a round of installs".to_owned(),
        Reason::ManagerBroken => "The device's package manager is in a state that it cannot leave by itself".to_owned(),
        Reason::RebootOwed { since } => format!("The device owes a reboot since {}", names.time(since)),
        Reason::DiskLow {
            free_mib,
            needed_mib,
            reserve_mib: 0,
        } => format!("{free_mib} MiB are free, {needed_mib} MiB are needed"),
        Reason::DiskLow {
            free_mib,
            needed_mib,
            reserve_mib,
        } => format!("{free_mib} MiB are free, {needed_mib} MiB are needed, {reserve_mib} MiB of them as reserve"),
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
                // Holds, and what the server's clock was set ahead: the facts tell only how long both were together (I-12).
                format!(", {} not counted (holds, steps of the clock)", span(paused))
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
