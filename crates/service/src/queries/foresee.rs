//! What a form would change before it is saved, and a week with the installs to come. Both look at so many devices and say when there are more.

use super::schedule::{concerns, lies_in};
use crate::{
    Actor, Error, Result, Service,
    commands::{exceptions, schedule::refusal},
    forms, policy,
    snapshot::{self, Words},
    store::{
        devices, lists, rollouts,
        schedule::{self, Item},
    },
};
use domain::{
    AccountId, DeviceId, DeviceState, ExceptionId, GroupId, Moment, PatchId, Permission, ProductId, RingId, Span,
};
use planner::{
    Change, Compiled, DeviceFacts, Exception, ExceptionOf, PairFacts, PatchFacts, PlanInput, ZoneRule,
    calendar::{Open, Zone},
    changes, forecast, frame_spans_of, next_spans, profile_of, words,
};
use sqlx::{Acquire as _, SqliteConnection};
use std::collections::{BTreeMap, btree_map::Entry};
use view::{
    Checked, ExceptionAbout, ExceptionForm, Moved, MovedInstall, ScheduleForm, WeekInstall, WeekOf, WeekSpan,
    WeekSpanKind, WeekView, WhatWouldChange,
};

/// Devices that are looked at.
const MOST_DEVICES: usize = 100;
/// Devices among which they are looked for.
const MOST_WAITING: u32 = 10_000;
/// Installs that are listed; all are counted.
const MOST_LISTED: usize = 50;
const WEEK: Span = Span::days(7);

/// Approved installs that wait, with their facts.
#[derive(Default)]
pub(super) struct Waiting {
    devices: Vec<DeviceFacts>,
    hosts: BTreeMap<DeviceId, String>,
    patches: BTreeMap<PatchId, PatchFacts>,
    titles: BTreeMap<PatchId, (String, String)>,
    pairs: Vec<((DeviceId, PatchId), PairFacts)>,
    cut: bool,
}

impl Waiting {
    /// Reads the approved installs of the devices that `wanted` takes.
    async fn read(
        conn: &mut SqliteConnection,
        policy: &Compiled,
        now: Moment,
        from: Vec<DeviceId>,
        wanted: impl Fn(&DeviceFacts) -> bool + Send,
    ) -> Result<Self> {
        Self::read_in(conn, policy, now, from, wanted, |device| [device.ring, None]).await
    }

    /// As [`Self::read`], with what is approved for any of the rings that `rings` gives for a device.
    pub(super) async fn read_in(
        conn: &mut SqliteConnection,
        policy: &Compiled,
        now: Moment,
        from: Vec<DeviceId>,
        wanted: impl Fn(&DeviceFacts) -> bool + Send,
        rings: impl Fn(&DeviceFacts) -> [Option<RingId>; 2] + Send,
    ) -> Result<Self> {
        let mut all = Self::default();
        for id in from {
            let Some(row) = devices::by_id(conn, id).await? else {
                continue;
            };
            let facts = snapshot::device_facts(conn, policy, now, &row).await?;
            let mut rings: Vec<RingId> = rings(&facts).into_iter().flatten().collect();
            rings.dedup();
            if row.state != DeviceState::Active || rings.is_empty() || !wanted(&facts) {
                continue;
            }
            if all.devices.len() == MOST_DEVICES {
                all.cut = true;
                break;
            }
            let pairs = snapshot::pairs(conn, id).await?;
            let mut open = Vec::new();
            for ring in rings {
                open.extend(rollouts::approved_and_open(conn, id, ring).await?);
            }
            open.sort_by_key(|open| open.patch);
            open.dedup_by_key(|open| open.patch);
            for open in open {
                if let Entry::Vacant(place) = all.patches.entry(open.patch) {
                    let Some(patch) = snapshot::patch_facts(conn, now, open.patch).await? else {
                        continue;
                    };
                    place.insert(patch);
                    all.titles.insert(open.patch, (open.source, open.version));
                }
                if let Some(pair) = pairs.get(&open.patch) {
                    all.pairs.push(((id, open.patch), *pair));
                }
            }
            all.hosts.insert(id, row.hostname);
            all.devices.push(facts);
        }
        Ok(all)
    }

    pub(super) fn input<'p>(&self, policy: &'p Compiled, now: Moment) -> Result<PlanInput<'p>> {
        self.input_with(policy, now, self.devices())
    }

    /// The same installs on devices of which something else is known.
    pub(super) fn input_with<'p>(
        &self,
        policy: &'p Compiled,
        now: Moment,
        devices: impl Iterator<Item = DeviceFacts>,
    ) -> Result<PlanInput<'p>> {
        PlanInput::new(policy, now, devices, self.patches.values().cloned(), self.pairs.clone())
            .map_err(|e| Error::Inconsistent(e.to_string()))
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = DeviceFacts> + '_ {
        self.devices.iter().cloned()
    }

    pub(super) fn patches(&self) -> Vec<PatchId> {
        self.patches.keys().copied().collect()
    }

    fn title(&self, patch: PatchId) -> String {
        self.titles
            .get(&patch)
            .map_or_else(String::new, |(source, version)| format!("{source} {version}"))
    }

    fn host(&self, device: DeviceId) -> String {
        self.hosts.get(&device).cloned().unwrap_or_default()
    }
}

