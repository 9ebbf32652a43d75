//! Chance from the seed. Every purpose and every device has a stream of its own, so that one change does not shift what others draw.

use domain::Span;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// One stream.
#[derive(Clone, Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of a seed for a purpose, and for one of many things of that kind.
    #[must_use]
    pub fn new(seed: u64, purpose: &str, which: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&which.to_le_bytes());
        let mut hash = protocol::sign::sha256(purpose.as_bytes());
        for (at, byte) in key.iter().enumerate() {
            hash[at] ^= byte;
        }
        Self(ChaCha8Rng::from_seed(protocol::sign::sha256(&hash)))
    }

    /// A whole number below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        // The bias of a remainder is far below what any seed could show.
        if n == 0 { 0 } else { self.0.next_u64() % n }
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low)).unwrap_or(0).saturating_add(1);
        low + i64::try_from(self.below(width)).unwrap_or(0)
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, n: u32) -> bool {
        self.below(1_000) < u64::from(n)
    }

    /// A time until something that happens every `mean` on average.
    pub fn gap(&mut self, mean: Span) -> Span {
        // 2^-16 steps of an exponential distribution, without floats: the sum of halvings drawn bit by bit is geometric.
        let whole = i64::from(self.0.next_u32().trailing_zeros());
        let part = self.between(0, 1_000);
        // Mean of `whole` is 1, of `part` one half of a step.
        Span((mean.0 * (whole * 1_000 + part) / 1_500).max(1))
    }

    /// One of a list.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(usize::try_from(self.below(list.len() as u64)).unwrap_or(0))
    }

    /// `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.0.fill_bytes(&mut out);
        out
    }

    /// 32 hex digits.
    pub fn hex(&mut self) -> String {
        hex::encode(self.bytes::<16>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, purpose, which| Chance::new(seed, purpose, which).hex();
        assert_eq!(draw(1, "net", 2), draw(1, "net", 2));
        let all = [
            draw(1, "net", 2),
            draw(2, "net", 2),
            draw(1, "people", 2),
            draw(1, "net", 3),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn gaps_have_their_mean() {
        let mut chance = Chance::new(7, "gap", 0);
        let sum: i64 = (0..20_000).map(|_| chance.gap(Span(3_000)).0).sum();
        assert!((2_700..3_300).contains(&(sum / 20_000)), "{}", sum / 20_000);
    }
}
