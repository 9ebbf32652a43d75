//! The forms of rings, groups, places and the fleet, as what the planner is told, and back.

use crate::{
    commands::checks,
    error::{Error, Result},
    store::rings::{FleetPolicy, GroupRule, Versioned},
};
use domain::{GroupId, LocationId, RingId, Span};
use planner::{
    Durations, EvidencePolicy, Group, HoldPolicy, Location, MissedWindows, Refusal, RetryPolicy, Ring, RollbackPolicy,
    WavePolicy, WaveStep, calendar::Zone,
};
use view::{Field, FleetForm, GroupForm, LocationForm, MissedChoice, Problem, RingForm, RingsForm, WaveBar};

/// Most steps of a ring's waves.
const MOST_STEPS: usize = 10;
/// Most missed windows that a rule may ask for; as many are counted.
const MOST_MISSED: u32 = 50;
const DAY: i64 = 86_400;

fn within(field: Field, value: u32, min: u32, max: u32) -> Result<u32> {
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(Error::invalid(field, Problem::OutOfRange { min, max }))
    }
}

fn percent(field: Field, value: u32) -> Result<u8> {
    within(field, value, 0, 100).map(|p| u8::try_from(p).unwrap_or(100))
}

fn limit(value: Option<u32>) -> Result<Option<u32>> {
    value.map(|n| within(Field::InFlight, n, 1, 1_000_000)).transpose()
}

