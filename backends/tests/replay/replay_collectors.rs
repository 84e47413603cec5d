//! Lines inside the records of log collectors, and lines that were written in parts.
#![allow(clippy::unwrap_used)]

use tripline_backends::replay::Mode;

use crate::replay_formats::{fixture, formats, options, reported};

/// The calls of the fixtures, from lines as a collector writes them.
#[track_caller]
fn assert_same_calls(change: impl Fn(&str) -> String, is_changed: impl Fn(&str) -> bool) {
    let (_, expected) = reported(&options(Mode::JsonLines), &fixture("calls.csv"));
    for (format, log) in formats().filter(|(format, _)| is_changed(format.name())) {
        let text: String = log.lines().map(&change).collect();
        let (report, output) = reported(&options(Mode::JsonLines), &text);
        assert_eq!(output, expected, "{format}: {:?}\n{text}", report.usage);
        assert_eq!((report.usage.lines, report.usage.unusable.total()), (6, 0), "{format}");
    }
}

fn has_no_header(format: &str) -> bool {
    !matches!(format, "iis" | "csv-fields")
}

#[test]
fn records_of_fluent_bits_standard_output_are_read() {
    let record = |line: &str| {
        format!("[3] kube.var.log: [[1791644400.5, {{}}], {{\"stream\"=>\"stdout\", \"log\"=>\"{line}\"}}]\n")
    };
    assert_same_calls(record, has_no_header);
    let older = |line: &str| format!("[3] app: [1791644400.5, {{\"log\"=>{}}}]\n", serde_json::json!(line));
    assert_same_calls(older, has_no_header);
}

#[test]
fn the_fields_of_a_record_of_fluent_bit_are_those_of_the_call() {
    let record = |line: &str| {
        let call: serde_json::Value = serde_json::from_str(line).unwrap();
        let at: &str = call["timestamp"].as_str().unwrap();
        let (status, url, took) = (&call["http"]["status_code"], &call["url"], &call["duration_ms"]);
        format!(
            "[0] app: [[1791644400.5, {{}}], {{\"timestamp\"=>\"{at}\", \"k8s\"=>{{\"pod\"=>\"a\", \"ns\"=>\"b\"}}, \"status\"=>{status}, \"url\"=>{url}, \"duration_ms\"=>{took}}}]\n"
        )
    };
    assert_same_calls(record, |format| format == "json-fields");
}

#[test]
fn messages_of_journald_as_lists_of_bytes_are_read() {
    let record = |line: &str| {
        format!(
            "{}\n",
            serde_json::json!({"MESSAGE": line.as_bytes(), "__REALTIME_TIMESTAMP": "1791644400500000", "_PID": "7"})
        )
    };
    assert_same_calls(record, has_no_header);
}

#[test]
fn lines_that_a_container_runtime_cut_are_joined_wherever_they_were_cut() {
    let time = "2026-10-10T15:00:00.123456789Z stdout";
    for parts in [2, 3, 7] {
        let cut = |line: &str| {
            let bytes = line.as_bytes();
            let parts: Vec<_> = bytes.chunks(bytes.len().div_ceil(parts)).map(String::from_utf8_lossy).collect();
            let (last, before) = parts.split_last().unwrap();
            let before: String = before.iter().flat_map(|part| [time, " P ", part, "\n"]).collect();
            format!("{before}2026-10-10T15:00:01Z stderr F a line of the other stream\n{time} F {last}\n")
        };
        let (_, expected) = reported(&options(Mode::JsonLines), &fixture("calls.csv"));
        for (format, log) in formats().filter(|(format, _)| has_no_header(format.name())) {
            let text: String = log.lines().map(cut).collect();
            let (report, output) = reported(&options(Mode::JsonLines), &text);
            assert_eq!(output, expected, "{format} in {parts} parts: {:?}", report.usage);
            assert_eq!((report.usage.lines, report.usage.unusable.total()), (12, 6), "{format}");
        }
    }
}

#[test]
fn a_line_whose_last_part_never_comes_is_counted() {
    let line = fixture("nginx.log").lines().next().unwrap().to_owned();
    let time = "2026-10-10T15:00:00.123456789Z";
    let text = format!("{time} stdout F {line}\n{time} stdout P {line}\n{time} stderr P x\n{time} stdout P y\n");
    let (report, _) = reported(&options(Mode::Summary), &text);
    assert_eq!((report.records, report.usage.lines), (1, 3));
    assert_eq!(report.usage.unusable.reasons().collect::<Vec<_>>(), [("not_closed", 2)]);
    let long = "x".repeat(700_000);
    let text =
        format!("{time} stdout F {line}\n{time} stdout P {long}\n{time} stdout P {long}\n{time} stdout F {line}\n");
    let (report, _) = reported(&options(Mode::Summary), &text);
    assert_eq!(report.usage.unusable.reasons().collect::<Vec<_>>(), [("too_long", 1)]);
}