/// The exception of a form, for a look ahead only: a product that has no number yet gets 0.
async fn exception(conn: &mut SqliteConnection, actor: &Actor, form: &ExceptionForm) -> Result<Checked<Exception>> {
    let expires = match forms::expiry(&form.expires) {
        Ok(at) => at,
        Err(problem) => return Ok(Err(problem)),
    };
    let covers = match exceptions::covers(conn, form.covers).await? {
        Ok(covers) => covers,
        Err(problem) => return Ok(Err(problem)),
    };
    let of = match &form.about {
        ExceptionAbout::Patch(id) => ExceptionOf::Patch(*id),
        ExceptionAbout::Product(name) => {
            ExceptionOf::Product(schedule::find_product(conn, name.trim()).await?.unwrap_or(ProductId(0)))
        }
    };
    Ok(Ok(Exception {
        id: ExceptionId(0),
        covers,
        of,
        owner: form.owner.or(actor.account).unwrap_or(AccountId(0)),
        expires,
    }))
}

fn moved(change: Change, words: &Words) -> Moved {
    match change {
        Change::Earlier { before, after } => Moved::Earlier { before, after },
        Change::Later { before, after } => Moved::Later { before, after },
        Change::NewlyBlocked { before, reason } => Moved::Blocked {
            before,
            reason: words::reason(&reason, words),
        },
        Change::NewlyPossible { after } => Moved::Possible { after },
        Change::OtherReason { before, after } => Moved::OtherReason {
            before: words::reason(&before, words),
            after: words::reason(&after, words),
        },
    }
}

/// Changes, counted, and the first of them in words.
pub(super) fn told(waiting: &Waiting, found: Vec<(planner::Pair, Change)>, words: &Words) -> WhatWouldChange {
    let mut all = WhatWouldChange {
        devices: u32::try_from(waiting.devices.len()).unwrap_or(u32::MAX),
        cut: waiting.cut,
        ..WhatWouldChange::default()
    };
    for ((device, patch), change) in found {
        *match change {
            Change::Earlier { .. } => &mut all.earlier,
            Change::Later { .. } => &mut all.later,
            Change::NewlyBlocked { .. } => &mut all.blocked,
            Change::NewlyPossible { .. } => &mut all.possible,
            Change::OtherReason { .. } => &mut all.other,
        } += 1;
        if all.installs.len() < MOST_LISTED {
            all.installs.push(MovedInstall {
                device,
                hostname: waiting.host(device),
                patch,
                title: waiting.title(patch),
                moved: moved(change, words),
            });
        }
    }
    all
}

impl Service {
    /// What saving a form would change about approved installs; `replaces` is the number of what it would replace.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn what_would_change(
        &self,
        actor: &Actor,
        form: &ScheduleForm,
        replaces: Option<i64>,
    ) -> Result<Checked<WhatWouldChange>> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let item = match form {
            ScheduleForm::Profile(form) => forms::profile(form).map(Item::Profile),
            ScheduleForm::Window(form) => forms::window(form).map(Item::Window),
            ScheduleForm::Freeze(form) => forms::freeze(form).map(Item::Freeze),
            ScheduleForm::Exception(form) => exception(conn, actor, form).await?.map(Item::Exception),
        };
        let item = match item {
            Ok(item) => item.numbered(replaces.unwrap_or(0)),
            Err(problem) => return Ok(Err(problem)),
        };
        let old = match replaces {
            Some(id) => schedule::one(conn, item.kind(), id).await?.map(|row| row.item),
            None => None,
        };
        let before = snapshot::policy(conn, now).await?;
        let mut after = before.policy().clone();
        item.clone().put(&mut after);
        if let Some(problem) = refusal(before.policy(), &after, now) {
            return Ok(Err(problem));
        }
        let after = policy::compile(conn, after, now).await?;
        let concerned = |device: &DeviceFacts| {
            concerns(&after, &item, device) || old.as_ref().is_some_and(|old| concerns(&before, old, device))
        };
        let from = schedule::waiting_devices(conn, MOST_WAITING).await?;
        let mut waiting = Waiting::read(conn, &before, now, from, concerned).await?;
        if let ScheduleForm::Exception(ExceptionForm {
            about: ExceptionAbout::Product(name),
            ..
        }) = form
            && let Item::Exception(Exception {
                of: ExceptionOf::Product(id),
                ..
            }) = item
        {
            for (patch, facts) in &mut waiting.patches {
                if waiting
                    .titles
                    .get(patch)
                    .is_some_and(|(source, _)| source == name.trim())
                {
                    facts.product = Some(id);
                }
            }
        }
        let input = waiting.input(&before, now)?;
        let found = changes(&input, &input.under(&after));
        let ids: Vec<PatchId> = waiting.patches.keys().copied().collect();
        let words = snapshot::words(conn, now, &ids).await?;
        tx.commit().await?;
        Ok(Ok(told(&waiting, found, &words)))
    }

    /// Seven days from `from`: windows, hours and freezes, and the installs forecast in them.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn schedule_week(&self, actor: &Actor, of: WeekOf, from: Moment) -> Result<WeekView> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let week = Open { from, to: from + WEEK };
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let policy = snapshot::policy(conn, now).await?;
        let names: BTreeMap<i64, String> = schedule::all(conn).await?.into_iter().map(|r| (r.id, r.name)).collect();
        let (about, zone) = about(conn, &policy, now, of).await?;
        let devices = match of {
            WeekOf::Device(id) => vec![id],
            WeekOf::All | WeekOf::Group(_) => schedule::waiting_devices(conn, MOST_WAITING).await?,
        };
        let wanted = |device: &DeviceFacts| match of {
            WeekOf::Group(group) => policy.lies_in(device, group),
            WeekOf::All | WeekOf::Device(_) => true,
        };
        let waiting = Waiting::read(conn, &policy, now, devices, wanted).await?;
        tx.commit().await?;
        let days = u32::try_from(week.to.since(now).0 / 86_400 + 1).unwrap_or(0);
        let runs = if days == 0 || days > 60 {
            Vec::new()
        } else {
            forecast(&waiting.input(&policy, now)?, days).runs
        };
        let installs = runs
            .into_iter()
            .filter(|run| run.start < week.to && run.end > week.from);
        Ok(WeekView {
            from: week.from,
            to: week.to,
            spans: spans(&policy, about.as_ref(), Zone::or_utc(&zone), week, &names),
            zone,
            installs: installs
                .map(|run| WeekInstall {
                    device: run.pair.0,
                    hostname: waiting.host(run.pair.0),
                    patch: run.pair.1,
                    title: waiting.title(run.pair.1),
                    from: run.start,
                    to: run.end,
                })
                .collect(),
            cut: waiting.cut,
        })
    }
}

