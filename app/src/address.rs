//! Filters, sort and page as they stand in the address bar. Unknown values fall back to the default: people edit addresses.

use domain::{Category, DeviceId, PatchId, PatchState, RingId, Severity};
use leptos_router::params::ParamsMap;
use std::fmt::Write as _;
use std::str::FromStr;
use view::{
    ApprovalFilter, AuditFilter, CalendarAsk, CalendarSpan, CountBucket, DeviceFilter, DevicePatches, DeviceShow,
    PatchDevices, PatchFilter, PatchShow, PatchSort, ScheduleOf,
};

/// An address's query while it is written. Both sides write it alike, so that hydration finds what the server sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(String);

impl Query {
    /// Adds `name=value`.
    pub fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                self.0.push(char::from(byte));
            } else {
                let _ = write!(self.0, "%{byte:02X}");
            }
        }
    }
    /// Adds `name=value` unless the value is empty.
    pub fn some(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.add(name, value);
        }
    }
    /// Without the question mark.
    pub fn text(&self) -> &str {
        &self.0
    }
    /// `path?query`, or `path` alone.
    pub fn on(&self, path: &str) -> String {
        if self.0.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", self.0)
        }
    }
}

fn text(query: &ParamsMap, name: &str) -> String {
    query
        .get_str(name)
        .unwrap_or_default()
        .trim()
        .chars()
        .take(200)
        .collect()
}

fn word<T: FromStr>(query: &ParamsMap, name: &str) -> Option<T> {
    query.get_str(name).and_then(|t| t.parse().ok())
}

fn page(query: &ParamsMap) -> u32 {
    word(query, "page").unwrap_or(1).clamp(1, 1_000_000)
}

/// Reads the status view's filter.
pub fn patch_filter(query: &ParamsMap) -> PatchFilter {
    PatchFilter {
        q: text(query, "q"),
        severity: word::<Severity>(query, "severity"),
        category: word::<Category>(query, "category"),
        state: bucket(query),
        product: text(query, "product"),
        approval: query.get_str("approval").and_then(ApprovalFilter::from_word),
        ring: word::<RingId>(query, "ring"),
        superseded: query.get_str("superseded").is_some_and(|t| t == "1"),
        sort: query.get_str("sort").and_then(PatchSort::from_word).unwrap_or_default(),
        page: page(query),
    }
}

fn bucket(query: &ParamsMap) -> Option<CountBucket> {
    query.get_str("state").and_then(CountBucket::from_word)
}

/// Reads which devices a patch's page shows.
pub fn patch_devices(query: &ParamsMap) -> PatchDevices {
    PatchDevices {
        state: bucket(query),
        ring: word::<RingId>(query, "ring"),
        page: page(query),
    }
}

/// Writes the address of these devices on a patch's page.
pub fn patch_devices_at(patch: PatchId, shown: &PatchDevices) -> String {
    format!("{}#devices", patch_at(patch, shown))
}

/// Writes the address of a patch's page that shows these devices.
pub fn patch_at(patch: PatchId, shown: &PatchDevices) -> String {
    let mut query = Query::default();
    query.some("state", shown.state.map_or("", CountBucket::word));
    query.some("ring", &shown.ring.map_or_else(String::new, |r| r.to_string()));
    if shown.page > 1 {
        query.add("page", &shown.page.to_string());
    }
    query.on(&format!("/patches/{patch}"))
}

/// Reads which patches a device's page shows.
pub fn device_patches(query: &ParamsMap) -> DevicePatches {
    DevicePatches {
        show: query.get_str("show").and_then(PatchShow::from_word).unwrap_or_default(),
        page: page(query),
    }
}

/// Writes the address of these patches on a device's page.
pub fn device_patches_at(device: DeviceId, shown: &DevicePatches) -> String {
    format!("{}#patches", device_at(device, shown))
}

/// Writes the address of one patch on a device's page, in the list in which its state puts it.
pub fn device_patch_at(device: DeviceId, patch: PatchId, state: PatchState) -> String {
    let shown = DevicePatches {
        show: PatchShow::of(state),
        page: 1,
    };
    format!("{}#patch-{patch}", device_at(device, &shown))
}

