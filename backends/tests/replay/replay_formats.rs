//! Every format of the table: detected without its name, in every variation, and never with more data than its lines
//! contain.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;

use proptest::prelude::*;
use tripline_backends::replay::{
    FieldMapping, Format, InputReport, LatencyUnit, LogFormat, Mode, Options, PathFilter, PathPatterns, ReplayError,
    run,
};
use tripline_runtime::core::{Latency, Percentile, Policy};

pub(crate) fn fixture(name: &str) -> String {
    fs::read_to_string(format!("{}/tests/fixtures/formats/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub(crate) fn options(mode: Mode) -> Options {
    let mut policy = Policy::default();
    policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
    policy.percentile = Percentile::new(1.0).unwrap();
    policy.latency_threshold = Latency::from_millis(10_000);
    policy.minimum_samples = Some(2);
    Options::new(policy, mode)
}

fn replay(options: &Options, input: &[u8]) -> (Result<InputReport, ReplayError>, String) {
    let mut output = Vec::new();
    let report = run(options, input, &mut output);
    (report, String::from_utf8(output).unwrap())
}

#[track_caller]
pub(crate) fn reported(options: &Options, input: &str) -> (InputReport, String) {
    let (report, output) = replay(options, input.as_bytes());
    (report.unwrap_or_else(|error| panic!("{error}\n{input}")), output)
}

/// Formats that need no further options, with their fixtures.
pub(crate) fn formats() -> impl Iterator<Item = (LogFormat, String)> {
    LogFormat::all()
        .filter(|format| format.name() != "text")
        .map(|format| (format, fixture(&format!("{}.log", format.name()))))
}

/// Latency in milliseconds and status of a line that is replayed alone with these fields.
#[track_caller]
pub(crate) fn latency_of(fields: &[&str], unit: Option<LatencyUnit>, line: &str) -> f64 {
    let mut options = options(Mode::Summary);
    options.reading.input.field_mappings = fields.iter().map(|field| field.parse().unwrap()).collect();
    options.reading.input.latency_unit = unit;
    let (report, output) = reported(&options, line);
    assert_eq!((report.records, report.usage.unusable.total()), (1, 0), "{line}");
    serde_json::from_str::<serde_json::Value>(&output).unwrap()["percentile_ms"].as_f64().unwrap()
}

#[test]
fn a_log_of_each_format_is_the_same_as_its_calls() {
    let (_, expected) = reported(&options(Mode::JsonLines), &fixture("calls.csv"));
    for (format, log) in formats() {
        for text in [log.clone(), log.replace('\n', "\r\n"), log.replace('\n', "\r"), log.trim_end().to_owned()] {
            let (report, output) = reported(&options(Mode::JsonLines), &text);
            let found = report.log.unwrap();
            assert_eq!((found.format, found.is_guessed), (format, true));
            assert_eq!(output, expected, "{format}");
            assert_eq!((report.usage.lines, report.usage.unusable.total()), (6, 0), "{format}");
            let mut forced = options(Mode::JsonLines);
            forced.reading.input.format = Format::Log(format);
            assert_eq!(reported(&forced, &text).1, expected, "{format}");
        }
    }
}

#[test]
fn the_example_of_each_format_is_a_call() {
    for format in LogFormat::all().filter(|format| format.name() != "text") {
        let (report, _) = reported(&options(Mode::Summary), format.example());
        assert_eq!(report.log.map(|log| log.format), Some(format));
        assert_eq!((report.records, report.usage.unusable.total()), (1, 0), "{format}");
    }
}

#[test]
fn prefixes_of_collectors_are_passed_over_for_every_format() {
    let (_, expected) = reported(&options(Mode::JsonLines), &fixture("calls.csv"));
    for (format, log) in formats().filter(|(format, _)| !matches!(format.name(), "iis" | "csv-fields")) {
        for prefix in [
            "2026-10-10T15:00:00.123456789Z ",
            "[pod/web-7d4/app] ",
            "[pod/web-7d4/app] 2026-10-10T15:00:00.123456789Z ",
            "2026-10-10T15:00:00.123456789Z stdout F ",
            "web-1  | ",
            "<134>1 2026-10-10T15:00:00Z lb app 12 - - ",
            "Oct 10 15:00:00 lb app[12]: ",
        ] {
            let text = log.lines().flat_map(|line| [prefix, line, "\n"]).collect::<String>();
            let (report, output) = reported(&options(Mode::JsonLines), &text);
            assert_eq!(output, expected, "{format} {prefix}: {:?}", report.usage);
        }
        let wrapped = |line: &str| {
            format!(
                "{}\n",
                serde_json::json!({"log": format!("{line}\n"), "stream": "stdout", "time": "2026-10-10T15:00:00Z"})
            )
        };
        let text: String = log.lines().map(wrapped).collect();
        assert_eq!(reported(&options(Mode::JsonLines), &text).1, expected, "{format} in docker's JSON");
    }
}

#[test]
fn calls_are_left_out_by_their_path_and_counted() {
    for (format, log) in formats().chain([(LogFormat::named("nginx").unwrap(), fixture("calls.csv"))]) {
        for (include, exclude, records) in [(&[][..], &["/poll"][..], 5), (&["/a", "/b"], &[], 4), (&["/*"], &["*"], 0)]
        {
            let mut options = options(Mode::Summary);
            options.reading.input.paths =
                PathFilter::new(PathPatterns::new(include.iter().copied(), exclude.iter().copied()));
            let (report, output) = reported(&options, &log);
            assert_eq!((report.records, report.usage.excluded), (records, 6 - records), "{format}");
            assert!(output.contains(&format!("\"excluded\":{}", 6 - records)), "{output}");
        }
    }
}

#[test]
fn two_lines_that_are_glued_are_counted_and_not_merged() {
    for (format, log) in formats() {
        let lines: Vec<&str> = log.lines().collect();
        let (head, calls) = lines.split_at(lines.len() - 6);
        let header = head.iter().flat_map(|line| [line, "\n"]).collect::<String>();
        let (first, second) = (calls[3], calls[4]);
        let alone = reported(&options(Mode::JsonLines), &format!("{header}{second}\n")).1;
        for cut in 1..=first.len() {
            let text = format!("{header}{}{second}\n", &first[..cut]);
            // The result is nothing, or the second call alone with its own time and latency.
            if let (Ok(report), output) = replay(&options(Mode::JsonLines), text.as_bytes()) {
                assert_eq!(report.records + report.usage.unusable.total(), report.usage.lines, "{format} {text}");
                assert!(output.is_empty() || output == alone, "{format} cut at {cut}: {output}{text}");
            }
        }
    }
}

#[test]
fn fields_can_be_named_in_every_kind_of_log() {
    let ms = Some(LatencyUnit::Millis);
    let named = ["time=when", "latency=took", "status=code"];
    for (fields, unit, line) in [
        (
            &["time=a.when", "latency=a.took", "status=code"][..],
            ms,
            r#"{"a":{"when":"2026-10-10T13:00:00.5Z","took":50},"code":200}"#,
        ),
        (&named[..], ms, r#"{"when":1791640536310,"took":"50","code":"200"}"#),
        (&named[..], None, r#"{"when":1791640536.31,"took":0.05,"code":200}"#),
        (&["time=when", "latency=took_us", "status=code"], None, r#"{"when":1791640536,"took_us":50000,"code":200}"#),
        (&named[..], ms, "when,took,code\n2026-10-10 13:00:00.5,50,200"),
        (&named[..], ms, "when;took;code\n10/Oct/2026:13:00:00 +0000;50;200"),
        (&named[..], None, "when\ttook\tcode\n2026-10-10T13:00:00Z\t50ms\t200"),
        (&named[..], None, "when:2026-10-10T13:00:00Z\ttook:0.050\tcode:200"),
        (&named[..], None, "x when=2026-10-10T13:00:00Z took=50ms code=200 y"),
        (&["time=2", "latency=-2", "status=4"], None, "x 2026-10-10T13:00:00Z GET 200 50ms end"),
        (
            &["start=[time]", "latency=took", "status=code"],
            ms,
            r#"{"[time]":"2026-10-10T13:00:00Z","took":50,"code":200}"#,
        ),
        (
            &["latency=5"],
            None,
            r#"10.0.0.1 - - [10/Oct/2026:13:00:00 +0000] 50000 "GET / HTTP/1.0" 200 6 "-" "mon" "-""#,
        ),
        (&["latency=1"], ms, r#"50 10.0.0.1 - - [10/Oct/2026:13:00:00 +0000] "GET / HTTP/1.0" 200 6 "-" "mon""#),
        (
            &["latency=urt"],
            None,
            r#"10.0.0.1 - - [10/Oct/2026:13:00:00 +0000] "GET / HTTP/1.0" 200 6 "-" "-" rt=0.9 urt="0.050""#,
        ),
    ] {
        assert!((latency_of(fields, unit, line) - 50.0).abs() < 1e-9, "{fields:?} {line}");
    }
    assert!(FieldMapping::new(tripline_backends::replay::Role::Path, "x").source == "x");
}

#[test]
fn variations_of_what_servers_write_are_read() {
    for line in [
        // Apache with %D before the request, and %T/%D.
        r#"10.0.0.1 - - [10/Oct/2026:13:00:00 +0000] 50000 "GET / HTTP/1.0" 200 6846 "-" "mon" "-""#,
        r#"10.0.0.1 - - [10/Oct/2026:13:00:00 +0000] "GET / HTTP/1.0" 200 6846 "-" "mon" 0/50000"#,
        // Caddy with a duration as text and the time as ISO 8601, a wall clock or milliseconds.
        r#"{"ts":"2026-10-10T13:00:00.000Z","msg":"handled request","request":{"method":"GET","uri":"/"},"duration":"50ms","status":200}"#,
        r#"{"ts":"2026/10/10 13:00:00.000","msg":"handled request","request":{"method":"GET","uri":"/"},"duration":0.05,"status":200}"#,
        r#"{"ts":1791640536000.5,"msg":"handled request","request":{"method":"GET","uri":"/"},"duration":0.05,"status":200}"#,
        // Istio with texts instead of numbers.
        r#"{"start_time":"2026-10-10T13:00:00.310Z","path":"/a","response_code":"200","duration":"50","response_flags":null}"#,
        // nginx with $msec and with $time_local.
        r#"{"msec":"1791640536.310","status":"200","request_time":"0.050"}"#,
        r#"{"time_local":"10/Oct/2026:13:00:00 +0000","status":"200","request_time":"0.050"}"#,
        // pino, Google's load balancer, ECS.
        r#"{"level":30,"time":1791640536310,"req":{"method":"GET","url":"/"},"res":{"statusCode":200},"responseTime":50}"#,
        r#"{"timestamp":"2026-10-10T13:00:00.5Z","httpRequest":{"status":200,"latency":"0.050s","requestUrl":"https://a/"}}"#,
        r#"{"@timestamp":"2026-10-10T13:00:00.5Z","event":{"duration":50000000},"http":{"response":{"status_code":200}}}"#,
        // logrus, slog and zap, with durations of Go.
        r#"time="2026-10-10T13:00:00Z" level=info msg="request done" method=GET path=/a status=200 duration=50ms"#,
        r"time=2026-10-10T13:00:00.5Z level=INFO msg=request method=GET path=/a status=200 latency=0.05s",
        r#"time="2026-10-10T13:00:00Z" level=info msg=done status=200 elapsed=50000µs"#,
        r#"{"level":"info","time":"2026-10-10T13:00:00Z","path":"/a","status":200,"latency":"50ms"}"#,
        r#"{"level":"info","ts":1791640536.31,"path":"/a","status":200,"duration":"50000µs"}"#,
        // Lograge behind Rails' logger, behind docker, and with a tag; a fraction of milliseconds is not one of seconds.
        r"I, [2026-10-10T13:00:00.123456 #7]  INFO -- : method=GET path=/ controller=A action=b status=200 duration=50.0",
        r"2026-10-10T13:00:00Z [7f3] method=GET path=/ controller=A action=b status=200 duration=50.00 view=1.0",
        r#"{"controller":"A","action":"b","path":"/","status":200,"duration":50.0,"time":"2026-10-10T13:00:00Z"}"#,
        // Heroku's router, whose time is only in the prefix.
        r#"2026-10-10T13:00:00.123456+00:00 heroku[router]: at=info method=GET path="/" connect=1ms service=50ms status=200"#,
        // HAProxy without syslog, and as logged before the response is complete.
        r#"10.0.0.6:4000 [10/Oct/2026:13:00:00.123] fe be/s1 0/0/1/2/+50 200 +512 - - ---- 1/1/0/0/0 0/0 "GET /a HTTP/1.1""#,
        // A classic load balancer of AWS.
        r#"2026-10-10T13:00:00.186641Z elb 10.0.0.7:2817 10.0.0.1:80 0.001 0.048 0.001 200 200 0 29 "GET http://a:80/ HTTP/1.1" "curl" - -"#,
        // CloudFront counts in seconds.
        "#Fields: date time cs-method cs-uri-stem sc-status time-taken\n2026-10-10\t13:00:00\tGET\t/a\t200\t0.050",
        // LTSV of Apache.
        "time:10/Oct/2026:13:00:00 +0000\tstatus:200\treqtime_microsec:50000",
    ] {
        assert!((latency_of(&[], None, line) - 50.0).abs() < 1e-9, "{line}");
    }
}

#[test]
fn what_is_no_call_and_what_has_no_latency_is_counted_by_reason() {
    let good = r#"10.0.0.1 - - [10/Oct/2026:13:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl" rt=0.050"#;
    for (reason, line) in [
        ("rejected", good.replace("200 5", "503 5") + " rejected"),
        ("busy", good.replace("rt=0.050", "rt=0.000 flag=busy")),
        ("no_call", good.replace(" 200 ", " 101 ")),
        ("status", good.replace(" 200 ", " - ")),
        ("latency", good.replace("rt=0.050", "rt=-")),
        ("time", good.replace("/Oct/", "/Okt/")),
        ("not_closed", good.replace("\"curl\"", "\"curl")),
        ("cut_off", good[..good.len() - 1].to_owned()),
        ("stray_time", good.replace("2026", "2062") + "\n" + good),
    ] {
        let (report, output) = reported(&options(Mode::Summary), &format!("{good}\n{line}"));
        assert_eq!(report.usage.unusable.reasons().collect::<Vec<_>>(), [(reason, 1)], "{line}");
        assert!(output.contains(&format!("\"unusable\":{{\"{reason}\":1}}")), "{output}");
        assert_eq!(report.usage.unusable.first().map(|(number, _)| number), Some(2));
    }
    let twice = r#"{"time":"2026-10-10T13:00:00Z","status":200,"request_time":0.05,"status":500}"#;
    let json = fixture("nginx-json.log") + twice;
    assert_eq!(reported(&options(Mode::Summary), &json).0.usage.unusable.count("duplicate"), 1);
}

#[test]
fn a_clock_that_is_set_back_is_a_new_origin_in_every_format() {
    for format in ["nginx", "caddy", "logfmt", "haproxy"] {
        let one = fixture(&format!("{format}.log"));
        let hour = |hour: &str| one.replace("T13:", &format!("T{hour}:")).replace(":13:", &format!(":{hour}:"));
        let later = if format == "caddy" { one.replace("17916", "17926") } else { hour("14") };
        let (report, output) = reported(&options(Mode::Summary), &format!("{later}{one}{one}"));
        assert_eq!((report.records, report.usage.origin_changes), (18, 1), "{format} {:?}", report.usage);
        assert!(output.contains("\"origin_changes\":1"), "{output}");
    }
    let csv = "at_ms,latency_ms\n10000,1\n11000,1\n1000,1\n2000,1\n3000,1\n";
    assert_eq!(reported(&options(Mode::Summary), csv).0.usage.origin_changes, 1);
}

#[test]
fn what_is_held_is_bounded_by_number() {
    let line = "10.0.0.1 - - [10/Oct/2026:13:00:00.5 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" rt=0.050\n";
    let count = 400_000;
    let (report, _) = reported(&options(Mode::Summary), &line.repeat(count));
    assert_eq!(report.records, count as u64);
    assert!(report.log.unwrap().peak_held <= (1 << 18) + 1 && report.peak_held <= (1 << 18) + 1);
    assert!(report.usage.released_early > 0);
}

/// Bytes of the fixtures, cut, changed and concatenated.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<Vec<u8>> =
        formats().map(|(_, log)| log.into_bytes()).chain([fixture("calls.csv").into_bytes()]).collect();
    let part = (prop::sample::select(texts), any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let byte = prop_oneof![
        Just(b'"'),
        Just(b'['),
        Just(b'\n'),
        Just(b'\r'),
        Just(0),
        Just(b' '),
        Just(b'='),
        Just(b'9'),
        any::<u8>()
    ];
    let change = (any::<prop::sample::Index>(), 0..3_u8, byte);
    (prop::collection::vec(part, 1..5), prop::collection::vec(change, 0..8)).prop_map(|(parts, changes)| {
        let mut bytes = Vec::new();
        for (text, from, to) in parts {
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            bytes.extend_from_slice(&text[from.min(to) * usize::from(from > to)..to.max(from)]);
        }
        for (at, kind, byte) in changes {
            let at = at.index(bytes.len().max(1));
            match kind {
                _ if bytes.is_empty() => bytes.push(byte),
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_becomes_of_a_log_every_line_is_accounted_for(
        bytes in mangled(),
        forced in prop::option::of(prop::sample::select(LogFormat::all().collect::<Vec<_>>())),
        fields: bool,
        filtered: bool,
    ) {
        let mut options = options(Mode::JsonLines);
        options.reading.input.format = forced.map_or(Format::Auto, Format::Log);
        if fields {
            options.reading.input.field_mappings =
                ["time=ts", "latency=5", "status=status"].iter().map(|field| field.parse().unwrap()).collect();
        }
        if filtered {
            options.reading.input.paths = PathFilter::new(PathPatterns::new(["/*"], ["/poll"]));
        }
        if let (Ok(report), output) = replay(&options, &bytes) {
            let usage = &report.usage;
            prop_assert_eq!(report.records + usage.unusable.total() + usage.excluded, usage.lines);
            prop_assert_eq!(output.lines().count() as u64, report.records);
            let is_end = |byte: &&u8| matches!(byte, b'\n' | b'\r' | 0);
            prop_assert!(usage.lines <= bytes.iter().filter(is_end).count() as u64 + 1);
            prop_assert!(report.peak_held as u64 <= usage.lines);
        }
    }
}

#[test]
fn a_unit_that_is_not_clear_is_asked_for_also_where_a_name_looks_like_ours() {
    let line = "{\"timestamp\":\"2026-10-10T13:00:00Z\",\"latency\":50,\"status\":200}\n";
    let (result, _) = replay(&options(Mode::Summary), line.repeat(3).as_bytes());
    let error = result.unwrap_err().to_string();
    assert!(error.contains("--latency-unit") && !error.contains("at_ms"), "{error}");
}

#[test]
fn an_object_behind_the_time_and_tag_of_fluentd_is_read() {
    let lines: String = fixture("envoy-json.log")
        .lines()
        .map(|line| format!("2026-10-10T13:00:00+00:00\tkube.web\t{line}\n"))
        .collect::<Vec<_>>()
        .concat();
    let (result, output) = replay(&options(Mode::Summary), lines.as_bytes());
    let report = result.unwrap();
    assert_eq!(report.records, fixture("envoy-json.log").lines().count() as u64, "{output}");
}
