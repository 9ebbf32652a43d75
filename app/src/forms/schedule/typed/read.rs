//! Reads what was typed.

use super::{MOST, Read, UNITS};
use crate::api::forms::{Beside, Fields};
use domain::{DeviceId, GroupId, OsReleaseId};
use service::{Actor, Service};
use view::{
    CoverageForm, ExceptionAbout, ExceptionCovers, ExceptionForm, FormProblem, FrameForm, FreezeForm, ProfileForm,
    ScheduleForm, ScheduleKind, ScheduleProblem, WindowForm, WindowWhen, ZoneChoice,
};

/// Reads fields and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub fields: &'a Fields,
    pub problems: Vec<Beside>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn owned(&self, name: &str) -> String {
        self.text(name).trim().to_owned()
    }

    fn wrong(&mut self, field: &str, problem: ScheduleProblem) {
        self.problems.push(Beside {
            field: field.to_owned(),
            problem: FormProblem::Schedule(problem),
        });
    }

    fn number(&mut self, name: &str) -> u32 {
        let text = self.owned(name);
        if text.is_empty() {
            return 0;
        }
        text.parse().ok().filter(|n| *n <= MOST).unwrap_or_else(|| {
            self.wrong(name, ScheduleProblem::BadNumber(text.chars().take(40).collect()));
            0
        })
    }

    fn days(&self) -> Vec<u8> {
        (0..7)
            .filter(|day| self.fields.contains_key(&format!("day{day}")))
            .collect()
    }

    /// The numbers of the ticked boxes `prefix`.
    fn ticked(&self, prefix: &str) -> Vec<i64> {
        let mut ids: Vec<i64> = self
            .fields
            .keys()
            .filter_map(|name| name.strip_prefix(prefix)?.parse().ok())
            .collect();
        ids.sort_unstable();
        ids
    }

    fn groups(&self, prefix: &str) -> Vec<GroupId> {
        self.ticked(prefix).into_iter().map(GroupId).collect()
    }

    fn zone(&self) -> ZoneChoice {
        match self.text("zone") {
            "utc" => ZoneChoice::Utc,
            "named" => ZoneChoice::Named(self.owned("zone_name")),
            _ => ZoneChoice::Device,
        }
    }

    pub fn every(&mut self, name: &str) -> u32 {
        let (count, unit) = (self.number(name), self.text(&format!("{name}_unit")));
        let minutes = UNITS
            .iter()
            .find(|(word, _)| *word == unit)
            .map_or(60, |(_, minutes)| *minutes);
        count.saturating_mul(minutes)
    }

    fn done<T>(self, form: T) -> Read<T> {
        if self.problems.is_empty() {
            Ok(form)
        } else {
            Err(self.problems)
        }
    }
}

/// Reads a form. Names of devices and patches are looked up.
pub async fn read(
    service: &Service,
    actor: &Actor,
    kind: ScheduleKind,
    fields: &Fields,
) -> service::Result<Read<ScheduleForm>> {
    let reader = Reader {
        fields,
        problems: Vec::new(),
    };
    Ok(match kind {
        ScheduleKind::Window => window(reader).map(ScheduleForm::Window),
        ScheduleKind::Freeze => freeze(reader).map(ScheduleForm::Freeze),
        ScheduleKind::Profile => profile(service, actor, reader).await?.map(ScheduleForm::Profile),
        ScheduleKind::Exception => exception(service, actor, reader).await?.map(ScheduleForm::Exception),
    })
}

pub(super) fn window(mut reader: Reader<'_>) -> Read<WindowForm> {
    let when = match reader.text("when") {
        "monthly" => WindowWhen::Monthly {
            nth: reader.text("nth").parse().unwrap_or(0),
            weekday: reader.text("weekday").parse().unwrap_or(7),
            plus_days: u8::try_from(reader.number("plus")).unwrap_or(u8::MAX),
        },
        "once" => WindowWhen::Once {
            date: reader.owned("once_date"),
        },
        "rule" => WindowWhen::Rule {
            date: reader.owned("rule_date"),
            rule: reader.owned("rule"),
        },
        _ => WindowWhen::Weekly { days: reader.days() },
    };
    let minutes = reader
        .number("hours")
        .saturating_mul(60)
        .saturating_add(reader.number("minutes"));
    let form = WindowForm {
        name: reader.owned("name"),
        when,
        at: reader.owned("at"),
        minutes,
        zone: reader.zone(),
        groups: reader.groups("group"),
    };
    reader.done(form)
}

fn freeze(reader: Reader<'_>) -> Read<FreezeForm> {
    let form = FreezeForm {
        name: reader.owned("name"),
        from: reader.owned("from"),
        to: reader.owned("to"),
        zone: reader.zone(),
        groups: reader.groups("group"),
    };
    reader.done(form)
}

async fn profile(service: &Service, actor: &Actor, mut reader: Reader<'_>) -> service::Result<Read<ProfileForm>> {
    let mut lists = Vec::new();
    for (ticked, added) in [("device", "add_devices"), ("notdevice", "add_not_devices")] {
        let mut ids: Vec<DeviceId> = reader.ticked(ticked).into_iter().map(DeviceId).collect();
        for name in reader
            .owned(added)
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            match service.find_device(actor, name).await? {
                Ok(id) => ids.push(id),
                Err(problem) => reader.wrong(added, problem),
            }
        }
        ids.sort_unstable();
        ids.dedup();
        lists.push(ids);
    }
    let not_devices = lists.pop().unwrap_or_default();
    let frame = (reader.text("hours") == "some").then(|| FrameForm {
        zone: reader.zone(),
        days: reader.days(),
        from: reader.owned("from"),
        to: reader.owned("to"),
    });
    let form = ProfileForm {
        name: reader.owned("name"),
        position: reader.number("position"),
        scan_minutes: reader.every("scan"),
        install_minutes: reader.every("install"),
        frame,
        everything: reader.text("scope") == "all",
        groups: reader.groups("group"),
        devices: lists.pop().unwrap_or_default(),
        not_groups: reader.groups("notgroup"),
        not_devices,
        coverage: CoverageForm {
            security_only: reader.text("updates") == "security",
            left_out: reader.ticked("without").into_iter().map(OsReleaseId).collect(),
            reserve_mib: match reader.text("reserve").trim() {
                "" => CoverageForm::default().reserve_mib,
                _ => reader.number("reserve"),
            },
        },
    };
    Ok(reader.done(form))
}

async fn exception(service: &Service, actor: &Actor, mut reader: Reader<'_>) -> service::Result<Read<ExceptionForm>> {
    let covers = match reader.text("covers") {
        "group" => ExceptionCovers::Group(GroupId(reader.text("covers_group").parse().unwrap_or(0))),
        "device" => match service.find_device(actor, reader.text("device")).await? {
            Ok(id) => ExceptionCovers::Device(id),
            Err(problem) => {
                reader.wrong("device", problem);
                ExceptionCovers::All
            }
        },
        _ => ExceptionCovers::All,
    };
    let about = if reader.text("about") == "product" {
        ExceptionAbout::Product(reader.owned("product"))
    } else {
        match service.find_patch(actor, reader.text("patch")).await? {
            Ok(id) => ExceptionAbout::Patch(id),
            Err(problem) => {
                reader.wrong("patch", problem);
                ExceptionAbout::Product(String::new())
            }
        }
    };
    let form = ExceptionForm {
        covers,
        about,
        owner: reader.text("owner").parse().ok(),
        reason: reader.owned("reason"),
        expires: reader.owned("expires"),
    };
    Ok(reader.done(form))
}
