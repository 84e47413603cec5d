//! The common and combined formats of nginx and Apache, with a request time.

use super::fields::{Field, Fields, Kind};
use super::number::Decimal;
use super::problem::LogProblem;
use super::time::{self, Stamp};
use super::{Finished, Rules, outcome};
use crate::replay::format::{LatencyUnit, LogFormat};

/// Names under which a request time stands; `_ms`, `_us` or `_s` may follow. Not among them: those of the time that a
/// server behind took, such as `urt`.
const NAMES: [&[u8]; 5] = [b"rt", b"request_time", b"duration", b"latency", b"time_taken"];
const SUFFIXES: [(&[u8], LatencyUnit); 3] =
    [(b"_ms", LatencyUnit::Millis), (b"_us", LatencyUnit::Micros), (b"_s", LatencyUnit::Seconds)];
/// nginx writes its times with this many places.
const NGINX_PLACES: u8 = 3;

/// Reads `ADDRESS - USER [TIME] "REQUEST" STATUS BYTES …`, whatever stands before the time and between time and request.
pub(super) fn parse(line: &[u8], rules: &Rules) -> Result<Finished, LogProblem> {
    let mut fields = Fields::new(line);
    let (stamp, request) = stamp_and_request(&mut fields)?;
    let status = fields.next()?.filter(|field| field.text.len() == 3).and_then(|field| outcome::status(field.text));
    let status = status.ok_or(LogProblem::Status)?;
    if matches!(request.text, b"" | b"-") || status == outcome::SWITCHING_PROTOCOLS {
        return Err(LogProblem::NoCall);
    }
    // The bytes sent; only what follows may be a time.
    fields.next()?;
    let found = latency(fields, rules)?.ok_or(LogProblem::Latency)?;
    let unit = found.unit.or(rules.unit);
    let unit = match (rules.format, unit) {
        (_, Some(unit)) => unit,
        // Apache's only whole number of the kind that has a use.
        (LogFormat::Apache, None) if found.number.is_whole() => LatencyUnit::Micros,
        // A whole number is none of nginx's own times.
        (_, None) if found.number.is_whole() => return Err(LogProblem::Latency),
        (_, None) => LatencyUnit::Seconds,
    };
    let latency = found.number.nanos(unit).ok_or(LogProblem::Latency)?;
    Ok(Finished { stamp, latency, outcome: outcome::of_status(status), written: found.number })
}

/// The time stands in brackets before the request, or as the first word of the line.
fn stamp_and_request<'a>(fields: &mut Fields<'a>) -> Result<(Stamp, Field<'a>), LogProblem> {
    let mut stamp = None;
    let mut is_first = true;
    while let Some(field) = fields.next()? {
        match field.kind {
            Kind::Quoted => {
                if let Some(stamp) = stamp {
                    return Ok((stamp, field));
                }
            }
            Kind::Bracketed => stamp = stamp.or_else(|| time::parse(field.text)),
            Kind::Word if is_first => stamp = time::parse(field.text),
            Kind::Word => {}
        }
        is_first = false;
    }
    Err(if stamp.is_none() { LogProblem::Time } else { LogProblem::Request })
}

/// A number that is taken as the request time, and its unit where its name has one.
#[derive(Debug, Clone, Copy)]
struct Found {
    number: Decimal,
    unit: Option<LatencyUnit>,
}

/// The request time: the one that is asked for, else a named one; else, of nginx, the greatest of those that look like
/// its times, because the request time includes all others; else the last number of the line.
fn latency(mut fields: Fields<'_>, rules: &Rules) -> Result<Option<Found>, LogProblem> {
    if let Some(from_end) = rules.field {
        let Some(before) = fields.count()?.checked_sub(usize::from(from_end.get())) else { return Ok(None) };
        for _ in 0..before {
            fields.next()?;
        }
        let found = fields.next()?.map(|field| field.named().map_or(field.text, |(_, value)| value));
        return Ok(found.and_then(last_number).map(|number| Found { number, unit: None }));
    }
    let (mut greatest, mut last) = (None::<i64>, None);
    let mut greatest_number = None;
    while let Some(field) = fields.next()? {
        if let Some((name, value)) = field.named() {
            let (stem, unit) = split_name(name);
            if NAMES.contains(&stem) {
                return Ok(Decimal::parse(without_comma(value)).map(|number| Found { number, unit }));
            }
            last = None;
            continue;
        }
        let number = Decimal::parse(field.text);
        if let Some(number) = number.filter(|number| number.places == NGINX_PLACES) {
            // More than a year is none: most likely the time of day.
            let nanos = number.nanos(LatencyUnit::Seconds);
            if nanos > greatest {
                (greatest, greatest_number) = (nanos, Some(number));
            }
        }
        last = if field.kind == Kind::Word { last_number(field.text) } else { None };
    }
    let number = greatest_number.filter(|_| rules.format == LogFormat::Nginx).or(last);
    Ok(number.map(|number| Found { number, unit: None }))
}

