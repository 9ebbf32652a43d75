//! The schedule pages: what is scheduled, when it opens next, and how many devices know of it already (MWN-2).

use super::group_names;
use crate::{
    Actor, Error, Result, Service,
    commands::schedule::{facts_of, named, refusal},
    forms, snapshot,
    store::{
        self,
        fleet::Uncovered,
        lists, pages,
        schedule::{self, Cluster, Item, Kind, Row},
    },
};
use domain::{DeviceId, ExceptionId, FreezeId, GroupId, Moment, Permission, ProfileId, WindowId};
use planner::{
    Compiled, DeviceFacts, Exception, ExceptionFor, ExceptionOf, Frame, Window, ZoneRule,
    calendar::{Open, Zone},
    next_frames, next_spans, profile_of,
};
use sqlx::{Acquire as _, SqliteConnection};
use std::collections::BTreeMap;
use view::{
    Checked, ExceptionAbout, ExceptionCovers, ExceptionForm, ExceptionLine, FreezeForm, GroupName, Occurrence,
    ProfileForm, ScheduleLine, SchedulePage, SchedulePart, WindowForm,
};

/// Occurrences on a window's page and while typing.
const SHOWN: usize = 5;

/// The next times that a window is open, in its zone; where that is each device's own, as the clock on the wall shows.
pub(crate) fn occurrences(window: &Window, now: Moment, most: usize) -> Vec<Occurrence> {
    told(&window.zone, |zone| next_spans(window, zone, now, most))
}

/// The same of a profile's hours; none: they never end.
pub(crate) fn hours_to_come(frame: &Frame, now: Moment, most: usize) -> Vec<Occurrence> {
    told(&frame.zone, |zone| next_frames(frame, zone, now, most))
}

fn told(rule: &ZoneRule, spans: impl FnOnce(Zone) -> Vec<Open>) -> Vec<Occurrence> {
    let (zone, named) = match rule {
        ZoneRule::Utc | ZoneRule::Device => (Zone::UTC, *rule == ZoneRule::Utc),
        ZoneRule::Fixed(name) => (Zone::or_utc(name), true),
    };
    let text = |at: Moment| {
        if named { zone.text_with_zone(at) } else { zone.text(at) }
    };
    let spans = spans(zone).into_iter().map(|span| Occurrence {
        from: span.from,
        to: span.to,
        from_text: text(span.from),
        to_text: text(span.to),
    });
    spans.collect()
}

/// Whether a device lies in one of the groups; none means every device.
pub(crate) fn lies_in(policy: &Compiled, device: &DeviceFacts, groups: &[GroupId]) -> bool {
    groups.is_empty() || groups.iter().any(|group| policy.lies_in(device, *group))
}

/// Whether a rule counts for a device.
pub(crate) fn concerns(policy: &Compiled, item: &Item, device: &DeviceFacts) -> bool {
    match item {
        Item::Profile(profile) => profile_of(policy, device).is_some_and(|choice| choice.profile == profile.id),
        Item::Window(window) => policy.window_counts(device, window.id),
        Item::Freeze(freeze) => lies_in(policy, device, &freeze.groups),
        Item::Exception(exception) => match exception.covers {
            ExceptionFor::All => true,
            ExceptionFor::Device(id) => device.id == id,
            ExceptionFor::Group(group) => policy.lies_in(device, group),
        },
    }
}

/// What the lines of a list are made from.
struct Lines<'a> {
    now: Moment,
    policy: &'a Compiled,
    clusters: &'a [(Cluster, DeviceFacts)],
    groups: &'a [GroupName],
}

impl Lines<'_> {
    fn line(&self, row: Row) -> ScheduleLine {
        let (groups, summary, next) = match &row.item {
            Item::Profile(p) => (&p.scope.groups[..], forms::schedule::profile_words(p), None),
            Item::Window(w) => (
                &w.groups[..],
                forms::schedule::window_words(w),
                occurrences(w, self.now, 1).into_iter().next(),
            ),
            Item::Freeze(f) => (&f.groups[..], forms::schedule::freeze_words(f), None),
            Item::Exception(_) => (&[][..], String::new(), None),
        };
        let concerned = self
            .clusters
            .iter()
            .filter(|(_, facts)| concerns(self.policy, &row.item, facts))
            .map(|(cluster, _)| cluster);
        let (all, follow) = concerned.fold((0, 0), |(all, follow), c| {
            let follows = if c.follows >= row.version { c.devices } else { 0 };
            (all + c.devices, follow + follows)
        });
        let name = |id: &GroupId| self.groups.iter().find(|g| g.id == *id).map(|g| g.name.clone());
        ScheduleLine {
            id: row.id,
            groups: groups.iter().filter_map(name).collect(),
            summary,
            next,
            version: row.version,
            concerned: all,
            follow,
            updated: row.updated,
            updated_by: who(&row.updated_by),
            name: row.name,
        }
    }
}

