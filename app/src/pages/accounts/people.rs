//! Accounts and their sessions.

use crate::api::accounts::{CreateAccount, EndSession, SetDisabled, SetPassword, SetRole};
use crate::components::confirm::{Act, act, panel};
use crate::components::field::{hidden, text};
use crate::components::form::post;
use crate::components::icon::icon;
use crate::components::marks::badge;
use crate::components::select::select;
use crate::components::when::when;
use crate::words::plural;
use domain::Role;
use leptos::prelude::*;
use view::{AccountRow, AccountsPage, Me, SessionRow};

/// The accounts, and a form for a new one.
pub fn people(me: &Me, page: &AccountsPage) -> AnyView {
    let form = view! {
        {text("name", "Name", "text", "off", true)}
        {roles(Role::SecurityOfficer)}
        {text("password", "First password, 15 characters or more", "password", "new-password", false)}
        <p class="sub">"Without one, " <code>"patchward admin account sign-in-link <name>"</code> " on the server prints a sign-in link."</p>
        <button class="button" data-tone="main">"Make the account"</button>
    };
    let rows = page.accounts.iter().map(|a| row(me, a)).collect::<Vec<_>>();
    view! {
        <section id="accounts" aria-labelledby="accounts-title">
            <div class="section-head">
                <h2 id="accounts-title">"Accounts"</h2>
                {panel("New account", "check", "plain", post::<CreateAccount>("act-form", form.into_any()))}
            </div>
            <div class="table-box">
                <table class="table">
                    <caption class="hide">"Accounts"</caption>
                    <thead><tr>
                        <th scope="col">"Name"</th><th scope="col">"Role"</th><th scope="col">"Signs in by"</th>
                        <th scope="col">"Sessions"</th><th scope="col">"Made"</th><th scope="col"><span class="hide">"Acts"</span></th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn roles(chosen: Role) -> AnyView {
    let options = Role::ALL
        .iter()
        .map(|r| (r.word().to_owned(), r.label().to_owned()))
        .collect();
    select("role", "Role", options, chosen.word())
}

fn row(me: &Me, account: &AccountRow) -> AnyView {
    let by = if account.has_password {
        "password"
    } else {
        "link from the server only"
    };
    view! {
        <tr>
            <th scope="row" class="what">{account.name.clone()}
                {(account.id == me.id).then(|| view! { " " <small>"you"</small> })}
                {account.disabled.map(|_| badge("quiet", "cross", "disabled".to_owned()))}
            </th>
            <td data-label="Role">{account.role.label()}</td>
            <td data-label="Signs in by">{by}</td>
            <td data-label="Sessions">{sessions(&account.sessions)}</td>
            <td data-label="Made">{when(account.created)}</td>
            <td class="acts">{acts(account, account.id == me.id)}</td>
        </tr>
    }
    .into_any()
}

fn sessions(sessions: &[SessionRow]) -> AnyView {
    if sessions.is_empty() {
        return view! { <span class="none">"none"</span> }.into_any();
    }
    let lines = sessions.iter().map(|session| {
        let end = view! { {hidden("session", session.id.clone())} <button class="button">"End"</button> };
        view! {
            <li>
                <div>
                    <p>{session.client.clone()} {session.current.then(|| view! { " " <small>"this one"</small> })}</p>
                    <p class="sub">"since " {when(session.created)} ", last used " {when(session.last_seen)}</p>
                </div>
                {post::<EndSession>("inline", end.into_any())}
            </li>
        }
    });
    let title = plural(u32::try_from(sessions.len()).unwrap_or(u32::MAX), "session", "sessions");
    view! { <details class="sessions"><summary>{title}</summary><ul>{lines.collect::<Vec<_>>()}</ul></details> }
        .into_any()
}

fn acts(account: &AccountRow, own: bool) -> AnyView {
    let id = || hidden("account", account.id.to_string());
    let role = view! {
        {id()}
        <p>"Its sessions end, so that the new role holds at once."</p>
        {roles(account.role)}
        <button class="button" data-tone="main">"Change the role"</button>
    };
    // One's own needs the current one, which the page of one's own account asks for.
    let password = if own {
        view! { <a class="button" href="/password">{icon("lock")} <span>"Password"</span></a> }.into_any()
    } else {
        let fields = view! {
            {id()}
            {hidden("back", "/accounts".to_owned())}
            <label class="field">
                <span>"New password, 15 characters or more"</span>
                <input type="password" name="password" autocomplete="new-password" minlength="15" maxlength="128" required/>
            </label>
            <button class="button" data-tone="main">"Set the password"</button>
        };
        panel(
            "Password",
            "lock",
            "plain",
            post::<SetPassword>("act-form", fields.into_any()),
        )
    };
    let (label, icon, tone, explain, value) = if account.disabled.is_some() {
        ("Enable", "check", "plain", "The account can sign in again.", "0")
    } else {
        (
            "Disable",
            "cross",
            "danger",
            "All its sessions end, and it cannot sign in any more. What it decided stays.",
            "1",
        )
    };
    let disable = act::<SetDisabled>(Act {
        label,
        icon,
        tone,
        explain: explain.to_owned(),
        reason: None,
        fields: vec![("account", account.id.to_string()), ("disabled", value.to_owned())],
    });
    view! {
        {panel("Role", "swap", "plain", post::<SetRole>("act-form", role.into_any()))}
        {password}
        {disable}
    }
    .into_any()
}
