//! Messages about inputs that are unusable or probably not intended.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use tripline_backends::replay::{InputReport, LineProblem, MAX_LINE_BYTES, Mode, Options, ReplayError, Warning, run};
use tripline_runtime::core::Policy;

fn replay(input: &str) -> Result<InputReport, ReplayError> {
    run(&Options::new(Policy::default(), Mode::Summary), input.as_bytes(), &mut std::io::sink())
}

/// The first unusable line, and why.
#[track_caller]
fn unused(input: &str) -> (u64, String) {
    let report = replay(input).unwrap();
    let (line, problem) = report.usage.unusable.first().unwrap();
    assert_eq!(report.records + report.usage.unusable.total(), report.usage.lines);
    (line, problem.to_owned())
}

fn error_of(input: &str) -> (u64, LineProblem) {
    match replay(input) {
        Err(ReplayError::Line { line, problem, .. }) => (line, problem),
        other => panic!("{input:?} gave {other:?}"),
    }
}

#[test]
fn a_bad_line_is_counted_and_named_and_an_error_where_there_is_no_good_one() {
    let value = |field, found: &str, allowed| LineProblem::Value { field, found: found.into(), allowed };
    let ms = "a number of milliseconds, 0 or more";
    let at = "a number of milliseconds from -4000000000000 to 4000000000000";
    let head = "at_ms,latency_ms,outcome,memory_percent\n\n";
    let cases = [
        ("1,-1,,", value("latency_ms", "-1", ms)),
        ("1,NaN,,", value("latency_ms", "NaN", ms)),
        ("1,inf,,", value("latency_ms", "inf", ms)),
        ("1,ten,,", value("latency_ms", "ten", ms)),
        ("x,1,,", value("at_ms", "x", at)),
        ("4000000000000.1,1,,", value("at_ms", "4000000000000.1", at)),
        ("-1e30,1,,", value("at_ms", "-1e30", at)),
        ("1,1,OK,", value("outcome", "\"OK\"", "ok, error or ignored")),
        ("1,a\tb\u{1b},,", value("latency_ms", "a b ", ms)),
        ("1,1,,-5", value("memory_percent", "-5", "a number of percent, 0 or more")),
        ("1,1,,infinity", value("memory_percent", "infinity", "a number of percent, 0 or more")),
        (",1,,", LineProblem::MissingTime),
        ("1,,ok,", LineProblem::NothingToReplay),
        ("1,1", LineProblem::Columns { found: 2, expected: 4 }),
        ("1,1,,,", LineProblem::Columns { found: 5, expected: 4 }),
    ];
    for (line, problem) in cases {
        assert_eq!(unused(&format!("{head}0,0,,\n{line}\n2,1,,\n")), (4, problem.to_string()), "{line}");
        assert_eq!(error_of(&format!("{head}{line}\n")), (3, problem), "{line}");
    }
    let backwards = LineProblem::Backwards { at_ms: "1.5".into(), before_ms: "2".into() };
    assert_eq!(unused("at_ms,latency_ms\n2,1\n1.5,1"), (3, backwards.to_string()));
    assert_eq!(
        unused("{\"at_ms\":2,\"latency_ms\":1}\n\n{\"at_ms\":1.5,\"latency_ms\":1}"),
        (3, backwards.to_string())
    );
    assert_eq!(error_of("{\"at_ms\":2}"), (1, LineProblem::NothingToReplay));
    assert_eq!(error_of("{\"latency_ms\":2}"), (1, LineProblem::MissingTime));
    assert_eq!(error_of("{\"at_ms\":\"2\",\"latency_ms\":2}"), (1, value("at_ms", "\"2\"", "a number (not text)")));
    assert_eq!(error_of("{\"at_ms\":2,\"latency_ms\":true}"), (1, value("latency_ms", "true", ms)));
    assert_eq!(error_of("latency_ms\n1"), (1, LineProblem::MissingColumn("at_ms")));
    assert_eq!(error_of("at_ms;latency_ms\n1;1"), (1, LineProblem::MissingColumn("at_ms")));
    assert_eq!(error_of("at_ms,outcome\n1,ok"), (1, LineProblem::MissingColumn("latency_ms")));
    assert_eq!(replay("at_ms,latency_ms\r1,1").unwrap().records, 1);
    assert_eq!(error_of("at_ms,at_ms,latency_ms\n1,1,1"), (1, LineProblem::ColumnTwice("at_ms")));
    assert_eq!(error_of(&"x".repeat(MAX_LINE_BYTES + 1)), (1, LineProblem::TooLong));
}

