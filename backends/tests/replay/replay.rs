//! Recorded calls and the exact bytes of the output.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::format_push_string)]

use std::time::Duration;

use tripline_backends::replay::{InputReport, Mode, Options, ReplayError, run};
use tripline_runtime::core::{Latency, Percentile, Policy, Ratio};

use crate::without_why::without_why;

/// Slow above 100 ms; trips at the median of three calls; waits 1 s; two probes.
fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
    policy.latency_threshold = Latency::from_millis(100);
    policy.percentile = Percentile::new(0.5).unwrap();
    policy.minimum_samples = Some(3);
    policy.wait_time = Duration::from_secs(1);
    policy.half_open_max_calls = 2;
    policy
}

fn summary_options() -> Options {
    Options::new(policy(), Mode::Summary)
}

fn lines_options() -> Options {
    Options::new(policy(), Mode::JsonLines)
}

fn replay(options: &Options, input: &str) -> (Result<InputReport, ReplayError>, String) {
    let mut output = Vec::new();
    let report = run(options, input.as_bytes(), &mut output);
    (report, String::from_utf8(output).unwrap())
}

fn output_of(options: &Options, input: &str) -> String {
    let (report, output) = replay(options, input);
    report.unwrap();
    without_why(&output)
}

fn summary_of(input: &str) -> String {
    output_of(&summary_options(), input)
}

#[track_caller]
fn assert_lines(options: &Options, input: &str, expected: &[&str]) {
    assert_eq!(output_of(options, input).lines().collect::<Vec<_>>(), expected);
}

const EMPTY: &str = "{\"calls\":0,\"admitted\":0,\"rejected\":0,\"percentile_ms\":null,\"trips\":[],\"recoveries\":[],\
         \"unusable\":{},\"excluded\":0,\"nul_bytes\":0,\"origin_changes\":0}\n";

/// Three slow calls trip it when the third ends; the wait ends at 2020; two good probes close it.
const STORY: &str = "\
at_ms,latency_ms
1000,200
1010,200
1020,200
1100,20
2029.999999,10
2040,20
2050,5
2060,12
2100,40.25
";

#[test]
fn slow_calls_trip_and_good_probes_close_again() {
    let mut options = summary_options();
    options.stall_detection = false;
    assert_eq!(
        output_of(&options, STORY),
        "{\"calls\":9,\"admitted\":6,\"rejected\":3,\"percentile_ms\":40.25,\
         \"trips\":[{\"index\":2,\"at_ms\":1020,\"reason\":\"latency\"}],\"recoveries\":[{\"at_ms\":2050}],\
         \"unusable\":{},\"excluded\":0,\"nul_bytes\":0,\"origin_changes\":0}\n"
    );
}

#[test]
fn a_trip_comes_with_its_evidence_in_summary_and_lines() {
    let why = r#""why":"latency: 3 slow, 0 failed of 3 calls, 0 hanging; p50 200 ms, threshold 100 ms""#;
    let mut options = summary_options();
    options.stall_detection = false;
    let (_, summary) = replay(&options, STORY);
    assert!(summary.contains(&format!("{{\"index\":2,\"at_ms\":1020,\"reason\":\"latency\",{why}}}")), "{summary}");
    options.mode = Mode::JsonLines;
    let (_, lines) = replay(&options, STORY);
    let explained: Vec<bool> = lines.lines().map(|line| line.ends_with(&format!("{why}}}"))).collect();
    assert_eq!(explained, [false, false, true, true, true, true, false, false, false], "{lines}");
    assert_eq!(lines.matches("\"reason\":null,\"why\":null}").count(), 5, "{lines}");
}

#[test]
fn evidence_that_lasted_is_shown_as_everywhere_else() {
    let options = Options::new(Policy::default(), Mode::Summary);
    let mut input = "at_ms,latency_ms\n".to_owned();
    for nth in 0..600 {
        input.push_str(&format!("{},{}\n", nth * 20, if nth < 300 { 20 } else { 4_000 }));
    }
    let (_, summary) = replay(&options, &input);
    let seen = summary.contains(" hanging; p95 ") && summary.contains(", threshold 1500 ms; quick evidence for ");
    assert!(seen && summary.contains(" s, tolerance 5 s (of the warm-up)\"}"), "{summary}");
}