/// `1, 5 %, 25 %` as steps; empty: everybody at once.
fn steps(text: &str) -> Result<Vec<WaveStep>> {
    let bad = || Error::invalid(Field::Waves, Problem::Unreadable);
    let parts: Vec<&str> = text
        .split([',', ';'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() > MOST_STEPS || text.len() > 200 {
        return Err(bad());
    }
    parts
        .into_iter()
        .map(|part| match part.strip_suffix('%') {
            Some(percent) => percent.trim().parse().map(WaveStep::Percent).map_err(|_| bad()),
            None => part.parse().map(WaveStep::Devices).map_err(|_| bad()),
        })
        .collect()
}

fn step_text(step: WaveStep) -> String {
    match step {
        WaveStep::Devices(n) => n.to_string(),
        WaveStep::Percent(p) => format!("{p} %"),
    }
}

/// A ring's form, as the ring of this number and place.
///
/// # Errors
/// What does not fit; what must not be saved as a whole is said by the planner.
pub fn ring(form: &RingForm, id: RingId, position: u32) -> Result<Ring> {
    let days = within(Field::Soak, form.soak_days, 0, 365)?;
    let hours = within(Field::Soak, form.soak_hours, 0, 23)?;
    Ok(Ring {
        id,
        name: checks::name(Field::Label, &form.name)?,
        position,
        soak: Span(i64::from(days) * DAY + i64::from(hours) * 3_600),
        evidence: EvidencePolicy {
            min_successes: within(Field::Successes, form.min_successes, 1, 1_000_000)?,
            min_share_percent: percent(Field::Share, form.min_share_percent)?,
            own_release: form.own_release,
            critical_products: form.critical_products,
            rebooted: form.rebooted,
        },
        waves: WavePolicy {
            steps: steps(&form.waves)?,
            rest: Span::minutes(i64::from(within(Field::Rest, form.rest_minutes, 0, 43_200)?)),
        },
        holds: HoldPolicy {
            failures: within(Field::Failures, form.hold_failures, 1, 1_000_000)?,
            percent: percent(Field::FailureShare, form.hold_percent)?,
            vanished: within(Field::Vanished, form.hold_vanished, 1, 1_000_000)?,
        },
        max_in_flight: limit(form.max_in_flight)?,
        rollback: if form.rollback_plan {
            RollbackPolicy::Plan
        } else {
            RollbackPolicy::NotRequired
        },
    })
}

/// The form that gives a ring.
#[must_use]
pub fn ring_form(ring: &Ring) -> RingForm {
    let whole = |seconds: i64| u32::try_from(seconds).unwrap_or(0);
    RingForm {
        name: ring.name.clone(),
        soak_days: whole(ring.soak.0 / DAY),
        soak_hours: whole(ring.soak.0 % DAY / 3_600),
        min_successes: ring.evidence.min_successes,
        min_share_percent: ring.evidence.min_share_percent.into(),
        own_release: ring.evidence.own_release,
        critical_products: ring.evidence.critical_products,
        rebooted: ring.evidence.rebooted,
        waves: ring
            .waves
            .steps
            .iter()
            .map(|s| step_text(*s))
            .collect::<Vec<_>>()
            .join(", "),
        rest_minutes: whole(ring.waves.rest.0 / 60),
        hold_failures: ring.holds.failures,
        hold_percent: ring.holds.percent.into(),
        hold_vanished: ring.holds.vanished,
        max_in_flight: ring.max_in_flight,
        rollback_plan: ring.rollback != RollbackPolicy::NotRequired,
    }
}

/// The waves of a ring with so many devices, and everybody at the end.
#[must_use]
pub fn bars(ring: &Ring, devices: u32) -> Vec<WaveBar> {
    let steps = ring.waves.steps.iter().map(|step| WaveBar {
        label: match step {
            WaveStep::Devices(1) => "1 device".to_owned(),
            WaveStep::Devices(n) => format!("{n} devices"),
            WaveStep::Percent(p) => format!("{p} %"),
        },
        devices: step.of(devices).min(devices),
    });
    let all = WaveBar {
        label: "all".to_owned(),
        devices,
    };
    steps.chain([all]).collect()
}

/// A group's form, as the group of this number.
///
/// # Errors
/// What does not fit.
pub fn group(form: &GroupForm, id: GroupId) -> Result<Versioned<GroupRule>> {
    let missed = match form.missed {
        MissedChoice::Inherit => None,
        MissedChoice::Wait => Some(MissedWindows::Wait),
        MissedChoice::CatchUp { after } => Some(MissedWindows::CatchUp {
            after: within(Field::Missed, after, 1, MOST_MISSED)?,
        }),
    };
    Ok(Versioned {
        rule: GroupRule {
            group: Group {
                id,
                parent: form.parent,
                blocks_inheritance: form.blocks_inheritance,
                missed,
            },
            ring: form.ring,
            reboot: form.reboot,
        },
        name: checks::name(Field::Label, &form.name)?,
        version: 0,
    })
}

/// The form that gives a group.
#[must_use]
pub fn group_form(group: &Versioned<GroupRule>) -> GroupForm {
    let rule = &group.rule;
    GroupForm {
        name: group.name.clone(),
        parent: rule.group.parent,
        ring: rule.ring,
        blocks_inheritance: rule.group.blocks_inheritance,
        missed: match rule.group.missed {
            None => MissedChoice::Inherit,
            Some(MissedWindows::Wait) => MissedChoice::Wait,
            Some(MissedWindows::CatchUp { after }) => MissedChoice::CatchUp { after },
        },
        reboot: rule.reboot,
    }
}

/// A location's form, as the location of this number.
///
/// # Errors
/// What does not fit.
pub fn location(form: &LocationForm, id: LocationId) -> Result<Versioned<Location>> {
    if form.zone.parse::<Zone>().is_err() {
        return Err(Error::invalid(Field::Zone, Problem::Unknown));
    }
    let rate = form
        .rate_kib
        .map(|kib| within(Field::Rate, kib, 1, u32::MAX))
        .transpose()?;
    Ok(Versioned {
        rule: Location {
            id,
            zone: form.zone.clone(),
            max_in_flight: limit(form.max_in_flight)?,
            bytes_per_second: rate.map(|kib| u64::from(kib) * 1_024),
        },
        name: checks::name(Field::Label, &form.name)?,
        version: 0,
    })
}

/// The form that gives a location.
#[must_use]
pub fn location_form(location: &Versioned<Location>) -> LocationForm {
    let rule = &location.rule;
    LocationForm {
        name: location.name.clone(),
        zone: rule.zone.clone(),
        rate_kib: rule.bytes_per_second.and_then(|rate| u32::try_from(rate / 1_024).ok()),
        max_in_flight: rule.max_in_flight,
    }
}

/// The fleet's form.
///
/// # Errors
/// What does not fit.
pub fn fleet(form: &FleetForm) -> Result<FleetPolicy> {
    let minutes = |field, value, min, max| Ok::<_, Error>(Span::minutes(i64::from(within(field, value, min, max)?)));
    Ok(FleetPolicy {
        max_in_flight: limit(form.max_in_flight)?,
        retry: RetryPolicy {
            max: within(Field::Retries, form.retries, 1, 100)?,
            first: minutes(Field::Wait, form.first_minutes, 0, 43_200)?,
            longest: minutes(Field::Wait, form.longest_minutes, 0, 43_200)?,
        },
        durations: Durations {
            install: minutes(Field::Install, form.install_minutes, 1, 1_440)?,
            reboot: minutes(Field::Reboot, form.reboot_minutes, 0, 1_440)?,
            bytes_per_second: u64::from(within(Field::Rate, form.rate_kb, 1, u32::MAX)?) * 1_000,
        },
    })
}

/// The form that gives what counts for the fleet.
#[must_use]
pub fn fleet_form(fleet: &FleetPolicy) -> FleetForm {
    let minutes = |span: Span| u32::try_from(span.0 / 60).unwrap_or(0);
    FleetForm {
        max_in_flight: fleet.max_in_flight,
        retries: fleet.retry.max,
        first_minutes: minutes(fleet.retry.first),
        longest_minutes: minutes(fleet.retry.longest),
        install_minutes: minutes(fleet.durations.install),
        reboot_minutes: minutes(fleet.durations.reboot),
        rate_kb: u32::try_from(fleet.durations.bytes_per_second / 1_000).unwrap_or(u32::MAX),
    }
}

/// What a new ring starts with: what the planner recommends.
#[must_use]
pub fn new_ring() -> RingForm {
    ring_form(&Ring::new(RingId(0), "", 0))
}

/// Whether each field of a form fits by itself.
///
/// # Errors
/// The first that does not.
pub fn fits(form: &RingsForm) -> Result<()> {
    match form {
        RingsForm::Ring { form, .. } => ring(form, RingId(0), 0).map(drop),
        RingsForm::Group { form, .. } => group(form, GroupId(0)).map(drop),
        RingsForm::Location { form, .. } => location(form, LocationId(0)).map(drop),
        RingsForm::Fleet(form) => fleet(form).map(drop),
    }
}

/// A refusal of the planner, beside the field that brings it.
#[must_use]
pub fn refused(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::CyclicGroups(_) => Error::invalid(Field::Parent, Problem::Circle),
        Refusal::UnknownGroup(_) => Error::invalid(Field::Parent, Problem::Unknown),
        Refusal::UnknownZone(_) => Error::invalid(Field::Zone, Problem::Unknown),
        Refusal::BadWaves(_) => Error::invalid(Field::Waves, Problem::NotGrowing),
        Refusal::BadRetries => Error::invalid(Field::Wait, Problem::Shrinking),
        Refusal::LimitOfNone => Error::invalid(Field::InFlight, Problem::OutOfRange { min: 1, max: 1_000_000 }),
        Refusal::NoRing => Error::Refused(view::Why::OnlyRing),
        Refusal::BadRing(..) | Refusal::Twice(_) => Error::invalid(Field::Ring, Problem::Unknown),
        Refusal::WindowWithoutLength(_)
        | Refusal::WindowTooLong(_)
        | Refusal::WindowNeverOccurs(_)
        | Refusal::WindowTooOften(_)
        | Refusal::BadRecurrence(..)
        | Refusal::WindowOutOfRange(..)
        | Refusal::BadFrame(..)
        | Refusal::IntervalTooShort(_)
        | Refusal::RoundsOutOfRange(_)
        | Refusal::FreezeWithoutLength(_)
        | Refusal::DateOutOfRange(_) => Error::Inconsistent(refusal.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_come_back_as_they_went() {
        let new = Ring::new(RingId(3), "Early", 2);
        let form = ring_form(&new);
        assert_eq!((form.waves.as_str(), form.soak_days), ("1, 5 %, 25 %", 7));
        assert_eq!(ring(&form, RingId(3), 2).unwrap(), new);
        let odd = RingForm {
            waves: " 2;10%, 50 % ".into(),
            soak_days: 0,
            soak_hours: 12,
            max_in_flight: Some(3),
            rollback_plan: true,
            ..form
        };
        let made = ring(&odd, RingId(3), 2).unwrap();
        assert_eq!(ring_form(&made).waves, "2, 10 %, 50 %");
        assert!(ring_form(&made).rollback_plan && !ring_form(&new).rollback_plan);
        assert_eq!(made.soak, Span::hours(12));
        let bars: Vec<u32> = bars(&made, 30).into_iter().map(|b| b.devices).collect();
        assert_eq!(bars, [2, 3, 15, 30]);
    }

    #[test]
    fn what_does_not_fit_names_its_field() {
        let form = ring_form(&Ring::new(RingId(0), "Early", 2));
        let field = |form: RingForm| match ring(&form, RingId(0), 1) {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        let change = |change: fn(&mut RingForm)| {
            let mut form = form.clone();
            change(&mut form);
            field(form)
        };
        assert_eq!(change(|f| f.soak_hours = 24), Field::Soak);
        assert_eq!(change(|f| f.min_share_percent = 101), Field::Share);
        assert_eq!(change(|f| f.waves = "one, two".into()), Field::Waves);
        assert_eq!(change(|f| f.hold_vanished = 0), Field::Vanished);
        assert_eq!(change(|f| f.max_in_flight = Some(0)), Field::InFlight);
        assert_eq!(change(|f| f.name = "  ".into()), Field::Label);
    }
}
