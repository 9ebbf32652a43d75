//! Accounts and enrolment.

mod people;
mod tokens;

use crate::api::accounts::{accounts, fresh_token};
use crate::components::section::{ask, ask_here, section, waiting};
use domain::Permission;
use leptos::prelude::*;
use leptos_meta::Title;

/// Accounts, their sessions, enrolment tokens.
#[component]
pub fn AccountsAndTokensPage() -> impl IntoView {
    let data = ask(|| (), |()| accounts());
    // Follows only what this page does: a change elsewhere must not take a token away that is shown once.
    let fresh = ask_here(|| (), |()| fresh_token());
    let once = move || {
        waiting(false, move || {
            Box::pin(async move {
                match fresh.read().await {
                    Ok(Some(token)) => tokens::fresh(&token),
                    _ => ().into_any(),
                }
            })
        })
    };
    view! {
        <Title text="Accounts and enrolment"/>
        {section(data, move |me, page| {
            let enrol = me.role.may(Permission::ManageDevices).then(|| tokens::enrolment(&page));
            let people = me.role.may(Permission::ManageAccounts).then(|| people::people(&me, &page));
            let body = view! {
                <header class="page-head"><div><h1>"Accounts and enrolment"</h1></div></header>
                {once()}
                {enrol}
                {people}
            };
            body.into_any()
        })}
    }
}
