//! The schedule's forms between the address bar and the service. Server only.

mod typed;

use super::{Act, address};
use crate::api::forms::{Beside, Fields, Look};
use crate::api::schedule::{FormPage, Removal};
use crate::error::AppError;
use domain::{DeviceId, ExceptionId, FreezeId, Permission, ProfileId, WindowId};
use server_fn::ServerFn as _;
use server_fn::error::ServerFnUrlError;
use service::{Actor, Error, Service};
use view::{Checked, FormProblem, Saved, ScheduleForm, ScheduleKind, ScheduleLine, SchedulePart, UiError, ZoneChoice};

/// Where a form goes after it was sent.
pub enum Outcome {
    /// Saved: to its page.
    Saved(String),
    /// Not saved: back to the form, as it was typed.
    Back(String),
}

/// The right to change something of this kind.
const fn right(kind: ScheduleKind) -> Permission {
    match kind {
        ScheduleKind::Profile | ScheduleKind::Window | ScheduleKind::Freeze => Permission::ManageSchedule,
        ScheduleKind::Exception => Permission::Decide,
    }
}

/// The number and version that a form was made from.
fn seen(fields: &Fields) -> Option<(i64, u64)> {
    Some((fields.get("id")?.parse().ok()?, fields.get("version")?.parse().ok()?))
}

async fn stored(
    service: &Service,
    actor: &Actor,
    kind: ScheduleKind,
    id: i64,
) -> service::Result<(ScheduleLine, ScheduleForm)> {
    fn both<F>(part: SchedulePart<F>, form: impl Fn(F) -> ScheduleForm) -> (ScheduleLine, ScheduleForm) {
        (part.line, form(part.form))
    }
    Ok(match kind {
        ScheduleKind::Profile => both(
            service.schedule_profile(actor, ProfileId(id)).await?,
            ScheduleForm::Profile,
        ),
        ScheduleKind::Window => both(
            service.schedule_window(actor, WindowId(id)).await?,
            ScheduleForm::Window,
        ),
        ScheduleKind::Freeze => both(
            service.schedule_freeze(actor, FreezeId(id)).await?,
            ScheduleForm::Freeze,
        ),
        ScheduleKind::Exception => both(
            service.schedule_exception(actor, ExceptionId(id)).await?,
            ScheduleForm::Exception,
        ),
    })
}

/// What a form would do as it stands.
pub async fn look(
    service: &Service,
    actor: &Actor,
    kind: ScheduleKind,
    fields: &Fields,
    deep: bool,
) -> service::Result<Look> {
    let form = match typed::read(service, actor, kind, fields).await? {
        Ok(form) => form,
        Err(problems) => {
            return Ok(Look {
                problems,
                ..Look::default()
            });
        }
    };
    let check = service.check_schedule(actor, &form, seen(fields), deep).await?;
    let beside = |problem: FormProblem| Beside {
        field: typed::place(kind, fields, &problem),
        problem,
    };
    Ok(Look {
        problems: check.problems.into_iter().map(beside).collect(),
        warnings: check.warnings,
        rings: Vec::new(),
        summary: check.summary,
        next: check.next,
        own_clock: match &form {
            ScheduleForm::Window(window) => window.zone == ZoneChoice::Device,
            ScheduleForm::Profile(profile) => profile.frame.as_ref().is_some_and(|f| f.zone == ZoneChoice::Device),
            ScheduleForm::Freeze(_) | ScheduleForm::Exception(_) => false,
        },
        change: check.change,
    })
}

/// The page of a form. What was typed counts, when something was sent; otherwise what is stored, or a blank form with what the address fills in.
pub async fn page(
    service: &Service,
    actor: &Actor,
    kind: ScheduleKind,
    id: Option<i64>,
    mut typed: Fields,
) -> service::Result<FormPage> {
    actor.require(Permission::ReadFleet)?;
    let sent = typed.contains_key("act");
    let (line, stored) = match id {
        // What was typed is kept even when somebody deleted it meanwhile.
        Some(id) => match stored(service, actor, kind, id).await {
            Ok((line, form)) => (Some(line), Some(form)),
            Err(Error::NotFound) if sent => (None, None),
            Err(error) => return Err(error),
        },
        None => (None, None),
    };
    let mut fields = match &stored {
        _ if sent => std::mem::take(&mut typed),
        Some(form) => typed::fields(form),
        None => typed::blank(kind),
    };
    if id.is_none() {
        fields.append(&mut typed);
    }
    if let (Some(line), false) = (&line, sent) {
        fields.insert("id".to_owned(), line.id.to_string());
        fields.insert("version".to_owned(), line.version.to_string());
    }
    let mut look = look(service, actor, kind, &fields, sent).await?;
    if !sent {
        // Nobody is told off before typing anything.
        look.problems.clear();
    }
    let mut devices: Vec<DeviceId> = Vec::new();
    if let Ok(ScheduleForm::Profile(form)) = typed::read(service, actor, kind, &fields).await? {
        // Names that were added are boxes from now on.
        fields.remove("add_devices");
        fields.remove("add_not_devices");
        for (prefix, ids) in [("device", &form.devices), ("notdevice", &form.not_devices)] {
            fields.extend(ids.iter().map(|id| (format!("{prefix}{id}"), "1".to_owned())));
        }
    }
    for name in fields.keys() {
        let number = name.strip_prefix("not").unwrap_or(name).strip_prefix("device");
        devices.extend(number.and_then(|n| n.parse().ok()).map(DeviceId));
    }
    let one = fields
        .get("device")
        .and_then(|text| text.strip_prefix('#')?.parse().ok());
    devices.extend(one.map(DeviceId));
    let devices = service.device_names(actor, &devices).await?;
    let choices = service.schedule_choices(actor, kind).await?;
    // A bare number says little: its name beside it.
    if let (Some(text), Some(host)) = (fields.get_mut("device"), one.and_then(|id| devices.get(&id))) {
        text.push(' ');
        text.push_str(host);
    }
    if let Some(text) = fields.get_mut("patch")
        && let Some(full) = choices
            .patches
            .iter()
            .find(|full| full.starts_with(&format!("{text} ")))
    {
        full.clone_into(text);
    }
    let seen = match (kind, &line) {
        (ScheduleKind::Profile, Some(line)) => Some(service.profile_hours(actor, ProfileId(line.id)).await?),
        _ => None,
    };
    Ok(FormPage {
        kind,
        seen,
        choices,
        devices,
        line,
        fields,
        look,
    })
}

