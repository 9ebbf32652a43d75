//! The schedule: profiles, maintenance windows, freezes, exceptions.

use crate::AppError;
use crate::error::Read;
use leptos::prelude::*;
use view::{CalendarAsk, CalendarPage, SchedulePage};

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
