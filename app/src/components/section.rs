//! A part of a page that waits for its data: keeps what it shows while it asks again, and says what went wrong in its own place.
//!
//! All pages share one type of question and one of answer: what waits, retries and hydrates is then compiled once instead of once a page.

use super::icon::icon;
use crate::api;
use crate::api::patches::Preview;
use crate::api::rings::{RingsFormPage, RingsKind};
use crate::api::schedule::{Fields, FormPage, Removal};
use crate::error::AppError;
use crate::live::live;
use crate::words;
use domain::{DeviceId, PatchId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use view::{
    AccountsPage, AuditFilter, AuditPage, CalendarAsk, CalendarPage, CountBucket, DeviceFilter, DeviceList, DevicePage,
    Me, NewToken, PatchFilter, PatchList, PatchPage, RingsPage, ScheduleKind, SchedulePage, UiError,
};

/// What a page asks the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Nothing: a page for everybody.
    Nothing,
    /// Who is signed in.
    Me,
    /// The status view.
    Patches(PatchFilter),
    /// One patch.
    Patch(PatchId, Option<CountBucket>, u32),
    /// What a decision would be about.
    Preview(Vec<PatchId>, Option<PatchFilter>),
    /// The device list.
    Devices(DeviceFilter),
    /// One device.
    Device(DeviceId),
    /// Everything that is scheduled.
    Schedule,
    /// A week or a month.
    Calendar(CalendarAsk),
    /// A form of the schedule, with what was typed.
    ScheduleForm(ScheduleKind, Option<i64>, Fields),
    /// What would change without something of the schedule.
    Removal(ScheduleKind, i64),
    /// Rings, groups, places.
    Rings,
    /// A form of those, with what was typed.
    RingsForm(RingsKind, Option<i64>, Fields),
    /// The audit log.
    Audit(AuditFilter),
    /// Accounts and tokens.
    Accounts,
    /// A token that was just made.
    Token,
}

/// What the server answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To nothing.
    Nothing,
    /// See [`Ask`].
    Me(Me),
    /// See [`Ask`].
    Patches(PatchList),
    /// See [`Ask`].
    Patch(Box<PatchPage>),
    /// See [`Ask`].
    Preview(Preview),
    /// See [`Ask`].
    Devices(DeviceList),
    /// See [`Ask`].
    Device(Box<DevicePage>),
    /// See [`Ask`].
    Schedule(SchedulePage),
    /// See [`Ask`].
    Calendar(Box<CalendarPage>),
    /// See [`Ask`].
    ScheduleForm(Box<FormPage>),
    /// See [`Ask`].
    Removal(Box<Removal>),
    /// See [`Ask`].
    Rings(Box<RingsPage>),
    /// See [`Ask`].
    RingsForm(Box<RingsFormPage>),
    /// See [`Ask`].
    Audit(AuditPage),
    /// See [`Ask`].
    Accounts(AccountsPage),
    /// See [`Ask`].
    Token(Option<NewToken>),
}

/// Data on their way.
pub type Data = Resource<Result<Answer, AppError>>;

pub type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Asks now, when the question changes, and when anything changed on the server.
pub fn ask(question: impl Fn() -> Ask + Send + Sync + 'static) -> Data {
    let live = live();
    ask_when(Box::new(move || (question(), live.any())))
}

/// Asks now, when the question changes, and after every act of this page.
pub fn ask_here(question: impl Fn() -> Ask + Send + Sync + 'static) -> Data {
    let live = live();
    ask_when(Box::new(move || (question(), (0, live.acts.get()))))
}

/// Asks now and when the question changes.
pub fn ask_once(question: impl Fn() -> Ask + Send + Sync + 'static) -> Data {
    ask_when(Box::new(move || (question(), (0, 0))))
}

fn ask_when(question: Box<dyn Fn() -> (Ask, (u32, u32)) + Send + Sync>) -> Data {
    Resource::new(question, |(ask, _)| fetch(ask))
}

