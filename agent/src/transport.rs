//! Talks to the server: signs every request, believes only replies that the pinned server key signed for exactly that request.

use crate::{
    config::{Enrolment, Home},
    files,
    identity::{self, Identity},
};
use domain::Moment;
use protocol::{
    limits,
    sign::{self, KEY_HEADER, SIGNATURE_HEADER},
    v1::{self, EnrollReply, EnrollRequest, HostFacts, Refusal, Sealed},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{io, sync::Arc, time::Duration};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Most bytes of a reply. Orders of many packages are the largest.
pub(crate) const MAX_REPLY: usize = 4 * 1024 * 1024;
/// Most bytes of a message, with room for the seal around it.
pub(crate) const ROOM: usize = limits::MAX_BODY - 16 * 1024;
/// The list of CAs that Debian and Ubuntu put together from the vendor's and the owner's.
const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";
/// For a whole exchange. The start of an install waits for one of them at most.
const TIMEOUT: Duration = Duration::from_secs(20);
/// For a report of up to a mebibyte over a slow line.
const REPORT_TIMEOUT: Duration = Duration::from_secs(300);
/// The highest sequence number given out, synced before the message that carries it is sent.
const SEQ_FILE: &str = "seq";

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection, or it broke; the server may or may not have taken the message.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// Something answered, and not the server whose key is pinned (a proxy's error page, another server).
    #[error("the reply is not from the enrolled server: {0}")]
    Unverified(String),
    /// The server said no.
    #[error("the server refused ({:?}): {}", .0.code, .0.detail)]
    Refused(Refusal),
    /// More than the server takes; nothing was sent, and the same would never be.
    #[error("the message has {0} bytes, the limit is {max}", max = limits::MAX_BODY)]
    TooLarge(usize),
    /// Something on this device, e.g. a full disk.
    #[error("{0}")]
    Here(#[from] io::Error),
}

/// One HTTP exchange; the place where tests put another network.
pub trait Network {
    /// Sends `body`; returns status, signature header and body.
    ///
    /// # Errors
    /// When no whole answer came.
    fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<HttpReply, String>;

    /// Nothing is sent for a while: what is only needed for sending may end.
    fn rest(&mut self) {}
}

/// How long a call may take.
pub(crate) fn limit(path: &str) -> Duration {
    if path == v1::REPORT { REPORT_TIMEOUT } else { TIMEOUT }
}

/// What came back over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    /// Status.
    pub status: u16,
    /// Signature header.
    pub signature: String,
    /// Body.
    pub body: Vec<u8>,
}

/// The real network.
pub struct Http {
    base: String,
    agent: ureq::Agent,
}

impl Http {
    /// For one server, e.g. `https://patchward.example:8443`.
    ///
    /// # Errors
    /// When the address is not http or https.
    pub fn new(base: &str) -> Result<Self, String> {
        let base = address(base)?;
        let tls = TlsConfig::builder().root_certs(roots(&std::fs::read(TRUSTED).unwrap_or_default()));
        let config = ureq::Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            // A redirect would carry a signed message to somewhere else.
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("patchward-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            base: base.to_owned(),
            agent: config.into(),
        })
    }
}

/// The address of a server, without a slash at its end.
///
/// # Errors
/// When it is not http or https.
pub(crate) fn address(base: &str) -> Result<&str, String> {
    let base = base.trim_end_matches('/');
    if base.starts_with("http://") || base.starts_with("https://") {
        return Ok(base);
    }
    Err(format!(
        "{base:?} is not an address; expected https://host or http://host"
    ))
}

/// The CAs that the owner of the device trusts, an internal one among them; those compiled in where the device has no list.
fn roots(pem: &[u8]) -> RootCerts {
    let certificates = parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() {
        RootCerts::WebPki
    } else {
        RootCerts::Specific(Arc::new(certificates))
    }
}

/// What went wrong, and where somebody can do something about it, what.
fn explained(error: &str) -> String {
    if error.contains("UnknownIssuer") {
        format!("{error}; install the CA of the server's certificate on this device (update-ca-certificates)")
    } else {
        error.to_owned()
    }
}

impl Network for Http {
    fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<HttpReply, String> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.config().timeout_global(Some(limit(path))).build();
        let mut response = request.send(body).map_err(|e| explained(&e.to_string()))?;
        let signature = response
            .headers()
            .get(SIGNATURE_HEADER)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        let signature = signature.to_owned();
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_REPLY as u64)
            .read_to_vec()
            .map_err(|e| e.to_string())?;
        Ok(HttpReply {
            status,
            signature,
            body,
        })
    }
}

