//! Small marks: severity, state, approval. Each has a shape and a word besides its colour.

use super::html::piece;
use super::icon::icon_html;
use crate::words;
use domain::{DeviceState, PatchState, Severity, Urgency};
use leptos::prelude::*;
use maud::{Markup, html};
use view::{Approval, RingApproval};

/// A severity: a four-step meter and its word.
pub fn severity(severity: Severity) -> AnyView {
    // All four steps, and over them those that are reached.
    let inner = html! {
        svg.steps viewBox="0 0 15 12" aria-hidden="true" {
            use.off href="#steps-4" {}
            use.on href={ "#steps-" (severity.code().clamp(0, 4)) } {}
        }
        (severity.label())
    };
    view! { <span class="severity" data-severity=severity.word() {..piece(inner)}></span> }.into_any()
}

/// A labelled mark.
pub fn badge(tone: &'static str, icon_name: &'static str, text: String) -> AnyView {
    let inner = html! { (icon_html(icon_name)) span { (text) } };
    view! { <span class="badge" data-tone={tone} {..piece(inner)}></span> }.into_any()
}

/// As HTML.
pub fn badge_html(tone: &'static str, icon_name: &'static str, text: &str) -> Markup {
    html! { span.badge data-tone=(tone) { (icon_html(icon_name)) span { (text) } } }
}

/// The state of a patch on a device.
pub fn patch_state(state: PatchState) -> AnyView {
    let (tone, icon) = patch_state_look(state);
    badge(tone, icon, state.label().to_owned())
}

/// As HTML.
pub fn patch_state_html(state: PatchState) -> Markup {
    let (tone, icon) = patch_state_look(state);
    badge_html(tone, icon, state.label())
}

const fn patch_state_look(state: PatchState) -> (&'static str, &'static str) {
    match state {
        PatchState::Installed | PatchState::InstalledBySuperseding => ("good", "check"),
        PatchState::Failed => ("bad", "cross"),
        PatchState::PendingReboot | PatchState::RestartNeeded => ("warn", "restart"),
        PatchState::Missing => ("open", "dot"),
        PatchState::Downloading | PatchState::Staged | PatchState::Installing => ("run", "down"),
        PatchState::Unknown => ("unknown", "unknown"),
        PatchState::RolledBack => ("warn", "undo"),
        PatchState::NotApplicable | PatchState::Superseded => ("quiet", "swap"),
    }
}

/// Where a device stands with the server.
pub fn device_state(state: DeviceState) -> AnyView {
    let (tone, icon) = device_state_look(state);
    badge(tone, icon, state.label().to_owned())
}

/// As HTML.
pub fn device_state_html(state: DeviceState) -> Markup {
    let (tone, icon) = device_state_look(state);
    badge_html(tone, icon, state.label())
}

const fn device_state_look(state: DeviceState) -> (&'static str, &'static str) {
    match state {
        DeviceState::Active => ("good", "check"),
        DeviceState::Pending => ("warn", "clock"),
        DeviceState::Quarantined => ("bad", "alert"),
        DeviceState::Revoked => ("quiet", "cross"),
    }
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
    let chips = html! {
        @for ring in rings {
            @let (tone, name) = approval_look(ring.approval);
            li.ring-chip data-tone=(tone) {
                (icon_html(name)) span.ring-name { (ring.name) } " " span.ring-word { (words::approval(ring.approval)) }
            }
        }
    };
    view! { <ul class="ring-chips" {..piece(chips)}></ul> }.into_any()
}