/// The name in the audit log's actor, e.g. `anna` of `account:3 anna`.
pub(super) fn who(actor: &str) -> String {
    actor.split_once(' ').map_or(actor, |(_, name)| name).to_owned()
}

/// The names that exceptions are shown with.
struct Known {
    accounts: BTreeMap<i64, String>,
    products: BTreeMap<i64, String>,
    hosts: BTreeMap<i64, String>,
    groups: BTreeMap<i64, String>,
    patches: BTreeMap<i64, String>,
}

impl Known {
    async fn of(conn: &mut SqliteConnection, rows: &[Row], groups: &[GroupName]) -> Result<Self> {
        let exceptions = || rows.iter().filter_map(exception_of);
        let patches: Vec<domain::PatchId> = exceptions()
            .filter_map(|e| match e.of {
                ExceptionOf::Patch(id) => Some(id),
                ExceptionOf::Product(_) => None,
            })
            .collect();
        let devices: Vec<i64> = exceptions()
            .filter_map(|e| match e.covers {
                ExceptionFor::Device(id) => Some(id.0),
                ExceptionFor::Group(_) | ExceptionFor::All => None,
            })
            .collect();
        let names = store::names::names(conn, &patches).await?;
        Ok(Self {
            accounts: names.accounts.into_iter().collect(),
            patches: names.patches.into_iter().collect(),
            products: schedule::products(conn).await?.into_iter().collect(),
            hosts: pages::hostnames(conn, &devices).await?,
            groups: groups.iter().map(|g| (g.id.0, g.name.clone())).collect(),
        })
    }

    fn line(&self, row: &Row, exception: &Exception, now: Moment) -> ExceptionLine {
        let name = |names: &BTreeMap<i64, String>, id: i64| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        let (covers, covers_text) = match exception.covers {
            ExceptionFor::All => (ExceptionCovers::All, "Every device".to_owned()),
            ExceptionFor::Device(id) => (ExceptionCovers::Device(id), name(&self.hosts, id.0)),
            ExceptionFor::Group(id) => (ExceptionCovers::Group(id), name(&self.groups, id.0)),
        };
        let (about, about_text) = match exception.of {
            ExceptionOf::Patch(id) => (ExceptionAbout::Patch(id), name(&self.patches, id.0)),
            ExceptionOf::Product(id) => {
                let product = name(&self.products, id.0);
                (ExceptionAbout::Product(product.clone()), product)
            }
        };
        ExceptionLine {
            id: row.id,
            covers,
            covers_text,
            about,
            about_text,
            owner: exception.owner,
            owner_name: name(&self.accounts, exception.owner.0),
            reason: row.note.clone(),
            expires: exception.expires,
            over: exception.expires <= now,
            version: row.version,
            updated: row.updated,
            updated_by: who(&row.updated_by),
        }
    }
}

const fn exception_of(row: &Row) -> Option<&Exception> {
    match &row.item {
        Item::Exception(exception) => Some(exception),
        Item::Profile(_) | Item::Window(_) | Item::Freeze(_) => None,
    }
}

async fn clusters(conn: &mut SqliteConnection, policy: &Compiled) -> Result<Vec<(Cluster, DeviceFacts)>> {
    let named: Vec<DeviceId> = named(policy.policy());
    let clusters = schedule::clusters(conn, &named).await?.into_iter();
    Ok(clusters.map(|cluster| (cluster.clone(), facts_of(&cluster))).collect())
}

/// The clusters that no profile covers.
fn without_profile<'a>(
    clusters: &'a [(Cluster, DeviceFacts)],
    policy: &'a Compiled,
) -> impl Iterator<Item = &'a Cluster> {
    let uncovered = clusters.iter().filter(|(_, facts)| profile_of(policy, facts).is_none());
    uncovered.map(|(cluster, _)| cluster)
}

/// The same for a list of devices.
pub(super) async fn uncovered(conn: &mut SqliteConnection, now: Moment) -> Result<Uncovered> {
    let policy = snapshot::policy(conn, now).await?;
    let (clusters, named) = (clusters(conn, &policy).await?, named(policy.policy()));
    let mut found = Uncovered::default();
    for cluster in without_profile(&clusters, &policy) {
        if named.contains(&cluster.device) {
            found.devices.push(cluster.device);
        } else if !found.groups.contains(&cluster.group) {
            found.groups.push(cluster.group);
        }
    }
    found.named = named;
    Ok(found)
}

pub(crate) async fn groups(conn: &mut SqliteConnection) -> Result<Vec<GroupName>> {
    Ok(group_names(&lists::groups(conn).await?, &lists::rings(conn).await?))
}

