//! Access logs give the same result as the calls that they record.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::format_push_string)]

use std::fs;
use std::io::{BufReader, Read};
use std::num::NonZeroU8;
use std::time::Duration;

use proptest::prelude::*;
use tripline_backends::replay::{
    Format, InputReport, LatencyUnit, LineProblem, LogFormat, LogProblem, LogReport, MAX_LINE_BYTES, Mode, Options,
    ReplayError, Usage, run,
};
use tripline_runtime::core::{Latency, Percentile, Policy, Ratio};

/// The three original formats.
fn all() -> [LogFormat; 3] {
    [nginx_format(), apache_format(), envoy_format()]
}

fn nginx_format() -> LogFormat {
    LogFormat::named("nginx").unwrap()
}

fn apache_format() -> LogFormat {
    LogFormat::named("apache").unwrap()
}

fn envoy_format() -> LogFormat {
    LogFormat::named("envoy").unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/fixtures/logs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn options(format: Format) -> Options {
    let mut policy = Policy::default();
    policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
    policy.percentile = Percentile::new(1.0).unwrap();
    policy.latency_threshold = Latency::from_millis(10_000);
    policy.minimum_samples = Some(2);
    let mut options = Options::new(policy, Mode::JsonLines);
    options.reading.input.format = format;
    options
}

fn replay(options: &Options, input: &[u8]) -> (Result<InputReport, ReplayError>, String) {
    let mut output = Vec::new();
    let report = run(options, input, &mut output);
    (report, String::from_utf8(output).unwrap())
}

#[track_caller]
fn reported(options: &Options, input: &[u8]) -> (LogReport, Usage, String) {
    let (report, output) = replay(options, input);
    let report = report.unwrap();
    (report.log.unwrap(), report.usage, output)
}

/// The end times of calls, in milliseconds.
#[track_caller]
fn ends(options: &Options, input: &str) -> Vec<f64> {
    let (_, _, output) = reported(options, input.as_bytes());
    let lines = output.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|line| line["at_ms"].as_f64().unwrap()).collect()
}

#[track_caller]
fn problem(options: &Options, input: &[u8]) -> (u64, LineProblem) {
    match replay(options, input).0 {
        Err(ReplayError::Line { line, problem, .. }) => (line, problem),
        other => panic!("{other:?}"),
    }
}

/// An nginx line that ends `second` seconds into an hour, after `millis`.
fn nginx(second: u64, millis: u64) -> String {
    let (minute, second) = (second / 60, second % 60);
    format!(
        "10.0.0.1 - - [10/Oct/2026:13:{minute:02}:{second:02} +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\" {}.{:03}\n",
        millis / 1_000,
        millis % 1_000
    )
}

fn apache(second: u64, tail: &str) -> String {
    let (minute, second) = (second / 60, second % 60);
    format!(
        "10.0.0.1 - - [10/Oct/2026:13:{minute:02}:{second:02} +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\" {tail}\n"
    )
}

#[test]
fn a_log_is_the_same_as_the_calls_that_it_has() {
    for (log, csv, format, lines, unused) in [
        ("nginx.log", "nginx.csv", nginx_format(), 7, Some((5, LogProblem::NoCall))),
        ("nginx_named.log", "nginx.csv", nginx_format(), 7, Some((5, LogProblem::NoCall))),
        ("apache.log", "apache.csv", apache_format(), 6, Some((4, LogProblem::NoCall))),
        ("envoy.log", "envoy.csv", envoy_format(), 6, Some((4, LogProblem::NoCall))),
        ("envoy_istio.log", "envoy.csv", envoy_format(), 6, Some((4, LogProblem::NoCall))),
    ] {
        let (log, csv) = (fixture(log), fixture(csv));
        let with_line_ends = String::from_utf8_lossy(&log).replace('\n', "\r\n");
        for (failure_rate, minimum_samples) in [(1.0, 2), (0.25, 2), (0.4, 4)] {
            for mode in [Mode::JsonLines, Mode::Summary] {
                let mut auto = options(Format::Auto);
                auto.mode = mode;
                auto.policy.failure_rate_threshold = Ratio::new(failure_rate).unwrap();
                auto.policy.minimum_samples = Some(minimum_samples);
                let (report, expected) = replay(&auto, &csv);
                assert_eq!(report.unwrap().log, None);
                let (report, usage, output) = reported(&auto, &log);
                assert_eq!(output.replace("{\"no_call\":1}", "{}"), expected, "{format} {failure_rate}");
                assert_eq!((report.format, report.is_guessed), (format, true));
                assert_eq!((usage.lines, usage.unusable.total(), report.late), (lines, 1, 0));
                let (number, problem) = unused.unwrap();
                assert_eq!(usage.unusable.first(), Some((number, problem.to_string().as_str())));
                let mut forced = auto.clone();
                forced.reading.input.format = Format::Log(format);
                let (report, _, output) = reported(&forced, with_line_ends.as_bytes());
                assert_eq!((output.replace("{\"no_call\":1}", "{}"), report.is_guessed), (expected, false));
            }
        }
    }
}