/// The number that the text is; of several, as of `%T/%D`, the last one.
fn last_number(text: &[u8]) -> Option<Decimal> {
    text.rsplit(|&byte| byte == b'/').next().and_then(Decimal::parse)
}

fn without_comma(text: &[u8]) -> &[u8] {
    text.strip_suffix(b",").unwrap_or(text)
}

/// A name without its unit, and that unit.
fn split_name(name: &[u8]) -> (&[u8], Option<LatencyUnit>) {
    let split = SUFFIXES.iter().find_map(|(suffix, unit)| Some((name.strip_suffix(*suffix)?, Some(*unit))));
    split.unwrap_or((name, None))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::num::NonZeroU8;

    use super::*;

    const HEAD: &str = r#"10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 2326"#;

    fn rules(format: LogFormat) -> Rules {
        Rules { format, unit: None, field: None, is_guessed: false }
    }

    fn nanos(rules: &Rules, tail: &str) -> Result<i64, LogProblem> {
        parse(format!("{HEAD}{tail}").as_bytes(), rules).map(|call| call.latency)
    }

    #[test]
    fn the_request_time_of_nginx_is_named_or_the_greatest_of_its_times() {
        let rules = rules(LogFormat::Nginx);
        for (tail, millis) in [
            (" 0.123", 123),
            (r#" "-" "curl/8.4" 0.123"#, 123),
            (r#" "-" "curl" "10.9.9.9" 0.123 0.120 ."#, 123),
            (r#" "-" "curl" 0.120 0.123"#, 123),
            (r#" "-" "curl" "0.123" "0.100, 0.020""#, 123),
            (r#" "-" "curl" "2.34" 0.123"#, 123),
            (r#" "-" "curl" [0.123] 1791640536.123"#, 123),
            (r#" "-" "curl"rt=0.123 uct="0.000" uht="0.120" urt="0.122""#, 123),
            (r#" "-" "curl" urt="9.000" rt="0.123""#, 123),
            (r#" "-" "curl" upstream_response_time=9.000 request_time=0.123"#, 123),
            (r#" "-" "curl" request_time:0.123, cs:MISS"#, 123),
            (r#" "-" "curl" duration_ms=123"#, 123),
            (r#" "-" "rt=9.000 \"0.500\" [x" 0.123"#, 123),
        ] {
            assert_eq!(nanos(&rules, tail), Ok(millis * 1_000_000), "{tail}");
        }
        for tail in [
            "",
            " 5",
            r#" "-" "curl""#,
            r#" "-" "2.340""#,
            r#" "-" "curl" -"#,
            r#" "-" "curl" rt=-"#,
            r#" "curl" urt=0.123"#,
        ] {
            let expected = if tail.contains("2.340") { Ok(2_340_000_000) } else { Err(LogProblem::Latency) };
            assert_eq!(nanos(&rules, tail), expected, "{tail}");
        }
    }

    #[test]
    fn the_request_time_of_apache_is_the_last_number() {
        let rules = rules(LogFormat::Apache);
        for (tail, micros) in [
            (" 1234", 1_234),
            (r#" "-" "curl" 1234"#, 1_234),
            (r#" "-" "curl" 0/1234"#, 1_234),
            (r#" "-" "curl" 7 1234"#, 1_234),
            (r#" "-" "curl" D=1 duration=1234 9"#, 1_234),
            (r#" "-" "curl" 0.5"#, 500_000),
        ] {
            assert_eq!(nanos(&rules, tail), Ok(micros * 1_000), "{tail}");
        }
        for tail in ["", r#" "-" "curl""#, r#" "-" "1234""#, r#" "-" "curl" -"#, r#" "-" "curl" -5"#, " 1234 x"] {
            assert_eq!(nanos(&rules, tail), Err(LogProblem::Latency), "{tail}");
        }
    }

    #[test]
    fn a_field_and_a_unit_can_be_asked_for() {
        let mut rules = Rules { unit: Some(LatencyUnit::Millis), ..rules(LogFormat::Apache) };
        assert_eq!(nanos(&rules, " 12"), Ok(12_000_000));
        rules.field = NonZeroU8::new(3);
        assert_eq!(nanos(&rules, r#" "-" "curl" 12 500 700"#), Ok(12_000_000));
        assert_eq!(nanos(&rules, r#" "-" "curl" t=12 500 700"#), Ok(12_000_000));
        assert_eq!(nanos(&rules, " 12 500"), Err(LogProblem::Latency), "there are not as many");
        rules.field = NonZeroU8::new(200);
        assert_eq!(nanos(&rules, " 12"), Err(LogProblem::Latency));
    }

    #[test]
    fn the_time_stands_in_brackets_or_first() {
        let rules = rules(LogFormat::Nginx);
        let at = |line: &str| parse(line.as_bytes(), &rules).map(|call| call.stamp.at / 1_000_000);
        let tail = r#""GET / HTTP/1.1" 200 5 "-" "curl" 0.050"#;
        for (head, millis) in [
            ("10.0.0.1 - bob [10/Oct/2026:13:55:36 +0000]", 1_791_640_536_000),
            ("2001:db8::1 - - [10/Oct/2026:15:55:36 +0200]", 1_791_640_536_000),
            ("www.example.org:443 [::1] - a b [10/Oct/2026:13:55:36 +0000]", 1_791_640_536_000),
            ("\"10.1.1.1, 10.1.1.2\" - - [10/Oct/2026:13:55:36 +0000] [up]", 1_791_640_536_000),
            ("10.0.0.1 - - [2026-10-10T13:55:36.250Z]", 1_791_640_536_250),
            ("10.0.0.1 - - [1791640536.250]", 1_791_640_536_250),
            ("1791640536.250 10.0.0.1", 1_791_640_536_250),
            ("2026-10-10T13:55:36+00:00 10.0.0.1", 1_791_640_536_000),
            ("1791640536.250 10.0.0.1 - - [10/Oct/2026:13:55:36 +0000]", 1_791_640_536_250),
        ] {
            assert_eq!(at(&format!("{head} {tail}")), Ok(millis), "{head}");
        }
        assert_eq!(at(&format!("10.0.0.1 - - {tail}")), Err(LogProblem::Time));
        assert_eq!(at(&format!("10.0.0.1 - - [10/Oct/2026] {tail}")), Err(LogProblem::Time));
        assert_eq!(at("10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] GET / 200"), Err(LogProblem::Request));
    }

    #[test]
    fn what_is_no_call_and_what_is_cut_off_is_told() {
        let rules = rules(LogFormat::Nginx);
        let problem = |request: &str, status: &str| {
            let line = format!("10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] \"{request}\" {status} 0 \"-\" \"-\" 0.050");
            parse(line.as_bytes(), &rules).map(|_| ()).err()
        };
        assert_eq!(problem("GET / HTTP/1.1", "200"), None);
        assert_eq!(problem(r"\x16\x03\x01", "400"), None);
        assert_eq!(problem("", "400"), Some(LogProblem::NoCall));
        assert_eq!(problem("-", "408"), Some(LogProblem::NoCall));
        assert_eq!(problem("GET /ws HTTP/1.1", "101"), Some(LogProblem::NoCall));
        for status in ["-", "20", "1000", "2x0", "200.5", "99999999"] {
            assert_eq!(problem("GET / HTTP/1.1", status), Some(LogProblem::Status), "{status}");
        }
        let cut = format!("{HEAD} \"-\" \"Mozilla");
        assert_eq!(parse(cut.as_bytes(), &rules).map(|_| ()), Err(LogProblem::NotClosed));
        assert_eq!(problem("GET / HTTP/1.1", ""), Some(LogProblem::Status));
    }
}
