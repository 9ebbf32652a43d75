//! The routes, and what stands around every page.

use crate::api;
use crate::components::flash::{FlashBanner, provide_flash};
use crate::components::icon::icon;
use crate::components::section::{Session, ask_here, waiting};
use crate::lazy::{Pages, lazy, load, page};
use crate::live::{live, provide_live};
use crate::pages::{accounts, audit, devices, not_found::NotFound, password, patches, rings, schedule, sign_in};
use crate::words::plural;
use domain::Permission;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Redirect, RouteChildren, Router};
use leptos_router::hooks::use_location;
use leptos_router::path;
use view::Me;
use wasm_bindgen::{JsCast, JsValue};

/// The whole application. It also runs once at start, without a request, to list the routes: nothing here may expect one.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_live();
    provide_flash();
    view! {
        <Title formatter=title/>
        <Router>
            <Frame/>
        </Router>
    }
}

/// The title of a page. Names come from devices, and `leptos_meta` writes a title into the document as it is: there it must be escaped
/// here. The browser's side sets it as text.
fn title(text: String) -> String {
    let text = if text.is_empty() {
        "Patchward".to_owned()
    } else {
        format!("{text} · Patchward")
    };
    if cfg!(feature = "ssr") {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    } else {
        text
    }
}

/// Every page. A new one is a line here: `lazy!` names the file that its code goes to, and pages that people visit together share one.
fn pages() -> Pages {
    Pages::from(vec![
        page(path!("/"), || view! { <Redirect path="/patches"/> }),
        page(path!("/sign-in"), lazy!(sign_in, sign_in::SignInPage)),
        page(path!("/sign-in/link/:token"), lazy!(sign_in, sign_in::LinkPage)),
        page(path!("/patches"), lazy!(patches, patches::list::ListPage)),
        page(path!("/patches/decide"), lazy!(decide, patches::decide::DecidePage)),
        page(path!("/patches/:id"), lazy!(patch, patches::one::OnePage)),
        page(path!("/devices"), lazy!(devices, devices::list::ListPage)),
        page(path!("/devices/:id"), lazy!(device, devices::one::OnePage)),
        page(path!("/schedule"), lazy!(schedule, schedule::list::ListPage)),
        page(
            path!("/schedule/calendar"),
            lazy!(calendar, schedule::calendar::CalendarPageOf),
        ),
        page(
            path!("/schedule/:kind/:id"),
            lazy!(schedule_form, schedule::form::FormPageOf),
        ),
        page(
            path!("/schedule/:kind/:id/delete"),
            lazy!(schedule_remove, schedule::remove::RemovePage),
        ),
        page(path!("/rings"), lazy!(rings, rings::list::ListPage)),
        page(path!("/rings/:kind/:id"), lazy!(rings_form, rings::form::FormPageOf)),
        page(
            path!("/rings/:kind/:id/:step"),
            lazy!(rings_step, rings::step::StepPage),
        ),
        page(path!("/audit"), lazy!(audit, audit::AuditLogPage)),
        page(path!("/accounts"), lazy!(accounts, accounts::AccountsAndTokensPage)),
        page(path!("/password"), lazy!(sign_in, password::PasswordPage)),
    ])
}

/// Loads the code of the page that the browser shows; see [`load`].
pub async fn load_page_shown() {
    if let Ok(path) = window().location().pathname() {
        load(pages(), &path).await;
    }
}

/// Head, banner, page, foot.
#[component]
fn Frame() -> impl IntoView {
    provide_session();
    follow_path();
    view! {
        <a class="skip" href="#main">"Skip to the content"</a>
        <Head/>
        <FlashBanner/>
        <main id="main" tabindex="-1" data-hydrated="false">
            <FlatRoutes fallback=NotFound children=RouteChildren::to_children(pages)/>
        </main>
    }
}

