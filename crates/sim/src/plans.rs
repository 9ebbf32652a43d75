//! People change what is scheduled: windows, freezes, exceptions.

use crate::{
    Violation,
    archive::PRODUCTS,
    chance::Chance,
    oracle::schedule::{ExceptionBook, FreezeBook, Scheduled, Wall, Whom, WindowBook},
    people::settled,
    world::World,
};
use domain::{DeviceState, ExceptionId, FreezeId, GroupId, Moment, Span, WindowId};
use service::Service;
use view::{
    ExceptionAbout, ExceptionCovers, ExceptionForm, FreezeForm, PatchRow, Saved, ScheduleProblem, WindowForm,
    WindowWhen, ZoneChoice,
};

/// What a form holds of a time on the wall.
fn written(local: i64) -> String {
    Moment(local).rfc3339()[..16].to_owned()
}

fn zone(wall: Wall) -> ZoneChoice {
    match wall {
        Wall::Utc => ZoneChoice::Utc,
        Wall::Device => ZoneChoice::Device,
        Wall::NewYork => ZoneChoice::Named("America/New_York".to_owned()),
    }
}

fn some_wall(chance: &mut Chance) -> Wall {
    *chance
        .pick(&[Wall::Utc, Wall::Device, Wall::Device, Wall::NewYork])
        .unwrap_or(&Wall::Utc)
}

fn some_groups(chance: &mut Chance, groups: &[GroupId]) -> Vec<GroupId> {
    if chance.permille(300) {
        return Vec::new();
    }
    let mut some: Vec<GroupId> = groups.iter().copied().filter(|_| chance.permille(400)).collect();
    some.extend(chance.pick(groups).filter(|_| some.is_empty()));
    some
}

fn window(chance: &mut Chance, groups: &[GroupId]) -> WindowBook {
    let generous = chance.permille(600);
    let low = if generous { 9 * 60 } else { 30 };
    WindowBook {
        days: (0..7).filter(|_| generous || chance.permille(600)).collect(),
        at: chance.between(0, 287) * 5,
        minutes: chance.between(low, 16 * 60),
        wall: some_wall(chance),
        groups: some_groups(chance, groups),
    }
}

fn freeze(chance: &mut Chance, groups: &[GroupId], now: Moment) -> FreezeBook {
    let wall = some_wall(chance);
    let from = (wall.local(now) + chance.between(-86_400, 2 * 86_400)).div_euclid(60) * 60;
    FreezeBook {
        from,
        to: from + chance.between(3 * 60, 60 * 60) * 60,
        wall,
        groups: some_groups(chance, groups),
    }
}

/// What the schedule refuses none of these people wanted.
fn accepted(saved: Option<Result<Saved, ScheduleProblem>>) -> Result<Option<(i64, u64)>, Violation> {
    match saved {
        None => Ok(None),
        Some(Ok(saved)) => Ok(Some((saved.id, saved.version))),
        Some(Err(problem)) => Err(Violation::new("sim", format!("a good form is refused: {problem:?}"))),
    }
}

impl World {
    /// Somebody saves or deletes a window, a freeze or an exception.
    pub(crate) async fn plan_ahead(&mut self, service: &Service, rows: &[PatchRow]) -> Result<(), Violation> {
        let all: Vec<i64> = self.oracle.schedule.keys().copied().collect();
        let chance = &mut self.people.chance;
        let groups: Vec<GroupId> = self.oracle.groups.keys().copied().collect();
        let (kind, old) = (chance.below(10), chance.pick(&all).copied());
        let scheduled = match (kind, old) {
            (0..=2, _) => Scheduled::Window(window(chance, &groups)),
            (3, _) => Scheduled::Freeze(freeze(chance, &groups, self.now)),
            (4 | 5, _) => match self.exception(rows) {
                Some(exception) => exception,
                None => return Ok(()),
            },
            (_, Some(old)) => return self.strike(service, old).await,
            (_, None) => return Ok(()),
        };
        // Some are changed, most are new.
        let chance = &mut self.people.chance;
        let same = |n: &i64| {
            self.oracle
                .schedule
                .get(n)
                .is_some_and(|(_, s)| std::mem::discriminant(s) == std::mem::discriminant(&scheduled))
        };
        let seen = old.filter(|n| same(n) && chance.permille(400));
        self.schedule(service, seen, scheduled).await
    }

