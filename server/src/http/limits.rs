//! How often strangers may knock. Buckets of tokens that refill; their number is bounded, so that a flood of addresses cannot fill memory.

use crate::http::bodies::Bodies;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Buckets kept at a time.
const MOST: usize = 10_000;

/// One kind of bucket for every key.
pub struct Buckets<K> {
    burst: f64,
    per_second: f64,
    known: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl<K: Eq + Hash> Buckets<K> {
    fn new(burst: f64, per_second: f64) -> Self {
        Self {
            burst,
            per_second,
            known: Mutex::new(HashMap::new()),
        }
    }

    fn filled(&self, bucket: Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        since.mul_add(self.per_second, bucket.tokens).min(self.burst)
    }

    /// Whether a token is left. Keys that never took one always have.
    pub fn has_left(&self, key: &K, now: Instant) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).is_none_or(|bucket| self.filled(*bucket, now) >= 1.0)
    }

    /// Takes a token; `false` when there is none.
    pub fn take(&self, key: K, now: Instant) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&key) {
            // A full bucket says the same as none.
            known.retain(|_, bucket| self.filled(*bucket, now) < self.burst);
            if known.len() >= MOST {
                return false;
            }
        }
        let bucket = known.entry(key).or_insert(Bucket {
            tokens: self.burst,
            at: now,
        });
        let tokens = self.filled(*bucket, now);
        let granted = tokens >= 1.0;
        *bucket = Bucket {
            tokens: if granted { tokens - 1.0 } else { tokens },
            at: now,
        };
        granted
    }
}

/// The limits of the agent API.
pub struct Limits {
    /// Enrolments by network: a classroom may come at once, a guesser of tokens may not.
    pub enroll: Buckets<Network>,
    /// Failed authentications by network and key: one broken device does not lock out its neighbours behind the same router.
    pub failed_key: Buckets<(Network, String)>,
    /// Failed authentications by network, whatever key they claim.
    pub failed: Buckets<Network>,
    /// Memory for what is on its way.
    pub bodies: Bodies,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            enroll: Buckets::new(60.0, 1.0),
            failed_key: Buckets::new(20.0, 0.2),
            failed: Buckets::new(300.0, 10.0),
            bodies: Bodies::default(),
        }
    }
}

/// Whom a limit is for: an IPv4 address, or the /64 that one subscriber of IPv6 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => Self(IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_empties_and_refills() {
        let buckets = Buckets::new(2.0, 1.0);
        let start = Instant::now();
        assert!(buckets.take(1, start) && buckets.take(1, start) && !buckets.take(1, start));
        assert!(!buckets.has_left(&1, start) && buckets.has_left(&2, start));
        assert!(buckets.take(1, start + Duration::from_secs(1)));
        assert!(!buckets.take(1, start + Duration::from_millis(1500)));
        assert!(buckets.take(1, start + Duration::from_millis(2600)));
    }

    #[test]
    fn memory_is_bounded_and_comes_back() {
        let buckets = Buckets::new(2.0, 1.0);
        let start = Instant::now();
        assert!((0..MOST).all(|key| buckets.take(key, start)));
        assert!(!buckets.take(MOST, start), "no room for strangers");
        assert!(buckets.take(0, start), "who is known is served");
        assert!(
            buckets.take(MOST, start + Duration::from_secs(5)),
            "refilled buckets made room"
        );
        assert!(buckets.known.lock().expect("unshared").len() < 10);
    }

    #[test]
    fn a_subscriber_is_one_network() {
        let of = |text: &str| Network::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
