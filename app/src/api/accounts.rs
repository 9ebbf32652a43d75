//! Accounts, sessions, enrolment tokens.

use crate::AppError;
use crate::error::Read;

use leptos::prelude::*;
use view::{AccountsPage, NewToken};

/// The page of accounts and enrolment.
#[server(prefix = "/api", endpoint = "accounts/list", protocol = Read)]
pub async fn accounts() -> Result<AccountsPage, AppError> {
    use crate::ctx;
    Ok(ctx::service().accounts(&ctx::actor()?).await?)
}

/// The token that the request before this one made, if any; it is shown once.
#[server(prefix = "/api", endpoint = "accounts/new_token", protocol = Read)]
pub async fn fresh_token() -> Result<Option<NewToken>, AppError> {
    use crate::{answer, ctx};
    ctx::actor()?;
    let Some([token, command, expires]) = answer::take_once() else {
        return Ok(None);
    };
    Ok(Some(NewToken {
        token,
        command,
        expires: domain::Moment(answer::parse(&expires)?),
    }))
}

/// Makes an account.
#[server(prefix = "/api", endpoint = "accounts/create")]
pub async fn create_account(name: String, role: String, #[server(default)] password: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let role = answer::parse_field(&role, view::Field::Role)?;
    let password = Some(password.as_str()).filter(|p| !p.is_empty());
    ctx::service().create_account(&actor, &name, role, password).await?;
    answer::finish("/accounts", Notice::AccountMade);
    Ok(())
}

/// Changes a role.
#[server(prefix = "/api", endpoint = "accounts/role")]
pub async fn set_role(account: String, role: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let role = answer::parse_field(&role, view::Field::Role)?;
    ctx::service().set_role(&actor, answer::parse(&account)?, role).await?;
    answer::finish("/accounts", Notice::RoleSet);
    Ok(())
}

/// Disables or enables an account.
#[server(prefix = "/api", endpoint = "accounts/disabled")]
pub async fn set_disabled(account: String, disabled: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let disabled = disabled == "1";
    ctx::service()
        .set_disabled(&actor, answer::parse(&account)?, disabled)
        .await?;
    answer::finish("/accounts", if disabled { Notice::Disabled } else { Notice::Enabled });
    Ok(())
}

/// Sets a password: the own one, or anybody's as administrator.
#[server(prefix = "/api", endpoint = "accounts/password")]
pub async fn set_password(
    account: String,
    #[server(default)] current: String,
    password: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let current = Some(current.as_str()).filter(|p| !p.is_empty());
    ctx::service()
        .set_password(&actor, answer::parse(&account)?, current, &password)
        .await?;
    answer::finish(&back, Notice::PasswordSet);
    Ok(())
}

/// Ends a session.
#[server(prefix = "/api", endpoint = "accounts/end_session")]
pub async fn end_session(session: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service().end_session(&actor, &session).await?;
    answer::finish("/accounts", Notice::SessionEnded);
    Ok(())
}

/// Makes an enrolment token; its text is shown once, on the page that follows.
#[server(prefix = "/api", endpoint = "accounts/create_token")]
pub async fn create_token(
    label: String,
    #[server(default)] group: String,
    #[server(default)] accept: String,
    #[server(default)] scan_only: String,
    max_uses: String,
    hours: String,
) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    use service::commands::tokens::TokenRequest;
    use view::Field;
    let actor = ctx::actor()?;
    let request = TokenRequest {
        label,
        group: if group.is_empty() {
            None
        } else {
            Some(answer::parse_field(&group, Field::Group)?)
        },
        accept: accept == "1",
        scan_only: scan_only == "1",
        max_uses: answer::parse_field(&max_uses, Field::Uses)?,
        hours: answer::parse_field(&hours, Field::Hours)?,
    };
    let made = ctx::service().create_token(&actor, request).await?;
    answer::keep_once([&made.token, &made.command, &made.expires.0.to_string()]);
    answer::finish("/accounts", Notice::TokenMade);
    Ok(())
}

/// Revokes a token.
#[server(prefix = "/api", endpoint = "accounts/revoke_token")]
pub async fn revoke_token(token: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service().revoke_token(&actor, answer::parse(&token)?).await?;
    answer::finish("/accounts", Notice::TokenRevoked);
    Ok(())
}
