//! Signing in and out.

use crate::AppError;
use crate::error::Read;
use leptos::prelude::*;
use view::Me;

/// Who is signed in; sends everybody else to the sign-in page.
#[server(prefix = "/api", endpoint = "session/me", protocol = Read)]
pub async fn who() -> Result<Me, AppError> {
    use crate::{address::Query, answer, ctx};
    match ctx::actor() {
        Ok(actor) => Ok(ctx::service().me(&actor).await?),
        Err(refusal) => {
            let mut query = Query::default();
            query.add("next", &answer::wanted_page());
            leptos_axum::redirect(&query.on("/sign-in"));
            Err(refusal.into())
        }
    }
}

/// Name and password.
#[server(prefix = "/api", endpoint = "session/sign_in")]
pub async fn sign_in(name: String, password: String, #[server(default)] next: String) -> Result<(), AppError> {
    use crate::{answer, ctx};
    let session = ctx::service()
        .sign_in(&name, &password, ctx::peer(), &ctx::client())
        .await?;
    ctx::set_session_cookie(&session);
    leptos_axum::redirect(answer::local(&next));
    Ok(())
}

/// A one-time link that was made on the host.
#[server(prefix = "/api", endpoint = "session/follow_link")]
pub async fn follow_link(token: String) -> Result<(), AppError> {
    use crate::ctx;
    let session = ctx::service()
        .sign_in_by_link(&token, ctx::peer(), &ctx::client())
        .await?;
    ctx::set_session_cookie(&session);
    leptos_axum::redirect("/patches");
    Ok(())
}

/// Ends the own session.
#[server(prefix = "/api", endpoint = "session/sign_out")]
pub async fn sign_out() -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    if let Ok(actor) = ctx::actor() {
        ctx::service().sign_out(&actor).await?;
    }
    ctx::clear_session_cookie();
    answer::finish("/sign-in", Notice::SignedOut);
    Ok(())
}
