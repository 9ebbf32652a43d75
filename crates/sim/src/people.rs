//! People: they look at the pages every few hours, approve, deny, change their minds, report problems, take things back.

use crate::{
    Violation,
    archive::PRODUCTS,
    chance::Chance,
    computer::number_of,
    oracle::{GroupBook, LAST, PILOT, RINGS, Ruling, What},
    queue::Place,
    world::World,
};
use domain::{DeviceId, DeviceState, GroupId, HoldId, PatchId, RingId, Role, Span, Urgency};
use protocol::v1::{ActionKind, Outcome};
use service::{
    Actor, Error, Service,
    commands::{
        decide::{Also, Selection, Verb},
        tokens::TokenRequest,
    },
};
use std::collections::BTreeSet;
use view::{Approval, GroupForm, MissedChoice, PatchDevices, PatchFilter, PatchRow, ProfileForm, RingForm};

/// A group in the pilots' group.
const INNER_PILOT: GroupId = GroupId(3);
/// A group in a group in production; windows of the groups above do not count in it.
const INNER_PRODUCTION: GroupId = GroupId(5);
/// The group of the last ring.
const LATE: GroupId = GroupId(6);

/// Hours between rounds of installs in groups with a profile of their own; the others install daily.
const INTERVALS: [(GroupId, u32); 3] = [(INNER_PILOT, 1), (GroupId(4), 6), (LATE, 36)];

/// Who they are and how they are inclined.
pub struct People {
    pub(crate) chance: Chance,
    pub(crate) admin: Actor,
    pub(crate) officer: Actor,
    tester: Actor,
    /// Approve something undecided, so many times in a thousand.
    eager: u32,
    /// Change what is scheduled, so many times in a thousand.
    pub(crate) planning: u32,
}

impl People {
    /// Makes their accounts.
    ///
    /// # Errors
    /// When that fails.
    pub async fn hire(seed: u64, service: &Service) -> Result<Self, Violation> {
        let mut chance = Chance::new(seed, "people", 0);
        let mut actors = Vec::new();
        for (name, role) in [
            ("anna", Role::Administrator),
            ("olli", Role::SecurityOfficer),
            ("tiina", Role::PilotUser),
        ] {
            let id = service
                .create_account(&Actor::host(), name, role, None)
                .await
                .map_err(Violation::world)?;
            actors.push(Actor {
                account: Some(id),
                name: name.to_owned(),
                role,
                session: None,
            });
        }
        let eager = u32::try_from(chance.between(100, 700)).unwrap_or(300);
        let planning = if chance.permille(600) {
            chance.between(50, 400)
        } else {
            0
        };
        let mut next = || {
            actors
                .pop()
                .ok_or_else(|| Violation::new("sim", "an account is missing"))
        };
        let (tester, officer, admin) = (next()?, next()?, next()?);
        Ok(Self {
            chance,
            admin,
            officer,
            tester,
            eager,
            planning: u32::try_from(planning).unwrap_or(0),
        })
    }
}

/// What a row of the status view is.
fn what(row: &PatchRow) -> Option<What> {
    let os = crate::archive::RELEASES
        .iter()
        .position(|(_, codename)| row.os.contains(codename))?;
    let product = PRODUCTS.iter().position(|p| p.source == row.product)?;
    Some((os, product, number_of(&row.version)?))
}

/// A refusal is an answer; anything else is a fault.
pub(crate) fn settled<T>(result: Result<T, Error>) -> Result<Option<T>, Violation> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Refused(_) | Error::NotFound | Error::Changed) => Ok(None),
        Err(error) => Err(Violation::world(format!("{error:?}"))),
    }
}

