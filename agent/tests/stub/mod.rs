//! A small server of the agent protocol: plain TCP, real signatures, and whatever answers a test wants.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use domain::{AttemptId, DeviceId, DeviceState, Moment, PatchId, RebootPolicy};
use ed25519_dalek::SigningKey;
use protocol::{
    ShortText,
    sign::{self, SIGNATURE_HEADER},
    v1::*,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// One answer.
pub enum Answer {
    /// Status and body, signed.
    Signed(u16, Vec<u8>),
    /// Status and body as they are, with this signature header.
    Raw(u16, Vec<u8>, String),
    /// The connection breaks after the request was taken.
    Broken,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub key: String,
    pub signature: String,
    pub body: Vec<u8>,
}

type Handler = Box<dyn FnMut(&Request) -> Answer + Send>;

pub struct Stub {
    pub url: String,
    pub key: SigningKey,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    pub fn start(handler: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let key = SigningKey::from_bytes(&[9; 32]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (signing, seen) = (key.clone(), requests.clone());
        let handler: Arc<Mutex<Handler>> = Arc::new(Mutex::new(Box::new(handler)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (signing, seen, handler) = (signing.clone(), seen.clone(), handler.clone());
                std::thread::spawn(move || serve(stream, &signing, &seen, &handler));
            }
        });
        Self { url, key, requests }
    }

    pub fn key_id(&self) -> String {
        sign::key_id(&self.key.verifying_key().to_bytes())
    }

    pub fn token(&self) -> String {
        format!("pwe_{}_{}", "A-_4".repeat(11).split_at(43).0, self.key_id())
    }

    pub fn taken(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Several requests may come over one connection.
fn serve(mut stream: TcpStream, key: &SigningKey, seen: &Mutex<Vec<Request>>, handler: &Mutex<Handler>) {
    let mut buffer = Vec::new();
    loop {
        let head_end = loop {
            if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if more(&mut stream, &mut buffer).is_none() {
                return;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
        let header = |name: &str| {
            let found = head.lines().find_map(|l| {
                let (key, value) = l.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            });
            found.unwrap_or_default()
        };
        let length: usize = header("content-length").parse().unwrap_or(0);
        while buffer.len() < head_end + length {
            if more(&mut stream, &mut buffer).is_none() {
                return;
            }
        }
        let body = buffer[head_end..head_end + length].to_vec();
        buffer.drain(..head_end + length);
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let request = Request {
            path,
            key: header(sign::KEY_HEADER),
            signature: header(SIGNATURE_HEADER),
            body,
        };
        let answer = (handler.lock().unwrap())(&request);
        let hash = sign::sha256(&request.body);
        seen.lock().unwrap().push(request);
        let (status, body, signature) = match answer {
            Answer::Signed(status, body) => {
                let signature = sign::sign_reply(key, &hash, status, &body);
                (status, body, signature)
            }
            Answer::Raw(status, body, signature) => (status, body, signature),
            Answer::Broken => return,
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{SIGNATURE_HEADER}: {signature}\r\n\r\n",
            body.len()
        );
        if stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&body))
            .is_err()
        {
            return;
        }
    }
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 64 * 1024];
    match stream.read(&mut chunk) {
        Ok(n) if n > 0 => buffer.extend_from_slice(&chunk[..n]),
        _ => return None,
    }
    Some(())
}

pub fn ok<T: Serialize>(value: &T) -> Answer {
    Answer::Signed(200, serde_json::to_vec(value).unwrap())
}

pub fn refuse(code: RefusalCode, detail: &str) -> Answer {
    let refusal = Refusal {
        code,
        detail: ShortText::fit(detail),
    };
    Answer::Signed(code.status(), serde_json::to_vec(&refusal).unwrap())
}

pub fn message<T: DeserializeOwned>(request: &Request) -> T {
    let sealed: Sealed<serde_json::Value> = protocol::limits::parse(&request.body).unwrap();
    serde_json::from_value(sealed.message).unwrap()
}

pub fn enrolled(request: &Request, key: &SigningKey) -> Answer {
    let asked: EnrollRequest = protocol::limits::parse(&request.body).unwrap();
    let public: [u8; 32] = hex::decode(&asked.public_key).unwrap().try_into().unwrap();
    sign::verify_request(&public, ENROLL, &request.body, &request.signature).expect("signed by its own key");
    ok(&EnrollReply {
        device: DeviceId(41),
        key_id: sign::key_id(&public),
        state: DeviceState::Active,
        server_key: hex::encode(key.verifying_key().to_bytes()),
        server_time: Moment(1_800_000_000),
    })
}

/// A server that takes everything, hands out what is in `orders` and permits it.
#[derive(Default)]
pub struct Fleet {
    pub orders: Vec<Order>,
    pub inventory: Option<Inventory>,
    pub reports: Vec<Report>,
    pub records: Vec<AttemptRecord>,
    pub permits: Vec<PermitRequest>,
    pub attempts: i64,
    pub reboot: Option<RebootPolicy>,
    pub rate_kib: Option<u32>,
}

impl Fleet {
    pub fn answer(&mut self, request: &Request, key: &SigningKey) -> Answer {
        match request.path.as_str() {
            ENROLL => enrolled(request, key),
            CHECK_IN => {
                let check_in: CheckIn = message(request);
                let held = self.inventory.as_ref().map(Inventory::digest);
                ok(&CheckInReply {
                    server_time: Moment(1_800_000_000),
                    epoch: 1,
                    state: DeviceState::Active,
                    poll_after: 3_600,
                    want_full_report: held != check_in.inventory || held.is_none(),
                    scan_now: false,
                    policy: (check_in.policy_version != 1).then_some(DevicePolicy {
                        version: 1,
                        scan_interval: 14_400,
                        rate_kib: self.rate_kib,
                        reboot: RebootPolicy::Never,
                    }),
                    orders: if held.is_some() { self.orders.clone() } else { vec![] },
                    notices: vec![],
                })
            }
            REPORT => {
                let report: Report = message(request);
                let inventory = match report.content.clone() {
                    ReportContent::Full { inventory } => *inventory,
                    ReportContent::Delta { base, changes } => {
                        let held = self.inventory.clone().expect("a delta needs a base");
                        assert_eq!(held.digest(), base);
                        changes.apply(held)
                    }
                };
                inventory.check().unwrap();
                assert_eq!(inventory.digest(), report.digest, "the server comes to the same digest");
                self.inventory = Some(inventory);
                self.reports.push(report.clone());
                ok(&ReportReply { digest: report.digest })
            }
            PERMIT => {
                let asked: PermitRequest = message(request);
                let Some(order) = self.orders.iter().find(|o| o.patch == asked.patch).cloned() else {
                    return ok(&PermitReply::Refused {
                        gate: ShortText::fit("approved"),
                        reason: ShortText::fit("not approved"),
                        opens_at: None,
                    });
                };
                self.permits.push(asked);
                self.orders.retain(|o| o.patch != order.patch);
                self.attempts += 1;
                ok(&PermitReply::Granted(Permit {
                    attempt: AttemptId(self.attempts),
                    fence: u64::try_from(self.attempts).unwrap(),
                    start_within: 600,
                    server_time: Moment(1_800_000_000),
                    packages: order.packages,
                    reboot: self.reboot.unwrap_or(RebootPolicy::Never),
                }))
            }
            RESULTS => {
                let results: Results = message(request);
                let acknowledged = results.results.iter().map(|r| r.id.clone()).collect();
                self.records.extend(results.results);
                ok(&ResultsReply {
                    acknowledged,
                    refused: vec![],
                })
            }
            other => panic!("no such path: {other}"),
        }
    }

    /// How the last attempt ended.
    pub fn last(&self) -> Option<(Outcome, Vec<PackageVersion>, String)> {
        self.records.iter().rev().find_map(|r| match &r.event {
            AttemptEvent::Finished {
                outcome, observed, log, ..
            } => Some((outcome.clone(), observed.clone(), log.as_str().to_owned())),
            AttemptEvent::Started { .. } => None,
        })
    }
}

pub fn patch(id: i64) -> PatchId {
    PatchId(id)
}
