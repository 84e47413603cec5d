//! Request times as they are written: a number, or numbers with their units (`50ms`, `1m2.5s`).

use crate::replay::decimal;
use crate::replay::latency_unit::LatencyUnit;

/// Longer than any call: a year.
const MAX_NANOS: i128 = 366 * 24 * 3_600 * 1_000_000_000;
/// Numbers are kept in units of 10⁻¹², so that seconds keep their nanoseconds.
const DIGITS: i64 = 12;
const SCALE: i128 = 1_000_000_000_000;
/// A longer text is not a request time.
const MAX_BYTES: usize = 64;
/// Units as they are written after a number, and their nanoseconds.
const UNITS: [(&str, i128); 13] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("msec", 1_000_000),
    ("s", 1_000_000_000),
    ("sec", 1_000_000_000),
    ("secs", 1_000_000_000),
    ("seconds", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
/// Ends of names that say the unit.
const SUFFIXES: [(&[u8], LatencyUnit); 21] = [
    (b"_ms", LatencyUnit::Millis),
    (b"_msec", LatencyUnit::Millis),
    (b"_msecs", LatencyUnit::Millis),
    (b"_millis", LatencyUnit::Millis),
    (b"_milliseconds", LatencyUnit::Millis),
    (b"Ms", LatencyUnit::Millis),
    (b"Millis", LatencyUnit::Millis),
    (b"_us", LatencyUnit::Micros),
    (b"_usec", LatencyUnit::Micros),
    (b"_micros", LatencyUnit::Micros),
    (b"_microsec", LatencyUnit::Micros),
    (b"_microseconds", LatencyUnit::Micros),
    (b"Micros", LatencyUnit::Micros),
    (b"_ns", LatencyUnit::Nanos),
    (b"_nanos", LatencyUnit::Nanos),
    (b"_nanoseconds", LatencyUnit::Nanos),
    (b"Nanos", LatencyUnit::Nanos),
    (b"_s", LatencyUnit::Seconds),
    (b"_sec", LatencyUnit::Seconds),
    (b"_secs", LatencyUnit::Seconds),
    (b"_seconds", LatencyUnit::Seconds),
];

/// A request time as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// The number in units of 10⁻¹²; with units of its own, nanoseconds in units of 10⁻¹².
    scaled: i128,
    /// The unit that stands behind the number.
    pub(super) unit: Option<LatencyUnit>,
    /// Digits after the point.
    pub(super) places: u8,
}

impl Written {
    /// Nanoseconds, rounded down; `None` where that is more than a year.
    pub(super) fn nanos(self, unit: LatencyUnit) -> Option<i64> {
        let unit = self.unit.unwrap_or(unit);
        let nanos = self.scaled.checked_mul(i128::from(unit.nanos()))? / SCALE;
        i64::try_from(nanos).ok().filter(|_| (0..=MAX_NANOS).contains(&nanos))
    }
}

/// Reads `0.05`, `50`, `5e-2`, `50ms`, `50 ms` or `1m2.5s`; negative numbers are rejected.
pub(super) fn parse(text: &str) -> Option<Written> {
    if text.len() > MAX_BYTES || !text.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let places = text.split_once('.').map_or(0, |(_, after)| after.bytes().take_while(u8::is_ascii_digit).count());
    let places = u8::try_from(places).unwrap_or(u8::MAX);
    if let Some(scaled) = decimal::scaled(text, DIGITS) {
        return Some(Written { scaled, unit: None, places });
    }
    let (mut rest, mut total) = (text, 0_i128);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let after = after.trim_start();
        let name = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len())).0;
        let (_, worth) = UNITS.iter().find(|(unit, _)| *unit == name.trim_end())?;
        total = total.checked_add(decimal::scaled(number, DIGITS)?.checked_mul(*worth)?)?;
        rest = after.get(name.len()..)?;
    }
    Some(Written { scaled: total, unit: Some(LatencyUnit::Nanos), places })
}

/// A name without its unit, and that unit.
pub(super) fn split_name(name: &[u8]) -> (&[u8], Option<LatencyUnit>) {
    let split = |(suffix, unit): &(&[u8], LatencyUnit)| {
        Some((name.strip_suffix(*suffix).filter(|stem| !stem.is_empty())?, Some(*unit)))
    };
    SUFFIXES.iter().find_map(split).unwrap_or((name, None))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_take_the_unit_that_is_said_and_others_their_own() {
        let nanos = |text: &str, unit| parse(text).and_then(|written| written.nanos(unit));
        for (text, unit, expected) in [
            ("0.05", LatencyUnit::Seconds, 50_000_000),
            ("50", LatencyUnit::Millis, 50_000_000),
            ("50000", LatencyUnit::Micros, 50_000_000),
            ("50000000", LatencyUnit::Nanos, 50_000_000),
            ("5e-2", LatencyUnit::Seconds, 50_000_000),
            ("50ms", LatencyUnit::Seconds, 50_000_000),
            ("50 ms", LatencyUnit::Seconds, 50_000_000),
            ("0.05s", LatencyUnit::Millis, 50_000_000),
            ("50000\u{b5}s", LatencyUnit::Millis, 50_000_000),
            ("1m2.5s", LatencyUnit::Millis, 62_500_000_000),
            ("0", LatencyUnit::Seconds, 0),
        ] {
            assert_eq!(nanos(text, unit), Some(expected), "{text}");
        }
        for text in ["", "-", "-1", "+5", "5x", "ms", "1.2.3", "1m2", "400d", "9999h", "1e99", "NaN"] {
            assert_eq!(nanos(text, LatencyUnit::Seconds), None, "{text}");
        }
    }

    #[test]
    fn names_say_their_unit() {
        for (name, stem, unit) in [
            ("rt_ms", "rt", Some(LatencyUnit::Millis)),
            ("reqtime_microsec", "reqtime", Some(LatencyUnit::Micros)),
            ("durationMs", "duration", Some(LatencyUnit::Millis)),
            ("took", "took", None),
            ("_ms", "_ms", None),
        ] {
            assert_eq!(split_name(name.as_bytes()), (stem.as_bytes(), unit), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_duration_or_none(text in "[0-9.eE]{0,12}[a-z\u{b5} ]{0,4}[0-9.]{0,40}|.*") {
            let _ = parse(&text).map(|written| written.nanos(LatencyUnit::Seconds));
        }
    }
}
