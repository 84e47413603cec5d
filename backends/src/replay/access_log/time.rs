//! The times of log lines.

const SECOND: i64 = 1_000_000_000;
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// Later years lie beyond the times that a replay takes.
const LAST_YEAR: i64 = 2095;
const DAYS_TO_END_OF_LAST_YEAR: i64 = 46_021;

/// When something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Nanoseconds since 1970 (UTC).
    pub(super) at: i64,
    /// It was written without a fraction, and may lie anywhere in that second.
    pub(super) is_whole_second: bool,
}

/// Reads `10/Oct/2026:13:55:36 +0200`, ISO 8601 (also with slashes), `Sat, 10 Oct 2026 13:55:36 GMT` or a count since 1970, in
/// brackets or not; without an offset the time is taken as UTC.
pub(super) fn parse(text: &[u8]) -> Option<Stamp> {
    let text = text.strip_prefix(b"[").and_then(|inside| inside.strip_suffix(b"]")).unwrap_or(text);
    match text {
        [_, _, b'/', ..] => common(text),
        [_, _, _, _, b'-' | b'/', ..] => iso_8601(text),
        [_, _, _, b',', b' ', rest @ ..] => http_date(rest),
        _ => since_1970(text),
    }
}

/// Whether a text begins as a date and a time of day do: `10/Oct/2026:13:` or `2026-10-10T13:`.
pub(super) fn is_date(text: &[u8]) -> bool {
    match text {
        [a, b, b'/', rest @ ..] => {
            a.is_ascii_digit()
                && b.is_ascii_digit()
                && rest.get(..3).is_some_and(is_month)
                && rest.get(3) == Some(&b'/')
        }
        [a, _, _, d, b'-', _, _, b'-', _, _, b'T' | b' ', ..] => a.is_ascii_digit() && d.is_ascii_digit(),
        _ => false,
    }
}

/// `Oct`
pub(super) fn is_month(text: &[u8]) -> bool {
    MONTHS.iter().any(|month| month.eq_ignore_ascii_case(text))
}

/// `10/Oct/2026:13:55:36 +0200`; between date and time also a blank, and a fraction after the seconds.
fn common(text: &[u8]) -> Option<Stamp> {
    let (day, text) = digits(text, 2)?;
    let (name, text) = text.strip_prefix(b"/")?.split_at_checked(3)?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    let (year, text) = digits(text.strip_prefix(b"/")?, 4)?;
    let text = text.strip_prefix(b":").or_else(|| text.strip_prefix(b" "))?;
    clock_and_offset(days_since_1970(year, month, day)?, text)
}

/// `2026-10-10T13:55:36.123+02:00`; between date and time also a blank.
fn iso_8601(text: &[u8]) -> Option<Stamp> {
    let (year, text) = digits(text, 4)?;
    let separator: &[u8] = if text.first() == Some(&b'/') { b"/" } else { b"-" };
    let (month, text) = digits(text.strip_prefix(separator)?, 2)?;
    let (day, text) = digits(text.strip_prefix(separator)?, 2)?;
    let text = text.strip_prefix(b"T").or_else(|| text.strip_prefix(b" "))?;
    let month = usize::try_from(month).ok()?.checked_sub(1)?;
    clock_and_offset(days_since_1970(year, month, day)?, text)
}

/// `10 Oct 2026 13:55:36 GMT`, what follows the day of the week.
fn http_date(text: &[u8]) -> Option<Stamp> {
    let (day, text) = digits(text, 2)?;
    let (name, text) = text.strip_prefix(b" ")?.split_at_checked(3)?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    let (year, text) = digits(text.strip_prefix(b" ")?, 4)?;
    clock_and_offset(days_since_1970(year, month, day)?, text.strip_prefix(b" ")?)
}

/// `1791640536`, `1791640536.123`, or milliseconds (also with a fraction), microseconds or nanoseconds, by their size.
fn since_1970(text: &[u8]) -> Option<Stamp> {
    let (whole, fraction) = match text.iter().position(|&byte| byte == b'.') {
        Some(point) => (text.get(..point)?, text.get(point..)?),
        None => (text, &b""[..]),
    };
    if whole.len() > 19 || !whole.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: i64 = str::from_utf8(whole).ok()?.parse().ok()?;
    let unit = match whole.len() {
        9 | 10 => SECOND,
        12 | 13 => SECOND / 1_000,
        15 | 16 => SECOND / 1_000_000,
        18 | 19 => 1,
        _ => return None,
    };
    let (part, rest) = self::fraction(fraction)?;
    let in_range = count / (SECOND / unit) < DAYS_TO_END_OF_LAST_YEAR * 86_400;
    let is_whole_second = unit == SECOND && fraction.is_empty();
    (rest.is_empty() && in_range).then(|| Stamp { at: count * unit + part / (SECOND / unit), is_whole_second })
}

