//! The page follows the server: one event stream a tab, closed while the tab is hidden. An event says only what kind of thing changed;
//! the page asks again by its usual, authorised way, so a lost event is harmless.

use domain::Moment;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use std::cell::{Cell, RefCell};
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::{EventSource, MessageEvent};

/// The stream's first event: how many changes the server has told so far. The page carries the same number from when it was made.
pub const CHANGES: &str = "changes";
/// At most one refresh in so many milliseconds: a fleet that reports at once must not make every open page ask a hundred times.
const PAUSE: u32 = 1_500;
/// So many milliseconds after the stream was refused it is asked for again, then twice as long each time, up to so many.
const RETRY: (u32, u32) = (2_000, 120_000);

/// Counters that resources follow: a data source asks again when its counter grows.
#[derive(Clone, Copy)]
pub struct Live {
    /// Grows when patches, devices, accounts or the schedule changed on the server.
    pub version: RwSignal<u32>,
    /// Grows when this page did something.
    pub acts: RwSignal<u32>,
    /// Grows when this page was told that what it shows has changed.
    pub stale: RwSignal<u32>,
    /// The browser runs the page by now.
    pub awake: RwSignal<bool>,
}

impl Live {
    /// For what depends on the fleet: changes by anybody.
    pub fn any(self) -> (u32, u32) {
        (self.version.get(), self.acts.get() + self.stale.get())
    }
}

/// The counters.
pub fn live() -> Live {
    expect_context::<Live>()
}

/// Provides the counters and, in the browser, follows the server. Needs: nothing. Called once, by the application.
pub fn provide_live() {
    let live = Live {
        version: RwSignal::new(0),
        acts: RwSignal::new(0),
        stale: RwSignal::new(0),
        awake: RwSignal::new(false),
    };
    provide_context(live);
    // Effects run in the browser only.
    Effect::new(move |_| follow(live));
}

thread_local! {
    static STREAM: RefCell<Option<EventSource>> = const { RefCell::new(None) };
    /// How many changes the server had told when this page was made, or when the stream last opened.
    static KNOWN: RefCell<Option<String>> = const { RefCell::new(None) };
    /// The refresh that waits.
    static WAITING: RefCell<Option<Timeout>> = const { RefCell::new(None) };
    /// The next try after the stream was refused, and how often it was.
    static RETRYING: RefCell<Option<Timeout>> = const { RefCell::new(None) };
    static REFUSED: Cell<u32> = const { Cell::new(0) };
}

fn follow(live: Live) {
    let Ok(changed) =
        js_sys::Function::from(Closure::<dyn Fn()>::new(move || open_or_close(live)).into_js_value()).dyn_into()
    else {
        return;
    };
    let _ = document().add_event_listener_with_callback("visibilitychange", &changed);
    // Signing in or out changes whether there is anything to follow.
    Effect::new(move |_| {
        live.acts.track();
        open_or_close(live);
    });
}

fn open_or_close(live: Live) {
    let public = window().location().pathname().is_ok_and(|p| p.starts_with("/sign-in"));
    let wanted = !document().hidden() && !public;
    RETRYING.take();
    STREAM.with_borrow_mut(|stream| match (wanted, stream.take()) {
        (true, Some(open)) if open.ready_state() != EventSource::CLOSED => *stream = Some(open),
        (true, _) => *stream = listen(live),
        (false, Some(open)) => open.close(),
        (false, None) => {}
    });
}

fn listen(live: Live) -> Option<EventSource> {
    let stream = EventSource::new("/events").ok()?;
    let hear = Closure::<dyn Fn(MessageEvent)>::new(move |_| refresh_soon(live)).into_js_value();
    // What happened before the stream opened (while the page loaded, while the tab was hidden) was not heard.
    let open = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        REFUSED.set(0);
        let now = event.data().as_string();
        let known = KNOWN
            .replace(now.clone())
            .or_else(|| document().document_element()?.get_attribute("data-changes"));
        if known != now {
            refresh_soon(live);
        }
    })
    .into_js_value();
    stream.set_onmessage(Some(hear.unchecked_ref()));
    let lost = Closure::<dyn Fn()>::new(move || retry_later(live)).into_js_value();
    stream.set_onerror(Some(lost.unchecked_ref()));
    let _ = stream.add_event_listener_with_callback(CHANGES, open.unchecked_ref());
    for topic in ["patches", "devices", "accounts", "schedule"] {
        let _ = stream.add_event_listener_with_callback(topic, hear.unchecked_ref());
    }
    Some(stream)
}

/// The browser itself comes back to a stream that broke off, but not to one that was refused, as by a proxy while the server starts anew.
fn retry_later(live: Live) {
    let refused = STREAM.with_borrow(|stream| {
        stream
            .as_ref()
            .is_some_and(|stream| stream.ready_state() == EventSource::CLOSED)
    });
    if refused {
        let before = REFUSED.get();
        REFUSED.set(before + 1);
        let pause = RETRY.0.saturating_mul(1 << before.min(16)).min(RETRY.1);
        RETRYING.set(Some(Timeout::new(pause, move || open_or_close(live))));
    }
}

fn refresh_soon(live: Live) {
    if WAITING.with_borrow(Option::is_some) {
        return;
    }
    let refresh = move || {
        WAITING.take();
        // Rows may move under the hands of a person who fills in a form: wait until it is closed.
        if busy() {
            refresh_soon(live)
        } else {
            live.version.update(|n| *n += 1)
        }
    };
    WAITING.set(Some(Timeout::new(PAUSE, refresh)));
}

fn busy() -> bool {
    // A button keeps the focus after it was pressed: that is nobody filling in a form. A text area that must be filled in is valid when
    // something stands in it: whoever wrote it may be reading elsewhere on the page.
    const FILLING: &str =
        "details.act[open], form[method=post] :is(:is(input, select, textarea):focus, textarea:required:valid)";
    document().query_selector(FILLING).is_ok_and(|found| found.is_some())
}

/// A moment in the browser's own time zone, in the same shape as the server's UTC text.
pub fn local_text(at: Moment) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a date; exact far beyond the year 9999")]
    let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(at.0 as f64 * 1_000.0));
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}",
        date.get_full_year(),
        date.get_month() + 1,
        date.get_date(),
        date.get_hours(),
        date.get_minutes()
    )
}

/// How far the browser's clock is from UTC at a moment, e.g. `UTC+02:00`. Not the name of its zone: a browser loads its calendars to tell
/// that, for 40 ms of a first visit.
pub fn local_offset(at: Moment) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a date; exact far beyond the year 9999")]
    let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(at.0 as f64 * 1_000.0));
    #[expect(clippy::cast_possible_truncation, reason = "minutes of a day")]
    let behind = date.get_timezone_offset() as i32;
    let sign = if behind > 0 { '-' } else { '+' };
    format!("UTC{sign}{:02}:{:02}", behind.abs() / 60, behind.abs() % 60)
}
