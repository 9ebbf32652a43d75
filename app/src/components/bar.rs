//! Counts by bucket as a bar and as numbers; every number links to the list that it counts.

use crate::address::patch_devices_at;
use crate::words::number;
use domain::{PatchId, RingId};
use leptos::prelude::*;
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
pub fn bar(counts: &Counts) -> AnyView {
    let total: u64 = ORDER.iter().map(|b| u64::from(counts.get(*b))).sum();
    let mut from = 0;
    let parts = ORDER.iter().filter(|b| counts.get(**b) > 0).map(|bucket| {
        // Thousandths of the width; at least six, so that one failure among a thousand is seen.
        let width = (u64::from(counts.get(*bucket)) * 1_000 / total.max(1)).max(6);
        let x = from;
        from += width;
        view! { <rect x=x.to_string() y="0" width=width.to_string() height="10" data-bucket=bucket.word()></rect> }
    });
    let parts = parts.collect::<Vec<_>>();
    view! {
        <svg class="bar" viewBox=format!("0 0 {} 10", from.max(1_000)) preserveAspectRatio="none" aria-hidden="true">
            <rect x="0" y="0" width="100%" height="10" class="track"></rect>
            {parts}
        </svg>
    }
    .into_any()
}

/// Bar and numbers of a patch's devices, of one ring or of all.
pub fn counts(counts: &Counts, patch: PatchId, ring: Option<RingId>) -> AnyView {
    let numbers = ORDER.iter().filter(|b| counts.get(**b) > 0).map(|bucket| {
        let shown = PatchDevices {
            state: Some(*bucket),
            ring,
            page: 1,
        };
        view! {
            <li data-bucket=bucket.word()>
                <a href=patch_devices_at(patch, &shown)><b>{number(counts.get(*bucket))}</b> " " {short(*bucket)}</a>
            </li>
        }
    });
    let numbers = numbers.collect::<Vec<_>>();
    let none = numbers.is_empty().then(|| view! { <li class="none">"no devices"</li> });
    view! { <div class="counts">{bar(counts)} <ul class="numbers">{numbers} {none}</ul></div> }.into_any()
}