impl World {
    /// A third ring and groups in groups, before anything else happens.
    pub(crate) async fn arrange(&mut self, service: &Service) -> Result<(), Violation> {
        let admin = &self.people.admin;
        let form = RingForm {
            name: "Last".to_owned(),
            soak_days: 0,
            soak_hours: 0,
            min_successes: 1,
            min_share_percent: 0,
            own_release: false,
            critical_products: false,
            rebooted: false,
            waves: "1, 5 %, 25 %".to_owned(),
            rest_minutes: 0,
            hold_failures: 2,
            hold_percent: 0,
            hold_vanished: 2,
            max_in_flight: None,
            rollback_plan: true,
        };
        let ring = service
            .save_ring(admin, None, None, &form)
            .await
            .map_err(Violation::world)?;
        let groups = [
            (INNER_PILOT, Some(GroupId(1)), None, false),
            (GroupId(4), Some(GroupId(2)), None, false),
            (INNER_PRODUCTION, Some(GroupId(4)), None, true),
            (LATE, None, Some(LAST), false),
        ];
        for (id, parent, ring, alone) in groups {
            let form = GroupForm {
                name: format!("group {id}"),
                parent,
                ring,
                blocks_inheritance: alone,
                missed: MissedChoice::Inherit,
                reboot: domain::RebootPolicy::Never,
            };
            let saved = service.save_group(admin, None, &form).await.map_err(Violation::world)?;
            if saved.id != id.0 {
                return Err(Violation::new("sim", format!("group {id} has number {}", saved.id)));
            }
            self.oracle.groups.insert(id, GroupBook { parent, ring, alone });
        }
        for (group, hours) in INTERVALS {
            let form = ProfileForm {
                name: format!("every {hours} hours"),
                position: 0,
                scan_minutes: 1_440,
                install_minutes: hours * 60,
                frame: None,
                everything: false,
                groups: vec![group],
                devices: Vec::new(),
                not_groups: Vec::new(),
                not_devices: Vec::new(),
                coverage: view::CoverageForm::default(),
            };
            let saved = service.save_profile(admin, None, &form).await;
            saved
                .map_err(Violation::world)?
                .map_err(|problem| Violation::new("sim", format!("a good profile is refused: {problem:?}")))?;
            self.oracle.intervals.insert(group, Span::hours(i64::from(hours)));
        }
        if ring.id == LAST.0 {
            Ok(())
        } else {
            Err(Violation::new("sim", format!("the last ring has number {}", ring.id)))
        }
    }

    /// The group that a device is meant for.
    pub(crate) fn group_of(&self, place: Place) -> Option<GroupId> {
        match place % 10 {
            0 | 1 => Some(GroupId(1)),
            2 => Some(INNER_PILOT),
            9 if place % 20 == 19 => None,
            7 => Some(LATE),
            8 => Some(INNER_PRODUCTION),
            _ => Some(GroupId(2)),
        }
    }

    /// A token for a device, when the server is there to make one.
    pub(crate) async fn make_token(&mut self, place: Place) -> Result<Option<String>, Violation> {
        let Some(service) = self.server.service() else {
            return Ok(None);
        };
        let accept = self.people.chance.permille(850);
        let request = TokenRequest {
            label: format!("for d{place}"),
            group: self.group_of(place),
            accept,
            scan_only: false,
            max_uses: 1,
            hours: 24,
        };
        let token = service
            .create_token(&self.people.admin, request)
            .await
            .map_err(Violation::world)?;
        Ok(Some(token.token))
    }

    /// People look at everything and do something.
    pub(crate) async fn people(&mut self) -> Result<(), Violation> {
        let gap = if self.calm {
            Span::hours(4)
        } else {
            self.people.chance.gap(Span::hours(6))
        };
        self.queue.put(self.now + gap, crate::queue::Happening::People);
        let Some(service) = self.server.service() else {
            return Ok(());
        };
        self.mend_clock(&service).await?;
        let rows = self.read_patches(&service).await?;
        self.let_in(&service).await?;
        for row in &rows {
            self.look_at_holds(&service, row.id, row.held).await?;
        }
        if self.calm {
            return self.clear_schedule(&service).await;
        }
        for row in &rows {
            self.rule(&service, row).await?;
        }
        if self.people.chance.permille(self.people.planning) {
            self.plan_ahead(&service, &rows).await?;
        }
        let what = self.people.chance.below(14);
        self.meddle(&service, what, &rows).await
    }

