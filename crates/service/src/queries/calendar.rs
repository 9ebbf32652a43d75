//! The calendar of the schedule: windows, hours and freezes of a week or a month, and the installs forecast in them.

use super::{
    days::{DAYS, Day, Range},
    forecast::{load, not_foreseen},
    hours::{self, MOST_DEVICES},
    preview::thinking,
    schedule::groups,
    waiting::{Look, Waiting},
};
use crate::{
    Actor, Error, Result, Service,
    snapshot::{self, Words},
    store::{devices, lists, pages, seen::SeenDevice, waiting as rows},
};
use domain::{DeviceId, GroupId, Moment, PatchId, Permission, ProfileId, Span};
use planner::{
    Compiled, DeviceFacts, Forecast, Local, Run, Schedule,
    calendar::{Open, Zone},
    forecast, frame_spans_of, profile_of,
};
use sqlx::{Acquire as _, SqliteConnection};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use view::{
    Band, BandKind, Block, CalendarAsk, CalendarDay, CalendarPage, CalendarSpan, GroupName, LocationName, RingName,
    ScheduleOf,
};

/// Days that a forecast looks ahead; later ones are drawn without installs.
const MOST_DAYS: i64 = 60;
/// Blocks of one day; all are counted.
const MOST_BLOCKS: usize = 40;
/// Devices that a block names.
const MOST_NAMED: usize = 5;
/// Installs of one patch that begin so soon after each other are one block.
const TOGETHER: Span = Span::minutes(30);

/// A window, hours or a freeze at one time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Piece {
    kind: BandKind,
    id: i64,
    span: Open,
    /// The group below whose it is, where it is not for all that are drawn.
    below: Option<GroupId>,
}

/// Everything that is drawn, by its beginning.
struct Drawn {
    pieces: Vec<Piece>,
    /// When a window is open and no freeze stops installs; `None`: nothing limits installs to windows.
    open: Option<Vec<Open>>,
}

impl Drawn {
    /// For `about`; several groups: what is for any of them; `everybody`: and for devices without a group. The hours are those of
    /// `followed`. Then what only groups in `below` have, each thing once, as the first one's.
    fn new(
        policy: &Compiled,
        (about, everybody): (&DeviceFacts, bool),
        followed: &BTreeSet<ProfileId>,
        below: &[GroupId],
        range: Open,
    ) -> Self {
        let schedule = Schedule::new(policy, about);
        let mut pieces = Self::of(policy, &schedule, about, followed, range, None);
        let mut known: BTreeSet<(BandKind, i64)> = pieces.iter().map(|p| (p.kind, p.id)).collect();
        for group in below {
            let there = DeviceFacts {
                groups: vec![*group],
                ..about.clone()
            };
            let followed = profile_of(policy, &there)
                .map(|choice| choice.profile)
                .into_iter()
                .collect();
            let theirs = Schedule::new(policy, &there);
            let mut more = Self::of(policy, &theirs, &there, &followed, range, Some(*group));
            more.retain(|piece| !known.contains(&(piece.kind, piece.id)));
            known.extend(more.iter().map(|p| (p.kind, p.id)));
            pieces.append(&mut more);
        }
        pieces.sort_unstable_by_key(|p| (p.span.from, p.kind, p.below.is_some(), p.id));
        pieces.dedup();
        // Group by group: a freeze of one closes nobody else's windows.
        let alone = |group: &GroupId| DeviceFacts {
            groups: vec![*group],
            ..about.clone()
        };
        let nowhere = DeviceFacts {
            groups: Vec::new(),
            ..about.clone()
        };
        let nowhere = (about.groups.is_empty() || everybody).then_some(nowhere);
        let open = about.groups.iter().map(alone).chain(nowhere);
        let open = open.flat_map(|device| unfrozen(&Schedule::new(policy, &device).drawn(range)));
        let has_windows = schedule.has_windows();
        Self {
            pieces,
            open: has_windows.then(|| open.collect()),
        }
    }