/// The last message that got no answer. It may have been taken, so a repeat sends the same bytes.
struct Unanswered {
    path: &'static str,
    message: Vec<u8>,
    body: Vec<u8>,
}

/// The signed line to the enrolled server.
pub struct Transport<N> {
    network: N,
    home: Home,
    identity: Identity,
    server_key: [u8; 32],
    seq: u64,
    unanswered: Option<Unanswered>,
}

impl<N: Network> Transport<N> {
    /// Opens the line.
    ///
    /// # Errors
    /// When the sequence number cannot be read.
    pub fn open(network: N, home: Home, identity: Identity, server_key: [u8; 32]) -> io::Result<Self> {
        let text = files::read(&home.path(SEQ_FILE))?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        let seq = match text.as_str() {
            "" => 0,
            digits => digits
                .parse()
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file `seq` holds no number"))?,
        };
        Ok(Self {
            network,
            home,
            identity,
            server_key,
            seq,
            unanswered: None,
        })
    }

    /// See [`Network::rest`].
    pub fn rest(&mut self) {
        self.network.rest();
    }

    /// Sends `message` and returns the server's answer. `sent_at` is the device's own clock.
    ///
    /// # Errors
    /// [`CallError`]. After [`CallError::Unreachable`] the same call sends the same bytes again.
    pub fn call<M: Serialize, R: DeserializeOwned>(
        &mut self,
        path: &'static str,
        message: &M,
        sent_at: Moment,
    ) -> Result<R, CallError> {
        let inner = serde_json::to_vec(message).map_err(io::Error::other)?;
        let body = match self.unanswered.take() {
            Some(u) if u.path == path && u.message == inner => u.body,
            _ => self.seal(message, sent_at)?,
        };
        if body.len() > limits::MAX_BODY {
            return Err(CallError::TooLarge(body.len()));
        }
        let signature = sign::sign_request(self.identity.key(), path, &body);
        let key_id = self.identity.id();
        let headers = [(KEY_HEADER, key_id.as_str()), (SIGNATURE_HEADER, signature.as_str())];
        let reply = match self.network.post(path, &headers, &body) {
            Ok(reply) => reply,
            Err(why) => {
                self.unanswered = Some(Unanswered {
                    path,
                    message: inner,
                    body,
                });
                return Err(CallError::Unreachable(why));
            }
        };
        let result = accept(&self.server_key, &body, &reply);
        match &result {
            Err(CallError::Unverified(_)) => {
                self.unanswered = Some(Unanswered {
                    path,
                    message: inner,
                    body,
                });
            }
            Err(CallError::Refused(refusal)) if refusal.code == v1::RefusalCode::Stale => self.jump(sent_at)?,
            _ => {}
        }
        result
    }

    /// A message under the next number, which is on the disk before anything leaves.
    fn seal<M: Serialize>(&mut self, message: &M, sent_at: Moment) -> io::Result<Vec<u8>> {
        let seq = self.seq.saturating_add(1);
        self.store(seq)?;
        let sealed = Sealed {
            seq,
            nonce: identity::random_hex(16)?,
            sent_at,
            message,
        };
        serde_json::to_vec(&sealed).map_err(io::Error::other)
    }

    /// The server has seen a higher number: this disk was put back from a backup, or copied. The clock is ahead of any count.
    fn jump(&mut self, now: Moment) -> io::Result<()> {
        let clock = u64::try_from(now.0).unwrap_or(0);
        self.store(self.seq.saturating_add(1_000).max(clock))
    }

    fn store(&mut self, seq: u64) -> io::Result<()> {
        files::replace(&self.home.path(SEQ_FILE), format!("{seq}\n").as_bytes(), 0o600)?;
        self.seq = seq;
        Ok(())
    }
}

/// Checks the signature first and parses afterwards.
fn accept<R: DeserializeOwned>(server_key: &[u8; 32], request: &[u8], reply: &HttpReply) -> Result<R, CallError> {
    sign::verify_reply(
        server_key,
        &sign::sha256(request),
        reply.status,
        &reply.body,
        &reply.signature,
    )
    .map_err(|e| {
        // Shown, never acted on.
        let said = serde_json::from_slice::<Refusal>(&reply.body)
            .map(|r| format!(": {}", r.detail))
            .unwrap_or_default();
        CallError::Unverified(format!("HTTP {} ({e}){said}", reply.status))
    })?;
    if reply.status == 200 {
        serde_json::from_slice(&reply.body)
            .map_err(|e| CallError::Unverified(format!("it does not fit the format: {e}")))
    } else {
        match serde_json::from_slice(&reply.body) {
            Ok(refusal) => Err(CallError::Refused(refusal)),
            Err(e) => Err(CallError::Unverified(format!("HTTP {} with {e}", reply.status))),
        }
    }
}

