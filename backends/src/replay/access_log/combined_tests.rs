//! Tests of the common and combined formats.

use super::combined::{Style, read};
use super::entry::{Columns, LogCall, Stamped};
use super::error::LogProblem;
use super::plan::Plan;
use super::request::Wanted;
use super::row::Context;
use super::schema::Schema;
use crate::replay::field_map::{FieldMapping, Role};
use crate::replay::latency_unit::LatencyUnit;

const HEAD: &str = r#"10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 2326"#;

fn plan(unit: Option<LatencyUnit>, fields: &[FieldMapping]) -> Plan {
    Plan::new(&Schema::NONE, Stamped::AtEnd, None, unit, fields, Wanted::default())
}

fn call<'a>(line: &'a str, style: Style, plan: &Plan) -> Result<LogCall<'a>, LogProblem> {
    let mut columns = Columns::default();
    read(line.as_bytes(), style, Stamped::AtEnd, &mut Context { plan, columns: &mut columns, outer: None })
}

fn nanos(style: Style, plan: &Plan, tail: &str) -> Result<i64, LogProblem> {
    call(&format!("{HEAD}{tail}"), style, plan).map(|call| call.latency)
}

#[test]
fn the_request_time_of_nginx_is_named_or_the_greatest_of_its_times() {
    let plan = plan(None, &[]);
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
        (r#" "-" "curl" rt=123ms"#, 123),
        (r#" "-" "2.340""#, 2_340),
    ] {
        assert_eq!(nanos(Style::Nginx, &plan, tail), Ok(millis * 1_000_000), "{tail}");
    }
    for tail in ["", " 5", r#" "-" "curl""#, r#" "-" "curl" -"#, r#" "-" "curl" rt=-"#, r#" "curl" urt=0.123"#] {
        assert_eq!(nanos(Style::Nginx, &plan, tail), Err(LogProblem::Latency), "{tail}");
    }
}

#[test]
fn the_request_time_of_apache_is_the_last_number() {
    let plan = plan(None, &[]);
    for (tail, micros) in [
        (" 1234", 1_234),
        (r#" "-" "curl" 1234"#, 1_234),
        (r#" "-" "curl" 0/1234"#, 1_234),
        (r#" "-" "curl" 7 1234"#, 1_234),
        (r#" "-" "curl" D=1 duration=1234 9"#, 1_234),
        (r#" "-" "curl" 0.5"#, 500_000),
    ] {
        assert_eq!(nanos(Style::Apache, &plan, tail), Ok(micros * 1_000), "{tail}");
    }
    for tail in ["", r#" "-" "curl""#, r#" "-" "1234""#, r#" "-" "curl" -"#, r#" "-" "curl" -5"#, " 1234 x"] {
        assert_eq!(nanos(Style::Apache, &plan, tail), Err(LogProblem::Latency), "{tail}");
    }
}

#[test]
fn a_field_and_a_unit_can_be_asked_for() {
    let millis = Some(LatencyUnit::Millis);
    assert_eq!(nanos(Style::Apache, &plan(millis, &[]), " 12"), Ok(12_000_000));
    let third = plan(millis, &[FieldMapping::new(Role::Latency, "-3")]);
    assert_eq!(nanos(Style::Apache, &third, r#" "-" "curl" 12 500 700"#), Ok(12_000_000));
    assert_eq!(nanos(Style::Apache, &third, r#" "-" "curl" t=12 500 700"#), Ok(12_000_000));
    let far = plan(millis, &[FieldMapping::new(Role::Latency, "-200")]);
    assert_eq!(nanos(Style::Apache, &far, " 12"), Err(LogProblem::Latency));
}

#[test]
fn the_time_stands_in_brackets_or_first() {
    let plan = plan(None, &[]);
    let at = |line: &str| call(line, Style::Nginx, &plan).map(|call| call.stamp.at / 1_000_000);
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
fn lines_that_are_no_call_and_lines_that_are_cut_off_have_their_reasons() {
    let plan = plan(None, &[]);
    let problem = |request: &str, status: &str| {
        let line = format!("10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] \"{request}\" {status} 0 \"-\" \"-\" 0.050");
        call(&line, Style::Nginx, &plan).err()
    };
    assert_eq!(problem("GET / HTTP/1.1", "200"), None);
    assert_eq!(problem(r"\x16\x03\x01", "400"), None);
    assert_eq!(problem("", "400"), Some(LogProblem::NoCall));
    assert_eq!(problem("-", "408"), Some(LogProblem::NoCall));
    assert_eq!(problem("GET /ws HTTP/1.1", "101"), Some(LogProblem::NoCall));
    for status in ["-", "20", "1000", "2x0", "200.5", "99999999", ""] {
        assert_eq!(problem("GET / HTTP/1.1", status), Some(LogProblem::Status), "{status}");
    }
    let cut = format!("{HEAD} \"-\" \"Mozilla");
    assert_eq!(call(&cut, Style::Nginx, &plan).err(), Some(LogProblem::NotClosed));
    let two = format!("{HEAD} \"-\" \"Moz{HEAD} 0.050");
    assert_eq!(call(&two, Style::Nginx, &plan).err(), Some(LogProblem::Glued));
}
