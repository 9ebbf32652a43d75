//! The gate ladder: every gate between a patch and a device, in order, and what each of them says.

use super::html::{piece, timed};
use super::icon::icon_html;
use super::when::{instant_html, told_html};
use leptos::prelude::*;
use maud::{Markup, html};
use view::{LadderStep, StepStatus};

const fn look(status: StepStatus) -> (&'static str, &'static str, &'static str) {
    match status {
        StepStatus::Open => ("open", "check", "open"),
        StepStatus::Opens => ("opens", "clock", "opens by itself"),
        StepStatus::Closed => ("closed", "lock", "closed"),
    }
}

/// The whole ladder in one line, for the eye: a bar for each gate, one path for all of a kind.
pub fn strip(steps: &[LadderStep]) -> AnyView {
    let bars = [StepStatus::Open, StepStatus::Opens, StepStatus::Closed].map(|status| {
        let (top, height) = match status {
            StepStatus::Open => (2, 8),
            StepStatus::Opens => (1, 10),
            StepStatus::Closed => (0, 12),
        };
        let these = steps.iter().enumerate().filter(|(_, step)| step.status == status);
        let path: String = these.map(|(i, _)| format!("M{} {top}h6v{height}h-6z", i * 8)).collect();
        html! { @if !path.is_empty() { path d=(path) data-status=(look(status).0) {} } }
    });
    let width = steps.len() * 8;
    let bars = html! { @for bar in bars { (bar) } };
    view! { <svg class="strip" viewBox=format!("0 0 {width} 12") width=width.to_string() height="12" aria-hidden="true" {..piece(bars)}></svg> }
        .into_any()
}

/// The ladder, a line for each gate; the first one that is not open is marked. The style sheet draws the check mark of those that are.
pub fn ladder(steps: &[LadderStep]) -> AnyView {
    let steps = steps.to_vec();
    view! { <ol class="ladder" {..timed(move |awake| rungs(&steps, awake))}></ol> }.into_any()
}

fn rungs(steps: &[LadderStep], awake: bool) -> Markup {
    let first = steps.iter().position(|s| s.status != StepStatus::Open);
    html! {
        @for (i, step) in steps.iter().enumerate() {
            @let (word, icon_name, said) = look(step.status);
            li data-status=(word) data-gate=(step.gate) data-first=[(first == Some(i)).then_some("true")] {
                span.rung { @if step.status != StepStatus::Open { (icon_html(icon_name)) } }
                div {
                    p.gate { b { (step.label) } " " span.status { (said) } (at(step, awake)) }
                    @if !step.text.is_empty() { p.why { (told_html(&step.text, awake)) } }
                    @if let Some(until) = &step.until { p.until { "Until " (told_html(until, awake)) "." } }
                }
            }
        }
    }
}

/// Since when, when it opens, by whom.
fn at(step: &LadderStep, awake: bool) -> Markup {
    if step.since.is_none() && step.opens.is_none() && step.by.is_none() {
        return html! {};
    }
    let waits = if step.status == StepStatus::Opens {
        "; waits since "
    } else {
        " since "
    };
    html! {
        span.at {
            @if let Some(at) = &step.opens { " " (instant_html(at, awake)) }
            @if let Some(at) = &step.since { (waits) (instant_html(at, awake)) }
            @if let Some(who) = &step.by { ", by " b { (who) } }
        }
    }
}