#[test]
fn a_format_that_is_forced_is_not_guessed_about() {
    let log = fixture("nginx.log");
    let envoy = (1, LineProblem::Log { format: Some(envoy_format()), problem: LogProblem::Time });
    assert_eq!(problem(&options(Format::Log(envoy_format())), &log), envoy);
    assert_eq!(problem(&options(Format::Csv), &log), (1, LineProblem::MissingColumn("at_ms")));
    assert!(matches!(problem(&options(Format::Json), &log), (1, LineProblem::Json { .. })));
    for format in [Format::Csv, Format::Auto] {
        assert_eq!(replay(&options(format), b"at_ms,latency_ms\n1,1\n").0.unwrap().records, 1);
    }
    for format in all() {
        let nothing = replay(&options(Format::Log(format)), b"\n").0.unwrap();
        assert_eq!((nothing.records, nothing.usage.lines), (0, 0));
    }
}

#[test]
fn the_time_of_nginx_is_the_end_of_a_call_and_that_of_apache_its_start() {
    let line = nginx(0, 2_500);
    let start = 1_791_637_200_000.0;
    assert_eq!(ends(&options(Format::Auto), &line), [start]);
    assert_eq!(ends(&options(Format::Log(apache_format())), &line), [start + 2_500.0]);
    assert_eq!(ends(&options(Format::Auto), &apache(0, "2500000")), [start + 2_500.0]);
    let mut written_at_end = options(Format::Log(nginx_format()));
    written_at_end.reading.input.latency_unit = Some(LatencyUnit::Micros);
    assert_eq!(ends(&written_at_end, &apache(0, "2500000")), [start]);
}

#[test]
fn whole_numbers_are_microseconds_where_that_is_clear_and_else_the_unit_must_be_said() {
    let start = 1_791_637_200_000.0;
    let log = |tails: &[&str]| tails.iter().map(|tail| apache(0, tail)).collect::<String>();
    let unclear = (1, LineProblem::Log { format: Some(apache_format()), problem: LogProblem::Unit });
    let auto = options(Format::Auto);
    assert_eq!(problem(&auto, log(&["0", "12", "999"]).as_bytes()), unclear);
    assert_eq!(reported(&auto, log(&["0", "12", "1000"]).as_bytes()).0.latency_unit, None);
    assert_eq!(reported(&auto, log(&["0", "12", "latency_ms=9"]).as_bytes()).1.unusable.total(), 0);
    let forced = options(Format::Log(apache_format()));
    assert_eq!(ends(&forced, &log(&["500"])), [start + 0.5]);
    for (unit, millis) in [(LatencyUnit::Seconds, 7_000.0), (LatencyUnit::Millis, 7.0), (LatencyUnit::Micros, 0.007)] {
        let mut said = auto.clone();
        said.reading.input.latency_unit = Some(unit);
        assert_eq!(ends(&said, &log(&["7"])), [start + millis]);
        assert_eq!(reported(&said, log(&["7"]).as_bytes()).0.latency_unit, Some(unit));
    }
    let mut third = auto;
    third.reading.input.latency_field = NonZeroU8::new(3);
    assert_eq!(ends(&third, &log(&["2000000 345 99999"])), [start + 2_000.0]);
}

#[test]
fn the_calls_of_one_second_are_spread_over_it() {
    let log: String = (0..3).flat_map(|second| (0..4).map(move |_| nginx(second, 10))).collect();
    let start = 1_791_637_200_000.0;
    let expected: Vec<f64> = (0..12).map(|nth| start + 250.0 * f64::from(nth)).collect();
    assert_eq!(ends(&options(Format::Auto), &log), expected);
}

