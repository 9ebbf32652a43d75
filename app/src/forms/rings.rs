//! The forms of rings, groups, places and the fleet between the address bar and the service. Server only.

use super::{Act, address};
use crate::api::forms::{Beside, Fields, Look};
use crate::api::rings::{RingsFormPage, RingsKind};
use crate::error::AppError;
use domain::{GroupId, LocationId, Permission, RebootPolicy, RingId};
use service::{Actor, Error, Service, forms};
use std::str::FromStr;
use view::{
    Field, FleetForm, FormProblem, GroupForm, LocationForm, MissedChoice, Problem, RingForm, RingsForm, RingsPage,
    UiError,
};

/// The field of a form that a refusal stands beside.
const fn place(kind: RingsKind, field: Field) -> &'static str {
    match field {
        Field::Label => "name",
        Field::Soak => "soak_days",
        Field::Successes => "successes",
        Field::Share => "share",
        Field::Waves => "waves",
        Field::Rest => "rest",
        Field::Failures => "failures",
        Field::FailureShare => "percent",
        Field::Vanished => "vanished",
        Field::InFlight => "at_once",
        Field::Parent => "parent",
        Field::Missed => "missed",
        Field::Zone => "zone",
        Field::Rate => "rate",
        Field::Retries => "retries",
        Field::Wait => "longest",
        Field::Install => "install",
        Field::Reboot => "reboot",
        Field::Ring => match kind {
            RingsKind::Ring => "before",
            RingsKind::Group | RingsKind::Location | RingsKind::Fleet => "ring",
        },
        _ => "",
    }
}

fn beside(kind: RingsKind, field: Field, problem: Problem) -> Beside {
    Beside {
        field: place(kind, field).to_owned(),
        problem: FormProblem::Field { field, problem },
    }
}

/// Reads fields, and collects what cannot be read.
struct Reader<'a> {
    kind: RingsKind,
    fields: &'a Fields,
    problems: Vec<Beside>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> String {
        self.fields
            .get(name)
            .map_or_else(String::new, |text| text.trim().to_owned())
    }

    fn ticked(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    fn id<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name).parse().ok()
    }

    /// A whole number; nothing typed is missing.
    fn number(&mut self, name: &'static str, field: Field) -> u32 {
        match self.text(name).parse() {
            Ok(number) => number,
            Err(_) => {
                let problem = if self.text(name).is_empty() {
                    Problem::Missing
                } else {
                    Problem::NoNumber
                };
                self.problems.push(Beside {
                    field: name.to_owned(),
                    ..beside(self.kind, field, problem)
                });
                0
            }
        }
    }

    /// A whole number; nothing typed is no limit.
    fn limit(&mut self, name: &'static str, field: Field) -> Option<u32> {
        (!self.text(name).is_empty()).then(|| self.number(name, field))
    }
}