/// A device that stands for what is drawn, or none where everything is, and the zone in which it is drawn.
async fn about(
    conn: &mut SqliteConnection,
    policy: &Compiled,
    now: Moment,
    of: WeekOf,
) -> Result<(Option<DeviceFacts>, String)> {
    Ok(match of {
        WeekOf::All => (None, "UTC".to_owned()),
        WeekOf::Group(group) => {
            lists::group(conn, group).await?.ok_or(Error::NotFound)?;
            (Some(of_group(group)), "UTC".to_owned())
        }
        WeekOf::Device(id) => {
            let row = devices::by_id(conn, id).await?.ok_or(Error::NotFound)?;
            (Some(snapshot::device_facts(conn, policy, now, &row).await?), row.zone)
        }
    })
}

fn of_group(group: GroupId) -> DeviceFacts {
    DeviceFacts {
        groups: vec![group],
        ..DeviceFacts::new(DeviceId(0), domain::OsReleaseId(0), domain::RingId(0))
    }
}

/// What is drawn of windows, profiles and freezes.
fn spans(
    policy: &Compiled,
    about: Option<&DeviceFacts>,
    zone: Zone,
    week: Open,
    names: &BTreeMap<i64, String>,
) -> Vec<WeekSpan> {
    let mut found = Vec::new();
    let mut add = |kind, id: i64, span: Open| {
        if span.from < week.to && span.to > week.from {
            found.push(WeekSpan {
                kind,
                id,
                name: names.get(&id).cloned().unwrap_or_default(),
                from: span.from.max(week.from),
                to: span.to.min(week.to),
            });
        }
    };
    let here = |groups: &[GroupId]| about.is_none_or(|device| lies_in(policy, device, groups));
    let written = policy.policy();
    for window in written.windows.iter().filter(|w| here(&w.groups)) {
        for span in next_spans(window, zone, week.from, 200) {
            add(WeekSpanKind::Window, window.id.0, span);
        }
    }
    for freeze in written.freezes.iter().filter(|f| here(&f.groups)) {
        let zone = match &freeze.zone {
            ZoneRule::Utc => Zone::UTC,
            ZoneRule::Fixed(name) => Zone::or_utc(name),
            ZoneRule::Device => zone,
        };
        let span = Open {
            from: zone.at(freeze.from),
            to: zone.at(freeze.to),
        };
        add(WeekSpanKind::Freeze, freeze.id.0, span);
    }
    let followed = about.map(|device| profile_of(policy, device).map(|choice| choice.profile));
    for (index, profile) in written.profiles.iter().enumerate() {
        if followed.is_none_or(|followed| followed == Some(profile.id)) {
            for span in frame_spans_of(policy, index, zone.name()) {
                add(WeekSpanKind::Frame, profile.id.0, span);
            }
        }
    }
    found.sort_by_key(|span| (span.from, span.kind as u8, span.id));
    found
}