    fn exception(&mut self, rows: &[PatchRow]) -> Option<Scheduled> {
        let active = self.oracle.in_state(DeviceState::Active);
        let chance = &mut self.people.chance;
        let (row, device) = (chance.pick(rows)?, *chance.pick(&active)?);
        let product = PRODUCTS.iter().position(|p| p.source == row.product)?;
        let whom = *chance.pick(&[
            Whom::Device(device),
            Whom::Group(GroupId(1)),
            Whom::Group(GroupId(2)),
            Whom::All,
        ])?;
        Some(Scheduled::Exception(ExceptionBook {
            whom,
            patch: chance.permille(600).then_some(row.id),
            product,
            expires: Moment((self.now + Span::hours(chance.between(1, 240))).0.div_euclid(60) * 60),
        }))
    }

    async fn schedule(&mut self, service: &Service, seen: Option<i64>, new: Scheduled) -> Result<(), Violation> {
        let (admin, officer) = (&self.people.admin, &self.people.officer);
        let seen = seen.and_then(|id| Some((id, self.oracle.schedule.get(&id)?.0)));
        let name = format!("plan {}", self.people.chance.hex());
        let saved = match &new {
            Scheduled::Window(book) => {
                let form = WindowForm {
                    name,
                    when: WindowWhen::Weekly {
                        days: book.days.clone(),
                    },
                    at: format!("{:02}:{:02}", book.at / 60, book.at % 60),
                    minutes: u32::try_from(book.minutes).unwrap_or(0),
                    zone: zone(book.wall),
                    groups: book.groups.clone(),
                };
                if book.days.is_empty() {
                    return Ok(());
                }
                service
                    .save_window(admin, seen.map(|(id, v)| (WindowId(id), v)), &form)
                    .await
            }
            Scheduled::Freeze(book) => {
                let form = FreezeForm {
                    name,
                    from: written(book.from),
                    to: written(book.to),
                    zone: zone(book.wall),
                    groups: book.groups.clone(),
                };
                service
                    .save_freeze(admin, seen.map(|(id, v)| (FreezeId(id), v)), &form)
                    .await
            }
            Scheduled::Exception(book) => {
                let form = ExceptionForm {
                    covers: match book.whom {
                        Whom::Device(id) => ExceptionCovers::Device(id),
                        Whom::Group(id) => ExceptionCovers::Group(id),
                        Whom::All => ExceptionCovers::All,
                    },
                    about: book.patch.map_or_else(
                        || ExceptionAbout::Product(PRODUCTS[book.product].source.to_owned()),
                        ExceptionAbout::Patch,
                    ),
                    owner: None,
                    reason: "its vendor must test it first".to_owned(),
                    expires: written(book.expires.0),
                };
                service
                    .save_exception(officer, seen.map(|(id, v)| (ExceptionId(id), v)), &form)
                    .await
            }
        };
        if let Some((id, version)) = accepted(settled(saved)?)? {
            self.trace.add(self.now, format_args!("people schedule {id}: {new:?}"));
            self.oracle.schedule.insert(id, (version, new));
        }
        Ok(())
    }

    /// Somebody deletes something that is scheduled.
    async fn strike(&mut self, service: &Service, id: i64) -> Result<(), Violation> {
        let Some((version, old)) = self.oracle.schedule.get(&id).cloned() else {
            return Ok(());
        };
        let (admin, officer) = (&self.people.admin, &self.people.officer);
        let gone = match old {
            Scheduled::Window(_) => service.delete_window(admin, WindowId(id), version).await,
            Scheduled::Freeze(_) => service.delete_freeze(admin, FreezeId(id), version).await,
            Scheduled::Exception(_) => service.delete_exception(officer, ExceptionId(id), version).await,
        };
        // Nobody else changes anything: what people saw last is what is there (I-23).
        if settled(gone)?.is_none() {
            return Err(Violation::new(
                "I-23",
                format!("schedule {id} is not there as version {version}: {old:?}"),
            ));
        }
        self.oracle.schedule.remove(&id);
        self.trace.add(self.now, format_args!("people delete schedule {id}"));
        Ok(())
    }

    /// Nothing is left that keeps a device, which calls every few hours, from installing within two days.
    pub(crate) async fn clear_schedule(&mut self, service: &Service) -> Result<(), Violation> {
        let narrow: Vec<i64> = self
            .oracle
            .schedule
            .iter()
            .filter(|(_, (_, s))| match s {
                Scheduled::Window(w) => !w.is_generous(),
                Scheduled::Freeze(_) => true,
                Scheduled::Exception(_) => false,
            })
            .map(|(id, _)| *id)
            .collect();
        for id in narrow {
            self.strike(service, id).await?;
        }
        Ok(())
    }
}
