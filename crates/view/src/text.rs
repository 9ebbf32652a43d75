//! Sentences in which moments are still moments: whoever shows them knows the reader's zone.

use domain::Moment;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a device's wall clock shows at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceClock {
    /// Seconds by which it is ahead of UTC then.
    pub ahead: i32,
    /// Its zone's abbreviation or offset then, e.g. `EET`.
    pub zone: String,
}

/// A moment to show: in the reader's zone, and on the device's clock beside it where that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instant {
    /// The moment.
    pub at: Moment,
    /// The clock of the device that it is about; none: of no device, or its clock shows UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceClock>,
}

/// `2026-11-24 13:05`.
fn minute(at: Moment) -> String {
    at.rfc3339()[..16].replace('T', " ")
}

impl Instant {
    /// `2026-11-24 15:05` on the device's wall; none where that is the wall of UTC.
    #[must_use]
    pub fn on_device(&self) -> Option<String> {
        self.device
            .as_ref()
            .map(|clock| minute(Moment(self.at.0.saturating_add(i64::from(clock.ahead)))))
    }

    /// `2026-11-24 13:05 UTC`.
    #[must_use]
    pub fn utc(&self) -> String {
        format!("{} UTC", minute(self.at))
    }
}

impl fmt::Display for Instant {
    /// The device's clock with UTC beside it: `2026-11-24 15:05 EET (13:05 UTC)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.utc();
        match (&self.device, self.on_device()) {
            (Some(clock), Some(wall)) => {
                let same_day = wall[..10] == utc[..10];
                let utc = if same_day { &utc[11..] } else { &utc[..] };
                write!(f, "{wall} {} ({utc})", clock.zone)
            }
            _ => f.write_str(&utc),
        }
    }
}

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Words(String),
    /// A moment.
    At(Instant),
}

/// A sentence. As text it has the device's clock and UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(pub Vec<Part>);

impl Text {
    /// Nothing is said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Words(words) => f.write_str(words),
            Part::At(instant) => instant.fmt(f),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_on_the_devices_clock_and_in_utc() {
        let at = |ahead: i32, zone: &str| Instant {
            at: Moment(1_795_525_500),
            device: Some(DeviceClock {
                ahead,
                zone: zone.to_owned(),
            }),
        };
        assert_eq!(at(7_200, "EET").to_string(), "2026-11-24 15:05 EET (13:05 UTC)");
        assert_eq!(
            at(13 * 3_600, "+13").to_string(),
            "2026-11-25 02:05 +13 (2026-11-24 13:05 UTC)"
        );
        let utc = Instant {
            device: None,
            ..at(0, "")
        };
        assert_eq!(
            (utc.to_string().as_str(), utc.on_device()),
            ("2026-11-24 13:05 UTC", None)
        );
        let text = Text(vec![
            Part::Words("Soaking until ".to_owned()),
            Part::At(at(7_200, "EET")),
        ]);
        assert_eq!(text.to_string(), "Soaking until 2026-11-24 15:05 EET (13:05 UTC)");
    }
}
