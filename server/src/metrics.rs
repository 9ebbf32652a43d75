//! Numbers for Prometheus. Labels are route patterns, never addresses: their number is bounded, and no token stands in them.

use crate::state::AppState;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};
use prometheus_client::registry::Registry;
use service::Actor;
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

/// All numbers of this process.
pub struct Metrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    seconds: Family<Route, Histogram>,
    devices: Family<Shown, Gauge>,
    patches: Gauge,
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
        Self {
            registry,
            answered,
            seconds,
            devices,
            patches,
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
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = encode(&mut text, &self.registry);
        Ok(text)
    }
}

/// Counts, times and logs every request. Neither bodies nor addresses are logged: a sign-in link is an address.
pub async fn layer(State(state): State<AppState>, request: Request, next: Next) -> Response {
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