/// `13:55:36`, a fraction, and an offset, at the end of the text.
fn clock_and_offset(days: i64, text: &[u8]) -> Option<Stamp> {
    let (hours, text) = digits(text, 2)?;
    let (minutes, text) = digits(text.strip_prefix(b":")?, 2)?;
    let (seconds, text) = digits(text.strip_prefix(b":")?, 2)?;
    // 60 is a leap second.
    if hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let (nanos, zone) = fraction(text)?;
    let is_whole_second = zone.len() == text.len();
    let seconds = days * 86_400 + hours * 3_600 + minutes * 60 + seconds - offset_seconds(zone)?;
    Some(Stamp { at: seconds * SECOND + nanos, is_whole_second })
}

/// Nanoseconds of `.123` (or `,123`) at the beginning of the text, and what follows; further digits are cut off.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(after) = text.strip_prefix(b".").or_else(|| text.strip_prefix(b",")) else { return Some((0, text)) };
    let length = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = after.split_at_checked(length)?;
    let (mut nanos, mut worth) = (0, SECOND);
    for digit in digits.iter().take(9) {
        worth /= 10;
        nanos += i64::from(digit - b'0') * worth;
    }
    (length > 0).then_some((nanos, rest))
}

/// Seconds east of UTC of `Z`, `+0200`, `+02:00` or `+02`, after a blank or not; nothing is UTC.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (sign, text) = match text {
        [] | b"Z" | b"z" | b"UTC" | b"GMT" | b"+0000 UTC" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = digits(text, 2)?;
    let (minutes, rest) = match rest.strip_prefix(b":").unwrap_or(rest) {
        [] => (0, &b""[..]),
        rest => digits(rest, 2)?,
    };
    (rest.is_empty() && hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days from 1970-01-01 to a date from 1970 on; `month` from 0. `None` where there is no such day.
fn days_since_1970(year: i64, month: usize, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(month)?;
    if !(1970..=LAST_YEAR).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    let leap_days_before = |year: i64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let years = (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
    Some(years + lengths.iter().take(month).sum::<i64>() + day - 1)
}

/// The number that the first `count` bytes are, and what follows.
fn digits(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    let mut number = 0;
    for digit in digits {
        number = number * 10 + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some((number, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Option<(i64, i64)> {
        let stamp = parse(text.as_bytes())?;
        Some((stamp.at.div_euclid(SECOND), stamp.at.rem_euclid(SECOND)))
    }

    #[test]
    fn times_of_every_form_are_read_to_the_nanosecond() {
        for (text, seconds, nanos) in [
            ("01/Jan/1970:00:00:00 +0000", 0, 0),
            ("10/Oct/2000:13:55:36 -0700", 971_211_336, 0),
            ("10/Oct/2026:13:55:36 +0000", 1_791_640_536, 0),
            ("10/Oct/2026 13:55:36.5 +0000", 1_791_640_536, 500_000_000),
            ("10/oct/2026:13:55:36", 1_791_640_536, 0),
            ("29/Feb/2024:23:59:60 +0000", 1_709_251_200, 0),
            ("29/Feb/2000:00:00:00 +0530", 951_762_600, 0),
            ("2026-10-10T13:55:36Z", 1_791_640_536, 0),
            ("2026-10-10T15:55:36.123456789+02:00", 1_791_640_536, 123_456_789),
            ("2026-10-10 13:55:36,250", 1_791_640_536, 250_000_000),
            ("2026-10-10T13:55:36.1234567891-00", 1_791_640_536, 123_456_789),
            ("1791640536", 1_791_640_536, 0),
            ("1791640536.123", 1_791_640_536, 123_000_000),
            ("999999999.5", 999_999_999, 500_000_000),
            ("1791640536123", 1_791_640_536, 123_000_000),
            ("1791640536123456", 1_791_640_536, 123_456_000),
            ("1791640536123.5", 1_791_640_536, 123_500_000),
            ("1791640536123456789", 1_791_640_536, 123_456_789),
            ("2026/10/10 13:55:36.5", 1_791_640_536, 500_000_000),
            ("Sat, 10 Oct 2026 13:55:36 GMT", 1_791_640_536, 0),
            ("2026-10-10 13:55:36.25 +0000 UTC", 1_791_640_536, 250_000_000),
            ("[10/Oct/2026:13:55:36 +0000]", 1_791_640_536, 0),
            ("2095-12-31T23:59:59Z", 3_976_214_399, 0),
        ] {
            assert_eq!(at(text), Some((seconds, nanos)), "{text}");
        }
    }

    #[test]
    fn only_a_time_without_a_fraction_may_lie_anywhere_in_its_second() {
        for (text, whole) in [
            ("10/Oct/2026:13:55:36 +0000", true),
            ("10/Oct/2026:13:55:36.000 +0000", false),
            ("2026-10-10T13:55:36+00:00", true),
            ("2026-10-10T13:55:36.000Z", false),
            ("1791640536", true),
            ("1791640536.000", false),
            ("1791640536000", false),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap().is_whole_second, whole, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "-",
            "10",
            "10/Oct/2026",
            "10/Okt/2026:13:55:36 +0000",
            "00/Oct/2026:13:55:36 +0000",
            "31/Sep/2026:13:55:36 +0000",
            "29/Feb/2026:13:55:36 +0000",
            "29/Feb/2100:13:55:36 +0000",
            "10/Oct/2026:24:00:00 +0000",
            "10/Oct/2026:13:60:00 +0000",
            "10/Oct/2026:13:55:61 +0000",
            "10/Oct/2026:13:55:36 CEST",
            "10/Oct/2026:13:55:36 +2460",
            "10/Oct/2026:13:55:36 +02000",
            "10/Oct/1969:13:55:36 +0000",
            "2026-13-10T13:55:36Z",
            "2026-00-10T13:55:36Z",
            "2026-10-10T13:55Z",
            "2026-10-10T13:55:36.Z",
            "2026-10-10",
            "2200-10-10T13:55:36Z",
            "127.0.0.1",
            "12345",
            "1791640536.",
            "1791640536.1x",
            "17916405361234",
            "9999999999",
            "::1",
            "1e9",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_comes_right_after_the_one_before_it() {
        let mut expected = 0;
        for year in 1970..=LAST_YEAR {
            for month in 0..12 {
                for day in 1..=31 {
                    let Some(days) = days_since_1970(year, month, day) else {
                        assert!(day > 28, "{year}-{month}-{day}");
                        continue;
                    };
                    assert_eq!(days, expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
        assert_eq!(expected, DAYS_TO_END_OF_LAST_YEAR);
        assert_eq!(expected, 126 * 365 + 31, "126 years, 31 of them leap years");
    }

    #[test]
    fn the_hour_that_summer_time_repeats_does_not_go_back() {
        let times = [
            "25/Oct/2026:02:59:59 +0200",
            "25/Oct/2026:02:00:00 +0100",
            "25/Oct/2026:02:59:59 +0100",
            "25/Oct/2026:03:00:00 +0100",
        ];
        let seconds: Vec<i64> = times.iter().map(|text| at(text).unwrap().0).collect();
        assert_eq!(seconds.iter().map(|at| at - seconds[0]).collect::<Vec<_>>(), [0, 1, 3_600, 3_601]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_none(text in "[0-9/:A-Za-z .+-]{0,40}|.*") {
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn the_offset_does_not_change_the_instant(second in 0_i64..3_900_000_000, east in -23_i64..=23) {
            // Written with the clock of the zone, as a log does.
            let local = second + east * 3_600;
            prop_assume!(local >= 0);
            let (days, clock) = (local / 86_400, local % 86_400);
            let date = (1970..=LAST_YEAR).flat_map(|year| (0..12).map(move |month| (year, month)));
            let (year, month) = date.take_while(|&(y, m)| days_since_1970(y, m, 1).unwrap() <= days).last().unwrap();
            let day = days - days_since_1970(year, month, 1).unwrap() + 1;
            let (hours, minutes, seconds) = (clock / 3_600, clock / 60 % 60, clock % 60);
            let (sign, offset) = (if east < 0 { '-' } else { '+' }, east.abs());
            let iso = format!(
                "{year}-{:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}{sign}{offset:02}:00", month + 1
            );
            prop_assert_eq!(at(&iso), Some((second, 0)), "{}", iso);
            let name = String::from_utf8_lossy(MONTHS[month]);
            let common = format!("{day:02}/{name}/{year}:{hours:02}:{minutes:02}:{seconds:02} {sign}{offset:02}00");
            prop_assert_eq!(at(&common), Some((second, 0)), "{}", common);
        }
    }
}
