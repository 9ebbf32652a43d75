//! Rings, the tree of groups, places, and what counts for the whole fleet.

use super::forms::{Fields, Look};
use crate::AppError;
use crate::error::Read;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use view::{RingsPage, RingsStep, RingsStepPreview};

/// What a form of these pages is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingsKind {
    /// A ring.
    Ring,
    /// A group.
    Group,
    /// A location.
    Location,
    /// The whole fleet.
    Fleet,
}

impl RingsKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ring, Self::Group, Self::Location, Self::Fleet];

    /// The word in addresses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Group => "group",
            Self::Location => "location",
            Self::Fleet => "fleet",
        }
    }

    /// Reads the word in an address.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The page of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingsFormPage {
    /// What it is for.
    pub kind: RingsKind,
    /// The name of what is stored; none for a new one.
    pub name: Option<String>,
    /// What stands in the form.
    pub fields: Fields,
    /// Rings, by number.
    pub rings: Vec<(String, String)>,
    /// Groups, by number.
    pub groups: Vec<(String, String)>,
    /// What it would do.
    pub look: Look,
}

/// The page.
#[server(prefix = "/api", endpoint = "rings/list", protocol = Read)]
pub async fn rings() -> Result<RingsPage, AppError> {
    use crate::ctx;
    Ok(ctx::service().rings(&ctx::actor()?).await?)
}

/// A form: as it is stored, or as it was typed, or blank.
#[server(prefix = "/api", endpoint = "rings/form", protocol = Read)]
pub async fn rings_form(kind: RingsKind, id: Option<i64>, typed: Fields) -> Result<RingsFormPage, AppError> {
    use crate::{ctx, forms::rings};
    Ok(rings::page(&ctx::service(), &ctx::actor()?, kind, id, typed).await?)
}

/// What a form would do while it is typed; what it would change only with `deep`.
#[server(prefix = "/api", endpoint = "rings/check", protocol = Read)]
pub async fn check_rings(kind: RingsKind, typed: Fields, deep: bool) -> Result<Look, AppError> {
    use crate::{ctx, forms::rings};
    Ok(rings::look(&ctx::service(), &ctx::actor()?, kind, &typed, deep).await?)
}

/// Saves a form, or with `act=check` only shows what saving it would do. A form that is refused comes back as it was typed.
#[server(prefix = "/api", endpoint = "rings/save")]
pub async fn save_rings(#[server(flatten)] fields: Fields) -> Result<(), AppError> {
    use crate::{answer, ctx, forms::rings, notice::Notice};
    match rings::save(&ctx::service(), &ctx::actor()?, fields).await? {
        None => answer::finish("/rings", Notice::Scheduled),
        Some(back) => leptos_axum::redirect(&back),
    }
    Ok(())
}

/// What moving or removing something would bring.
#[server(prefix = "/api", endpoint = "rings/foresee", protocol = Read)]
pub async fn before_step(step: RingsStep) -> Result<RingsStepPreview, AppError> {
    use crate::ctx;
    Ok(ctx::service().foresee_step(&ctx::actor()?, step).await?)
}

/// Moves a ring one place earlier or later.
#[server(prefix = "/api", endpoint = "rings/move")]
pub async fn move_ring(ring: String, version: String, #[server(default)] earlier: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let (id, version) = (answer::parse(&ring)?, answer::parse(&version)?);
    ctx::service()
        .move_ring(&ctx::actor()?, id, version, !earlier.is_empty())
        .await?;
    answer::finish("/rings", Notice::RingMoved);
    Ok(())
}

/// Removes a ring or a group that nothing uses, or a location.
#[server(prefix = "/api", endpoint = "rings/remove")]
pub async fn remove_ring(what: String, id: String, version: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let (service, actor, version) = (ctx::service(), ctx::actor()?, answer::parse(&version)?);
    match RingsKind::from_word(&what) {
        Some(RingsKind::Ring) => service.remove_ring(&actor, answer::parse(&id)?, version).await?,
        Some(RingsKind::Group) => service.remove_group(&actor, answer::parse(&id)?, version).await?,
        Some(RingsKind::Location) => service.remove_location(&actor, answer::parse(&id)?, version).await?,
        Some(RingsKind::Fleet) | None => return Err(AppError(view::UiError::NotFound)),
    };
    answer::finish("/rings", Notice::Unscheduled);
    Ok(())
}

/// Says that a product must not fail, or no longer.
#[server(prefix = "/api", endpoint = "rings/critical")]
pub async fn set_critical(product: String, #[server(default)] critical: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    ctx::service()
        .save_product_criticality(&ctx::actor()?, &product, !critical.is_empty())
        .await?;
    answer::finish("/rings", Notice::Scheduled);
    Ok(())
}
