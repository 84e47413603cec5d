//! Recordings in every format. The first byte selects the format, the second the options; the rest is the recording.

use serde_json::Value;
use tripline_backends::replay::{
    FieldMapping, Format, LatencyUnit, LogFormat, Mode, Options, PathFilter, PathPatterns, Role, run as replay,
};
use tripline_core::Policy;

pub fn run(data: &[u8]) {
    let [format, manner, input @ ..] = data else { return };
    let mut options = options(*format, *manner);
    let mut summary = Vec::new();
    let summed = replay(&options, input, &mut summary);
    options.mode = Mode::JsonLines;
    let mut lines = Vec::new();
    let listed = replay(&options, input, &mut lines);
    let (report, same) = match (summed, listed) {
        (Ok(report), Ok(same)) => (report, same),
        (Err(error), Err(_)) => {
            assert!(!error.to_string().is_empty());
            return;
        }
        (summed, listed) => panic!("{summed:?} against {listed:?}"),
    };
    assert_eq!(report, same);
    let summary: Value = serde_json::from_slice(&summary).expect("the summary is JSON");
    let lines: Vec<Value> = std::str::from_utf8(&lines)
        .expect("the lines are text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    // Every record is listed, and every call counts once.
    assert_eq!(lines.len() as u64, report.records);
    let answered = |wanted: bool| lines.iter().filter(|line| line["admitted"] == wanted).count() as u64;
    assert_eq!(summary["admitted"], answered(true));
    assert_eq!(summary["rejected"], answered(false));
    // Every line is a record, left out, or counted by reason.
    let usage = &report.usage;
    assert_eq!(usage.lines, report.records + usage.excluded + usage.unusable.total(), "{report:?}");
    assert!(lines.iter().all(|line| (line["reason"].is_null()) == (line["why"].is_null())));
}

fn options(format: u8, manner: u8) -> Options {
    let formats: Vec<Format> =
        [Format::Auto, Format::Json, Format::Csv].into_iter().chain(LogFormat::all().map(Format::Log)).collect();
    let mut options = Options::new(Policy::default(), Mode::Summary);
    let input = &mut options.reading.input;
    input.format = formats[usize::from(format) % formats.len()];
    let units = [None, Some(LatencyUnit::Seconds), Some(LatencyUnit::Millis), Some(LatencyUnit::Micros)];
    input.latency_unit = units[usize::from(manner & 3)];
    if manner & 4 != 0 {
        input.paths = PathFilter::new(PathPatterns::new(["/a*"], ["*poll"]));
    }
    let fields: &[(Role, &str)] = match manner >> 3 & 3 {
        0 => &[],
        1 => &[(Role::Latency, "-1")],
        2 => &[(Role::Time, "t"), (Role::Latency, "a.b")],
        _ => &[(Role::Start, "2"), (Role::Latency, "3"), (Role::Status, "4"), (Role::Path, "5")],
    };
    input.field_mappings = fields.iter().map(|&(role, source)| FieldMapping::new(role, source)).collect();
    options.stall_detection = manner & 32 == 0;
    options
}