    async fn mend_clock(&mut self, service: &Service) -> Result<(), Violation> {
        if self.oracle.clock_wrong && (self.calm || self.people.chance.permille(400)) {
            self.server.set_off(Span(0));
            service
                .confirm_clock(&self.people.admin, "the clock is right again")
                .await
                .map_err(Violation::world)?;
            (self.oracle.clock_wrong, self.jump_unseen) = (false, false);
            self.trace.add(self.now, format_args!("people set the clock right"));
        }
        Ok(())
    }

    /// Reads every page of the status view, and compares decisions with what was acknowledged (I-23).
    async fn read_patches(&mut self, service: &Service) -> Result<Vec<PatchRow>, Violation> {
        let mut rows = Vec::new();
        for page in 1.. {
            let filter = PatchFilter {
                superseded: true,
                page,
                ..PatchFilter::default()
            };
            let list = service
                .patches(&self.people.admin, &filter)
                .await
                .map_err(Violation::world)?;
            rows.extend(list.rows);
            if page >= list.pages {
                break;
            }
        }
        rows.sort_by_key(|r| r.id);
        for row in &rows {
            let Some(what) = what(row) else {
                return Err(Violation::new(
                    "sim",
                    format!("an unknown patch: {} {} {}", row.product, row.version, row.os),
                ));
            };
            let book = self.oracle.meets(row.id, what);
            for shown in &row.approvals {
                let own = match book.rulings.get(&shown.ring) {
                    None => Approval::None,
                    Some(Ruling::Approved { urgent }) => Approval::Approved { urgent: *urgent },
                    Some(Ruling::Denied) => Approval::Denied,
                };
                if own != shown.approval {
                    let text = format!(
                        "patch {} ring {}: people decided {own:?}, shown is {:?}",
                        row.id, shown.ring, shown.approval
                    );
                    return Err(Violation::new("I-23", text));
                }
            }
        }
        Ok(rows)
    }

    /// Accepts who waits; lets a quarantined device back once its copy is gone.
    async fn let_in(&mut self, service: &Service) -> Result<(), Violation> {
        let retired: Vec<DeviceId> = self.oracle.retired.iter().copied().collect();
        for device in retired {
            if (self.calm || self.people.chance.permille(100)) && self.revoke(service, device, "set up anew").await? {
                self.oracle.retired.remove(&device);
            }
        }
        for state in [DeviceState::Pending, DeviceState::Quarantined] {
            for device in self.oracle.in_state(state) {
                if self.oracle.has_live_copy(device) || !(self.calm || self.people.chance.permille(500)) {
                    continue;
                }
                if settled(service.accept_device(&self.people.admin, device, "looked at it").await)?.is_some() {
                    self.oracle.accepted(device);
                    self.trace.add(self.now, format_args!("people accept device {device}"));
                }
            }
        }
        Ok(())
    }

    async fn revoke(&mut self, service: &Service, device: DeviceId, why: &str) -> Result<bool, Violation> {
        let revoked = settled(service.revoke_device(&self.people.admin, device, why).await)?.is_some();
        if revoked {
            self.trace.add(self.now, format_args!("people revoke device {device}"));
            self.oracle.revoked(device);
        }
        Ok(revoked)
    }

    /// Reads which holds are open.
    pub(crate) async fn read_holds(
        &mut self,
        service: &Service,
        patch: PatchId,
    ) -> Result<BTreeSet<HoldId>, Violation> {
        let page = service
            .patch(&self.people.admin, patch, &PatchDevices::default())
            .await
            .map_err(Violation::world)?;
        let open = page
            .holds
            .iter()
            .filter(|h| h.resolved.is_none())
            .map(|h| h.id)
            .collect();
        self.oracle.reads_holds(patch, &open)?;
        Ok(open)
    }

