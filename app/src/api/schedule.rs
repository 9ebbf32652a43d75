//! The schedule: profiles, maintenance windows, freezes, exceptions.

use super::forms::{Fields, Look};
use crate::AppError;
use crate::error::Read;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use view::{
    CalendarAsk, CalendarPage, ScheduleChoices, ScheduleKind, ScheduleLine, SchedulePage, SeenHours, WhatWouldChange,
};

/// The page of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormPage {
    /// What it is for.
    pub kind: ScheduleKind,
    /// What is stored; none for a new one.
    pub line: Option<ScheduleLine>,
    /// What stands in the form.
    pub fields: Fields,
    /// What can be chosen.
    pub choices: ScheduleChoices,
    /// Names of the devices whose numbers are in the form.
    pub devices: BTreeMap<i64, String>,
    /// What it would do.
    pub look: Look,
    /// Of a stored profile: in which hours its devices are seen, and whether its hours are long enough.
    pub seen: Option<SeenHours>,
}

/// The page that asks before something is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// What it is.
    pub kind: ScheduleKind,
    /// What is stored.
    pub line: ScheduleLine,
    /// What would change without it.
    pub change: WhatWouldChange,
}

/// Everything that is scheduled.
#[server(prefix = "/api", endpoint = "schedule/list", protocol = Read)]
pub async fn schedule() -> Result<SchedulePage, AppError> {
    use crate::ctx;
    Ok(ctx::service().schedule(&ctx::actor()?).await?)
}

/// A week or a month.
#[server(prefix = "/api", endpoint = "schedule/calendar", protocol = Read)]
pub async fn calendar(ask: CalendarAsk) -> Result<CalendarPage, AppError> {
    use crate::ctx;
    Ok(ctx::service().calendar(&ctx::actor()?, &ask).await?)
}

/// A form: as it is stored, or as it was typed, or blank.
#[server(prefix = "/api", endpoint = "schedule/form", protocol = Read)]
pub async fn schedule_form(kind: ScheduleKind, id: Option<i64>, typed: Fields) -> Result<FormPage, AppError> {
    use crate::{ctx, forms::schedule};
    Ok(schedule::page(&ctx::service(), &ctx::actor()?, kind, id, typed).await?)
}

/// What a form would do while it is typed; what it would change only with `deep`.
#[server(prefix = "/api", endpoint = "schedule/check", protocol = Read)]
pub async fn check_form(kind: ScheduleKind, typed: Fields, deep: bool) -> Result<Look, AppError> {
    use crate::{ctx, forms::schedule};
    Ok(schedule::look(&ctx::service(), &ctx::actor()?, kind, &typed, deep).await?)
}

/// Saves a form, or with `act=check` only shows what saving it would do. A form that is refused comes back as it was typed.
#[server(prefix = "/api", endpoint = "schedule/save")]
pub async fn save_schedule(#[server(flatten)] fields: Fields) -> Result<(), AppError> {
    use crate::{answer, ctx, forms::schedule, notice::Notice};
    let (service, actor) = (ctx::service(), ctx::actor()?);
    match schedule::save(&service, &actor, fields).await? {
        schedule::Outcome::Saved(page) => answer::finish(&page, Notice::Scheduled),
        schedule::Outcome::Back(page) => leptos_axum::redirect(&page),
    }
    Ok(())
}

/// What would change without something.
#[server(prefix = "/api", endpoint = "schedule/removal", protocol = Read)]
pub async fn before_removal(kind: ScheduleKind, id: i64) -> Result<Removal, AppError> {
    use crate::{ctx, forms::schedule};
    Ok(schedule::removal(&ctx::service(), &ctx::actor()?, kind, id).await?)
}

/// Deletes something that was seen at a version.
#[server(prefix = "/api", endpoint = "schedule/delete")]
pub async fn delete_schedule(what: String, id: String, version: String) -> Result<(), AppError> {
    use crate::{answer, ctx, forms::schedule, notice::Notice};
    let (service, actor) = (ctx::service(), ctx::actor()?);
    schedule::delete(&service, &actor, &what, answer::parse(&id)?, answer::parse(&version)?).await?;
    answer::finish("/schedule", Notice::Unscheduled);
    Ok(())
}