#[test]
fn lines_out_of_order_are_put_in_order_and_those_too_late_are_counted() {
    let start = 1_791_637_200_000.0;
    let log: String = [100, 70, 101, 41, 250, 251, 60, 120, 252].map(|second| nginx(second, 10)).concat();
    let seconds = |ends: &[f64]| ends.iter().map(|end| (end - start) / 1_000.0).collect::<Vec<_>>();
    let auto = options(Format::Auto);
    // 101 had already been emitted before 60 arrived.
    assert_eq!(seconds(&ends(&auto, &log)), [41.0, 70.0, 100.0, 101.0, 101.0, 120.0, 250.0, 251.0, 252.0]);
    assert_eq!(reported(&auto, log.as_bytes()).0.late, 1);
}

#[test]
fn a_log_of_the_night_that_repeats_an_hour_goes_on() {
    let line =
        |time: &str| format!("10.0.0.1 - - [25/Oct/2026:{time}] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\" 0.010\n");
    let log = ["02:59:58 +0200", "02:59:59 +0200", "02:00:00 +0100", "02:00:01 +0100"].map(line).concat();
    let found = ends(&options(Format::Auto), &log);
    assert_eq!(found.iter().map(|end| end - found[0]).collect::<Vec<_>>(), [0.0, 1_000.0, 2_000.0, 3_000.0]);
    assert_eq!(reported(&options(Format::Auto), log.as_bytes()).0.late, 0);
}

#[test]
fn lines_that_cannot_be_used_are_passed_over_and_counted() {
    let mut log = b"starting up\n\n".to_vec();
    let too_long = "x".repeat(3 * MAX_LINE_BYTES);
    let odd: [&[u8]; 4] =
        [b"\xff\xfe \"\n", b"10.0.0.1 - - [10/Oct/2026:13:00:00 +0000] \"GET\n", too_long.as_bytes(), b"\n"];
    for second in 0..100 {
        log.extend(nginx(second, 10).into_bytes());
    }
    log.extend(odd.concat());
    log.extend(nginx(100, 10).into_bytes());
    let (report, usage, output) = reported(&options(Format::Auto), &log);
    assert_eq!((usage.lines, usage.unusable.total()), (105, 4));
    let reasons: Vec<_> = usage.unusable.reasons().collect();
    assert_eq!(reasons, [("not_closed", 2), ("time", 1), ("too_long", 1)]);
    assert_eq!(usage.unusable.first().map(|(line, _)| line), Some(1));
    assert_eq!(report.late, 0);
    assert_eq!(output.lines().count(), 101);
}

#[test]
fn a_log_of_which_nothing_is_understood_is_an_error_that_names_the_first_line() {
    let none = |problem| (1, LineProblem::Log { format: None, problem });
    let auto = options(Format::Auto);
    let without_time = nginx(0, 10).replace(" 0.010", "").repeat(30);
    assert_eq!(problem(&auto, without_time.as_bytes()), none(LogProblem::Latency));
    let common = nginx(0, 10).replace(" \"-\" \"curl\" 0.010", "");
    assert_eq!(problem(&auto, common.as_bytes()), none(LogProblem::Latency), "the bytes sent are no request time");
    let odd_time = nginx(0, 10).replace("/Oct/", "/Okt/");
    assert_eq!(problem(&auto, odd_time.as_bytes()), none(LogProblem::Time));
    assert_eq!(problem(&auto, b"[yesterday] \"GET / HTTP/2\" 200 - 0 5 7 6"), none(LogProblem::Time));
    let late = format!("{}{}", "no log\n".repeat(20), nginx(0, 10));
    assert_eq!(problem(&auto, late.as_bytes()), (1, LineProblem::MissingColumn("at_ms")));
    let forced = problem(&options(Format::Log(nginx_format())), late.as_bytes());
    assert_eq!(forced, (1, LineProblem::Log { format: Some(nginx_format()), problem: LogProblem::Time }));
    let text = replay(&auto, without_time.as_bytes()).0.unwrap_err().to_string();
    assert!(text.starts_with("line 1: ") && text.contains("allowed: ") && text.contains("$request_time"), "{text}");
}

