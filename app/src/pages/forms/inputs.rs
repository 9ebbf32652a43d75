//! The inputs of the schedule's forms: each with what stands in it, a hint, and the refusal beside it.

use super::words;
use crate::api::forms::{Fields, Look};
use crate::components::form::{form_of, pairs};
use crate::components::section::Waiting;
use crate::error::AppError;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::cell::RefCell;
use std::rc::Rc;
use web_sys::Event;

/// So many milliseconds nobody typed: the cheap look, and the one at what would change.
const PAUSES: [(u32, bool); 2] = [(350, false), (1_200, true)];

/// The latest look at the form: while typing what the server said last, before that what came with the page.
#[derive(Clone, Copy)]
pub struct Shown {
    /// Set while typing.
    pub typed: RwSignal<Option<Look>>,
    first: StoredValue<Look>,
}

impl Shown {
    /// Starts with what came with the page.
    pub fn new(first: Look) -> Self {
        Self {
            typed: RwSignal::new(None),
            first: StoredValue::new(first),
        }
    }

    /// Reads the latest look.
    pub fn with<T>(self, read: impl Fn(&Look) -> T) -> T {
        self.typed.with(|typed| match typed {
            Some(look) => read(look),
            None => self.first.with_value(&read),
        })
    }

    /// The refusal beside a field.
    fn problem(self, field: &str) -> Option<String> {
        let typing = self.typed.with(Option::is_some);
        let missed = |look: &Look| {
            look.problems
                .iter()
                .any(|p| p.field == field && words::is_missing(&p.problem))
        };
        let told = self.first.with_value(missed);
        self.with(|look| {
            let found = look.problems.iter().find(|p| p.field == field)?;
            let early = typing && !told && words::is_missing(&found.problem);
            (!early).then(|| words::problem(&found.problem))
        })
    }
}

/// Follows what is typed: asks after a pause, and shows the answer unless more was typed since.
pub fn following(
    shown: Shown,
    ask: impl Fn(Fields, bool) -> Waiting<Result<Look, AppError>> + Copy + 'static,
) -> impl Fn(Event) + 'static {
    let latest = StoredValue::new(0_u32);
    let waiting = Rc::new(RefCell::new(Vec::<Timeout>::new()));
    move |event| {
        let Some(form) = form_of(&event) else { return };
        let now = latest.with_value(|n| n + 1);
        latest.set_value(now);
        let looks = PAUSES.map(|(pause, deep)| {
            let form = form.clone();
            let later = move || {
                let fields: Fields = pairs(&form).into_iter().collect();
                spawn_local(async move {
                    let answer = ask(fields, deep).await;
                    // An answer to what was typed before comes too late.
                    if let (Ok(look), true) = (answer, latest.try_get_value() == Some(now)) {
                        shown.typed.set(Some(look));
                    }
                });
            };
            Timeout::new(pause, later)
        });
        // Those of the key before are dropped, and with that called off; so are these when the form goes.
        *waiting.borrow_mut() = looks.into();
    }
}

/// A form that is shown.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What stands in it.
    pub fields: &'a Fields,
    /// What the server says about it.
    pub shown: Shown,
}

/// A line of text, a number, a date or a time.
#[derive(Default)]
pub struct Line {
    /// Its name.
    pub name: &'static str,
    /// Its label.
    pub label: &'static str,
    /// `text`, `number`, `date`, `time` or `datetime-local`.
    pub kind: &'static str,
    /// Said below it.
    pub hint: &'static str,
    /// Must be filled in before it is saved.
    pub required: bool,
    /// The id of a list of suggestions.
    pub list: Option<&'static str>,
    /// The range of a number.
    pub range: Option<(&'static str, &'static str)>,
    /// What it might look like.
    pub example: &'static str,
}