    fn of(
        policy: &Compiled,
        schedule: &Schedule<'_>,
        about: &DeviceFacts,
        followed: &BTreeSet<ProfileId>,
        range: Open,
        below: Option<GroupId>,
    ) -> Vec<Piece> {
        let piece = |kind, id, span| Piece { kind, id, span, below };
        let drawn = schedule.drawn(range);
        let windows = drawn
            .windows
            .iter()
            .map(|(id, span)| piece(BandKind::Window, id.0, *span));
        let freezes = drawn
            .freezes
            .iter()
            .map(|(id, span)| piece(BandKind::Freeze, id.0, *span));
        let mut pieces: Vec<Piece> = windows.chain(freezes).collect();
        for (index, profile) in policy.policy().profiles.iter().enumerate() {
            if followed.contains(&profile.id) {
                let spans = frame_spans_of(policy, index, &about.zone);
                pieces.extend(spans.into_iter().map(|span| piece(BandKind::Hours, profile.id.0, span)));
            }
        }
        pieces
    }
}

/// The times of a day that these spans cover, joined.
fn joined(spans: impl Iterator<Item = Open>, day: Open) -> Vec<Open> {
    let mut spans: Vec<Open> = spans.filter(|s| s.from < day.to && s.to > day.from).collect();
    spans.sort_unstable();
    let mut all: Vec<Open> = Vec::new();
    for span in spans {
        let (from, to) = (span.from.max(day.from), span.to.min(day.to));
        match all.last_mut() {
            Some(last) if from <= last.to => last.to = last.to.max(to),
            _ => all.push(Open { from, to }),
        }
    }
    all
}

/// The time in which a window is open and no freeze stops installs.
fn unfrozen(drawn: &planner::Drawn) -> Vec<Open> {
    let mut open: Vec<Open> = drawn.windows.iter().map(|(_, span)| *span).collect();
    for (_, freeze) in &drawn.freezes {
        let left = |span: Open| {
            let before = Open {
                to: span.to.min(freeze.from),
                ..span
            };
            let after = Open {
                from: span.from.max(freeze.to),
                ..span
            };
            [before, after].into_iter().filter(|part| part.from < part.to)
        };
        open = open.into_iter().flat_map(left).collect();
    }
    open
}

/// Minutes that these spans cover together on a day.
fn minutes(spans: impl Iterator<Item = Open>, day: Open) -> u32 {
    let total: i64 = joined(spans, day).iter().map(|span| span.to.since(span.from).0).sum();
    u32::try_from(total / 60).unwrap_or(0)
}

/// The runs of a day as blocks, by their start, and how many are left out.
fn blocks(runs: &[Run], waiting: &Waiting, range: &Range, day: Open) -> (Vec<Block>, u32) {
    let mut by_patch: BTreeMap<PatchId, Vec<(Open, Vec<DeviceId>)>> = BTreeMap::new();
    for run in runs.iter().filter(|r| r.start < day.to && r.end > day.from) {
        let found = by_patch.entry(run.pair.1).or_default();
        match found.last_mut() {
            Some((span, devices)) if run.start <= span.to + TOGETHER => {
                span.to = span.to.max(run.end);
                devices.push(run.pair.0);
            }
            _ => found.push((
                Open {
                    from: run.start,
                    to: run.end,
                },
                vec![run.pair.0],
            )),
        }
    }
    let mut all: Vec<(Open, PatchId, Vec<DeviceId>)> = by_patch
        .into_iter()
        .flat_map(|(patch, found)| found.into_iter().map(move |(span, devices)| (span, patch, devices)))
        .collect();
    all.sort_unstable();
    let more = u32::try_from(all.len().saturating_sub(MOST_BLOCKS)).unwrap_or(u32::MAX);
    let blocks = all.into_iter().take(MOST_BLOCKS).map(|(span, patch, devices)| {
        let (from, to) = (span.from.max(day.from), span.to.min(day.to));
        Block {
            patch,
            title: waiting.title(patch),
            count: u32::try_from(devices.len()).unwrap_or(u32::MAX),
            devices: devices
                .into_iter()
                .take(MOST_NAMED)
                .map(|id| (id, waiting.host(id)))
                .collect(),
            from,
            to,
            from_text: range.clock(from, day),
            to_text: range.clock(to, day),
        }
    });
    (blocks.collect(), more)
}

