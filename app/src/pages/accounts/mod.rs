//! Accounts and enrolment.

mod people;
mod tokens;

use crate::api::accounts::{accounts, fresh_token};
use crate::components::section::section;
use crate::live::live;
use domain::Permission;
use leptos::prelude::*;
use leptos_meta::Title;

/// Accounts, their sessions, enrolment tokens.
#[component]
pub fn AccountsAndTokensPage() -> impl IntoView {
    let live = live();
    let data = Resource::new(move || live.any(), |_| accounts());
    // Follows only what this page does: a change elsewhere must not take a token away that is shown once.
    let fresh = Resource::new(move || live.acts.get(), |_| fresh_token());
    let once = move || {
        Suspend::new(async move {
            fresh.await.ok().flatten().map(|token| tokens::fresh(&token))
        })
    };
    view! {
        <Title text="Accounts and enrolment"/>
        {section(data, move |me, page| {
            let enrol = me.role.may(Permission::ManageDevices).then(|| tokens::enrolment(&page));
            let people = me.role.may(Permission::ManageAccounts).then(|| people::people(&me, &page));
            view! {
                <header class="page-head"><div><h1>"Accounts and enrolment"</h1></div></header>
                <Transition>{once}</Transition>
                {enrol}
                {people}
            }
            .into_any()
        })}
    }
}