    async fn look_at_holds(&mut self, service: &Service, patch: PatchId, held: bool) -> Result<(), Violation> {
        let known = self
            .oracle
            .patches
            .get(&patch)
            .is_some_and(|b| !b.holds.is_empty() || b.owed.is_some());
        if !held && !known {
            return Ok(());
        }
        let open = self.read_holds(service, patch).await?;
        self.stats.holds += open.len() as u64;
        if !self.calm && !self.people.chance.permille(250) {
            return Ok(());
        }
        for hold in open {
            if settled(service.resume(&self.people.officer, hold, None, "looked at it").await)?.is_some() {
                self.oracle.resumes(patch, hold, self.now);
                self.trace
                    .add(self.now, format_args!("people resolve hold {hold} of patch {patch}"));
            }
        }
        Ok(())
    }

    /// Decides what is undecided.
    async fn rule(&mut self, service: &Service, row: &PatchRow) -> Result<(), Violation> {
        for (ring, _) in RINGS {
            let undecided = self
                .oracle
                .patches
                .get(&row.id)
                .is_some_and(|b| !b.rulings.contains_key(&ring));
            let chance = &mut self.people.chance;
            let eager = if row.superseded_by.is_some() {
                self.people.eager / 10
            } else {
                self.people.eager
            };
            if !undecided || !chance.permille(eager) {
                continue;
            }
            let verb = match chance.below(100) {
                0..=3 => Verb::Deny,
                4..=6 => Verb::Approve {
                    urgent: Urgency::SkipSoak,
                },
                7..=8 => Verb::Approve {
                    urgent: Urgency::SkipSoakAndWindows,
                },
                _ => Verb::Approve {
                    urgent: Urgency::Normal,
                },
            };
            self.decide(
                service,
                row.id,
                Some(row.revision).filter(|_| ring == PILOT),
                ring,
                verb,
            )
            .await?;
        }
        Ok(())
    }

    async fn decide(
        &mut self,
        service: &Service,
        patch: PatchId,
        revision: Option<i64>,
        ring: RingId,
        verb: Verb,
    ) -> Result<(), Violation> {
        let selection = Selection::These(vec![(patch, revision)]);
        let also = Also {
            superseded: true,
            without_plan: true,
        };
        let done = settled(
            service
                .decide_also(&self.people.officer, selection, ring, verb, "as the tests say", also)
                .await,
        )?;
        if !done.is_some_and(|d| d.decided.contains(&patch)) {
            return Ok(());
        }
        self.trace.add(
            self.now,
            format_args!("people decide patch {patch} ring {ring}: {verb:?}"),
        );
        if let Some(book) = self.oracle.patches.get_mut(&patch) {
            match verb {
                Verb::Approve { urgent } => book.rulings.insert(ring, Ruling::Approved { urgent }),
                Verb::Deny => book.rulings.insert(ring, Ruling::Denied),
                Verb::Withdraw => book.rulings.remove(&ring),
            };
        }
        Ok(())
    }

    /// One of the things that people also do.
    async fn meddle(&mut self, service: &Service, what: u64, rows: &[PatchRow]) -> Result<(), Violation> {
        let (now, people) = (self.now, &mut self.people);
        let Some(patch) = people.chance.pick(rows).map(|r| r.id) else {
            return Ok(());
        };
        let ring = people.chance.pick(&RINGS).map_or(PILOT, |r| r.0);
        let active = self.oracle.in_state(DeviceState::Active);
        let device = people.chance.pick(&active).copied();
        match (what, device) {
            (0 | 1, _) => {
                let decided = self
                    .oracle
                    .patches
                    .get(&patch)
                    .is_some_and(|b| b.rulings.contains_key(&ring));
                let verb = if decided { Verb::Withdraw } else { Verb::Deny };
                self.decide(service, patch, None, ring, verb).await?;
            }
            (2, _) => {
                let hold = service
                    .hold(&people.tester, patch, "it looks wrong")
                    .await
                    .map_err(Violation::world)?;
                self.oracle.stop(patch, Some(hold), now);
                self.trace
                    .add(now, format_args!("people hold patch {patch} (hold {hold})"));
            }
            (3, Some(device)) => {
                if let Some(hold) = settled(
                    service
                        .report_problem(&people.tester, device, patch, "it does not print")
                        .await,
                )? {
                    self.oracle.stop(patch, Some(hold), now);
                    self.trace.add(
                        now,
                        format_args!("people report a problem with patch {patch} (hold {hold})"),
                    );
                }
            }
            (4 | 5, _) => self.take_back(service).await?,
            (6, _) => self.take_back_ring(service, ring, patch).await?,
            (7, _) => self.lift(service).await?,
            (8, Some(device)) => drop(settled(service.ask_scan(&people.admin, device).await)?),
            (9, Some(device)) if people.chance.permille(400) => {
                let groups: Vec<_> = self.oracle.groups.keys().map(|g| Some(*g)).chain([None]).collect();
                let group = people.chance.pick(&groups).copied().flatten();
                if settled(service.move_device(&people.admin, device, group).await)?.is_some() {
                    self.trace
                        .add(now, format_args!("people move device {device} to {group:?}"));
                    if let Some(book) = self.oracle.devices.get_mut(&device) {
                        book.group = group;
                    }
                }
            }
            (10, Some(device)) if people.chance.permille(60) => {
                self.revoke(service, device, "stolen").await?;
            }
            (11, _) => self.let_try_again(service, &active).await?,
            _ => {}
        }
        Ok(())
    }

