//! How bad the world is. Each seed draws its own mix, so that some are calm and some are storms.

use crate::chance::Chance;
use domain::Span;

/// Rates of faults, in a thousand, and mean times between them.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Requests that never arrive.
    pub lost: u32,
    /// Answers that never arrive.
    pub answer_lost: u32,
    /// Requests that arrive twice.
    pub twice: u32,
    /// Requests that are late by minutes to hours.
    pub late: u32,
    /// Writes of a device that fail (full disk).
    pub disk: u32,
    /// Scans that cannot read a source.
    pub unread: u32,
    /// Installs that fail by themselves, whatever the version.
    pub install: u32,
    /// Between mishaps of one device.
    pub mishap: Span,
    /// Between deaths of the server.
    pub server_crash: Option<Span>,
    /// Between settings of the server's clock.
    pub clock_jump: Option<Span>,
    /// Between copies of devices.
    pub copy: Option<Span>,
}

impl Faults {
    /// The mix of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "faults", 0);
        let mut rate = |most: i64| {
            let some = chance.permille(700);
            let value = chance.between(0, most);
            if some { u32::try_from(value).unwrap_or(0) } else { 0 }
        };
        let (lost, answer_lost, twice, late) = (rate(200), rate(200), rate(150), rate(100));
        let (disk, unread, install) = (rate(60), rate(150), rate(80));
        let mut often = |share: u32, low: i64, high: i64| {
            let some = chance.permille(share);
            let mean = Span::hours(chance.between(low, high));
            some.then_some(mean)
        };
        Self {
            lost,
            answer_lost,
            twice,
            late,
            disk,
            unread,
            install,
            mishap: often(1_000, 30, 300).unwrap_or(Span::days(5)),
            server_crash: often(700, 12, 200),
            clock_jump: often(400, 72, 400),
            copy: often(300, 100, 500),
        }
    }

    /// No faults at all: the world in which everything must come to an end.
    #[must_use]
    pub fn none() -> Self {
        Self {
            lost: 0,
            answer_lost: 0,
            twice: 0,
            late: 0,
            disk: 0,
            unread: 0,
            install: 0,
            mishap: Span::days(10_000),
            server_crash: None,
            clock_jump: None,
            copy: None,
        }
    }

    /// How long a message takes.
    pub fn delay(&self, chance: &mut Chance) -> Span {
        if chance.permille(self.late) {
            // Most are late by minutes, some by days.
            let most = if chance.permille(100) { 200_000 } else { 3_000 };
            Span(chance.between(10, most))
        } else {
            Span(chance.between(0, 2))
        }
    }
}
