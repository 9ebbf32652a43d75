//! Small marks: severity, state, approval. Each has a shape and a word besides its colour.

use super::icon::icon;
use crate::words;
use domain::{DeviceState, PatchState, Severity, Urgency};
use leptos::prelude::*;
use view::{Approval, RingApproval};

/// A severity: a four-step meter and its word.
pub fn severity(severity: Severity) -> AnyView {
    // All four steps, and over them those that are reached: two elements of the sprite, because every row of a list has one.
    let reached = format!("#steps-{}", severity.code().clamp(0, 4));
    view! {
        <span class="severity" data-severity=severity.word()>
            <svg viewBox="0 0 15 12" class="steps" aria-hidden="true">
                <use href="#steps-4" class="off"></use>
                <use href=reached class="on"></use>
            </svg>
            {severity.label()}
        </span>
    }
    .into_any()
}

/// A labelled mark.
pub fn badge(tone: &'static str, icon_name: &'static str, text: String) -> AnyView {
    view! { <span class="badge" data-tone=tone>{icon(icon_name)} <span>{text}</span></span> }.into_any()
}

/// The state of a patch on a device.
pub fn patch_state(state: PatchState) -> AnyView {
    let (tone, icon) = match state {
        PatchState::Installed | PatchState::InstalledBySuperseding => ("good", "check"),
        PatchState::Failed => ("bad", "cross"),
        PatchState::PendingReboot | PatchState::RestartNeeded => ("warn", "restart"),
        PatchState::Missing => ("open", "dot"),
        PatchState::Downloading | PatchState::Staged | PatchState::Installing => ("run", "down"),
        PatchState::Unknown => ("unknown", "unknown"),
        PatchState::RolledBack => ("warn", "undo"),
        PatchState::NotApplicable | PatchState::Superseded => ("quiet", "swap"),
    };
    badge(tone, icon, state.label().to_owned())
}

/// Where a device stands with the server.
pub fn device_state(state: DeviceState) -> AnyView {
    let (tone, icon) = match state {
        DeviceState::Active => ("good", "check"),
        DeviceState::Pending => ("warn", "clock"),
        DeviceState::Quarantined => ("bad", "alert"),
        DeviceState::Revoked => ("quiet", "cross"),
    };
    badge(tone, icon, state.label().to_owned())
}

/// Icon and tone of a decision.
pub const fn approval_look(approval: Approval) -> (&'static str, &'static str) {
    match approval {
        Approval::None => ("quiet", "dot"),
        Approval::Approved {
            urgent: Urgency::Normal,
        } => ("good", "check"),
        Approval::Approved {
            urgent: Urgency::SkipSoak | Urgency::SkipSoakAndWindows,
        } => ("warn", "bolt"),
        Approval::Denied => ("bad", "cross"),
    }
}

/// One chip a ring: `Pilot approved`, `Production not decided`.
pub fn approvals(rings: &[RingApproval]) -> AnyView {
    let chips = rings.iter().map(|ring| {
        let (tone, name) = approval_look(ring.approval);
        view! {
            <li class="ring-chip" data-tone=tone>
                {icon(name)} <span class="ring-name">{ring.name.clone()}</span> " " <span class="ring-word">{words::approval(ring.approval)}</span>
            </li>
        }
    });
    view! { <ul class="ring-chips">{chips.collect::<Vec<_>>()}</ul> }.into_any()
}
