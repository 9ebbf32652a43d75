//! Counts by bucket as a bar and as numbers; every number links to the list that it counts.

use super::html::piece;
use crate::address::patch_devices_at;
use crate::words::number;
use domain::{PatchId, RingId};
use leptos::prelude::*;
use maud::{Markup, html};
use view::{CountBucket, Counts, PatchDevices};

const ORDER: [CountBucket; 7] = [
    CountBucket::Failed,
    CountBucket::Missing,
    CountBucket::Pending,
    CountBucket::RolledBack,
    CountBucket::Unknown,
    CountBucket::Superseded,
    CountBucket::Installed,
];

const fn short(bucket: CountBucket) -> &'static str {
    match bucket {
        CountBucket::Failed => "failed",
        CountBucket::Missing => "missing",
        CountBucket::Pending => "pending",
        CountBucket::RolledBack => "rolled back",
        CountBucket::Unknown => "unknown",
        CountBucket::Superseded => "superseded",
        CountBucket::Installed => "installed",
    }
}

/// The bar: shares of all devices concerned. Decoration, because the numbers stand beside it.
fn bar(counts: &Counts) -> Markup {
    let total: u64 = ORDER.iter().map(|b| u64::from(counts.get(*b))).sum();
    let mut from = 0;
    let parts = ORDER.iter().filter(|b| counts.get(**b) > 0).map(|bucket| {
        // Thousandths of the width; at least six, so that one failure among a thousand is seen.
        let width = (u64::from(counts.get(*bucket)) * 1_000 / total.max(1)).max(6);
        let x = from;
        from += width;
        html! { rect x=(x) y="0" width=(width) height="10" data-bucket=(bucket.word()) {} }
    });
    let parts = parts.collect::<Vec<_>>();
    html! {
        svg.bar viewBox={ "0 0 " (from.max(1_000)) " 10" } preserveAspectRatio="none" aria-hidden="true" {
            rect.track x="0" y="0" width="100%" height="10" {}
            @for part in parts { (part) }
        }
    }
}

/// Bar and numbers of a patch's devices, of one ring or of all.
pub fn counts(counts: &Counts, patch: PatchId, ring: Option<RingId>) -> AnyView {
    let numbers = ORDER.iter().filter(|b| counts.get(**b) > 0).map(|bucket| {
        let shown = PatchDevices {
            state: Some(*bucket),
            ring,
            page: 1,
        };
        html! {
            li data-bucket=(bucket.word()) {
                a href=(patch_devices_at(patch, &shown)) { b { (number(counts.get(*bucket))) } " " (short(*bucket)) }
            }
        }
    });
    let numbers = numbers.collect::<Vec<_>>();
    let inner = html! {
        (bar(counts))
        ul.numbers {
            @for number in &numbers { (number) }
            @if numbers.is_empty() { li.none { "no devices" } }
        }
    };
    view! { <div class="counts" {..piece(inner)}></div> }.into_any()
}
