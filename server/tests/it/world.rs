//! A server in this process, with an empty database of its own and a clock that stands still.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use domain::{Moment, Role};
use ed25519_dalek::SigningKey;
use protocol::ShortText;
use protocol::sign::{KEY_HEADER, SIGNATURE_HEADER, key_id, sign_request};
use protocol::v1::{CHECK_IN, CheckIn, ENROLL, EnrollRequest, HostFacts, Sealed};
use server::{AppState, Reach};
use service::clock::ManualClock;
use service::commands::tokens::TokenRequest;
use service::{Actor, Service, Settings};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use tokio::runtime::Runtime;
use tokio::sync::{RwLock, RwLockReadGuard};
use tower::ServiceExt as _;

pub(crate) const HOST: &str = "127.0.0.1:7677";
pub(crate) const ORIGIN: &str = "http://127.0.0.1:7677";
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)), 50_000);

pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) state: AppState,
    pub(crate) clock: Arc<ManualClock>,
    router: Router,
    counter: AtomicU64,
    _folder: tempfile::TempDir,
}

/// Threads of all servers of this process, as the binary has them. A test's own threads end with it, and what Leptos keeps for the whole
/// process must not depend on them.
static THREADS: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads"));

/// While the routes are listed, no page may be rendered: Leptos then keeps every resource of the process from loading, and a page that asks
/// for one at that moment waits for ever. A real server lists its routes once, before it serves.
static LISTING: RwLock<()> = RwLock::const_new(());

/// Keeps the routes from being listed. One for all requests that wait for each other: whoever wants to list them would let no second one in
/// before the first has ended.
pub(crate) async fn unlisted() -> RwLockReadGuard<'static, ()> {
    LISTING.read().await
}

async fn answer(response: axum::response::Response) -> Answer {
    on_server(async {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    })
    .await
}

