//! Numbers for Prometheus. Labels are route patterns, never addresses: their number is bounded, and no token stands in them.

use crate::state::AppState;
use axum::extract::{MatchedPath, Request, State as Extracted};
use axum::middleware::Next;
use axum::response::Response;
use domain::{DeviceState, Severity};
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};
use prometheus_client::registry::Registry;
use service::{Actor, queries::metrics::Gauges};
use std::time::{Duration, Instant};
use tracing::Instrument as _;
use view::{DeviceFilter, DeviceShow, PatchFilter};

/// Upper bounds in seconds, from a cached asset to a slow password hash.
const BUCKETS: [f64; 10] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Shown {
    show: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    severity: &'static str,
    security: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// What is read from the database for each scrape.
#[derive(Default)]
struct OfDatabase {
    devices: Family<State, Gauge>,
    patches_missing: Family<Kind, Gauge>,
    installs_missing: Family<Kind, Gauge>,
    holds_open: Gauge,
    attempts: Family<State, Gauge>,
    attempts_open: Gauge,
    installs_unproven: Gauge,
    oldest_scan: Gauge,
    audit_records: Gauge,
    bytes: Gauge,
    free_bytes: Gauge,
    clock_trusted: Gauge,
}

impl OfDatabase {
    fn register(&self, registry: &mut Registry) {
        let mut gauge = |name: &str, help: &str, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("holds_open", "Holds that nobody has resolved", &self.holds_open);
        gauge(
            "attempts_open",
            "Permits and installs without a result",
            &self.attempts_open,
        );
        gauge(
            "installs_unproven",
            "Installs that ended well and that no scan has proven yet",
            &self.installs_unproven,
        );
        gauge(
            "oldest_scan_age_seconds",
            "Age of the oldest last scan among active devices, or of the enrolment where there was none",
            &self.oldest_scan,
        );
        gauge("audit_records", "Length of the audit chain", &self.audit_records);
        gauge(
            "database_bytes",
            "Size of the database without its write-ahead log",
            &self.bytes,
        );
        gauge(
            "database_free_bytes",
            "Bytes of the database that hold nothing",
            &self.free_bytes,
        );
        gauge(
            "clock_trusted",
            "1 while the server's clock is taken to be right; 0 after it jumped: no permits are given",
            &self.clock_trusted,
        );
        registry.register(
            "device_states",
            "Devices by where they stand; active ones are in contact or silent",
            self.devices.clone(),
        );
        registry.register("attempts", "Attempts by their state", self.attempts.clone());
        registry.register(
            "patches_missing",
            "Patches that are not superseded and that at least one device misses",
            self.patches_missing.clone(),
        );
        registry.register(
            "installs_missing",
            "Each of these patches on each device that misses it",
            self.installs_missing.clone(),
        );
    }

    fn set(&self, read: &Gauges) {
        for (state, n) in &read.devices {
            let of = |state| self.devices.get_or_create(&State { state });
            if *state == DeviceState::Active {
                of("in_contact").set(n.saturating_sub(read.silent).into());
                of("silent").set(read.silent.into());
            } else {
                of(state.word()).set((*n).into());
            }
        }
        let kind = |severity: Severity, security| Kind {
            severity: severity.word(),
            security: if security { "yes" } else { "no" },
        };
        for (severity, security, n) in &read.open_patches {
            self.patches_missing
                .get_or_create(&kind(*severity, *security))
                .set((*n).into());
        }
        for (severity, security, n) in &read.missing_installs {
            self.installs_missing
                .get_or_create(&kind(*severity, *security))
                .set(whole(*n));
        }
        let open = |word: &str| matches!(word, "permitted" | "started");
        for (state, n) in &read.attempts {
            self.attempts.get_or_create(&State { state }).set((*n).into());
        }
        let waiting = read
            .attempts
            .iter()
            .filter(|(word, _)| open(word))
            .map(|(_, n)| i64::from(*n))
            .sum();
        self.attempts_open.set(waiting);
        self.holds_open.set(read.open_holds.into());
        self.installs_unproven.set(read.unproven.into());
        self.oldest_scan.set(read.oldest_scan.map_or(0, |age| age.0.max(0)));
        self.audit_records.set(read.audit_records.into());
        self.bytes.set(whole(read.database_bytes));
        self.free_bytes.set(whole(read.database_free_bytes));
        self.clock_trusted.set(read.clock_trusted.into());
    }
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// All numbers of this process.
pub struct Metrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    seconds: Family<Route, Histogram>,
    devices: Family<Shown, Gauge>,
    patches: Gauge,
    of_database: OfDatabase,
    /// Open event streams.
    pub(crate) streams: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("patchward");
        let answered = Family::default();
        let seconds = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let (devices, patches, streams) = (Family::default(), Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests answered", answered.clone());
        registry.register("http_request_seconds", "Time until the answer's head", seconds.clone());
        registry.register("devices", "Devices, as the device list counts them", devices.clone());
        registry.register(
            "patches",
            "Patches in the catalog that are not superseded",
            patches.clone(),
        );
        registry.register("event_streams", "Pages that listen for changes now", streams.clone());
        let build: Family<Build, Gauge> = Family::default();
        let version = env!("CARGO_PKG_VERSION");
        build.get_or_create(&Build { version }).set(1);
        registry.register("build_info", "1, with the version of this server", build);
        let of_database = OfDatabase::default();
        of_database.register(&mut registry);
        Self {
            registry,
            answered,
            seconds,
            devices,
            patches,
            of_database,
            streams,
        }
    }
}

impl Metrics {
    fn record(&self, method: &axum::http::Method, route: &str, status: u16, took: Duration) {
        let method = match method.as_str() {
            "GET" => "GET",
            "POST" => "POST",
            "HEAD" => "HEAD",
            _ => "other",
        };
        self.answered
            .get_or_create(&Answered {
                method,
                route: route.to_owned(),
                status,
            })
            .inc();
        self.seconds
            .get_or_create(&Route {
                route: route.to_owned(),
            })
            .observe(took.as_secs_f64());
    }

    /// The text that Prometheus reads. Counts come from the same queries as the lists on the pages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn text(&self, service: &service::Service) -> service::Result<String> {
        let host = Actor::host();
        for show in DeviceShow::ALL {
            let filter = DeviceFilter {
                show: *show,
                ..DeviceFilter::default()
            };
            let total = service.devices(&host, &filter).await?.total;
            self.devices
                .get_or_create(&Shown { show: show.word() })
                .set(total.into());
        }
        self.patches
            .set(service.patches(&host, &PatchFilter::default()).await?.total.into());
        self.of_database.set(&service.gauges().await?);
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = encode(&mut text, &self.registry);
        Ok(text)
    }
}

/// Counts, times and logs every request. Neither bodies nor addresses are logged: a sign-in link is an address.
pub async fn layer(Extracted(state): Extracted<AppState>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("(none)", MatchedPath::as_str)
        .to_owned();
    let id = format!("{:013x}", service::random::number());
    let span = tracing::info_span!("request", %id, %method, %route);
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (took, status) = (began.elapsed(), response.status().as_u16());
    state.metrics.record(&method, &route, status, took);
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| match status {
        500.. => tracing::warn!(status, ms, "answered"),
        400..500 => tracing::info!(status, ms, "answered"),
        _ => tracing::debug!(status, ms, "answered"),
    });
    if let Ok(id) = id.parse() {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}
