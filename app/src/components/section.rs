//! A part of a page that waits for its data: keeps what it shows while it asks again, and says what went wrong in its own place.
//!
//! What waits, retries and hydrates handles content that it cannot read, and is compiled once instead of once a page.

use super::content::{Content, Told};
use super::icon::icon;
use crate::error::AppError;
use crate::live::live;
use crate::words;
use leptos::prelude::*;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use view::{Me, UiError};

pub type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Data on their way.
pub struct Data<T> {
    answers: Resource<Result<Content, AppError>>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Data<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Data<T> {}

impl<T: DeserializeOwned + Clone + 'static> Data<T> {
    /// The data, or why there are none.
    pub async fn read(self) -> Result<T, AppError> {
        // An answer that cannot be read is one of another version of the server.
        self.answers.await?.read().ok_or(AppError(UiError::Transport))
    }
}

/// What a question is about: it is asked again when that changes.
trait Matter: Any + Send + Sync {
    fn is(&self, other: &dyn Matter) -> bool;
}

impl<Q: PartialEq + Any + Send + Sync> Matter for Q {
    fn is(&self, other: &dyn Matter) -> bool {
        (other as &dyn Any).downcast_ref::<Q>() == Some(self)
    }
}

/// A question: what it is about, what has happened since, and how it is put.
#[derive(Clone)]
struct Question {
    matter: Arc<dyn Matter>,
    since: (u32, u32),
    put: Arc<dyn Fn() -> Waiting<Result<Content, AppError>> + Send + Sync>,
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        self.since == other.since && self.matter.is(&*other.matter)
    }
}

/// Asks now, when what it is `about` changes, and when anything changed on the server.
pub fn ask<Q, T, F>(about: impl Fn() -> Q + Send + Sync + 'static, put: fn(Q) -> F) -> Data<T>
where
    Q: PartialEq + Clone + Any + Send + Sync,
    T: Told,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    let live = live();
    ask_when(about, put, move || live.any())
}

/// Asks now, when what it is `about` changes, and after every act of this page.
pub fn ask_here<Q, T, F>(about: impl Fn() -> Q + Send + Sync + 'static, put: fn(Q) -> F) -> Data<T>
where
    Q: PartialEq + Clone + Any + Send + Sync,
    T: Told,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    let live = live();
    ask_when(about, put, move || (0, live.acts.get()))
}

/// Asks now, when what it is `about` changes, and when the page was told that what it shows has changed.
pub fn ask_once<Q, T, F>(about: impl Fn() -> Q + Send + Sync + 'static, put: fn(Q) -> F) -> Data<T>
where
    Q: PartialEq + Clone + Any + Send + Sync,
    T: Told,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    let live = live();
    ask_when(about, put, move || (live.stale.get(), 0))
}

fn ask_when<Q, T, F>(
    about: impl Fn() -> Q + Send + Sync + 'static,
    put: fn(Q) -> F,
    since: impl Fn() -> (u32, u32) + Send + Sync + 'static,
) -> Data<T>
where
    Q: PartialEq + Clone + Any + Send + Sync,
    T: Told,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    let question = move || {
        let about = about();
        Question {
            matter: Arc::new(about.clone()),
            since: since(),
            put: Arc::new(move || {
                let answer = put(about.clone());
                Box::pin(async move { answer.await.map(Content::new) })
            }),
        }
    };
    Data {
        answers: answers(Box::new(question)),
        of: PhantomData,
    }
}

fn answers(question: Box<dyn Fn() -> Question + Send + Sync>) -> Resource<Result<Content, AppError>> {
    Resource::new(question, |question| (question.put)())
}

/// What a page is about whose address may name nothing.
///
/// # Errors
/// When it does.
pub fn named<T>(what: Option<T>) -> Result<T, AppError> {
    what.ok_or(AppError(UiError::NotFound))
}

/// Who is signed in, for every page; nobody on pages that ask nobody to sign in.
#[derive(Clone, Copy)]
pub struct Session(pub Data<Option<Me>>);

/// Shows data with `render` once they and the session are there.
pub fn section<T: DeserializeOwned + Clone + Send + 'static>(
    data: Data<T>,
    render: impl Fn(Me, T) -> AnyView + Clone + Send + Sync + 'static,
) -> AnyView {
    let session = expect_context::<Session>().0;
    waiting(true, move || {
        let render = render.clone();
        Box::pin(async move {
            let (session, data) = (session.read().await, data.read().await);
            #[cfg(feature = "ssr")]
            to_be_shown().await;
            match (session, data) {
                (Ok(Some(me)), Ok(data)) => render(me, data),
                (Err(error), _) | (_, Err(error)) => failed(&error.0),
                (Ok(None), Ok(_)) => failed(&UiError::NotSignedIn),
            }
        })
    })
}

/// Goes on only where what is rendered will be shown. Before that Leptos looks at each section to find out what else is to be waited for, with
/// a waker that wakes nobody, and throws away what it got: without this, each section of each page would be made twice.
#[cfg(feature = "ssr")]
async fn to_be_shown() {
    use std::task::Poll;
    std::future::poll_fn(|context| {
        let wakes_nobody = context.waker().data().is_null();
        if wakes_nobody { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
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
    #[cfg(feature = "ssr")]
    crate::ctx::refuse(error);
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
