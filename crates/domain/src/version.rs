//! The version order of Debian packages (deb-version(7)), checked against pairs that the real package manager ordered.

use std::cmp::Ordering;

/// Orders two Debian versions as `dpkg --compare-versions` does: epoch, upstream version, revision; `~` sorts before the end.
/// Total on any text, so that a malformed version from a device orders somewhere instead of failing.
#[must_use]
pub fn compare_debian(a: &str, b: &str) -> Ordering {
    let (a, b) = (split(a), split(b));
    compare_digits(a.0, b.0)
        .then_with(|| compare_part(a.1, b.1))
        .then_with(|| compare_part(a.2, b.2))
}

/// `[epoch:]upstream[-revision]`; a missing epoch is 0, a missing revision equals `0`.
fn split(version: &str) -> (&str, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    (epoch, upstream, revision)
}

fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (text_a, rest_a) = a.split_at(a.iter().position(u8::is_ascii_digit).unwrap_or(a.len()));
        let (text_b, rest_b) = b.split_at(b.iter().position(u8::is_ascii_digit).unwrap_or(b.len()));
        for i in 0..text_a.len().max(text_b.len()) {
            let order = weight(text_a.get(i)).cmp(&weight(text_b.get(i)));
            if order != Ordering::Equal {
                return order;
            }
        }
        let (digits_a, next_a) =
            rest_a.split_at(rest_a.iter().position(|c| !c.is_ascii_digit()).unwrap_or(rest_a.len()));
        let (digits_b, next_b) =
            rest_b.split_at(rest_b.iter().position(|c| !c.is_ascii_digit()).unwrap_or(rest_b.len()));
        let order = compare_number(digits_a, digits_b);
        if order != Ordering::Equal || (next_a.is_empty() && next_b.is_empty()) {
            return order;
        }
        (a, b) = (next_a, next_b);
    }
}

/// `~` before the end, the end before letters, letters before everything else.
fn weight(c: Option<&u8>) -> i32 {
    match c {
        None => 0,
        Some(b'~') => -1,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c) + 256,
    }
}

fn compare_digits(a: &str, b: &str) -> Ordering {
    compare_number(a.as_bytes(), b.as_bytes())
}

/// Digit runs of any length, without overflow.
fn compare_number(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |d: &[u8]| d.iter().position(|&c| c != b'0').unwrap_or(d.len());
    let (a, b) = (&a[strip(a)..], &b[strip(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4,999 pairs that apt's own comparison ordered.
    #[test]
    fn agrees_with_the_package_manager() {
        let mut seen = 0;
        for line in include_str!("../tests/data/deb.tsv").lines() {
            let mut fields = line.split('\t');
            let (Some(a), Some(b), Some(order)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let Ok(order) = order.parse::<i32>() else { continue };
            assert_eq!(compare_debian(a, b), order.cmp(&0), "{a} {b}");
            assert_eq!(compare_debian(b, a), 0.cmp(&order), "{b} {a}");
            seen += 1;
        }
        assert!(seen > 4_000, "{seen} pairs");
    }

    proptest::proptest! {
        #[test]
        fn is_an_order_on_any_text(a in ".{0,20}", b in ".{0,20}") {
            proptest::prop_assert_eq!(compare_debian(&a, &b), compare_debian(&b, &a).reverse());
            proptest::prop_assert_eq!(compare_debian(&a, &a), Ordering::Equal);
        }
    }
}