/// What was typed, as a form; or what is wrong with it.
fn read(kind: RingsKind, fields: &Fields) -> Result<RingsForm, Vec<Beside>> {
    let mut r = Reader {
        kind,
        fields,
        problems: Vec::new(),
    };
    let form = match kind {
        RingsKind::Ring => RingsForm::Ring {
            id: r.id::<i64>("id").map(RingId),
            before: r.id::<i64>("before").map(RingId),
            form: RingForm {
                name: r.text("name"),
                soak_days: r.number("soak_days", Field::Soak),
                soak_hours: r.limit("soak_hours", Field::Soak).unwrap_or(0),
                min_successes: r.number("successes", Field::Successes),
                min_share_percent: r.limit("share", Field::Share).unwrap_or(0),
                own_release: r.ticked("own"),
                critical_products: r.ticked("critical"),
                rebooted: r.ticked("rebooted"),
                waves: r.text("waves"),
                rest_minutes: r.limit("rest", Field::Rest).unwrap_or(0),
                hold_failures: r.number("failures", Field::Failures),
                hold_percent: r.limit("percent", Field::FailureShare).unwrap_or(0),
                hold_vanished: r.number("vanished", Field::Vanished),
                max_in_flight: r.limit("at_once", Field::InFlight),
                rollback_plan: r.ticked("plan"),
            },
        },
        RingsKind::Group => RingsForm::Group {
            id: r.id::<i64>("id").map(GroupId),
            form: GroupForm {
                name: r.text("name"),
                parent: r.id::<i64>("parent").map(GroupId),
                ring: r.id::<i64>("ring").map(RingId),
                blocks_inheritance: r.ticked("blocks"),
                missed: match r.text("missed").as_str() {
                    "wait" => MissedChoice::Wait,
                    "catch_up" => MissedChoice::CatchUp {
                        after: r.number("after", Field::Missed),
                    },
                    _ => MissedChoice::Inherit,
                },
                // Nothing chosen restarts nothing.
                reboot: r.id("reboot").unwrap_or(RebootPolicy::Never),
            },
        },
        RingsKind::Location => RingsForm::Location {
            id: r.id::<i64>("id").map(LocationId),
            form: LocationForm {
                name: r.text("name"),
                zone: r.text("zone"),
                rate_kib: r.limit("rate", Field::Rate),
                max_in_flight: r.limit("at_once", Field::InFlight),
            },
        },
        RingsKind::Fleet => RingsForm::Fleet(FleetForm {
            max_in_flight: r.limit("at_once", Field::InFlight),
            retries: r.number("retries", Field::Retries),
            first_minutes: r.number("first", Field::Wait),
            longest_minutes: r.number("longest", Field::Wait),
            install_minutes: r.number("install", Field::Install),
            reboot_minutes: r.number("reboot", Field::Reboot),
            rate_kb: r.number("rate", Field::Rate),
        }),
    };
    if r.problems.is_empty() {
        Ok(form)
    } else {
        Err(r.problems)
    }
}

/// What a form looks like when it is filled in with what is stored.
fn written(form: &RingsForm) -> Fields {
    let mut fields = Fields::new();
    let mut put = |name: &str, value: String| fields.insert(name.to_owned(), value);
    let limit = |value: Option<u32>| value.map_or_else(String::new, |n| n.to_string());
    match form {
        RingsForm::Ring { form, .. } => {
            put("name", form.name.clone());
            put("soak_days", form.soak_days.to_string());
            put("soak_hours", form.soak_hours.to_string());
            put("successes", form.min_successes.to_string());
            put("share", form.min_share_percent.to_string());
            put("waves", form.waves.clone());
            put("rest", form.rest_minutes.to_string());
            put("failures", form.hold_failures.to_string());
            put("percent", form.hold_percent.to_string());
            put("vanished", form.hold_vanished.to_string());
            put("at_once", limit(form.max_in_flight));
            for (name, on) in [
                ("own", form.own_release),
                ("critical", form.critical_products),
                ("rebooted", form.rebooted),
                ("plan", form.rollback_plan),
            ] {
                if on {
                    put(name, "1".to_owned());
                }
            }
        }
        RingsForm::Group { form, .. } => {
            put("name", form.name.clone());
            put("parent", form.parent.map_or_else(String::new, |id| id.to_string()));
            put("ring", form.ring.map_or_else(String::new, |id| id.to_string()));
            if form.blocks_inheritance {
                put("blocks", "1".to_owned());
            }
            let (missed, after) = match form.missed {
                MissedChoice::Inherit => ("inherit", 3),
                MissedChoice::Wait => ("wait", 3),
                MissedChoice::CatchUp { after } => ("catch_up", after),
            };
            put("missed", missed.to_owned());
            put("after", after.to_string());
            put("reboot", form.reboot.word().to_owned());
        }
        RingsForm::Location { form, .. } => {
            put("name", form.name.clone());
            put("zone", form.zone.clone());
            put("rate", limit(form.rate_kib));
            put("at_once", limit(form.max_in_flight));
        }
        RingsForm::Fleet(form) => {
            put("at_once", limit(form.max_in_flight));
            put("retries", form.retries.to_string());
            put("first", form.first_minutes.to_string());
            put("longest", form.longest_minutes.to_string());
            put("install", form.install_minutes.to_string());
            put("reboot", form.reboot_minutes.to_string());
            put("rate", form.rate_kb.to_string());
        }
    }
    fields
}