    /// Something that was installed by a permit, to be taken back.
    fn something_installed(&mut self) -> Option<(DeviceId, PatchId)> {
        let done: Vec<_> = self
            .oracle
            .attempts
            .values()
            .filter(|a| {
                a.kind == ActionKind::Install
                    && matches!(a.ended, Some(Outcome::Succeeded | Outcome::InterruptedRecovered))
            })
            .map(|a| (a.device, a.patch))
            .collect();
        self.people.chance.pick(&done).copied()
    }

    async fn take_back(&mut self, service: &Service) -> Result<(), Violation> {
        let Some((device, patch)) = self.something_installed() else {
            return Ok(());
        };
        if settled(
            service
                .roll_back(&self.people.officer, device, patch, "it does not print")
                .await,
        )?
        .is_some()
        {
            self.trace.add(
                self.now,
                format_args!("people take patch {patch} back on device {device}"),
            );
            self.oracle.back(patch, &[device], self.now);
            self.read_holds(service, patch).await?;
        }
        Ok(())
    }

    async fn take_back_ring(&mut self, service: &Service, ring: RingId, patch: PatchId) -> Result<(), Violation> {
        if !self.people.chance.permille(300) {
            return Ok(());
        }
        if let Some(count) = settled(
            service
                .roll_back_ring(&self.people.officer, ring, patch, "nobody can print")
                .await,
        )? {
            self.trace.add(
                self.now,
                format_args!("people take patch {patch} back on {count} devices of ring {ring}"),
            );
            // Whom it met is read from the pages: they are blocked.
            let mut devices = Vec::new();
            for page in 1.. {
                let shown = service
                    .patch(
                        &self.people.admin,
                        patch,
                        &PatchDevices {
                            page,
                            ..PatchDevices::default()
                        },
                    )
                    .await
                    .map_err(Violation::world)?;
                devices.extend(shown.devices.iter().filter(|d| d.blocked).map(|d| d.device));
                if shown.devices.is_empty() || page > 5 {
                    break;
                }
            }
            self.oracle.back(patch, &devices, self.now);
            self.read_holds(service, patch).await?;
        }
        Ok(())
    }

    async fn lift(&mut self, service: &Service) -> Result<(), Violation> {
        let blocked: Vec<_> = self
            .oracle
            .devices
            .iter()
            .flat_map(|(d, b)| b.blocked.iter().map(|p| (*d, *p)))
            .collect();
        let Some((device, patch)) = self.people.chance.pick(&blocked).copied() else {
            return Ok(());
        };
        if settled(service.lift_block(&self.people.officer, device, patch, "mended").await)?.is_some() {
            self.trace.add(
                self.now,
                format_args!("people lift the block of patch {patch} on device {device}"),
            );
            if let Some(book) = self.oracle.devices.get_mut(&device) {
                book.blocked.remove(&patch);
            }
        }
        Ok(())
    }
}