/// Writes the address of a device's page that shows these patches.
pub fn device_at(device: DeviceId, shown: &DevicePatches) -> String {
    let mut query = Query::default();
    if shown.show != PatchShow::default() {
        query.add("show", shown.show.word());
    }
    if shown.page > 1 {
        query.add("page", &shown.page.to_string());
    }
    query.on(&format!("/devices/{device}"))
}

/// Writes the status view's filter, page included.
pub fn patch_query(filter: &PatchFilter) -> Query {
    let mut query = Query::default();
    for (name, value) in patch_fields(filter) {
        query.add(name, &value);
    }
    if filter.page > 1 {
        query.add("page", &filter.page.to_string());
    }
    query
}

/// The filter's fields that differ from the default, without the page.
pub fn patch_fields(filter: &PatchFilter) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("q", filter.q.clone()),
        ("severity", filter.severity.map_or("", Severity::word).to_owned()),
        ("category", filter.category.map_or("", Category::word).to_owned()),
        ("state", filter.state.map_or("", CountBucket::word).to_owned()),
        ("product", filter.product.clone()),
        ("approval", filter.approval.map_or("", ApprovalFilter::word).to_owned()),
        ("ring", filter.ring.map_or_else(String::new, |r| r.to_string())),
        ("superseded", if filter.superseded { "1" } else { "" }.to_owned()),
        (
            "sort",
            if filter.sort == PatchSort::default() {
                ""
            } else {
                filter.sort.word()
            }
            .to_owned(),
        ),
    ];
    fields.retain(|(_, value)| !value.is_empty());
    fields
}

/// Reads the device list's filter.
pub fn device_filter(query: &ParamsMap) -> DeviceFilter {
    DeviceFilter {
        q: text(query, "q"),
        show: query
            .get_str("show")
            .and_then(DeviceShow::from_word)
            .unwrap_or_default(),
        ring: word::<RingId>(query, "ring"),
        page: page(query),
    }
}

/// Writes the device list's filter.
pub fn device_query(filter: &DeviceFilter) -> Query {
    let mut query = Query::default();
    query.some("q", &filter.q);
    query.some(
        "show",
        if filter.show == DeviceShow::default() {
            ""
        } else {
            filter.show.word()
        },
    );
    query.some("ring", &filter.ring.map_or_else(String::new, |r| r.to_string()));
    if filter.page > 1 {
        query.add("page", &filter.page.to_string());
    }
    query
}

/// Reads what a calendar is asked for.
pub fn calendar_ask(query: &ParamsMap) -> CalendarAsk {
    let some = |name| Some(text(query, name)).filter(|t| !t.is_empty());
    CalendarAsk {
        of: query.get_str("of").and_then(ScheduleOf::parse).unwrap_or_default(),
        device: some("device"),
        span: match query.get_str("view") {
            Some("month") => CalendarSpan::Month,
            _ => CalendarSpan::Week,
        },
        from: some("from"),
        zone: some("zone"),
    }
}

/// Writes what a calendar is asked for.
pub fn calendar_query(ask: &CalendarAsk) -> Query {
    let mut query = Query::default();
    query.add("of", &ask.of.word());
    query.add("view", ask.span.word());
    query.some("from", ask.from.as_deref().unwrap_or_default());
    query.some("zone", ask.zone.as_deref().unwrap_or_default());
    query
}

/// Reads the audit log's filter.
pub fn audit_filter(query: &ParamsMap) -> AuditFilter {
    AuditFilter {
        q: text(query, "q"),
        page: page(query),
    }
}

/// Writes the audit log's filter.
pub fn audit_query(filter: &AuditFilter) -> Query {
    let mut query = Query::default();
    query.some("q", &filter.q);
    if filter.page > 1 {
        query.add("page", &filter.page.to_string());
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_the_default() {
        let map: ParamsMap = [("severity", "huge"), ("page", "-1"), ("sort", "x"), ("ring", "z")]
            .map(|(k, v)| (k, v.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(
            patch_filter(&map),
            PatchFilter {
                page: 1,
                ..PatchFilter::default()
            }
        );
    }
}