/// Says in the document that the browser runs the page by now. On each other page after that, moves the focus to its content: the link
/// that led there is gone, and whoever hears the page would not notice.
fn follow_path() {
    let (path, awake) = (use_location().pathname, live().awake);
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if let Some(main) = document().get_element_by_id("main") {
            match before {
                None => {
                    let _ = main.set_attribute("data-hydrated", "true");
                    // Every moment of the page is told anew by it: after what the person did meanwhile, and before they see the page again.
                    request_animation_frame(move || awake.set(true));
                }
                Some(before) if before == now => {}
                Some(_) => focus(&main),
            }
        }
        now
    });
}

/// Where the page scrolls to is the router's matter.
fn focus(element: &web_sys::Element) {
    let still = js_sys::Object::new();
    let _ = js_sys::Reflect::set(&still, &"preventScroll".into(), &JsValue::TRUE);
    if let Ok(Ok(focus)) = js_sys::Reflect::get(element, &"focus".into()).map(JsCast::dyn_into::<js_sys::Function>) {
        let _ = focus.call1(element, &still);
    }
}

/// Provides [`Session`]. Needs: the router, the live counters.
fn provide_session() {
    let path = use_location().pathname;
    // One question a session, not one a page: it is asked again after every act, because signing in and out are acts.
    let public = Memo::new(move |_| path.with(|p| p.starts_with("/sign-in")));
    provide_context(Session(ask_here(
        move || public.get(),
        |public| async move {
            Ok(match public {
                true => None,
                false => Some(api::session::who().await?),
            })
        },
    )));
}

/// The top bar.
#[component]
fn Head() -> impl IntoView {
    let session = expect_context::<Session>().0;
    let path = use_location().pathname;
    view! {
        <header class="top">
            <a class="brand" href="/patches">{icon("shield")} <span>"Patchward"</span></a>
            {waiting(false, move || Box::pin(async move {
                match session.read().await {
                    Ok(Some(me)) => signed_in(&me, path),
                    _ => ().into_any(),
                }
            }))}
        </header>
    }
}

fn signed_in(me: &Me, path: Memo<String>) -> AnyView {
    let link = |to: &'static str, words: &'static str| {
        let current = move || path.with(|p| p.starts_with(to)).then_some("page");
        view! { <a href=to aria-current=current>{words}</a> }
    };
    let audit = me.role.may(Permission::ReadAudit).then(|| link("/audit", "Audit"));
    let accounts = (me.role.may(Permission::ManageAccounts) || me.role.may(Permission::ManageDevices))
        .then(|| link("/accounts", "Accounts"));
    let demo = me.demo.map(|demo| {
        let size = format!(
            "{} with {} behind them",
            plural(demo.devices, "made-up device", "made-up devices"),
            plural(demo.days, "day", "days")
        );
        view! { <p class="banner" role="note">{icon("alert")} " Demonstration: " {size} ", in a database that is thrown away. Nothing here is real."</p> }
    });
    let clock = me.clock_suspect.then(|| {
        view! {
            <p class="banner" role="alert">
                {icon("alert")}
                " The server's clock jumped. No permit is given until an administrator says that it is right: "
                <code>"patchward admin clock confirm"</code>
            </p>
        }
    });
    let out = crate::components::form::post::<api::session::SignOut>(
        "sign-out",
        view! { <button class="link">"Sign out"</button> }.into_any(),
    );
    view! {
        <nav class="main-nav" aria-label="Main">{link("/patches", "Patches")} {link("/devices", "Devices")} {link("/schedule", "Schedule")} {link("/rings", "Rings")} {audit} {accounts}</nav>
        <div class="who">
            <a href="/password" title="Your account"><b>{me.name.clone()}</b> " " <span class="sub">{me.role.label()}</span></a>
            {me.needs_password.then(|| view! { <a class="nudge" href="/password">"Set a password"</a> })}
            {out}
        </div>
        {demo}
        {clock}
    }
    .into_any()
}