/// What the days are made from.
struct Days<'a> {
    range: &'a Range,
    span: CalendarSpan,
    drawn: Drawn,
    runs: Vec<Run>,
    waiting: &'a Waiting,
    names: &'a BTreeMap<i64, String>,
    groups: &'a [GroupName],
}

impl Days<'_> {
    fn one(&self, day: Day) -> CalendarDay {
        let range = self.range;
        let open = range.day(day);
        let whole = self.span == CalendarSpan::Week;
        let here = |span: &Open| span.from < open.to && span.to > open.from;
        let pieces = self.drawn.pieces.iter().filter(|piece| here(&piece.span));
        let ((blocks, more), busy) = if whole {
            (blocks(&self.runs, self.waiting, range, open), Vec::new())
        } else {
            let spans = self.runs.iter().map(|run| Open {
                from: run.start,
                to: run.end,
            });
            let busy = joined(spans, open).into_iter().map(|span| (span.from, span.to));
            ((Vec::new(), 0), busy.collect())
        };
        let tick = |hour: i64| {
            let at = range.zone.at(Local(day.midnight().0 + hour * 3_600));
            (at, format!("{hour:02}:00"))
        };
        CalendarDay {
            date: day.date(),
            label: day.text(false),
            inside: range.inside.contains(&day.0),
            from: open.from,
            to: open.to,
            ticks: if whole {
                (0..8).map(|n| tick(n * 3)).collect()
            } else {
                Vec::new()
            },
            bands: pieces.map(|piece| self.band(piece, open)).collect(),
            blocks,
            more,
            busy,
            load: load(&self.runs, open),
            open_minutes: self
                .drawn
                .open
                .as_ref()
                .map(|spans| minutes(spans.iter().copied(), open)),
        }
    }

    fn band(&self, piece: &Piece, day: Open) -> Band {
        let (from, to) = (piece.span.from.max(day.from), piece.span.to.min(day.to));
        let group = |id: GroupId| self.groups.iter().find(|g| g.id == id).map(|g| g.name.clone());
        Band {
            kind: piece.kind,
            id: piece.id,
            name: self.names.get(&piece.id).cloned().unwrap_or_default(),
            of: piece.below.and_then(group),
            from,
            to,
            from_text: self.range.clock(from, day),
            to_text: self.range.clock(to, day),
        }
    }
}

/// What a calendar is drawn for.
struct Whom {
    of: ScheduleOf,
    /// Its name.
    name: String,
    /// The groups in a ring.
    groups: BTreeSet<GroupId>,
    /// The devices that lack the patch.
    lacking: BTreeSet<DeviceId>,
    /// The device.
    device: Option<DeviceFacts>,
}