#[test]
fn a_bad_value_is_shown_as_it_is_written() {
    for (input, text) in [
        ("{\"at_ms\":\"5\",\"latency_ms\":1}", "line 1: at_ms = \"5\"; allowed: a number (not text)"),
        ("{\"at_ms\":5,\"latency_ms\":\"1\"}", "line 1: latency_ms = \"1\"; allowed: a number (not text)"),
        ("{\"at_ms\":5,\"memory_percent\":\"1\"}", "line 1: memory_percent = \"1\"; allowed: a number (not text)"),
        ("at_ms,latency_ms\n5,fast", "line 2: latency_ms = fast; allowed: a number of milliseconds, 0 or more"),
    ] {
        assert_eq!(replay(input).unwrap_err().to_string(), text);
    }
}

fn texts(warnings: &[Warning]) -> Vec<String> {
    warnings.iter().map(Warning::to_string).collect()
}

#[test]
fn a_field_that_looks_misspelt_is_reported_once_and_others_are_passed_over() {
    let told = |input: &str| texts(&replay(input).unwrap().warnings);
    let outcom = "unknown field, ignored; did you mean outcome?";
    assert_eq!(told("at_ms,latency_ms,outcom,host\n1,1,error,a\n2,1,ok,b\n"), [format!("line 1: outcom: {outcom}")]);
    let line = "{\"at_ms\":1,\"latency_ms\":1,\"note\":\"x\"}\n";
    let odd = "{\"at_ms\":1,\"latency_ms\":1,\"Outcomes\":{\"outcom\":[1]}}\n";
    assert_eq!(told(&format!("{line}\n{odd}{odd}{line}")), [format!("line 3: Outcomes: {outcom}")]);
    assert_eq!(told("at_ms,latency_ms,latency_us\n1,1,1000\n"), [""; 0], "it has the field that is near");
    assert_eq!(told(&line.replace("note", "latency_us")), [""; 0], "it has the field that is near");
}

#[test]
fn what_looks_misspelt_is_reported_beside_what_is_missing() {
    for (input, line, text) in [
        ("at_ms,latncy_ms\n1,1\n", 1, "line 1: latncy_ms: unknown field, ignored; did you mean latency_ms?"),
        ("{\"AtMs\":1,\"latency_ms\":1}", 1, "line 1: AtMs: unknown field, ignored; did you mean at_ms?"),
        ("at_ms,latency_ms,outcom\n1,x,ok", 2, "line 1: outcom: unknown field, ignored; did you mean outcome?"),
    ] {
        match replay(input) {
            Err(ReplayError::Line { line: found, warnings, .. }) => {
                assert_eq!((found, texts(&warnings)), (line, vec![text.to_owned()]));
            }
            other => panic!("{input:?} gave {other:?}"),
        }
    }
}

#[test]
fn a_bad_line_is_reported_also_where_the_output_fails() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut options = Options::new(Policy::default(), Mode::JsonLines);
    options.reading.max_latency = Duration::from_millis(10);
    let result = run(&options, &b"at_ms,latency_ms\nx,1\n"[..], &mut Closed);
    assert!(matches!(result, Err(ReplayError::Line { line: 2, .. })), "{result:?}");
    let result = run(&options, &b"at_ms,latency_ms\n1,1\n"[..], &mut Closed);
    assert!(matches!(result, Err(ReplayError::Write(_))), "{result:?}");
}

#[test]
fn bad_json_is_reported_with_its_column() {
    let text = "column 25: expected value; allowed: one JSON object per line".to_owned();
    assert_eq!(unused("{\"at_ms\":1,\"latency_ms\":1}\n{\"at_ms\":2,\"latency_ms\":}\n"), (2, text));
    for bad in [
        "[1,2]",
        "{\"at_ms\":1,\"latency_ms\":2} x",
        "{\"at_ms\":1",
        "null",
        "{\"at_ms\":1,\"at_ms\":1}",
        "{\"outcome\":5}",
    ] {
        let (line, problem) = unused(&format!("{{\"at_ms\":0,\"latency_ms\":1}}\n{bad}\n"));
        assert!(line == 2 && problem.starts_with("column "), "{bad}: {line} {problem:?}");
    }
}