fn fetch(ask: Ask) -> Waiting<Result<Answer, AppError>> {
    Box::pin(async move {
        Ok(match ask {
            Ask::Nothing => Answer::Nothing,
            Ask::Me => Answer::Me(api::session::who().await?),
            Ask::Patches(filter) => Answer::Patches(api::patches::patches(filter).await?),
            Ask::Patch(id, bucket, page) => Answer::Patch(Box::new(api::patches::patch(id, bucket, page).await?)),
            Ask::Preview(ids, matching) => Answer::Preview(api::patches::preview_decision(ids, matching).await?),
            Ask::Devices(filter) => Answer::Devices(api::devices::devices(filter).await?),
            Ask::Device(id) => Answer::Device(Box::new(api::devices::device(id).await?)),
            Ask::Calendar(ask) => Answer::Calendar(Box::new(api::schedule::calendar(ask).await?)),
            Ask::Schedule => Answer::Schedule(api::schedule::schedule().await?),
            Ask::ScheduleForm(kind, id, typed) => {
                Answer::ScheduleForm(Box::new(api::schedule::schedule_form(kind, id, typed).await?))
            }
            Ask::Removal(kind, id) => Answer::Removal(Box::new(api::schedule::before_removal(kind, id).await?)),
            Ask::Rings => Answer::Rings(Box::new(api::rings::rings().await?)),
            Ask::RingsForm(kind, id, typed) => {
                Answer::RingsForm(Box::new(api::rings::rings_form(kind, id, typed).await?))
            }
            Ask::Audit(filter) => Answer::Audit(api::audit::audit(filter).await?),
            Ask::Accounts => Answer::Accounts(api::accounts::accounts().await?),
            Ask::Token => Answer::Token(api::accounts::fresh_token().await?),
        })
    })
}

/// Who is signed in, for every page: the answer to [`Ask::Me`], or to nothing on pages that ask nobody to sign in.
#[derive(Clone, Copy)]
pub struct Session(pub Data);

/// Shows an answer with `render` once it and the session are there. An answer that `render` does not know is a fault of the page.
pub fn section(data: Data, render: impl Fn(Me, Answer) -> Option<AnyView> + Clone + Send + Sync + 'static) -> AnyView {
    let session = expect_context::<Session>().0;
    waiting(true, move || {
        let render = render.clone();
        Box::pin(async move {
            match (session.await, data.await) {
                (Ok(Answer::Me(me)), Ok(answer)) => render(me, answer).unwrap_or_else(|| failed(&UiError::NotFound)),
                (Err(error), _) | (_, Err(error)) => failed(&error.0),
                (Ok(_), Ok(_)) => failed(&UiError::NotSignedIn),
            }
        })
    })
}

/// Shows what `view` brings, when it does; keeps showing it while it is asked again.
pub fn waiting(said: bool, view: impl Fn() -> Waiting<AnyView> + Send + Sync + 'static) -> AnyView {
    waiting_for(said, Box::new(view))
}

fn waiting_for(said: bool, view: Box<dyn Fn() -> Waiting<AnyView> + Send + Sync>) -> AnyView {
    let fallback = move || said.then(|| view! { <p class="loading" role="status">"Loading"</p> });
    view! { <Transition fallback=fallback>{move || Suspend::new(view())}</Transition> }.into_any()
}

/// A refusal in place of the data.
pub fn failed(error: &UiError) -> AnyView {
    let title = match error {
        UiError::NotFound => "There is nothing here",
        UiError::NotSignedIn => "Please sign in",
        UiError::NotAllowed { .. } => "Not for this role",
        _ => "That did not work",
    };
    let sign_in =
        matches!(error, UiError::NotSignedIn).then(|| view! { <p><a class="button" href="/sign-in">"Sign in"</a></p> });
    view! {
        <div class="failed" role="alert">
            <h1>{icon("alert")} " " {title}</h1>
            <p>{words::refusal(error)}</p>
            {sign_in}
        </div>
    }
    .into_any()
}

/// A list without entries.
pub fn empty(title: &'static str, text: AnyView) -> AnyView {
    view! { <div class="empty"><p><strong>{title}</strong></p> {text}</div> }.into_any()
}