impl Whom {
    async fn read(conn: &mut SqliteConnection, of: ScheduleOf, policy: &Compiled, now: Moment) -> Result<Self> {
        let mut whom = Self {
            of,
            name: "All devices".to_owned(),
            groups: BTreeSet::new(),
            lacking: BTreeSet::new(),
            device: None,
        };
        match of {
            ScheduleOf::All => {}
            ScheduleOf::Group(id) => whom.name = lists::group(conn, id).await?.ok_or(Error::NotFound)?.name,
            ScheduleOf::Device(id) => {
                let row = devices::by_id(conn, id).await?.ok_or(Error::NotFound)?;
                whom.device = Some(snapshot::device_facts(conn, policy, now, &row).await?);
                whom.name = row.hostname;
            }
            ScheduleOf::Ring(id) => {
                let ring = lists::rings(conn).await?.into_iter().find(|ring| ring.id == id);
                whom.name = format!("Ring {}", ring.ok_or(Error::NotFound)?.name);
                let groups = lists::groups(conn).await?.into_iter();
                whom.groups = groups.filter(|g| g.ring == Some(id)).map(|g| g.id).collect();
            }
            ScheduleOf::Location(id) => {
                let places = lists::locations(conn).await?;
                let place = places.into_iter().find(|place| place.id == id).ok_or(Error::NotFound)?;
                whom.name = format!("Location {}", place.name);
            }
            ScheduleOf::Patch(id) => {
                let (product, version, _) = pages::title(conn, id).await?.ok_or(Error::NotFound)?;
                whom.name = format!("{product} {version}");
                whom.lacking = rows::lacking(conn, id).await?;
            }
        }
        Ok(whom)
    }

    /// Whether a device is among them, by its number, group and location.
    fn has(&self, policy: &Compiled, device: &DeviceFacts) -> bool {
        match self.of {
            ScheduleOf::All => true,
            ScheduleOf::Group(group) => policy.lies_in(device, group),
            ScheduleOf::Device(id) => device.id == id,
            ScheduleOf::Ring(_) => device.groups.iter().any(|group| self.groups.contains(group)),
            ScheduleOf::Location(id) => device.location == Some(id),
            ScheduleOf::Patch(_) => self.lacking.contains(&device.id),
        }
    }

    /// Whether installs of a patch are among what is asked for.
    fn has_patch(&self, patch: PatchId) -> bool {
        !matches!(self.of, ScheduleOf::Patch(id) if id != patch)
    }

    /// A device that stands for these, on this clock.
    fn stands_for(&self, policy: &Compiled, devices: &[SeenDevice], zone: &Zone) -> DeviceFacts {
        let groups: BTreeSet<GroupId> = match self.of {
            ScheduleOf::All => policy.policy().groups.iter().map(|g| g.id).collect(),
            ScheduleOf::Group(id) => BTreeSet::from([id]),
            ScheduleOf::Ring(_) | ScheduleOf::Location(_) | ScheduleOf::Patch(_) | ScheduleOf::Device(_) => {
                devices.iter().flat_map(|d| d.facts.groups.iter().copied()).collect()
            }
        };
        self.device.clone().unwrap_or_else(|| DeviceFacts {
            groups: groups.into_iter().collect(),
            zone: zone.name().to_owned(),
            ..DeviceFacts::new(DeviceId(0), domain::OsReleaseId(0), domain::RingId(0))
        })
    }

    /// The groups below, each before those in it.
    fn below(&self, policy: &Compiled) -> Vec<GroupId> {
        let ScheduleOf::Group(id) = self.of else {
            return Vec::new();
        };
        let mut found = vec![id];
        let mut next = 0;
        while let Some(above) = found.get(next).copied() {
            let inside = policy.policy().groups.iter().filter(|g| g.parent == Some(above));
            let new: Vec<GroupId> = inside.map(|g| g.id).filter(|id| !found.contains(id)).collect();
            found.extend(new);
            next += 1;
        }
        found.split_off(1)
    }

    /// The profiles whose hours are drawn.
    fn profiles(&self, policy: &Compiled, about: &DeviceFacts, devices: &[SeenDevice]) -> BTreeSet<ProfileId> {
        let of = |facts: &DeviceFacts| profile_of(policy, facts).map(|choice| choice.profile);
        match self.of {
            ScheduleOf::All => policy.policy().profiles.iter().map(|p| p.id).collect(),
            ScheduleOf::Group(_) | ScheduleOf::Device(_) => of(about).into_iter().collect(),
            ScheduleOf::Ring(_) | ScheduleOf::Location(_) | ScheduleOf::Patch(_) => {
                devices.iter().filter_map(|d| of(&d.facts)).collect()
            }
        }
    }
}

