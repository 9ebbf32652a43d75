//! Patches: the status view, one patch, decisions, holds, rollbacks.

use crate::AppError;
use crate::error::Read;
use domain::{PatchId, RingId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use view::{Counts, PatchDevices, PatchFilter, PatchList, PatchPage, PatchRow, RingName};

/// What a decision would be about, before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The patches; for "all matching" the first page of them.
    pub rows: Vec<PreviewRow>,
    /// How many altogether.
    pub total: u32,
    /// For "all matching": which ones, and each as it was, in a short text that the decision brings back.
    pub fingerprint: String,
    /// Rings, in order.
    pub rings: Vec<RingName>,
    /// Of these, the rings that ask for a rollback plan.
    pub plan_asked_by: Vec<RingName>,
}

/// One patch of a preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRow {
    /// As it is now.
    pub row: PatchRow,
    /// Devices of each ring; empty for "all matching".
    pub lanes: Vec<(RingId, Counts)>,
    /// It has a rollback plan, or a waiver; not known for "all matching".
    pub planned: Option<bool>,
}

/// The status view.
#[server(prefix = "/api", endpoint = "patches/list", protocol = Read)]
pub async fn patches(filter: PatchFilter) -> Result<PatchList, AppError> {
    use crate::ctx;
    Ok(ctx::service().patches(&ctx::actor()?, &filter).await?)
}

/// One patch, with those of its devices that are asked for.
#[server(prefix = "/api", endpoint = "patches/one", protocol = Read)]
pub async fn patch(id: PatchId, shown: PatchDevices) -> Result<PatchPage, AppError> {
    use crate::ctx;
    Ok(ctx::service().patch(&ctx::actor()?, id, &shown).await?)
}

/// The patches that a decision is about: those named, or all that match when none is named.
#[server(prefix = "/api", endpoint = "patches/preview", protocol = Read)]
pub async fn preview_decision(ids: Vec<PatchId>, matching: Option<PatchFilter>) -> Result<Preview, AppError> {
    use crate::ctx;
    let (actor, service) = (ctx::actor()?, ctx::service());
    let plan_asked_by = service.rings_asking_for_a_plan(&actor).await?;
    if let Some(filter) = matching {
        let (list, shown) = service.patches_to_decide(&actor, &filter).await?;
        let rows = list
            .rows
            .into_iter()
            .map(|row| PreviewRow {
                row,
                lanes: Vec::new(),
                planned: None,
            })
            .collect();
        return Ok(Preview {
            rows,
            total: shown.count,
            fingerprint: shown.fingerprint,
            rings: list.rings,
            plan_asked_by,
        });
    }
    let (mut rows, mut rings) = (Vec::new(), Vec::new());
    for id in ids.into_iter().take(view::PAGE_SIZE as usize) {
        let page = service.patch(&actor, id, &PatchDevices::default()).await?;
        rings = page
            .lanes
            .iter()
            .map(|l| RingName {
                id: l.ring,
                name: l.name.clone(),
            })
            .collect();
        let lanes = page.lanes.iter().map(|l| (l.ring, l.counts)).collect();
        rows.push(PreviewRow {
            row: page.row,
            lanes,
            planned: Some(page.way_back.plan.is_some()),
        });
    }
    let total = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    Ok(Preview {
        rows,
        total,
        fingerprint: String::new(),
        rings,
        plan_asked_by,
    })
}

/// What can be ticked for an approval; `1` where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ticks {
    /// Skip the soak.
    pub urgent: String,
    /// Install outside maintenance windows, too.
    pub outside_windows: String,
    /// Approve superseded ones, too.
    pub with_superseded: String,
    /// Go without a rollback plan where there is none.
    pub without_plan: String,
}

/// All patches that match, as the person saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllMatching {
    /// The filter, as it stands in the address.
    pub matching: String,
    /// How many there were.
    pub count: String,
    /// Which ones ([`Preview::fingerprint`]).
    pub fingerprint: String,
}

/// Approve, deny or withdraw. `selection` names patches as `id.revision` with commas between; when it is empty, `all` says which.
#[server(prefix = "/api", endpoint = "patches/decide")]
pub async fn decide(
    verb: String,
    ring: String,
    #[server(default)] selection: String,
    #[server(flatten)] all: AllMatching,
    #[server(default)] reason: String,
    #[server(default)] back: String,
    #[server(flatten)] ticks: Ticks,
) -> Result<(), AppError> {
    let typed = crate::forms::decide::Typed {
        verb,
        ring,
        selection,
        all,
        reason,
        back,
        ticks,
    };
    let done = typed.carry_out().await;
    if let Err(refusal) = &done {
        typed.way_back(refusal);
    }
    done
}

/// What is typed into the form of a rollback plan, or of going without one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanFields {
    /// Who carries it out; empty: who writes it.
    pub owner: String,
    /// How.
    pub how: String,
    /// When it is to be used.
    pub use_when: String,
    /// Why there is none.
    pub reason: String,
}

