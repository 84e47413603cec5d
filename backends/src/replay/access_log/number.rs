//! Numbers as they stand in logs: digits, at most with a point between them.

use crate::replay::latency_unit::LatencyUnit;

/// Longer than any call: a year.
const MAX_NANOS: u128 = 366 * 24 * 3_600 * 1_000_000_000;
/// A number with more digits is not a request time.
const MAX_DIGITS: usize = 18;

/// A number with as many digits as it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    /// The digits, without the point.
    digits: u64,
    /// How many of them stand after the point; 0 also where there is none.
    places: u8,
}

impl Decimal {
    /// `None` where the text is not such a number, or has more digits than a request time.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (mut digits, mut places, mut point) = (0_u64, 0_u8, false);
        if text.len() > MAX_DIGITS {
            return None;
        }
        for &byte in text {
            match byte {
                b'0'..=b'9' => {
                    digits = digits * 10 + u64::from(byte - b'0');
                    places += u8::from(point);
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        // There are digits on both sides of the point.
        let ends = [text.first()?, text.last()?];
        ends.iter().all(|end| end.is_ascii_digit()).then_some(Self { digits, places })
    }

    pub(super) fn is_whole(self) -> bool {
        self.places == 0
    }

    /// The digits of a whole number.
    pub(super) fn whole(self) -> Option<u64> {
        self.is_whole().then_some(self.digits)
    }

    /// Nanoseconds, rounded down; `None` where that is more than a year.
    pub(super) fn nanos(self, unit: LatencyUnit) -> Option<i64> {
        let nanos = u128::from(self.digits) * u128::from(unit.nanos()) / 10_u128.pow(self.places.into());
        i64::try_from(nanos).ok().filter(|_| nanos <= MAX_NANOS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str, unit: LatencyUnit) -> Option<i64> {
        Decimal::parse(text.as_bytes())?.nanos(unit)
    }

    #[test]
    fn numbers_are_exact() {
        assert_eq!(nanos("0.123", LatencyUnit::Seconds), Some(123_000_000));
        assert_eq!(nanos("12", LatencyUnit::Millis), Some(12_000_000));
        assert_eq!(nanos("0", LatencyUnit::Micros), Some(0));
        assert_eq!(nanos("1234567.5", LatencyUnit::Micros), Some(1_234_567_500));
        assert_eq!(nanos("31622400.000", LatencyUnit::Seconds), Some(31_622_400_000_000_000));
        assert_eq!(nanos("31622400.001", LatencyUnit::Seconds), None, "more than a year");
        assert_eq!(nanos("999999999999999999", LatencyUnit::Seconds), None);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "1.", ".5", "1.2.3", "-1", "+1", "1e3", "0x1", "1,2", "1234567890123456789", "١"] {
            assert_eq!(Decimal::parse(text.as_bytes()), None, "{text}");
        }
    }
}