async fn on_server<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    THREADS.spawn(work).await.expect("no fault")
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::at(ORIGIN).await
    }

    pub(crate) async fn at(public_url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut settings = Settings::new(folder.path().to_owned());
        settings.public_url = public_url.to_owned();
        let clock = Arc::new(ManualClock::at(Moment(1_900_000_000)));
        let time = clock.clone();
        let _alone = LISTING.write().await;
        let (service, state, router) = on_server(async {
            let service = Service::open(settings, time).await.expect("a new database");
            let state = AppState::new(service.clone(), Reach::default());
            let router = server::router(state.clone());
            (service, state, router)
        })
        .await;
        Self {
            service,
            state,
            clock,
            router,
            counter: AtomicU64::new(1),
            _folder: folder,
        }
    }

    /// Without reading the body.
    pub(crate) async fn call(&self, request: Request<Body>) -> axum::response::Response {
        let _together = unlisted().await;
        self.pass(request).await
    }

    async fn pass(&self, mut request: Request<Body>) -> axum::response::Response {
        request.extensions_mut().insert(ConnectInfo(PEER));
        let answer = self.router.clone().oneshot(request);
        on_server(async { answer.await.expect("the router answers") }).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        answer(self.call(request).await).await
    }

    /// One of several requests that are under way at the same time; whoever sends them keeps [`unlisted`] for all.
    pub(crate) async fn send_beside(&self, request: Request<Body>) -> Answer {
        answer(self.pass(request).await).await
    }

    /// A new account of this role, signed in; the `cookie` header's value.
    pub(crate) async fn session(&self, role: Role) -> String {
        let host = Actor::host();
        let name = format!("{}-{}", role.word(), self.counter.fetch_add(1, Ordering::Relaxed));
        self.service
            .create_account(&host, &name, role, None)
            .await
            .expect("a new name");
        let link = self.service.make_sign_in_link(&host, &name).await.expect("a link");
        let session = self
            .service
            .sign_in_by_link(&link, PEER.ip(), "test")
            .await
            .expect("a session");
        format!("sid={}", session.token)
    }

    /// Audit records so far: what was refused leaves none.
    pub(crate) async fn records(&self) -> u32 {
        self.service
            .audit(&Actor::host(), &view::AuditFilter::default())
            .await
            .expect("the audit log")
            .total
    }

    /// A token for one device.
    pub(crate) async fn token(&self) -> String {
        let request = TokenRequest {
            label: "test".to_owned(),
            group: None,
            accept: true,
            scan_only: false,
            max_uses: 1,
            hours: 1,
        };
        self.service
            .create_token(&Actor::host(), request)
            .await
            .expect("a token")
            .token
    }

    /// A device that enrolled over HTTP.
    pub(crate) async fn device(&self) -> SigningKey {
        let key = SigningKey::from_bytes(&service::random::bytes());
        let body = serde_json::to_vec(&enrollment(&key, &self.token().await)).expect("JSON");
        let answer = self.send(signed(&key, ENROLL, body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        key
    }
}

pub(crate) fn host_facts() -> HostFacts {
    let text = ShortText::fit;
    HostFacts {
        hostname: text("web-1"),
        os_id: text("debian"),
        os_version: text("12"),
        os_codename: text("bookworm"),
        os_name: text("Debian GNU/Linux 12 (bookworm)"),
        arch: text("amd64"),
        manager: Some(text("apt")),
        kernel: text("6.1.0-40-amd64"),
        time_zone: text("Europe/Helsinki"),
        languages: vec![text("en_US.UTF-8")],
        boot_id: text("0b8f7a52-6f7e-4f3c-8b0e-111111111111"),
    }
}

pub(crate) fn enrollment(key: &SigningKey, token: &str) -> EnrollRequest {
    EnrollRequest {
        token: token.to_owned(),
        public_key: hex::encode(key.verifying_key().to_bytes()),
        nonce: hex::encode([1; 16]),
        scan_only: false,
        host: host_facts(),
    }
}

pub(crate) fn check_in(seq: u64) -> Sealed<CheckIn> {
    Sealed {
        seq,
        nonce: hex::encode(service::random::bytes::<16>()),
        sent_at: Moment(1_900_000_000),
        message: CheckIn {
            agent_version: ShortText::fit("0.1.0"),
            boot_id: ShortText::fit("0b8f7a52-6f7e-4f3c-8b0e-111111111111"),
            inventory: None,
            policy_version: 0,
            unacknowledged: 0,
            measured: domain::Measured {
                download_rate: Some(2_500_000),
                restart: Some(domain::Span(95)),
            },
        },
    }
}

pub(crate) fn signed_check_in(key: &SigningKey, seq: u64) -> Request<Body> {
    signed(key, CHECK_IN, serde_json::to_vec(&check_in(seq)).expect("JSON"))
}

pub(crate) fn signed(key: &SigningKey, path: &str, body: Vec<u8>) -> Request<Body> {
    Request::post(path)
        .header(header::HOST, HOST)
        .header(header::CONTENT_TYPE, "application/json")
        .header(KEY_HEADER, key_id(&key.verifying_key().to_bytes()))
        .header(SIGNATURE_HEADER, sign_request(key, path, &body))
        .body(Body::from(body))
        .expect("a request")
}

/// As our own pages send it.
pub(crate) fn own(
    method: Method,
    path: &str,
    cookie: Option<&str>,
    accept: &str,
    kind: &str,
    body: &str,
) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, HOST)
        .header("sec-fetch-site", "same-origin")
        .header(header::ACCEPT, accept)
        .header(header::CONTENT_TYPE, kind);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}

pub(crate) fn page(path: &str, cookie: Option<&str>) -> Request<Body> {
    own(Method::GET, path, cookie, "text/html", "text/plain", "")
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";

/// A server function as a script of ours calls it.
pub(crate) fn function(path: &str, cookie: Option<&str>, body: &str) -> Request<Body> {
    let kind = if body.starts_with('{') { JSON } else { FORM };
    own(Method::POST, path, cookie, JSON, kind, body)
}

pub(crate) async fn pages() -> Vec<String> {
    let _alone = LISTING.write().await;
    leptos_axum::generate_route_list(app::App)
        .iter()
        .map(|route| route.path().to_owned())
        .collect()
}

pub(crate) fn functions() -> Vec<(String, Method)> {
    server_fn::axum::server_fn_paths()
        .map(|(path, method)| (path.to_owned(), method))
        .collect()
}