/// Saves a form that was sent, or checks it.
pub async fn save(service: &Service, actor: &Actor, mut fields: Fields) -> Result<Outcome, AppError> {
    let kind = fields.get("what").and_then(|word| ScheduleKind::from_folder(word));
    let kind = kind.ok_or(AppError(UiError::NotFound))?;
    actor.require(right(kind))?;
    let act = Act::of(&mut fields);
    let back = address(&format!("/schedule/{}", kind.folder()), &fields);
    if act == Act::Check {
        return Ok(Outcome::Back(back + "#check"));
    }
    let Ok(form) = typed::read(service, actor, kind, &fields).await? else {
        return Ok(Outcome::Back(back + "#refused"));
    };
    match store(service, actor, seen(&fields), &form).await {
        Ok(Ok(saved)) => Ok(Outcome::Saved(format!("/schedule/{}/{}", kind.folder(), saved.id))),
        Ok(Err(_)) | Err(Error::Invalid { .. } | Error::Changed | Error::NotFound) => {
            Ok(Outcome::Back(back + "#refused"))
        }
        Err(error @ (Error::NotAllowed(_) | Error::NotSignedIn)) => Err(error.into()),
        Err(error) => Ok(Outcome::Back(with_error(&back, error.into()))),
    }
}

/// An address that says what went wrong on the server, as those of other forms without JavaScript do.
fn with_error(address: &str, error: AppError) -> String {
    const ANY: &str = "http://localhost";
    let path = crate::api::schedule::SaveSchedule::PATH;
    ServerFnUrlError::new(path, error)
        .to_url(&format!("{ANY}{address}"))
        .map_or_else(|_| address.to_owned(), |url| url.as_str().replacen(ANY, "", 1))
}

async fn store(
    service: &Service,
    actor: &Actor,
    seen: Option<(i64, u64)>,
    form: &ScheduleForm,
) -> service::Result<Checked<Saved>> {
    match form {
        ScheduleForm::Profile(form) => {
            service
                .save_profile(actor, seen.map(|(id, v)| (ProfileId(id), v)), form)
                .await
        }
        ScheduleForm::Window(form) => {
            service
                .save_window(actor, seen.map(|(id, v)| (WindowId(id), v)), form)
                .await
        }
        ScheduleForm::Freeze(form) => {
            service
                .save_freeze(actor, seen.map(|(id, v)| (FreezeId(id), v)), form)
                .await
        }
        ScheduleForm::Exception(form) => {
            service
                .save_exception(actor, seen.map(|(id, v)| (ExceptionId(id), v)), form)
                .await
        }
    }
}

/// The page that asks before something is deleted.
pub async fn removal(service: &Service, actor: &Actor, kind: ScheduleKind, id: i64) -> service::Result<Removal> {
    let (line, _) = stored(service, actor, kind, id).await?;
    Ok(Removal {
        kind,
        line,
        change: service.what_would_change_without(actor, kind, id).await?,
    })
}

/// Deletes something that was seen at a version.
pub async fn delete(service: &Service, actor: &Actor, what: &str, id: i64, version: u64) -> Result<Saved, AppError> {
    Ok(
        match ScheduleKind::from_folder(what).ok_or(AppError(UiError::NotFound))? {
            ScheduleKind::Profile => service.delete_profile(actor, ProfileId(id), version).await?,
            ScheduleKind::Window => service.delete_window(actor, WindowId(id), version).await?,
            ScheduleKind::Freeze => service.delete_freeze(actor, FreezeId(id), version).await?,
            ScheduleKind::Exception => service.delete_exception(actor, ExceptionId(id), version).await?,
        },
    )
}
