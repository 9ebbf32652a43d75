//! The fields of a maintenance window and of a freeze.

use crate::api::schedule::FormPage;
use crate::pages::forms::inputs::{Inputs, Line, suggestions};
use leptos::prelude::*;

fn name() -> Line {
    Line {
        name: "name",
        label: "Name",
        kind: "text",
        required: true,
        ..Line::default()
    }
}

/// A maintenance window.
pub fn window(form: &Inputs<'_>, page: &FormPage) -> AnyView {
    view! {
        {form.line(name())}
        <fieldset class="choices" aria-describedby="wrong-when">
            <legend>"On which days it begins"</legend>
            {form.choice("when", "weekly", "Every week", "on the days that you tick", Some(form.days("Days")))}
            {form.choice("when", "monthly", "Every month", "e.g. two days after the second Tuesday", Some(monthly(form)))}
            {form.choice("when", "once", "Once", "on one date", Some(date(form, "once_date", "Date")))}
            {form.choice("when", "rule", "By a rule", "for anything else that a calendar can say (RFC 5545)", Some(rule(form)))}
            {form.wrong("when")}
        </fieldset>
        <div class="row">
            {form.line(Line { name: "at", label: "Begins at", kind: "time", required: true, ..Line::default() })}
            {length(form)}
        </div>
        {form.zone()}
        {form.groups("group", "For which devices", "Groups in a ticked group are included. None ticked: every device.", &page.choices.groups)}
        {suggestions("zones", &page.choices.zones)}
    }
    .into_any()
}

fn date(form: &Inputs<'_>, name: &'static str, label: &'static str) -> AnyView {
    form.line(Line {
        name,
        label,
        kind: "date",
        ..Line::default()
    })
}

fn monthly(form: &Inputs<'_>) -> AnyView {
    let options = |words: &[(&str, &str)]| {
        words
            .iter()
            .map(|(value, word)| ((*value).to_owned(), (*word).to_owned()))
            .collect()
    };
    let which = [
        ("1", "first"),
        ("2", "second"),
        ("3", "third"),
        ("4", "fourth"),
        ("5", "fifth"),
        ("-1", "last"),
    ];
    let days = [
        ("0", "Monday"),
        ("1", "Tuesday"),
        ("2", "Wednesday"),
        ("3", "Thursday"),
        ("4", "Friday"),
        ("5", "Saturday"),
        ("6", "Sunday"),
    ];
    view! {
        <div class="row">
            {form.select("nth", "The", options(&which))}
            {form.select("weekday", "Day", options(&days))}
            {form.line(Line { name: "plus", label: "and so many days later", kind: "number", range: Some(("0", "27")), ..Line::default() })}
        </div>
    }
    .into_any()
}

fn rule(form: &Inputs<'_>) -> AnyView {
    view! {
        {form.line(Line {
            name: "rule",
            label: "Rule",
            kind: "text",
            hint: "FREQ=MONTHLY;BYMONTHDAY=15 is the 15th of each month.",
            example: "FREQ=MONTHLY;BYMONTHDAY=15",
            ..Line::default()
        })}
        {date(form, "rule_date", "First day")}
    }
    .into_any()
}

fn length(form: &Inputs<'_>) -> AnyView {
    let part = |name, label, most| {
        form.line(Line {
            name,
            label,
            kind: "number",
            range: Some(("0", most)),
            ..Line::default()
        })
    };
    view! {
        <fieldset class="length" aria-describedby="wrong-length">
            <legend class="hide">"How long it lasts"</legend>
            <div class="row">{part("hours", "Lasts hours", "744")} {part("minutes", "and minutes", "59")}</div>
            {form.wrong("length")}
        </fieldset>
    }
    .into_any()
}

/// A freeze.
pub fn freeze(form: &Inputs<'_>, page: &FormPage) -> AnyView {
    let moment = |name, label, hint| {
        form.line(Line {
            name,
            label,
            kind: "datetime-local",
            hint,
            required: true,
            ..Line::default()
        })
    };
    view! {
        {form.line(name())}
        <div class="row">
            {moment("from", "From", "the first minute without installs")}
            {moment("to", "To", "the first minute in which installs may start again")}
        </div>
        {form.zone()}
        {form.groups("group", "For which devices", "Groups in a ticked group are included. None ticked: every device.", &page.choices.groups)}
        {suggestions("zones", &page.choices.zones)}
    }
    .into_any()
}
