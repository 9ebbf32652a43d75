//! What stands in front of every page and server function: where a request came from, who sent it, and what the answer may be used for.
//! Deny by default: what is not listed in [`session`] as open to everybody needs a session.

pub mod csrf;
pub mod headers;
pub mod peer;
pub mod session;

/// The addresses that pages are served under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    public: String,
    https: bool,
}

impl Origins {
    /// From `https://patch.example/`: scheme, host and port, lower case, nothing after.
    #[must_use]
    pub fn of(public_url: &str) -> Self {
        let url = public_url.to_ascii_lowercase();
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", &url));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match scheme {
            "https" => host.strip_suffix(":443").unwrap_or(host),
            _ => host.strip_suffix(":80").unwrap_or(host),
        };
        Self {
            public: format!("{scheme}://{host}"),
            https: scheme == "https",
        }
    }

    /// Whether people reach the console over TLS only.
    #[must_use]
    pub const fn https(&self) -> bool {
        self.https
    }

    /// Whether a page of `origin` may send us forms: our own address, or the very address that the request came to when that is this
    /// machine itself (a console tried out on `127.0.0.1` is also opened as `localhost`).
    #[must_use]
    pub fn own(&self, origin: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        if origin == self.public {
            return true;
        }
        let Some(host) = host else { return false };
        is_loopback(host) && origin == format!("http://{}", host.to_ascii_lowercase())
    }
}

/// Whether a `host` header names this machine itself.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let name = if let Some(rest) = host.strip_prefix('[') {
        rest.split(']').next().unwrap_or_default()
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_address_is_ours() {
        let origins = Origins::of("https://Patch.Example:443/console");
        assert!(origins.https() && origins.own("https://patch.example", None));
        for foreign in [
            "http://patch.example",
            "https://patch.example.evil",
            "https://patch.example:444",
            "null",
            "",
        ] {
            assert!(!origins.own(foreign, Some("patch.example")), "{foreign}");
        }
        assert!(
            !origins.own("https://evil.example", Some("evil.example")),
            "a name that was made to point here"
        );
    }

    #[test]
    fn this_machine_has_several_names() {
        let origins = Origins::of("http://127.0.0.1:7677");
        assert!(origins.own("http://localhost:7677", Some("localhost:7677")));
        assert!(origins.own("http://[::1]:7677", Some("[::1]:7677")));
        assert!(!origins.own("http://localhost:7677", Some("127.0.0.1:7677")));
        assert!(!is_loopback("localhost.evil.example:7677") && !is_loopback("127.0.0.1.evil.example"));
    }
}