/// What is stored: its name, its version, its form.
fn stored(page: &RingsPage, kind: RingsKind, id: i64) -> Option<(String, u64, RingsForm)> {
    Some(match kind {
        RingsKind::Ring => {
            let ring = page.rings.iter().find(|r| r.id.0 == id)?;
            let form = RingsForm::Ring {
                id: Some(ring.id),
                before: None,
                form: ring.form.clone(),
            };
            (ring.form.name.clone(), ring.version, form)
        }
        RingsKind::Group => {
            let group = page.groups.iter().find(|g| g.id.0 == id)?;
            let form = RingsForm::Group {
                id: Some(group.id),
                form: group.form.clone(),
            };
            (group.form.name.clone(), group.version, form)
        }
        RingsKind::Location => {
            let place = page.locations.iter().find(|l| l.id.0 == id)?;
            let form = RingsForm::Location {
                id: Some(place.id),
                form: place.form.clone(),
            };
            (place.form.name.clone(), place.version, form)
        }
        RingsKind::Fleet => (
            "The whole fleet".to_owned(),
            page.fleet_version,
            RingsForm::Fleet(page.fleet.clone()),
        ),
    })
}

/// What a new one starts with.
fn blank(kind: RingsKind) -> Fields {
    let none = || String::new();
    written(&match kind {
        RingsKind::Ring | RingsKind::Fleet => RingsForm::Ring {
            id: None,
            before: None,
            form: RingForm {
                name: none(),
                ..forms::rings::new_ring()
            },
        },
        RingsKind::Group => RingsForm::Group {
            id: None,
            form: GroupForm {
                name: none(),
                parent: None,
                ring: None,
                blocks_inheritance: false,
                missed: MissedChoice::Inherit,
                reboot: RebootPolicy::Never,
            },
        },
        RingsKind::Location => RingsForm::Location {
            id: None,
            form: LocationForm {
                name: none(),
                zone: "UTC".to_owned(),
                rate_kib: None,
                max_in_flight: None,
            },
        },
    })
}

/// What a form would do as it stands; with `deep` the installs that it would move are looked up, too.
pub async fn look(
    service: &Service,
    actor: &Actor,
    kind: RingsKind,
    fields: &Fields,
    deep: bool,
) -> service::Result<Look> {
    actor.require(Permission::ReadFleet)?;
    let form = match read(kind, fields) {
        Ok(form) => form,
        Err(problems) => {
            return Ok(Look {
                problems,
                ..Look::default()
            });
        }
    };
    let found = if deep {
        service.foresee_rings(actor, &form).await.map(Some)
    } else {
        forms::rings::fits(&form).map(|()| None)
    };
    let mut look = Look::default();
    match found {
        Ok(None) => {}
        Ok(Some(preview)) => {
            look.change = Some(preview.change);
            look.rings = preview.warnings;
        }
        Err(Error::Invalid { field, problem }) => look.problems.push(beside(kind, field, problem)),
        Err(Error::Refused(why)) => look.problems.push(Beside {
            field: String::new(),
            problem: FormProblem::Refused(why),
        }),
        Err(Error::NotFound) => look.problems.push(Beside {
            field: String::new(),
            problem: FormProblem::Gone,
        }),
        Err(error) => return Err(error),
    }
    Ok(look)
}