impl Service {
    /// Everything that is scheduled.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn schedule(&self, actor: &Actor) -> Result<SchedulePage> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let policy = snapshot::policy(conn, now).await?;
        let (groups, rows) = (groups(conn).await?, schedule::all(conn).await?);
        let clusters = clusters(conn, &policy).await?;
        let known = Known::of(conn, &rows, &groups).await?;
        let version = store::meta(conn, "policy_version").await?;
        tx.commit().await?;
        let lines = Lines {
            now,
            policy: &policy,
            clusters: &clusters,
            groups: &groups,
        };
        let without_profile = without_profile(&clusters, &policy).map(|cluster| cluster.devices).sum();
        let (mut profiles, mut windows, mut freezes, mut exceptions) = (vec![], vec![], vec![], vec![]);
        for row in rows {
            match row.item.kind() {
                Kind::Profile => profiles.push(lines.line(row)),
                Kind::Window => windows.push(lines.line(row)),
                Kind::Freeze => freezes.push(lines.line(row)),
                Kind::Exception => exceptions.extend(exception_of(&row).map(|e| known.line(&row, e, now))),
            }
        }
        Ok(SchedulePage {
            profiles,
            windows,
            freezes,
            exceptions,
            groups,
            without_profile,
            version: u64::try_from(version).unwrap_or(0),
        })
    }

    /// One row with its line.
    async fn part(&self, actor: &Actor, kind: Kind, id: i64) -> Result<(Row, ScheduleLine, Vec<GroupName>)> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let conn = &mut *tx;
        let row = schedule::one(conn, kind, id).await?.ok_or(Error::NotFound)?;
        let policy = snapshot::policy(conn, now).await?;
        let (groups, clusters) = (groups(conn).await?, clusters(conn, &policy).await?);
        tx.commit().await?;
        let lines = Lines {
            now,
            policy: &policy,
            clusters: &clusters,
            groups: &groups,
        };
        let line = lines.line(row.clone());
        Ok((row, line, groups))
    }

    /// The page of a profile.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn schedule_profile(&self, actor: &Actor, id: ProfileId) -> Result<SchedulePart<ProfileForm>> {
        match self.part(actor, Kind::Profile, id.0).await? {
            (
                Row {
                    item: Item::Profile(profile),
                    ..
                },
                line,
                groups,
            ) => Ok(SchedulePart {
                form: forms::schedule::profile_form(&line.name, &profile),
                next: Vec::new(),
                line,
                groups,
            }),
            _ => Err(Error::NotFound),
        }
    }

    /// The page of a window, with its next occurrences.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn schedule_window(&self, actor: &Actor, id: WindowId) -> Result<SchedulePart<WindowForm>> {
        match self.part(actor, Kind::Window, id.0).await? {
            (
                Row {
                    item: Item::Window(window),
                    ..
                },
                line,
                groups,
            ) => Ok(SchedulePart {
                form: forms::schedule::window_form(&line.name, &window),
                next: occurrences(&window, self.now(), SHOWN),
                line,
                groups,
            }),
            _ => Err(Error::NotFound),
        }
    }

    /// The page of a freeze.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn schedule_freeze(&self, actor: &Actor, id: FreezeId) -> Result<SchedulePart<FreezeForm>> {
        match self.part(actor, Kind::Freeze, id.0).await? {
            (
                Row {
                    item: Item::Freeze(freeze),
                    ..
                },
                line,
                groups,
            ) => Ok(SchedulePart {
                form: forms::schedule::freeze_form(&line.name, &freeze),
                next: Vec::new(),
                line,
                groups,
            }),
            _ => Err(Error::NotFound),
        }
    }

    /// The page of an exception. Its line's name says what and where.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn schedule_exception(&self, actor: &Actor, id: ExceptionId) -> Result<SchedulePart<ExceptionForm>> {
        let (row, mut line, groups) = self.part(actor, Kind::Exception, id.0).await?;
        let Item::Exception(exception) = &row.item else {
            return Err(Error::NotFound);
        };
        let mut read = self.store().read().await?;
        let known = Known::of(&mut read, std::slice::from_ref(&row), &groups).await?;
        let shown = known.line(&row, exception, self.now());
        line.name = format!("{}: {}", shown.about_text, shown.covers_text);
        Ok(SchedulePart {
            form: ExceptionForm {
                covers: shown.covers,
                about: shown.about,
                owner: Some(shown.owner),
                reason: shown.reason,
                expires: shown.expires.rfc3339().get(..16).unwrap_or_default().to_owned(),
            },
            next: Vec::new(),
            line,
            groups,
        })
    }

    /// The next occurrences of a window while it is typed, or why it would be refused.
    ///
    /// # Errors
    /// Not allowed.
    pub async fn preview_occurrences(&self, actor: &Actor, form: &WindowForm) -> Result<Checked<Vec<Occurrence>>> {
        actor.require(Permission::ReadFleet)?;
        let now = self.now();
        let window = match forms::schedule::window(form) {
            Ok(window) => window,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut read = self.store().read().await?;
        let mut tx = read.begin().await?;
        let before = snapshot::policy(&mut tx, now).await?;
        tx.commit().await?;
        let mut after = before.policy().clone();
        Item::Window(window.clone()).put(&mut after);
        Ok(refusal(before.policy(), &after, now).map_or_else(|| Ok(occurrences(&window, now, SHOWN)), Err))
    }
}
