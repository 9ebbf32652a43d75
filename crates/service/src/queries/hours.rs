//! In which hours of the week devices are seen, which hours would suit them, and whether those of their profiles are long enough (SCH-2).

use super::{
    preview::thinking,
    waiting::{Look, Waiting},
};
use crate::{
    Actor, Error, Result, Service, snapshot,
    store::{
        schedule::{self, Kind},
        seen::{self, SeenDevice},
    },
};
use domain::{DeviceId, Moment, Permission, ProfileId, Span};
use planner::{
    Compiled, Presences, Profile, Suggestion, WallHour, all_fit, calendar::Zone, long_enough, profile_of, suggest,
};
use sqlx::{Acquire as _, SqliteConnection};
use std::collections::BTreeMap;
use view::{HoursEnough, SeenHours, SuggestedHours};

/// Devices whose waiting installs are looked at.
pub(super) const MOST_DEVICES: usize = 2_000;

/// Hours in which fewer devices (in percent) are on are not worth a suggestion: most often there is just too little known yet.
const LEAST_SHARE: u8 = 10;

/// What waits on the devices of one profile.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    devices: u32,
    installs: u32,
    longest: Span,
    /// The installs of the device on which they take longest together, and how long.
    busiest: (Span, u32),
}

/// `20:00` of minutes after midnight.
fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
}

/// The active devices that `wanted` takes, with their hours.
pub(super) async fn devices(
    conn: &mut SqliteConnection,
    wanted: impl Fn(&planner::DeviceFacts) -> bool,
) -> Result<Vec<SeenDevice>> {
    let mut all = seen::all(conn).await?;
    all.retain(|device| wanted(&device.facts));
    Ok(all)
}

fn loads(
    policy: &Compiled,
    devices: &[SeenDevice],
    waiting: &Waiting,
) -> (BTreeMap<Option<ProfileId>, Load>, Vec<Span>) {
    let mut loads: BTreeMap<Option<ProfileId>, Load> = BTreeMap::new();
    let mut profile: BTreeMap<DeviceId, Option<ProfileId>> = BTreeMap::new();
    for device in devices {
        let followed = profile_of(policy, &device.facts).map(|choice| choice.profile);
        loads.entry(followed).or_default().devices += 1;
        profile.insert(device.facts.id, followed);
    }
    let facts: BTreeMap<DeviceId, &planner::DeviceFacts> = waiting.devices.iter().map(|d| (d.id, d)).collect();
    let mut of_device: BTreeMap<DeviceId, (Span, u32)> = BTreeMap::new();
    let mut lengths = Vec::new();
    for ((device, patch), pair) in &waiting.pairs {
        let (Some(followed), Some(facts), Some(patch)) =
            (profile.get(device), facts.get(device), waiting.patches.get(patch))
        else {
            continue;
        };
        let needed = policy.expected(patch, pair, facts);
        lengths.push(needed);
        let load = loads.entry(*followed).or_default();
        load.installs += 1;
        load.longest = load.longest.max(needed);
        let sum = of_device.entry(*device).or_default();
        *sum = (Span(sum.0.0.saturating_add(needed.0)), sum.1 + 1);
        load.busiest = load.busiest.max(*sum);
    }
    (loads, lengths)
}

fn enough(profile: &Profile, load: Load, assumed: Span) -> String {
    let Some(frame) = &profile.frame else {
        return "every hour of every day is allowed".to_owned();
    };
    if load.installs == 0 {
        return format!(
            "{} (assumed: no approved install waits)",
            long_enough(frame.minutes, assumed)
        );
    }
    let one = long_enough(frame.minutes, load.longest);
    let together = all_fit(frame.minutes, load.busiest.1, load.busiest.0);
    let together = together.map_or_else(String::new, |text| format!("; {text}"));
    if load.installs == 1 {
        format!("{one} (the one that waits)")
    } else {
        format!("{one} (the longest of {} that wait){together}", load.installs)
    }
}

/// The hours of these devices.
pub(super) fn hours(
    policy: &Compiled,
    names: &BTreeMap<i64, String>,
    devices: &[SeenDevice],
    waiting: &Waiting,
    now: Moment,
) -> SeenHours {
    let mut all = Presences::default();
    let mut zones: BTreeMap<&str, WallHour> = BTreeMap::new();
    let mut known = 0;
    for device in devices {
        if let Some(seen) = &device.seen {
            let zone = device.facts.zone.as_str();
            let hour = zones
                .entry(zone)
                .or_insert_with(|| WallHour::at(Zone::or_utc(zone), now).0);
            all.add(seen, *hour);
            known += 1;
        }
    }
    let (loads, lengths) = loads(policy, devices, waiting);
    let assumed = policy.policy().durations.install;
    let longest = lengths.iter().copied().max().unwrap_or(assumed);
    let seen = all.per_thousand();
    let suggested = |s: Suggestion| SuggestedHours {
        from: clock(s.from_minute),
        to: clock(s.from_minute + s.minutes),
        share: s.share_percent,
        text: long_enough(s.minutes, longest),
    };
    let written = &policy.policy().profiles;
    let profiles = written.iter().filter_map(|profile| {
        let load = *loads.get(&Some(profile.id))?;
        Some(HoursEnough {
            profile: profile.id.0,
            name: names.get(&profile.id.0).cloned().unwrap_or_default(),
            devices: load.devices,
            text: enough(profile, load, assumed),
        })
    });
    SeenHours {
        devices: u32::try_from(devices.len()).unwrap_or(u32::MAX),
        known,
        shares: seen.0.iter().map(|n| u8::try_from(n / 10).unwrap_or(100)).collect(),
        suggested: suggest(&seen, 1_000, longest)
            .into_iter()
            .filter(|s| s.share_percent >= LEAST_SHARE)
            .map(suggested)
            .collect(),
        profiles: profiles.collect(),
        without_profile: loads.get(&None).map_or(0, |load| load.devices),
        waiting: u32::try_from(lengths.len()).unwrap_or(u32::MAX),
    }
}

/// The names of profiles, windows and freezes.
pub(super) async fn names(conn: &mut SqliteConnection) -> Result<BTreeMap<i64, String>> {
    Ok(schedule::all(conn).await?.into_iter().map(|r| (r.id, r.name)).collect())
}

impl Service {
    /// The hours of the devices that follow a profile, and whether the profile's are long enough.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn profile_hours(&self, actor: &Actor, profile: ProfileId) -> Result<SeenHours> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        schedule::one(conn, Kind::Profile, profile.0)
            .await?
            .ok_or(Error::NotFound)?;
        let policy = snapshot::policy(conn, now).await?;
        let follows = |facts: &planner::DeviceFacts| profile_of(&policy, facts).is_some_and(|c| c.profile == profile);
        let names = names(conn).await?;
        let devices = devices(conn, follows).await?;
        let waiting = Waiting::read(
            conn,
            &policy,
            now,
            Look::first(&self.inner.facts, MOST_DEVICES),
            follows,
        )
        .await?;
        tx.commit().await?;
        // No connection waits for the planning.
        drop(read);
        thinking(move || Ok(hours(&policy, &names, &devices, &waiting, now))).await
    }
}
