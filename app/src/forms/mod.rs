//! Forms that come back as they were typed, between the address bar and the service (docs/adr/0008). Server only.

pub mod decide;
pub mod rings;
pub mod schedule;

use crate::address::Query;
use crate::api::forms::Fields;

/// What the sender of a form wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// To see what it would do.
    Check,
    /// To save it.
    Save,
}

impl Act {
    /// By the button that was pressed. Afterwards the fields say it in one way.
    pub fn of(fields: &mut Fields) -> Self {
        // The button under "somebody saved a newer version": the person has seen that version now.
        let over = fields.remove("over");
        let checks = over.is_none() && fields.get("act").is_some_and(|act| act == "check");
        if let Some(version) = over {
            fields.insert("version".to_owned(), version);
        }
        let (act, word) = if checks {
            (Self::Check, "check")
        } else {
            (Self::Save, "save")
        };
        fields.insert("act".to_owned(), word.to_owned());
        act
    }
}

/// The address of a form below `folder`, with what was typed in it.
pub fn address(folder: &str, fields: &Fields) -> String {
    let mut query = Query::default();
    for (name, value) in fields.iter().filter(|(name, _)| name.as_str() != "what") {
        query.some(name, value);
    }
    let id = fields.get("id").filter(|id| id.parse::<i64>().is_ok());
    query.on(&format!("{folder}/{}", id.map_or("new", String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn the_button_says_what_is_wanted() {
        for (sent, act) in [("check", Act::Check), ("save", Act::Save), ("what?", Act::Save)] {
            assert_eq!(Act::of(&mut fields(&[("act", sent)])), act, "{sent}");
        }
        assert_eq!(Act::of(&mut fields(&[])), Act::Save, "sent with Enter");
        let mut over = fields(&[("act", "check"), ("over", "7"), ("version", "5")]);
        assert_eq!(Act::of(&mut over), Act::Save);
        assert_eq!(over, fields(&[("act", "save"), ("version", "7")]));
    }

    #[test]
    fn what_was_typed_stands_in_the_address() {
        let typed = fields(&[("what", "windows"), ("id", "12"), ("name", "a b&c")]);
        assert_eq!(
            address("/schedule/windows", &typed),
            "/schedule/windows/12?id=12&name=a%20b%26c"
        );
        let strange = fields(&[("id", "../../x")]);
        assert!(address("/rings/ring", &strange).starts_with("/rings/ring/new?"));
    }
}
