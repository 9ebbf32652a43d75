//! What is typed into the schedule's forms, as text by the field's name, read into forms and written back. Server only.
//!
//! A form that cannot be saved comes back to the person as it was typed: its fields travel in the address of the page, as filters do, so that
//! it works without JavaScript and nothing has to be kept on the server.

mod place;
mod read;
mod write;

pub use place::place;
pub use read::read;
pub use write::{blank, fields};

use crate::api::forms::Beside;

/// A form, or everything about it that cannot be read.
pub type Read<T> = Result<T, Vec<Beside>>;

/// Minutes of each unit that a form offers.
const UNITS: [(&str, u32); 3] = [("days", 1_440), ("hours", 60), ("minutes", 1)];
/// More than any field may hold, far below what overflows: the service says what is allowed.
const MOST: u32 = 1_000_000;
#[cfg(test)]
mod tests {
    use super::read::{Reader, window};
    use super::write::Writer;
    use super::*;
    use crate::api::forms::Fields;
    use domain::GroupId;
    use view::{FormProblem, ScheduleForm, ScheduleKind, ScheduleProblem, WindowForm, WindowWhen, ZoneChoice};

    fn typed(pairs: &[(&str, &str)]) -> Fields {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn read_window(fields: &Fields) -> Read<WindowForm> {
        window(Reader {
            fields,
            problems: Vec::new(),
        })
    }

    #[test]
    fn a_window_comes_back_as_it_was_typed() {
        for when in [
            WindowWhen::Weekly { days: vec![0, 6] },
            WindowWhen::Monthly {
                nth: -1,
                weekday: 4,
                plus_days: 3,
            },
            WindowWhen::Once {
                date: "2026-12-05".into(),
            },
            WindowWhen::Rule {
                date: "2026-12-05".into(),
                rule: "FREQ=DAILY".into(),
            },
        ] {
            let form = WindowForm {
                name: "n".into(),
                when,
                at: "22:30".into(),
                minutes: 95,
                zone: ZoneChoice::Named("Europe/Berlin".into()),
                groups: vec![GroupId(2), GroupId(7)],
            };
            assert_eq!(read_window(&fields(&ScheduleForm::Window(form.clone()))), Ok(form));
        }
    }

    #[test]
    fn a_number_that_is_none_is_named_beside_its_field() {
        let wrong = read_window(&typed(&[("hours", "four"), ("minutes", "-1")])).unwrap_err();
        let fields: Vec<&str> = wrong.iter().map(|beside| beside.field.as_str()).collect();
        assert_eq!(fields, ["hours", "minutes"]);
        assert!(read_window(&typed(&[("hours", "99999999999")])).is_err());
    }

    #[test]
    fn intervals_are_written_in_the_unit_that_reads_best() {
        for (minutes, count, unit) in [
            (15, "15", "minutes"),
            (60, "1", "hours"),
            (1_440, "24", "hours"),
            (10_080, "7", "days"),
            (90, "90", "minutes"),
        ] {
            let mut writer = Writer(Fields::new());
            writer.every("scan", minutes);
            assert_eq!(
                (writer.0["scan"].as_str(), writer.0["scan_unit"].as_str()),
                (count, unit),
                "{minutes}"
            );
            let mut reader = Reader {
                fields: &writer.0,
                problems: Vec::new(),
            };
            assert_eq!(reader.every("scan"), minutes);
        }
    }

    #[test]
    fn a_refusal_stands_beside_the_field_that_holds_what_it_repeats() {
        let freeze = typed(&[("from", "2026-12-01"), ("to", "2026-13-01")]);
        let bad = FormProblem::Schedule(ScheduleProblem::BadDate("2026-13-01".into()));
        assert_eq!(place(ScheduleKind::Freeze, &freeze, &bad), "to");
        let rule = typed(&[("when", "rule"), ("rule", "FREQ=YEARLY;COUNT=0")]);
        let never = FormProblem::Schedule(ScheduleProblem::NeverOccurs);
        assert_eq!(place(ScheduleKind::Window, &rule, &never), "rule");
        assert_eq!(place(ScheduleKind::Window, &typed(&[]), &never), "when");
    }
}
