//! The gate ladder: every gate between a patch and a device, in order, and what each of them says.

use super::icon::icon;
use super::when::{instant, told};
use leptos::prelude::*;
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
        view! { <path d=path data-status=look(status).0></path> }
    });
    let width = steps.len() * 8;
    view! { <svg class="strip" viewBox=format!("0 0 {width} 12") width=width.to_string() height="12" aria-hidden="true">{bars}</svg> }
        .into_any()
}

/// The ladder, a line for each gate; the first one that is not open is marked. A device's page has hundreds of open gates, so these are few
/// elements each: the style sheet draws their check mark.
pub fn ladder(steps: &[LadderStep]) -> AnyView {
    let first = steps.iter().position(|s| s.status != StepStatus::Open);
    let lines = steps.iter().enumerate().map(|(i, step)| {
        let (word, icon_name, said) = look(step.status);
        let mark = (step.status != StepStatus::Open).then(|| icon(icon_name));
        let at = (step.since.is_some() || step.opens.is_some() || step.by.is_some()).then(|| at(step));
        let why = (!step.text.is_empty()).then(|| view! { <p class="why">{told(&step.text)}</p> });
        let until = step
            .until
            .as_ref()
            .map(|until| view! { <p class="until">"Until " {told(until)} "."</p> });
        view! {
            <li data-status=word data-gate=step.gate.clone() data-first=(first == Some(i)).then_some("true")>
                <span class="rung">{mark}</span>
                <div><p class="gate"><b>{step.label.clone()}</b> " " <span class="status">{said}</span> {at}</p> {why} {until}</div>
            </li>
        }
    });
    view! { <ol class="ladder">{lines.collect::<Vec<_>>()}</ol> }.into_any()
}

/// Since when, when it opens, by whom.
fn at(step: &LadderStep) -> AnyView {
    let waits = if step.status == StepStatus::Opens {
        "; waits since "
    } else {
        " since "
    };
    let since = step.since.as_ref().map(|at| view! { {waits} {instant(at)} });
    let opens = step.opens.as_ref().map(|at| view! { " " {instant(at)} });
    let by = step.by.as_ref().map(|who| view! { ", by " <b>{who.clone()}</b> });
    view! { <span class="at">{opens} {since} {by}</span> }.into_any()
}