/// Writes the rollback plan of a patch, or with `what=waive` why it goes without one. `version` is that of what was shown.
#[server(prefix = "/api", endpoint = "patches/save_plan")]
pub async fn save_plan(
    patch: String,
    version: String,
    what: String,
    #[server(flatten)] fields: PlanFields,
) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let (form, notice) = match what.as_str() {
        "plan" => {
            let owner = match fields.owner.as_str() {
                "" => None,
                owner => Some(answer::parse_field(owner, view::Field::Owner)?),
            };
            let (how, use_when) = (fields.how, fields.use_when);
            (view::PlanForm::Plan { owner, how, use_when }, Notice::Planned)
        }
        "waive" => (view::PlanForm::Waive { reason: fields.reason }, Notice::PlanWaived),
        _ => return Err(AppError(view::UiError::NotFound)),
    };
    ctx::service()
        .save_rollback_plan(&actor, answer::parse(&patch)?, answer::parse(&version)?, &form)
        .await?;
    answer::finish(&format!("/patches/{patch}"), notice);
    Ok(())
}

/// Saves the filter of the status view (as it stands in the address) under a name of one's own.
#[server(prefix = "/api", endpoint = "patches/save_view")]
pub async fn save_view(name: String, #[server(default)] matching: String) -> Result<(), AppError> {
    use crate::{address, answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let filter = address::patch_filter(&answer::params(&matching));
    ctx::service().save_view(&actor, &name, &filter).await?;
    answer::finish(&address::patch_query(&filter).on("/patches"), Notice::ViewSaved);
    Ok(())
}

/// Deletes a saved view of one's own.
#[server(prefix = "/api", endpoint = "patches/delete_view")]
pub async fn delete_view(view: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service().delete_view(&actor, answer::parse(&view)?).await?;
    answer::finish("/patches", Notice::ViewDeleted);
    Ok(())
}

/// Stops a rollout.
#[server(prefix = "/api", endpoint = "patches/hold")]
pub async fn hold(patch: String, reason: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service().hold(&actor, answer::parse(&patch)?, &reason).await?;
    answer::finish(&format!("/patches/{patch}"), Notice::Held);
    Ok(())
}

/// Resolves a hold; `revision` is the patch's as it was shown.
#[server(prefix = "/api", endpoint = "patches/resume")]
pub async fn resume(patch: String, hold: String, revision: String, reason: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let seen = Some(answer::parse(&revision)?);
    ctx::service()
        .resume(&actor, answer::parse(&hold)?, seen, &reason)
        .await?;
    answer::finish(&format!("/patches/{patch}"), Notice::Resumed);
    Ok(())
}

/// Reports a problem with a patch on a device.
#[server(prefix = "/api", endpoint = "patches/problem")]
pub async fn problem(
    device: String,
    patch: String,
    reason: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service()
        .report_problem(&actor, answer::parse(&device)?, answer::parse(&patch)?, &reason)
        .await?;
    answer::finish(&back, Notice::Problem);
    Ok(())
}

/// Orders the rollback of a patch on one device.
#[server(prefix = "/api", endpoint = "patches/roll_back")]
pub async fn roll_back(
    device: String,
    patch: String,
    reason: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service()
        .roll_back(&actor, answer::parse(&device)?, answer::parse(&patch)?, &reason)
        .await?;
    answer::finish(&back, Notice::RollBack);
    Ok(())
}

/// Orders the rollback of a patch on every device of a ring that has it from us.
#[server(prefix = "/api", endpoint = "patches/roll_back_ring")]
pub async fn roll_back_ring(ring: String, patch: String, reason: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let n = ctx::service()
        .roll_back_ring(&actor, answer::parse(&ring)?, answer::parse(&patch)?, &reason)
        .await?;
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    answer::finish_with(&format!("/patches/{patch}"), Notice::RollBack, &[("n", n)]);
    Ok(())
}

/// Lets a device try again what it has tried in vain too often; `latest` is the latest attempt that was shown.
#[server(prefix = "/api", endpoint = "patches/try_again")]
pub async fn try_again(
    device: String,
    patch: String,
    what: String,
    latest: String,
    reason: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let shown = (answer::parse(&what)?, answer::parse(&latest)?);
    ctx::service()
        .try_again(&actor, answer::parse(&device)?, answer::parse(&patch)?, shown, &reason)
        .await?;
    answer::finish(&back, Notice::TriedAgain);
    Ok(())
}

/// Lifts the block that a rollback left.
#[server(prefix = "/api", endpoint = "patches/lift_block")]
pub async fn lift_block(
    device: String,
    patch: String,
    reason: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service()
        .lift_block(&actor, answer::parse(&device)?, answer::parse(&patch)?, &reason)
        .await?;
    answer::finish(&back, Notice::Lifted);
    Ok(())
}