/// A device by its name or `#12`.
async fn device(conn: &mut SqliteConnection, text: &str) -> Result<Option<DeviceId>> {
    match text.strip_prefix('#').map(str::parse) {
        Some(Ok(id)) => Ok(devices::by_id(conn, DeviceId(id)).await?.map(|row| row.id)),
        Some(Err(_)) => Ok(None),
        None => devices::by_hostname(conn, text).await,
    }
}

/// The zones of these devices with their number, most first.
fn zones(devices: &[SeenDevice]) -> Vec<(String, u32)> {
    let mut found: BTreeMap<&str, u32> = BTreeMap::new();
    for device in devices {
        *found.entry(&device.facts.zone).or_default() += 1;
    }
    let mut zones: Vec<(String, u32)> = found.into_iter().map(|(zone, n)| (zone.to_owned(), n)).collect();
    zones.sort_by_key(|(zone, n)| (std::cmp::Reverse(*n), zone.clone()));
    zones
}

impl Service {
    /// A week or a month of whole weeks: windows, hours and freezes, the installs forecast in them, and the hours in which the devices are
    /// seen. The forecast looks at so many devices and says when there are more.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn calendar(&self, actor: &Actor, ask: &CalendarAsk) -> Result<CalendarPage> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let policy = snapshot::policy(conn, now).await?;
        let names = hours::names(conn).await?;
        let named = ask.device.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let found = match named {
            Some(text) => device(conn, text).await?,
            None => None,
        };
        let of = found.map_or(ask.of, ScheduleOf::Device);
        let whom = Whom::read(conn, of, &policy, now).await?;
        let wanted = |device: &DeviceFacts| whom.has(&policy, device);
        let devices = hours::devices(conn, wanted).await?;
        let waiting = Waiting::read(
            conn,
            &policy,
            now,
            Look::around(&self.inner.facts, MOST_DEVICES),
            wanted,
        )
        .await?;
        let (groups, rings) = (groups(conn).await?, lists::rings(conn).await?);
        let locations = lists::locations(conn).await?;
        let words = snapshot::words(conn, now, &waiting.patches()).await?;
        tx.commit().await?;
        // Planning takes long for a large fleet: no connection waits for it.
        drop(read);
        let seen = Seen {
            of,
            now,
            no_device: named.filter(|_| found.is_none()).map(str::to_owned),
            policy,
            whom,
            devices,
            waiting,
            names,
            words,
            groups,
            rings,
            locations,
        };
        let ask = ask.clone();
        thinking(move || seen.page(&ask)).await
    }
}

/// What a calendar is made from, as it was read.
struct Seen {
    of: ScheduleOf,
    now: Moment,
    /// What was asked for where no device has that name.
    no_device: Option<String>,
    policy: Arc<Compiled>,
    whom: Whom,
    devices: Vec<SeenDevice>,
    waiting: Waiting,
    names: BTreeMap<i64, String>,
    words: Words,
    groups: Vec<GroupName>,
    rings: Vec<RingName>,
    locations: Vec<LocationName>,
}