#[test]
fn a_line_without_an_end_is_read_no_further_than_it_must() {
    let endless = BufReader::new(std::io::repeat(b'x'));
    let result = run(&options(Format::Auto), endless, &mut std::io::sink());
    assert!(matches!(result, Err(ReplayError::Line { line: 1, problem: LineProblem::TooLong, .. })), "{result:?}");
}

/// Lines that are generated while they are read.
struct Made<F> {
    line: F,
    lines: std::ops::Range<u64>,
    rest: Vec<u8>,
}

impl<F: FnMut(u64) -> String> Read for Made<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = self.lines.by_ref().take(50).map(&mut self.line).collect::<String>().into_bytes();
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

#[test]
fn a_log_five_times_as_long_holds_no_more_calls() {
    for format in all() {
        let line = move |nth: u64| {
            let (millis, latency) = (nth * 20, 5 + nth % 200);
            let second = millis / 1_000;
            let (day, hour, minute) = (1 + second / 86_400, second / 3_600 % 24, second / 60 % 60);
            let (second, millis) = (second % 60, millis % 1_000);
            let common = format!("[{day:02}/Oct/2026:{hour:02}:{minute:02}:{second:02} +0000]");
            match format.name() {
                "nginx" => {
                    format!("10.0.0.1 - - {common} \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" 0.{latency:03}\n")
                }
                "apache" => {
                    format!("10.0.0.1 - - {common} \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" {latency}000\n")
                }
                _ => format!(
                    "[2026-10-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z] \"GET / HTTP/2\" 200 - 0 5 {latency} 1 \"-\"\n"
                ),
            }
        };
        let held = [10_000, 50_000].map(|count| {
            let mut options = options(Format::Auto);
            options.mode = Mode::Summary;
            options.reading.max_latency = Duration::from_secs(5);
            let input = BufReader::new(Made { line, lines: 0..count, rest: Vec::new() });
            let report = run(&options, input, &mut std::io::sink()).unwrap();
            let log = report.log.unwrap();
            let usage = &report.usage;
            assert_eq!((log.format, usage.lines, usage.unusable.total()), (format, count, 0));
            assert_eq!((log.late, report.records), (0, count));
            (log.peak_held, report.peak_held)
        });
        // Fifty calls per second, for a minute and twice the longest call.
        assert_eq!(held[0], held[1], "{format}");
        assert!(held[0].0 <= 50 * 72 && held[0].1 <= 50 * 7, "{format}: {held:?}");
    }
}

/// Lines of the fixtures with bytes changed, removed and inserted.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<Vec<u8>> = ["nginx.log", "nginx_named.log", "apache.log", "envoy.log", "envoy_istio.log"]
        .iter()
        .flat_map(|name| fixture(name).split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>())
        .filter(|line| !line.is_empty())
        .collect();
    let byte =
        prop_oneof![Just(b'"'), Just(b'['), Just(b']'), Just(b' '), Just(b'\\'), Just(b'9'), Just(b'-'), any::<u8>()];
    let change = (any::<prop::sample::Index>(), 0..3_u8, byte);
    (prop::sample::select(lines), prop::collection::vec(change, 0..6)).prop_map(|(mut line, changes)| {
        for (at, kind, byte) in changes {
            let at = at.index(line.len().max(1));
            match kind {
                _ if line.is_empty() => line.push(byte),
                0 => line[at] = byte,
                1 => line.insert(at, byte),
                _ => drop(line.remove(at)),
            }
        }
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_changed_in_a_log_ends_with_a_result(
        lines in prop::collection::vec(mutated(), 0..12),
        forced in prop::option::of(prop::sample::select(all().to_vec())),
        unit in prop::option::of(prop::sample::select(vec![LatencyUnit::Seconds, LatencyUnit::Millis, LatencyUnit::Micros])),
        field in 0_u8..4,
        stretch_ms in prop_oneof![Just(0), 1_u64..100_000, Just(u64::MAX)],
    ) {
        let mut options = options(forced.map_or(Format::Auto, Format::Log));
        options.reading.input.latency_unit = unit;
        options.reading.input.latency_field = NonZeroU8::new(field);
        options.reading.max_latency = Duration::from_millis(stretch_ms);
        if let (Ok(InputReport { records, usage, .. }), output) = replay(&options, &lines.join(&b"\n"[..])) {
            prop_assert_eq!(records + usage.unusable.total(), usage.lines);
            prop_assert_eq!(output.lines().count() as u64, records);
        }
    }
}
