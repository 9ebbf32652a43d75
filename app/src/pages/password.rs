//! The own password.

use crate::api::accounts::SetPassword;
use crate::api::session::who;
use crate::components::field::{hidden, text};
use crate::components::form::post;
use crate::components::section::{ask_here, section};
use leptos::prelude::*;
use leptos_meta::Title;
use view::Me;

/// Sets the own password.
#[component]
pub fn PasswordPage() -> impl IntoView {
    let data = ask_here(|| (), |()| who());
    view! {
        <Title text="Your account"/>
        {section(data, |_, me| form(&me))}
    }
}

fn form(me: &Me) -> AnyView {
    let current =
        (!me.needs_password).then(|| text("current", "Current password", "password", "current-password", true));
    let fields = view! {
        {hidden("account", me.id.to_string())}
        {hidden("back", "/password".to_owned())}
        {current}
        <label class="field">
            <span>"New password"</span>
            <input type="password" name="password" autocomplete="new-password" minlength="15" maxlength="128" required/>
        </label>
        <p class="sub">"15 to 128 characters; a few words are fine. Your other sessions end."</p>
        <button class="button" data-tone="main">"Set password"</button>
    };
    view! {
        <header class="page-head"><div><h1>"Your account"</h1> <p class="sub">{me.name.clone()} ", " {me.role.label()}</p></div></header>
        <section class="card narrow">
            <h2>{if me.needs_password { "Set a password" } else { "Change your password" }}</h2>
            {post::<SetPassword>("stack", fields.into_any())}
        </section>
    }
    .into_any()
}