#[test]
fn each_record_is_reported_as_it_was_admitted_and_as_things_stand_after_it() {
    let mut options = lines_options();
    options.stall_detection = false;
    assert_lines(
        &options,
        STORY,
        &[
            r#"{"at_ms":1000,"admitted":true,"state":"closed","percentile_ms":200,"trend":"too_few","reason":null}"#,
            r#"{"at_ms":1010,"admitted":true,"state":"closed","percentile_ms":200,"trend":"too_few","reason":null}"#,
            r#"{"at_ms":1020,"admitted":true,"state":"open","percentile_ms":200,"trend":"too_few","reason":"latency"}"#,
            r#"{"at_ms":1100,"admitted":false,"state":"open","percentile_ms":200,"trend":"too_few","reason":"latency"}"#,
            r#"{"at_ms":2029.999999,"admitted":false,"state":"half_open","percentile_ms":200,"trend":"too_few","reason":"latency"}"#,
            r#"{"at_ms":2040,"admitted":true,"state":"half_open","percentile_ms":200,"trend":"too_few","reason":"latency"}"#,
            r#"{"at_ms":2050,"admitted":true,"state":"closed","percentile_ms":null,"trend":"too_few","reason":null}"#,
            r#"{"at_ms":2060,"admitted":false,"state":"closed","percentile_ms":null,"trend":"too_few","reason":null}"#,
            r#"{"at_ms":2100,"admitted":true,"state":"closed","percentile_ms":40.25,"trend":"too_few","reason":null}"#,
        ],
    );
}

#[test]
fn hanging_calls_trip_at_exactly_start_plus_threshold() {
    assert_eq!(
        summary_of("at_ms,latency_ms\n1000,200\n1010,200\n1020,200\n1100,179.999999\n1200,280\n"),
        "{\"calls\":5,\"admitted\":3,\"rejected\":2,\"percentile_ms\":null,\
         \"trips\":[{\"index\":2,\"at_ms\":920,\"reason\":\"latency\"}],\"recoveries\":[],\
         \"unusable\":{},\"excluded\":0,\"nul_bytes\":0,\"origin_changes\":0}\n"
    );
}

#[test]
fn time_begins_at_the_earliest_start_also_before_zero() {
    assert_eq!(
        summary_of(
            "{\"at_ms\":100,\"latency_ms\":450}\n{\"at_ms\":100,\"latency_ms\":500}\n{\"at_ms\":101,\"latency_ms\":451}"
        ),
        "{\"calls\":3,\"admitted\":3,\"rejected\":0,\"percentile_ms\":null,\
         \"trips\":[{\"index\":2,\"at_ms\":-250,\"reason\":\"latency\"}],\"recoveries\":[],\
         \"unusable\":{},\"excluded\":0,\"nul_bytes\":0,\"origin_changes\":0}\n"
    );
}

#[test]
fn a_time_since_1970_keeps_its_nanoseconds() {
    assert_lines(
        &lines_options(),
        "{\"at_ms\":1790000000000.123456,\"latency_ms\":0.0019}\n{\"at_ms\":1790000000000.123457,\"latency_ms\":1e-3}",
        &[
            r#"{"at_ms":1790000000000.123456,"admitted":true,"state":"closed","percentile_ms":0.001,"trend":"too_few","reason":null}"#,
            r#"{"at_ms":1790000000000.123457,"admitted":true,"state":"closed","percentile_ms":0.001,"trend":"too_few","reason":null}"#,
        ],
    );
}

