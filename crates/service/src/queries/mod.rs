//! What pages show. Each query fills one struct of `view`; counts come from the same rows as the lists they link to.

pub mod accounts;
pub mod audit;
pub mod calendar;
pub mod check;
mod days;
pub mod device;
pub mod devices;
mod forecast;
pub mod hours;
pub mod metrics;
pub mod patch;
pub mod patches;
pub mod preview;
pub mod recount;
pub mod rings;
pub mod schedule;
pub(crate) mod waiting;
mod words;

use crate::store::lists::Group;
use view::{GroupName, PAGE_SIZE, RingName};

/// The page to show, which exists, and how many there are. Nothing at all is one empty page.
fn pages(asked: u32, total: u32) -> (u32, u32) {
    let pages = total.div_ceil(PAGE_SIZE).max(1);
    (asked.clamp(1, pages), pages)
}

fn group_names(groups: &[Group], rings: &[RingName]) -> Vec<GroupName> {
    let ring = |g: &Group| rings.iter().find(|r| Some(r.id) == g.ring).map(|r| r.name.clone());
    groups
        .iter()
        .map(|g| GroupName {
            id: g.id,
            name: g.name.clone(),
            ring: ring(g),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::pages;

    #[test]
    fn there_is_always_a_page_that_exists() {
        assert_eq!(pages(0, 0), (1, 1));
        assert_eq!(pages(1, 50), (1, 1));
        assert_eq!(pages(9, 51), (2, 2));
        assert_eq!(pages(u32::MAX, u32::MAX).0, u32::MAX.div_ceil(50));
    }
}
