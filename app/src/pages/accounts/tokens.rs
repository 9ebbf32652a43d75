//! Enrolment tokens.

use crate::api::accounts::{CreateToken, RevokeToken};
use crate::components::confirm::{Act, act, panel};
use crate::components::field::{count, text, tick};
use crate::components::form::post;
use crate::components::icon::icon;
use crate::components::marks::badge;
use crate::components::select::select;
use crate::components::when::when;
use leptos::prelude::*;
use view::{AccountsPage, NewToken, TokenRow};

/// A new token, shown once.
pub fn fresh(token: &NewToken) -> AnyView {
    view! {
        <section class="fresh" role="status" aria-labelledby="fresh">
            <h2 id="fresh">{icon("device")} " Run this on the device, as root"</h2>
            <pre tabindex="0"><code>{token.command.clone()}</code></pre>
            <p class="sub">"The program " <code>"patchward-agent"</code> " has to be on the device."</p>
            {token.is_local().then(|| view! {
                <p class="sub">"This address works on the server itself only: for other devices start the server with " <code>"--public-url"</code> "."</p>
            })}
            <p class="sub">"The token is valid until " {when(token.expires)} ". It is shown only now: Patchward keeps nothing but its hash."</p>
        </section>
    }
    .into_any()
}

/// The tokens, and a form for a new one.
pub fn enrolment(page: &AccountsPage) -> AnyView {
    let mut groups = vec![(String::new(), "none yet".to_owned())];
    groups.extend(page.groups.iter().map(|g| {
        let ring = g
            .ring
            .as_ref()
            .map_or_else(|| " (no ring)".to_owned(), |r| format!(" (ring {r})"));
        (g.id.to_string(), format!("{}{ring}", g.name))
    }));
    let form = view! {
        {text("label", "Label", "text", "off", true)}
        {select("group", "Devices join", groups, "")}
        <div class="row">{count("max_uses", "Devices at most", "1", "10000")} {count("hours", "Valid for hours", "1", "24")}</div>
        {tick("accept", "Accept at once", "without a person comparing fingerprints", false)}
        {tick("scan_only", "Scan only", "these devices never install anything", false)}
        <button class="button" data-tone="main">"Make the token"</button>
    };
    let rows = page.tokens.iter().map(row).collect::<Vec<_>>();
    let list = if rows.is_empty() {
        view! { <p class="none">"No token yet."</p> }.into_any()
    } else {
        view! {
            <div class="table-box">
                <table class="table">
                    <caption class="hide">"Enrolment tokens"</caption>
                    <thead><tr>
                        <th scope="col">"Token"</th><th scope="col">"Devices join"</th><th scope="col">"Used"</th>
                        <th scope="col">"Valid until"</th><th scope="col">"Made"</th><th scope="col"><span class="hide">"Acts"</span></th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <section id="enrolment" aria-labelledby="enrolment-title">
            <div class="section-head">
                <h2 id="enrolment-title">"Enrolment"</h2>
                {panel("New token", "device", "main", post::<CreateToken>("act-form", form.into_any()))}
            </div>
            {list}
        </section>
    }
    .into_any()
}

fn row(token: &TokenRow) -> AnyView {
    let (uses, most) = token.uses;
    let spent = token.revoked.is_none() && uses >= most;
    let revoke = (token.revoked.is_none() && !spent).then(|| {
        act::<RevokeToken>(Act {
            label: "Revoke",
            icon: "cross",
            tone: "danger",
            explain: "Nobody can enrol with it any more. Devices that it enrolled stay.".to_owned(),
            reason: None,
            fields: vec![("token", token.id.to_string())],
        })
    });
    view! {
        <tr>
            <th scope="row" class="what">{token.label.clone()}
                {spent.then(|| badge("quiet", "check", "used up".to_owned()))}
                {token.revoked.map(|_| badge("quiet", "cross", "revoked".to_owned()))}
            </th>
            <td data-label="Devices join">{token.group.clone().unwrap_or_else(|| "no group".to_owned())}
                <p class="sub">{if token.accept { "accepted at once" } else { "wait for acceptance" }} {token.scan_only.then_some(", scan only")}</p>
            </td>
            <td data-label="Used">
                <label class="meter"><span>{format!("{uses} of {most}")}</span><progress max=most.to_string() value=uses.to_string()></progress></label>
            </td>
            <td data-label="Valid until">{when(token.expires)}</td>
            <td data-label="Made">{when(token.created)} <p class="sub">"by " {token.created_by.clone()}</p></td>
            <td class="acts">{revoke}</td>
        </tr>
    }
    .into_any()
}