impl Seen {
    /// Draws and forecasts.
    fn page(self, ask: &CalendarAsk) -> Result<CalendarPage> {
        let Self {
            of,
            now,
            no_device,
            policy,
            whom,
            devices,
            waiting,
            names,
            words,
            groups,
            rings,
            locations,
        } = self;
        let zones = zones(&devices);
        let asked = ask.zone.as_deref().filter(|name| name.parse::<Zone>().is_ok());
        let most = zones.first().map(|(zone, _)| zone.as_str());
        let own = whom.device.as_ref().map(|device| device.zone.as_str()).or(most);
        let zone = Zone::or_utc(asked.or(own).unwrap_or("UTC"));
        let about = whom.stands_for(&policy, &devices, &zone);
        let today = Day::of(zone.wall(now));
        let day = ask.from.as_deref().and_then(Day::parse).unwrap_or(today);
        let range = Range::new(ask.span, day, zone);
        let open = range.open();
        let foreseen = forecast_until(&policy, &waiting, now, open)?;
        let asked_for =
            |(device, patch): (DeviceId, PatchId)| waiting.wanted.contains(&device) && whom.has_patch(patch);
        let told = foreseen.is_some();
        let foreseen = foreseen.unwrap_or_default();
        let runs = foreseen.runs.into_iter();
        let runs: Vec<Run> = runs
            .filter(|run| asked_for(run.pair) && run.start < open.to && run.end > open.from)
            .collect();
        let waits: Vec<_> = foreseen
            .waits
            .into_iter()
            .filter(|(pair, _)| asked_for(*pair))
            .collect();
        // The policy in force is worked out for the days around now: this one for the days that are looked at.
        let looked = Compiled::new(policy.policy().clone(), open, [about.zone.as_str()]);
        let days = Days {
            range: &range,
            span: ask.span,
            drawn: Drawn::new(
                &looked,
                (&about, matches!(of, ScheduleOf::All)),
                &whom.profiles(&policy, &about, &devices),
                &whom.below(&policy),
                open,
            ),
            runs,
            waiting: &waiting,
            names: &names,
            groups: &groups,
        };
        let there = |day: Day| DAYS.contains(&day.0).then(|| day.date());
        let drawn = (range.first.0..range.after.0).map(|n| days.one(Day(n))).collect();
        let sum = told.then(|| load(&days.runs, open));
        Ok(CalendarPage {
            of,
            name: whom.name,
            no_device,
            span: ask.span,
            zone: zone.name().to_owned(),
            zones,
            now,
            title: range.title.clone(),
            from: day.date(),
            previous: there(range.previous),
            next: there(range.next),
            today: today.date(),
            days: drawn,
            waiting: u32::try_from(waiting.all).unwrap_or(u32::MAX),
            looked: u32::try_from(waiting.wanted.len()).unwrap_or(u32::MAX),
            cut: waiting.is_cut(),
            load: sum,
            not_foreseen: not_foreseen(&waits, &waiting, &words),
            groups,
            rings,
            locations,
            seen: hours::hours(&policy, &names, &devices, &waiting, now),
        })
    }
}

/// What is forecast until the end of `open`; nothing where that is over, or too far away to be told.
fn forecast_until(policy: &Compiled, waiting: &Waiting, now: Moment, open: Open) -> Result<Option<Forecast>> {
    let days = open.to.since(now).0.div_euclid(86_400) + 1;
    if !(1..=MOST_DAYS).contains(&days) {
        return Ok(None);
    }
    let input = waiting.input(policy, now)?;
    Ok(Some(forecast(&input, u32::try_from(days).unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_windows_are_open_once() {
        let span = |from: i64, to: i64| Open {
            from: Moment(from * 60),
            to: Moment(to * 60),
        };
        let spans = [span(-30, 10), span(5, 20), span(100, 110), span(1_430, 1_500)];
        assert_eq!(minutes(spans.into_iter(), span(0, 1_440)), 40);
    }

    #[test]
    fn a_freeze_leaves_no_open_minutes() {
        let span = |from: i64, to: i64| Open {
            from: Moment(from * 60),
            to: Moment(to * 60),
        };
        let drawn = |freezes: &[Open]| planner::Drawn {
            windows: vec![
                (domain::WindowId(1), span(100, 200)),
                (domain::WindowId(2), span(150, 400)),
            ],
            freezes: freezes.iter().map(|span| (domain::FreezeId(1), *span)).collect(),
            ..planner::Drawn::default()
        };
        let open = |freezes: &[Open]| minutes(unfrozen(&drawn(freezes)).into_iter(), span(0, 1_440));
        assert_eq!(open(&[]), 300);
        assert_eq!(open(&[span(0, 1_440)]), 0, "a whole frozen day");
        assert_eq!(open(&[span(180, 300)]), 180, "before and after it");
        assert_eq!(open(&[span(180, 300), span(290, 500)]), 80);
    }
}
