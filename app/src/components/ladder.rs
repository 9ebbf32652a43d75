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

/// The whole ladder in one line, for the eye.
pub fn strip(steps: &[LadderStep]) -> AnyView {
    let parts = steps.iter().enumerate().map(|(i, step)| {
        let (word, _, _) = look(step.status);
        let (x, y, height) = match step.status {
            StepStatus::Open => (i * 8, "2", "8"),
            StepStatus::Opens => (i * 8, "1", "10"),
            StepStatus::Closed => (i * 8, "0", "12"),
        };
        view! { <rect x=x.to_string() y=y width="6" height=height rx="1.5" data-status=word></rect> }
    });
    let parts = parts.collect::<Vec<_>>();
    let width = steps.len() * 8;
    view! { <svg class="strip" viewBox=format!("0 0 {width} 12") width=width.to_string() height="12" aria-hidden="true">{parts}</svg> }
        .into_any()
}

/// The ladder, a line for each gate; the first one that is not open is marked.
pub fn ladder(steps: &[LadderStep]) -> AnyView {
    let first = steps.iter().position(|s| s.status != StepStatus::Open);
    let lines = steps.iter().enumerate().map(|(i, step)| {
        let (word, icon_name, said) = look(step.status);
        let waits = if step.status == StepStatus::Opens { "; waits since " } else { " since " };
        let since = step.since.as_ref().map(|at| view! { {waits} {instant(at)} });
        let opens = step.opens.as_ref().map(|at| view! { " " {instant(at)} });
        let by = step.by.as_ref().map(|who| view! { ", by " <b>{who.clone()}</b> });
        let until = step
            .until
            .as_ref()
            .map(|until| view! { <p class="until">"Until " {told(until)} "."</p> });
        view! {
            <li data-status=word data-gate=step.gate.clone() data-first=(first == Some(i)).then_some("true")>
                <span class="rung">{icon(icon_name)}</span>
                <div>
                    <p class="gate"><b>{step.label.clone()}</b> " " <span class="status">{said}</span> <span class="at">{opens} {since} {by}</span></p>
                    <p class="why">{told(&step.text)}</p>
                    {until}
                </div>
            </li>
        }
    });
    view! { <ol class="ladder">{lines.collect::<Vec<_>>()}</ol> }.into_any()
}
