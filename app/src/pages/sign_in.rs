//! Signing in: by name and password, or by a one-time link from the server's host.

use crate::api::session::{FollowLink, SignIn};
use crate::components::field::{hidden, text};
use crate::components::form::post;
use crate::components::icon::icon;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

/// Name and password.
#[component]
pub fn SignInPage() -> impl IntoView {
    // Read once: the address changes when a refusal comes back, the wanted page does not.
    let next = use_query_map().with_untracked(|q| q.get("next")).unwrap_or_default();
    let fields = view! {
        {hidden("next", next)}
        {text("name", "Name", "text", "username", true)}
        {text("password", "Password", "password", "current-password", true)}
        <button class="button" data-tone="main">"Sign in"</button>
    };
    view! {
        <Title text="Sign in"/>
        <div class="gate-page">
            <span class="gate-mark">{icon("shield")}</span>
            <h1>"Sign in to Patchward"</h1>
            {post::<SignIn>("stack", fields.into_any())}
            <p class="sub">"No password yet? On the server, " <code>"patchward admin account sign-in-link <name>"</code> " prints a sign-in link that works once."</p>
        </div>
    }
}

/// The one-time link. A button, because programs that follow links in messages must not use it up.
#[component]
pub fn LinkPage() -> impl IntoView {
    let token = use_params_map().with_untracked(|p| p.get("token")).unwrap_or_default();
    let fields = view! {
        {hidden("token", token)}
        <button class="button" data-tone="main">"Sign in"</button>
    };
    view! {
        <Title text="Sign in"/>
        <div class="gate-page">
            <span class="gate-mark">{icon("shield")}</span>
            <h1>"Sign in with a one-time link"</h1>
            <p>"The link works once and for 15 minutes. You can set a password afterwards."</p>
            {post::<FollowLink>("stack", fields.into_any())}
        </div>
    }
}
