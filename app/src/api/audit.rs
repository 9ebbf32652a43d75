//! The audit log.

use crate::AppError;
use crate::error::Read;
use leptos::prelude::*;
use view::{AuditFilter, AuditPage};

/// The audit log, newest first.
#[server(prefix = "/api", endpoint = "audit/list", protocol = Read)]
pub async fn audit(filter: AuditFilter) -> Result<AuditPage, AppError> {
    use crate::ctx;
    Ok(ctx::service().audit(&ctx::actor()?, &filter).await?)
}