#[test]
fn exhausted_memory_trips_without_calls_and_holds_the_breaker_open() {
    // The reading at 2000 is valid until 3500, so the call from 3499.999999 on is rejected. The one from 3510 on is a probe.
    let input = "\
{\"at_ms\":0,\"memory_percent\":79.9}
{\"at_ms\":1000,\"memory_percent\":80}
{\"at_ms\":2000,\"memory_percent\":76}
{\"at_ms\":3510,\"latency_ms\":10.000001}
{\"at_ms\":3520,\"latency_ms\":10}
{\"at_ms\":3600,\"memory_percent\":10}
";
    assert_lines(
        &lines_options(),
        input,
        &[
            r#"{"at_ms":0,"admitted":null,"state":"closed","percentile_ms":null,"trend":"too_few","reason":null}"#,
            r#"{"at_ms":1000,"admitted":null,"state":"open","percentile_ms":null,"trend":"too_few","reason":"memory"}"#,
            r#"{"at_ms":2000,"admitted":null,"state":"open","percentile_ms":null,"trend":"too_few","reason":"memory"}"#,
            r#"{"at_ms":3510,"admitted":false,"state":"open","percentile_ms":null,"trend":"too_few","reason":"memory"}"#,
            r#"{"at_ms":3520,"admitted":true,"state":"half_open","percentile_ms":null,"trend":"too_few","reason":"memory"}"#,
            r#"{"at_ms":3600,"admitted":null,"state":"half_open","percentile_ms":null,"trend":"too_few","reason":"memory"}"#,
        ],
    );
}

#[test]
fn a_call_that_brings_a_reading_is_reported_after_both() {
    let input = "at_ms,memory_percent,latency_ms\n10,85,5\n20,,5\n";
    assert_lines(
        &lines_options(),
        input,
        &[
            r#"{"at_ms":10,"admitted":true,"state":"open","percentile_ms":5,"trend":"too_few","reason":"memory"}"#,
            r#"{"at_ms":20,"admitted":false,"state":"open","percentile_ms":5,"trend":"too_few","reason":"memory"}"#,
        ],
    );
    assert!(summary_of(input).contains(r#""trips":[{"index":0,"at_ms":10,"reason":"memory"}]"#));
}

#[test]
fn failures_count_and_ignored_calls_do_not() {
    let mut options = summary_options();
    options.policy.failure_rate_threshold = Ratio::new(0.5).unwrap();
    let input = "at_ms,latency_ms,outcome\n1,1,error\n2,1,ignored\n3,1,ignored\n4,1,\n5,1,error\n6,1,ok\n";
    assert_eq!(
        output_of(&options, input),
        "{\"calls\":6,\"admitted\":5,\"rejected\":1,\"percentile_ms\":1,\
         \"trips\":[{\"index\":4,\"at_ms\":5,\"reason\":\"failures\"}],\"recoveries\":[],\
         \"unusable\":{},\"excluded\":0,\"nul_bytes\":0,\"origin_changes\":0}\n"
    );
}

mod the_same_instant {
    use super::*;

    #[test]
    fn calls_finish_before_others_become_stalled() {
        // All three take exactly the threshold, so none is slow.
        assert!(summary_of("at_ms,latency_ms\n100,100\n100,100\n100,100\n").contains("\"trips\":[]"));
        // The fast calls that end as the slow ones become stalled keep the percentile low.
        let fast = "100,1\n".repeat(4);
        let slow = "300,300\n".repeat(3);
        assert!(summary_of(&format!("at_ms,latency_ms\n{fast}{slow}")).contains("\"trips\":[]"));
    }

    #[test]
    fn calls_become_stalled_one_after_the_other() {
        let input = format!("at_ms,latency_ms\n5,5\n{}", "500,500\n".repeat(30));
        assert!(summary_of(&input).contains("\"trips\":[{\"index\":2,\"at_ms\":100,\"reason\":\"latency\"}]"));
    }

    #[test]
    fn a_stall_comes_before_a_reading_and_a_reading_before_a_start() {
        let input = "at_ms,latency_ms,memory_percent\n100,,90\n110,10,\n500,500,\n500,500,\n500,500,\n";
        let summary = summary_of(input);
        assert!(summary.contains("\"trips\":[{\"index\":4,\"at_ms\":100,\"reason\":\"latency\"}]"), "{summary}");
        assert!(summary.contains("\"rejected\":1"), "{summary}");
    }

    #[test]
    fn a_finish_comes_before_a_reading_that_stands_before_it() {
        let mut options = summary_options();
        options.stall_detection = false;
        let input = "at_ms,latency_ms,memory_percent\n300,200,\n300,200,\n300,,90\n300,200,\n";
        assert!(output_of(&options, input).contains("\"trips\":[{\"index\":3,\"at_ms\":300,\"reason\":\"latency\"}]"));
    }

    #[test]
    fn a_finish_comes_before_a_start() {
        let mut options = summary_options();
        options.stall_detection = false;
        let input = "at_ms,latency_ms\n300,200\n300,200\n300,200\n310,10\n";
        assert!(output_of(&options, input).contains("\"admitted\":3,\"rejected\":1"));
    }

    #[test]
    fn a_call_of_no_length_starts_and_ends() {
        assert!(summary_of("at_ms,latency_ms\n5,0\n5,0\n5,0\n").contains("\"calls\":3,\"admitted\":3"));
    }
}

/// Trips at 1020; one probe, from 2020 on, hangs.
const LOST_PROBE: &str = "at_ms,latency_ms\n1000,200\n1010,200\n1020,200\n2520,500\n4129.999999,10\n4130.000001,10\n";

#[test]
fn a_probe_that_hangs_is_seen_at_the_threshold_and_doubles_the_wait() {
    let input = LOST_PROBE.replace("2520", "2420");
    // 2020 + 2 × 1 s.
    assert!(summary_of(&input).contains("\"admitted\":6"), "{}", summary_of(&input));
    // A reading without a value shows the state: the probe hangs from 2020 on.
    for (at, state, reason) in [("2019.999999", "half_open", "latency"), ("2020", "open", "probe_slow")] {
        let lines = output_of(&lines_options(), &with_reading(&input, at));
        let seen = format!("\"at_ms\":{at},\"admitted\":null,\"state\":\"{state}\"");
        let line = lines.lines().find(|line| line.contains(&seen)).unwrap_or_else(|| panic!("{lines}"));
        assert!(line.ends_with(&format!("\"reason\":\"{reason}\"}}")), "{line}");
    }
}

/// `input` with a reading of memory at `at` before its fourth record.
fn with_reading(input: &str, at: &str) -> String {
    let mut lines: Vec<_> = input.lines().map(|line| format!("{line},\n")).collect();
    lines[0] = "at_ms,latency_ms,memory_percent\n".into();
    lines.insert(4, format!("{at},,10\n"));
    lines.concat()
}

#[test]
fn a_breaker_that_a_probe_opens_again_has_not_tripped_again() {
    for input in [LOST_PROBE, &LOST_PROBE.replace("2520", "2420")] {
        let summary = summary_of(input);
        assert!(summary.contains(r#""trips":[{"index":2,"at_ms":920,"reason":"latency"}],"#), "{summary}");
        assert!(output_of(&lines_options(), input).contains("\"state\":\"open\""));
        assert!(output_of(&lines_options(), input).contains("\"reason\":\"probe_slow\""));
    }
}

#[test]
fn without_stall_detection_the_breakers_own_deadline_sees_a_lost_probe() {
    let mut options = lines_options();
    options.stall_detection = false;
    let lines = output_of(&options, LOST_PROBE);
    let admitted: Vec<_> = lines.lines().map(|line| line.contains("\"admitted\":true")).collect();
    assert_eq!(admitted, [true, true, true, true, false, true], "{lines}");
    // The breaker's own deadline is 100 ms and 1 µs after the start of the probe at 2020.
    for (at, state) in [("2120", "half_open"), ("2120.000001", "open")] {
        let lines = output_of(&options, &with_reading(LOST_PROBE, at));
        assert!(lines.contains(&format!("\"at_ms\":{at},\"admitted\":null,\"state\":\"{state}\"")), "{lines}");
    }
}

#[test]
fn a_call_that_hangs_for_longer_than_samples_count_is_forgotten() {
    // Three calls hang, but the first two no longer count when the third becomes stalled. The breaker trips only when
    // they end.
    let input = "at_ms,latency_ms\n5000,5000\n5000,5000\n5000,4400\n";
    let mut options = summary_options();
    options.policy.latency_max_age = Duration::from_millis(500);
    assert!(output_of(&options, input).contains("\"trips\":[{\"index\":2,\"at_ms\":5000,"));
    options.policy.latency_max_age = Duration::from_millis(700);
    assert!(output_of(&options, input).contains("\"trips\":[{\"index\":2,\"at_ms\":700,"));
}

#[test]
fn a_call_longer_than_the_longest_begins_so_long_before_its_end_and_is_counted() {
    let mut options = lines_options();
    options.reading.max_latency = Duration::from_secs(1);
    let (report, output) = replay(&options, "at_ms,latency_ms\n10000,1000\n20000,1000.000001\n20000,1e300\n");
    assert_eq!(report.unwrap().shortened, 2);
    assert!(output.lines().all(|line| line.contains("\"percentile_ms\":1000,")), "{output}");
}

#[test]
fn csv_and_json_lines_give_the_same_bytes() {
    let mut csv = String::from("note,outcome,latency_ms,memory_percent,at_ms\r\n");
    let mut json = String::new();
    for i in 0..400_u32 {
        let (at, latency) = (f64::from(i * 7) + 0.25, 1 + (i * 61) % 250);
        let outcome = ["ok", "error", "ignored"][usize::from(i % 11 == 0) + usize::from(i % 22 == 0)];
        if i % 9 == 0 {
            csv += &format!("\"a, b\",,,{},{at}\r\n", i % 90);
            json += &format!("{{\"memory_percent\":{},\"at_ms\":{at:e},\"latency_ms\":null}}\n", i % 90);
        } else {
            csv += &format!(" x ,{outcome}, {latency} ,,{at}\r\n\r\n");
            json +=
                &format!("\n  {{\"at_ms\":{at},\"outcome\":\"{outcome}\",\"latency_ms\":{latency}.0,\"x\":[{{}}]}}\n");
        }
    }
    for options in [summary_options(), lines_options()] {
        let from_csv = output_of(&options, &csv);
        assert_eq!(from_csv, output_of(&options, &json));
        assert_eq!(from_csv, output_of(&options, &format!("\u{feff}\r\n{csv}\n \n")));
        assert_eq!(from_csv, output_of(&options, &csv), "the second time");
    }
    assert!(summary_of(&csv).contains("\"reason\":\"latency\""), "something happens in it");
}

#[test]
fn nothing_in_gives_a_summary_of_nothing() {
    for input in ["", "\n\r\n  \n", "at_ms,latency_ms\n", "\u{feff}at_ms,latency_ms"] {
        assert_eq!(summary_of(input), EMPTY, "{input:?}");
        assert_eq!(output_of(&lines_options(), input), "", "{input:?}");
    }
}

#[test]
fn a_disabled_breaker_admits_all_and_records_nothing() {
    let mut options = summary_options();
    options.policy.enabled = false;
    assert_eq!(output_of(&options, STORY), EMPTY.replace("\"calls\":0,\"admitted\":0", "\"calls\":9,\"admitted\":9"));
}

#[test]
fn a_bad_line_is_passed_over() {
    let mut options = lines_options();
    options.reading.max_latency = Duration::from_millis(10);
    let (report, output) = replay(&options, "at_ms,latency_ms\n1,1\n100,1\n200,1\nx,1\n");
    assert_eq!(report.unwrap().usage.unusable.count("value"), 1);
    assert_eq!(output.lines().count(), 3);
}

#[test]
fn a_window_too_large_for_a_breaker_is_an_error() {
    let mut options = summary_options();
    options.policy.latency_window_size = 1_025.try_into().unwrap();
    assert!(matches!(replay(&options, "").0, Err(ReplayError::Window(_))));
}

#[test]
fn no_more_records_are_held_than_the_lookahead_covers() {
    let mut options = summary_options();
    options.reading.max_latency = Duration::from_secs(1);
    let mut input = String::from("at_ms,latency_ms\n");
    for i in 0..200_000_u64 {
        input += &format!("{},{}\n", i * 10, (i * 37) % 150);
    }
    let report = run(&options, input.as_bytes(), &mut std::io::sink()).unwrap();
    assert_eq!(report.records, 200_000);
    // One second with a record every 10 ms, the calls in flight, and one record of lookahead.
    assert!((100..=117).contains(&report.peak_held), "{}", report.peak_held);
}
