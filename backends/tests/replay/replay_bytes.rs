//! For any input, a replay ends with a result.
#![cfg(feature = "replay")]
#![allow(clippy::format_push_string)]

use std::time::Duration;

use proptest::prelude::*;
use tripline_backends::replay::{Mode, Options, run};
use tripline_runtime::core::{Latency, Policy};

fn options(mode: Mode, stall_detection: bool, max_latency_ms: u64) -> Options {
    let mut policy = Policy::default();
    policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
    policy.latency_threshold = Latency::from_millis(20);
    policy.minimum_samples = Some(2);
    let mut options = Options::new(policy, mode);
    options.stall_detection = stall_detection;
    options.reading.max_latency = Duration::from_millis(max_latency_ms);
    options
}

/// Lines that are nearly valid, so that more than the first one is parsed.
fn line() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "-?[0-9]{1,3}(\\.[0-9]{1,7})?",
        "[0-9]e-?[0-9]{1,3}",
        Just("4000000000000".to_owned()),
        Just("-4000000000000".to_owned()),
        Just(String::new()),
        "[-+.eE0-9\"a-z]{0,8}",
    ];
    (number.clone(), number.clone(), "ok|error|ignored||,", number).prop_map(|(at, latency, outcome, memory)| {
        if at.len() % 2 == 0 {
            format!("{at},{latency},{outcome},{memory}")
        } else {
            format!("{{\"at_ms\":{at},\"latency_ms\":{latency},\"memory_percent\":{memory}}}")
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_end_with_a_result(bytes in proptest::collection::vec(any::<u8>(), 0..200), stalls: bool) {
        for mode in [Mode::Summary, Mode::JsonLines] {
            let _ = run(&options(mode, stalls, 1_000), &*bytes, &mut Vec::new());
        }
    }

    #[test]
    fn lines_that_are_nearly_right_end_with_a_result(
        header in "at_ms,latency_ms,outcome,memory_percent\n|\\{\"at_ms\":-9,\"latency_ms\":1e9\\}\n",
        lines in proptest::collection::vec(line(), 0..8),
        stalls: bool,
        max_latency_ms in prop_oneof![Just(0), 1_u64..100_000, Just(u64::MAX)],
    ) {
        let input = header + &lines.join("\n");
        for mode in [Mode::Summary, Mode::JsonLines] {
            let _ = run(&options(mode, stalls, max_latency_ms), input.as_bytes(), &mut Vec::new());
        }
    }

    #[test]
    fn good_lines_end_well_however_far_apart(
        mut records in proptest::collection::vec((-4_000_000_000_000_i64..=4_000_000_000_000, 0_u64..10_000_000_000), 1..30),
        stalls: bool,
        max_latency_ms in prop_oneof![Just(0), 1_u64..100_000, Just(u64::MAX)],
    ) {
        records.sort_unstable();
        let mut input = String::from("at_ms,latency_ms\n");
        for (at, latency) in &records {
            input += &format!("{at},{latency}\n");
        }
        let report = run(&options(Mode::Summary, stalls, max_latency_ms), input.as_bytes(), &mut Vec::new());
        prop_assert_eq!(report.map(|report| report.records).ok(), Some(records.len() as u64));
    }
}