/// The page of a form. What was typed counts, when something was sent; otherwise what is stored, or a blank form with what the address fills in.
pub async fn page(
    service: &Service,
    actor: &Actor,
    kind: RingsKind,
    id: Option<i64>,
    mut typed: Fields,
) -> service::Result<RingsFormPage> {
    let page = service.rings(actor).await?;
    let sent = typed.contains_key("act");
    let id = if kind == RingsKind::Fleet { Some(0) } else { id };
    let known = id.and_then(|id| stored(&page, kind, id));
    if id.is_some() && known.is_none() && !sent {
        return Err(Error::NotFound);
    }
    let mut fields = match &known {
        _ if sent => std::mem::take(&mut typed),
        Some((_, version, form)) => {
            let mut fields = written(form);
            fields.insert("id".to_owned(), id.unwrap_or(0).to_string());
            fields.insert("version".to_owned(), version.to_string());
            fields
        }
        None => blank(kind),
    };
    if id.is_none() {
        fields.append(&mut typed);
    }
    let mut look = look(service, actor, kind, &fields, sent).await?;
    if sent {
        look.problems
            .extend(later(&page, kind, id, &fields, known.as_ref().map(|k| k.1)));
    } else {
        // Nobody is told off before typing anything.
        look.problems.clear();
    }
    let rings = page.rings.iter().map(|r| (r.id.to_string(), r.form.name.clone()));
    let own = fields.get("id").filter(|_| kind == RingsKind::Group).cloned();
    let groups = page.groups.iter().filter(|g| Some(g.id.to_string()) != own);
    let groups = groups.map(|g| {
        (
            g.id.to_string(),
            format!("{}{}", "– ".repeat(g.depth as usize), g.form.name),
        )
    });
    Ok(RingsFormPage {
        kind,
        name: known.map(|(name, ..)| name),
        rings: rings.collect(),
        groups: groups.collect(),
        fields,
        look,
    })
}

/// What stands in the way because of others: a name that is taken, a newer version.
fn later(page: &RingsPage, kind: RingsKind, id: Option<i64>, fields: &Fields, version: Option<u64>) -> Vec<Beside> {
    let mut found = Vec::new();
    let names: Vec<(i64, &str)> = match kind {
        RingsKind::Ring => page.rings.iter().map(|r| (r.id.0, r.form.name.as_str())).collect(),
        RingsKind::Group => page.groups.iter().map(|g| (g.id.0, g.form.name.as_str())).collect(),
        RingsKind::Location => page.locations.iter().map(|l| (l.id.0, l.form.name.as_str())).collect(),
        RingsKind::Fleet => Vec::new(),
    };
    let name = fields.get("name").map(|text| text.trim());
    if names
        .iter()
        .any(|(other, taken)| Some(*taken) == name && Some(*other) != id)
    {
        found.push(beside(kind, Field::Label, Problem::Taken));
    }
    let seen = fields.get("version").and_then(|text| text.parse::<u64>().ok());
    if let (Some(seen), Some(version)) = (seen, version)
        && seen != version
    {
        found.push(Beside {
            field: String::new(),
            problem: FormProblem::Newer { version },
        });
    }
    found
}

/// Saves a form that was sent, or checks it; gives the page to go back to, unless it was saved.
pub async fn save(service: &Service, actor: &Actor, mut fields: Fields) -> Result<Option<String>, AppError> {
    let kind = fields.get("what").and_then(|word| RingsKind::from_word(word));
    let kind = kind.ok_or(AppError(UiError::NotFound))?;
    actor.require(Permission::ManageDevices)?;
    let act = Act::of(&mut fields);
    let back = address(&format!("/rings/{}", kind.word()), &fields);
    if act == Act::Check {
        return Ok(Some(back + "#check"));
    }
    let refused = back + "#refused";
    let Ok(form) = read(kind, &fields) else {
        return Ok(Some(refused));
    };
    let version = fields.get("version").and_then(|text| text.parse().ok()).unwrap_or(0);
    let saved = match &form {
        RingsForm::Ring { id, before, form } => {
            service
                .save_ring(actor, id.map(|id| (id, version)), *before, form)
                .await
        }
        RingsForm::Group { id, form } => service.save_group(actor, id.map(|id| (id, version)), form).await,
        RingsForm::Location { id, form } => service.save_location(actor, id.map(|id| (id, version)), form).await,
        RingsForm::Fleet(form) => service.save_fleet_policy(actor, version, form).await,
    };
    match saved {
        Ok(_) => Ok(None),
        Err(Error::Invalid { .. } | Error::Changed | Error::NotFound | Error::Refused(_)) => Ok(Some(refused)),
        Err(error) => Err(error.into()),
    }
}