impl Inputs<'_> {
    /// What stands in a field.
    pub fn get(&self, name: &str) -> String {
        self.fields.get(name).cloned().unwrap_or_default()
    }

    /// Whether a box is ticked.
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The refusal beside a field; empty while there is none.
    pub fn wrong(&self, name: &'static str) -> AnyView {
        let shown = self.shown;
        view! { <p class="wrong" id=format!("wrong-{name}") aria-live="polite">{move || shown.problem(name)}</p> }
            .into_any()
    }

    /// A line.
    pub fn line(&self, line: Line) -> AnyView {
        let (name, shown) = (line.name, self.shown);
        let value = self.get(name);
        let (min, max) = line.range.unzip();
        let invalid = move || shown.problem(name).map(|_| "true");
        let about = format!("hint-{name} wrong-{name}");
        let most = (line.kind == "text").then_some("1000");
        let example = (!line.example.is_empty()).then_some(line.example);
        view! {
            <div class="input" data-kind=line.kind>
                <label class="field">
                    <span>{line.label}</span>
                    <input type=line.kind name=name value=value required=line.required list=line.list min=min max=max maxlength=most
                        placeholder=example autocomplete="off" spellcheck="false" autocapitalize="none" aria-describedby=about aria-invalid=invalid/>
                </label>
                <small id=format!("hint-{name}")>{line.hint}</small>
                {self.wrong(name)}
            </div>
        }
        .into_any()
    }

    /// One of several ways, with what belongs to it alone.
    pub fn choice(
        &self,
        name: &'static str,
        value: &'static str,
        label: &'static str,
        hint: &'static str,
        more: Option<AnyView>,
    ) -> AnyView {
        let chosen = self.get(name) == value;
        let more = more.map(|more| view! { <div class="more">{more}</div> });
        view! {
            <div class="choice">
                <label class="tick"><input type="radio" name=name value=value checked=chosen/><span><b>{label}</b> <small>{hint}</small></span></label>
                {more}
            </div>
        }
        .into_any()
    }

    /// A list to choose from.
    pub fn select(&self, name: &'static str, label: &'static str, options: Vec<(String, String)>) -> AnyView {
        let (chosen, shown) = (self.get(name), self.shown);
        let options = options.into_iter().map(|(value, words)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{words}</option> }
        });
        let invalid = move || shown.problem(name).map(|_| "true");
        view! {
            <div class="input">
                <label class="field">
                    <span>{label}</span>
                    <select name=name aria-describedby=format!("wrong-{name}") aria-invalid=invalid>{options.collect::<Vec<_>>()}</select>
                </label>
                {self.wrong(name)}
            </div>
        }
        .into_any()
    }

    /// A box to tick.
    pub fn tick(&self, name: String, label: String, small: Option<String>) -> AnyView {
        let ticked = self.has(&name);
        let small = small.map(|text| view! { " " <small>{text}</small> });
        view! { <label class="tick"><input type="checkbox" name=name value="1" checked=ticked/><span>{label} {small}</span></label> }.into_any()
    }

    /// The days of the week.
    pub fn days(&self, legend: &'static str) -> AnyView {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let boxes = DAYS
            .iter()
            .enumerate()
            .map(|(n, day)| self.tick(format!("day{n}"), (*day).to_owned(), None));
        view! {
            <fieldset class="days" aria-describedby="wrong-days">
                <legend>{legend}</legend>
                <div class="boxes">{boxes.collect::<Vec<_>>()}</div>
                {self.wrong("days")}
            </fieldset>
        }
        .into_any()
    }

    /// Groups to tick.
    pub fn groups(
        &self,
        prefix: &'static str,
        legend: &'static str,
        hint: &'static str,
        groups: &[view::GroupName],
    ) -> AnyView {
        let boxes = groups.iter().map(|group| {
            let ring = group.ring.as_ref().map(|ring| format!("ring {ring}"));
            self.tick(format!("{prefix}{}", group.id), group.name.clone(), ring)
        });
        let boxes = boxes.collect::<Vec<_>>();
        let none = boxes
            .is_empty()
            .then(|| view! { <p class="none">"There are no groups yet."</p> });
        let (wrong, about) = if prefix == "group" {
            (self.wrong("groups"), Some("wrong-groups"))
        } else {
            (().into_any(), None)
        };
        view! {
            <fieldset aria-describedby=about>
                <legend>{legend}</legend>
                <small>{hint}</small>
                <div class="boxes">{boxes}{none}</div>
                {wrong}
            </fieldset>
        }
        .into_any()
    }

    /// On whose clock the times are read.
    pub fn zone(&self) -> AnyView {
        let named = self.line(Line {
            name: "zone_name",
            label: "Time zone",
            kind: "text",
            hint: "Summer time is followed as in that place.",
            list: Some("zones"),
            example: "Europe/Berlin",
            ..Line::default()
        });
        view! {
            <fieldset class="choices">
                <legend>"On whose clock"</legend>
                {self.choice("zone", "device", "Each device's own", "22:00 is ten at night wherever the device stands.", None)}
                {self.choice("zone", "utc", "UTC", "The same moment everywhere, summer and winter.", None)}
                {self.choice("zone", "named", "Of a place", "The same moment everywhere, by the clock of that place.", Some(named))}
            </fieldset>
        }
        .into_any()
    }
}

/// Suggestions for a line.
pub fn suggestions(id: &'static str, words: &[String]) -> AnyView {
    let options = words
        .iter()
        .map(|word| view! { <option value=word.clone()></option> })
        .collect::<Vec<_>>();
    view! { <datalist id=id>{options}</datalist> }.into_any()
}
