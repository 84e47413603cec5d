//! Milliseconds in decimal notation, to and from whole nanoseconds, without a float in between.

use std::fmt;

/// More digits than this of one number are ignored; nanoseconds of any accepted time need 22.
const MAX_DIGITS: u32 = 36;
const NANO_DIGITS_PER_MILLI: i64 = 6;

/// Reads `text` as milliseconds: nanoseconds, rounded to the nearest (half away from zero), saturating far beyond any
/// time. `None` where it is not a decimal number such as `12`, `-0.5` or `1.7e12`.
pub(super) fn nanos(text: &str) -> Option<i128> {
    scaled(text, NANO_DIGITS_PER_MILLI)
}

/// Reads `text` as a number of units of 10^-`digits`, as [`nanos`] does.
pub(super) fn scaled(text: &str, digits: i64) -> Option<i128> {
    let unit_digits = digits;
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, whole(exponent)?),
        None => (unsigned, 0),
    };
    let (before_point, after_point) = digits.split_once('.').unwrap_or((digits, ""));
    if before_point.is_empty() && after_point.is_empty() {
        return None;
    }
    let mut mantissa = 0_u128;
    let mut taken = 0;
    let mut power = exponent.saturating_add(unit_digits);
    let all = before_point.bytes().map(|digit| (digit, 0)).chain(after_point.bytes().map(|digit| (digit, 1)));
    for (digit, after) in all {
        if !digit.is_ascii_digit() {
            return None;
        }
        if taken < MAX_DIGITS {
            mantissa = mantissa * 10 + u128::from(digit - b'0');
            taken += u32::from(mantissa > 0);
            power = power.saturating_sub(after);
        } else {
            power = power.saturating_add(1 - after);
        }
    }
    let size = i128::try_from(shifted(mantissa, power)).unwrap_or(i128::MAX);
    Some(if negative { -size } else { size })
}

/// The whole number of an exponent, saturating.
fn whole(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let size =
        digits.bytes().fold(0_i64, |size, digit| size.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(sign * size)
}

/// `mantissa` × 10^`power`, rounded to the nearest, saturating.
fn shifted(mantissa: u128, power: i64) -> u128 {
    let Some(factor) = u32::try_from(power.unsigned_abs()).ok().and_then(|power| 10_u128.checked_pow(power)) else {
        return if power < 0 || mantissa == 0 { 0 } else { u128::MAX };
    };
    if power < 0 { (mantissa + factor / 2) / factor } else { mantissa.saturating_mul(factor) }
}

/// Nanoseconds, written as milliseconds: the shortest decimal that is exact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Millis(pub(super) i64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NANOS: u64 = 1_000_000;
        let size = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", size / NANOS)?;
        let (mut rest, mut width) = (size % NANOS, 6);
        if rest == 0 {
            return Ok(());
        }
        while rest % 10 == 0 {
            rest /= 10;
            width -= 1;
        }
        write!(f, ".{rest:0width$}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact_to_the_nanosecond() {
        let cases = [
            ("0", 0),
            ("-0", 0),
            ("12", 12_000_000),
            ("0.1", 100_000),
            (".5", 500_000),
            ("5.", 5_000_000),
            ("-0.000001", -1),
            ("0.0000005", 1),
            ("0.00000049", 0),
            ("1790000000000.123456", 1_790_000_000_000_123_456),
            ("1.7e3", 1_700_000_000),
            ("17E-1", 1_700_000),
            ("1e-400", 0),
            ("0e999999999999999999999", 0),
            ("1000000000000000000000000000000000000000e-39", 1_000_000),
        ];
        for (text, expected) in cases {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
        assert_eq!(nanos("1e400"), Some(i128::MAX));
        assert_eq!(nanos("-1e400"), Some(-i128::MAX));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in
            ["", "-", ".", "e5", "1e", "1e+", "NaN", "inf", "-inf", "1_000", "0x10", " 1", "1 ", "1.2.3", "--1", "+1"]
        {
            assert_eq!(nanos(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(size: i64) {
            prop_assert_eq!(nanos(&Millis(size).to_string()), Some(i128::from(size)));
        }

        #[test]
        fn any_text_is_a_number_or_none(text in "[-+0-9.eE]{0,60}|.*") {
            let _ = nanos(&text);
        }
    }
}