/// A token as the server prints it: `pwe_<43 base64url characters>_<32 hex digits: the server key's id>`.
///
/// # Errors
/// Says what does not fit; returns the server key's id otherwise.
pub fn token_key_id(token: &str) -> Result<&str, String> {
    let fits = |text: &str, len: usize, ok: fn(char) -> bool| text.len() == len && text.chars().all(ok);
    let rest = token
        .strip_prefix("pwe_")
        .ok_or("an enrolment token starts with pwe_; was it cut when copied?")?;
    // The secret is base64url and may itself hold underscores.
    let (secret, key_id) = rest
        .rsplit_once('_')
        .ok_or("the token ends early; was it cut when copied?")?;
    if !fits(secret, 43, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        || !fits(key_id, 32, |c| matches!(c, '0'..='9' | 'a'..='f'))
    {
        return Err(format!(
            "the token has {} characters, expected 80; was it cut when copied?",
            token.len()
        ));
    }
    Ok(key_id)
}

/// Enrols with a one-time token. The token names the server's key, so that nobody in between can stand in for the server.
///
/// # Errors
/// [`CallError`]; a refusal's text is for the person who enrols.
pub fn enroll<N: Network>(
    network: &mut N,
    server: &str,
    token: &str,
    identity: &Identity,
    host: HostFacts,
    scan_only: bool,
) -> Result<(Enrolment, EnrollReply), CallError> {
    let wanted = token_key_id(token).map_err(io::Error::other)?;
    let request = EnrollRequest {
        token: token.to_owned(),
        public_key: hex::encode(identity.public()),
        nonce: identity::random_hex(16)?,
        scan_only,
        host,
    };
    let body = serde_json::to_vec(&request).map_err(io::Error::other)?;
    let signature = sign::sign_request(identity.key(), v1::ENROLL, &body);
    let key_id = identity.id();
    let headers = [(KEY_HEADER, key_id.as_str()), (SIGNATURE_HEADER, signature.as_str())];
    let reply = network
        .post(v1::ENROLL, &headers, &body)
        .map_err(CallError::Unreachable)?;
    if reply.status != 200 {
        // The key is not known yet, so a refusal cannot be checked; it changes nothing here and is only shown.
        return Err(match serde_json::from_slice(&reply.body) {
            Ok(refusal) => CallError::Refused(refusal),
            Err(_) => CallError::Unverified(format!(
                "HTTP {}; is this the address of a Patchward server?",
                reply.status
            )),
        });
    }
    let unverified = |text: &str| CallError::Unverified(text.to_owned());
    let claim: EnrollReply = serde_json::from_slice(&reply.body).map_err(|e| unverified(&e.to_string()))?;
    let server_key: [u8; 32] = hex::decode(&claim.server_key)
        .ok()
        .and_then(|b| b.try_into().ok())
        .ok_or_else(|| unverified("its key is not 64 hex digits"))?;
    if sign::key_id(&server_key) != wanted {
        return Err(unverified(
            "its key is not the one that the token names; somebody may be standing in between",
        ));
    }
    let accepted: EnrollReply = accept(&server_key, &body, &reply)?;
    if accepted.key_id != key_id {
        return Err(unverified("it answers for another device's key"));
    }
    let enrolment = Enrolment {
        server: server.trim_end_matches('/').to_owned(),
        server_key: accepted.server_key.clone(),
        device: accepted.device,
        key_id,
        scan_only,
    };
    Ok((enrolment, accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_devices_own_list_of_authorities_is_trusted_where_there_is_one() {
        let one = "# An internal CA\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let count = |pem: &str| match roots(pem.as_bytes()) {
            RootCerts::Specific(list) => Some(list.len()),
            _ => None,
        };
        assert_eq!(count(&one.repeat(2)), Some(2));
        let broken = "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n";
        for nothing in ["", "no list", broken] {
            assert_eq!(count(nothing), None, "{nothing:?}");
        }
        assert_eq!(
            count(&format!("{broken}{one}")),
            Some(1),
            "one broken entry costs only itself"
        );
        assert!(explained("invalid peer certificate: UnknownIssuer").contains("install the CA"));
        assert_eq!(explained("timeout"), "timeout");
    }
}
