//! Who is at the other end of the connection.

use crate::state::{AppState, Reach};
use app::ctx::{ClientName, PeerAddr};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Characters of a browser's name that are kept.
const CLIENT_MAX: usize = 120;

/// Puts [`PeerAddr`] and [`ClientName`] into the request.
pub async fn layer(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let connection = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let peer = PeerAddr(peer(state.reach, connection, request.headers()));
    let client = ClientName(client(request.headers()));
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(client);
    next.run(request).await
}

/// The address of the connection; behind a proxy on this host the address that the proxy itself appended last. What stands before it was
/// written by the client and says nothing.
fn peer(reach: Reach, connection: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
    // Requests without a connection exist in tests only.
    let connection = connection.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
    if !(reach.behind_proxy && connection.is_loopback()) {
        return connection;
    }
    let last = headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok());
    last.and_then(|value| value.rsplit(',').next())
        .and_then(|address| address.trim().parse::<IpAddr>().ok())
        .map_or(connection, |address| address.to_canonical())
}

fn client(headers: &HeaderMap) -> String {
    let name = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(CLIENT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_client_cannot_choose_its_address() {
        let proxy = Reach { behind_proxy: true };
        let local = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let forged = HeaderMap::from_iter([(
            axum::http::HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static("10.9.9.9, 192.0.2.7"),
        )]);
        assert_eq!(peer(proxy, local, &forged).to_string(), "192.0.2.7");
        assert_eq!(peer(Reach::default(), local, &forged).to_string(), "127.0.0.1");
        let remote = Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)));
        assert_eq!(
            peer(proxy, remote, &forged).to_string(),
            "198.51.100.1",
            "not through our proxy"
        );
    }
}
