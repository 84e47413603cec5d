//! `tripline replay`

mod input;
mod observed;
mod page_file;
mod progress;
pub(super) mod settings;

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use tripline_runtime::core::Latency;

use super::{CliError, ReplayArgs, eprint_line};
use crate::config::MAX_FILE_BYTES;
use crate::replay::{Mode, Options, ReplayError, Report, run};
use input::tell_of_log;
pub(super) use input::{InputArgs, name_of};
use settings::configuration;

/// What is told of the formats in the long help.
pub(super) const FORMATS: &str = r#"Input as JSON lines or CSV, in the order of at_ms:
  at_ms           when the call finished or memory was read, in milliseconds
                  from any origin; never less than in the line before
  latency_ms      how long the call took; without it the line is a memory reading
  outcome         ok (also when left out), error or ignored
  memory_percent  memory in use, as a percentage of its limit
  Other fields are passed over. JSON lines:
    {"at_ms": 1200, "latency_ms": 85.5, "outcome": "ok"}
    {"at_ms": 1500, "memory_percent": 71}
  CSV with a header, its columns in any order:
    at_ms,latency_ms,outcome,memory_percent
    1200,85.5,ok,
    1500,,,71

Input as an access log, found out from its first 20 lines:
  nginx   The common or combined format with the request time in seconds, last
          or with a name: rt=, request_time=, duration=, latency= or
          time_taken=, also with _s, _ms or _us after the name. The time of a
          line is the end of its call.
            log_format timed '$remote_addr - $remote_user [$time_local] '
                             '"$request" $status $body_bytes_sent '
                             '"$http_referer" "$http_user_agent" '
                             'rt=$request_time urt="$upstream_response_time"';
          With [$msec] in place of [$time_local] times are more exact.
  apache  The same with a number at the end. A whole number is microseconds, a
          fraction seconds, unless --latency-unit says something else. The
          time of a line is the start of its call.
            LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \
                       \"%{User-Agent}i\" %D" timed
  envoy   The default format, and that of Istio. The duration is milliseconds,
          the time of a line is the start of its call.
            [2026-10-10T13:55:36.310Z] "GET /a HTTP/2" 200 - 0 512 26 25
              "10.0.35.28" "curl/8.4.0" "cc21d9b0" "shop" "10.0.2.1:80"
  Outcome   status 500 and above: error, and with Envoy's flags UF UO UH URX UT
            UC UR LR UPE UMSDR SI DF OM too; 499, 408, 0 and DC: ignored; else ok
  Time      ISO 8601 and seconds since 1970 may stand in the brackets too, or
            first in the line; calls of the same whole second are spread evenly
            over it, in the order of the input
  Order     lines may be out of order by a minute; a call that comes later is
            put where the log had got to, and counted
  Lines that cannot be used are passed over and counted, and so are those of
  connections that carried no request or became another one (101).

Any input may be compressed with gzip. Several recordings, in the order of time:
  cat access.log.1 access.log | tripline replay -

Settings:
  Without --config the defaults are used: neither breakers.toml nor the
  recommended configuration is looked at. --set changes one key on top.
  A memory reading is believed for 3 x sample_interval_ms (1.5 s by default);
  after that memory is unknown. Set it to the distance of the recorded readings.

Output of --summary, one object:
  calls, admitted, rejected  how many calls; admitted + rejected = calls
  percentile_ms              of the window at the end; null if it is empty
  trips                      each time the breaker went from closed to open:
                             index, at_ms, reason
  recoveries                 each time it closed again: at_ms
  index is the input record that was being finished, was seen to hang or was
  read when it tripped, counted from 0, without CSV header and blank lines; of
  an access log, the call in the order of the ends.

Output of --jsonl, one object for each record, in the order of the input:
  at_ms          as in the input; of an access log, since 1970
  admitted       whether the call was let through, asked at its start
                 (at_ms - latency_ms); null for a memory reading
  and just after the record:
  state          closed, open, half_open or disabled
  percentile_ms  of the window; null if it is empty
  trend          too_few, rising, falling, oscillating or steady
  reason         why the breaker last opened, while it is open or half-open,
                 else null: latency, latency_rising, latency_plateau,
                 latency_sustained, failures, memory, memory_and_latency, or,
                 opened again by a probe, probe_slow or probe_failed

Output of --compare and --report, a table, or with --summary or --json one
object for each setting:
  trips, first_trip_at_ms, reasons, recoveries
  rejected                 of these: rejected_fine, ok and not longer than the
                           setting's own latency_threshold, and
                           rejected_slow_or_failed; ignored ones are neither
  admitted                 of these: admitted_slow_or_failed
  open_seconds             from each trip until it closed again, half-open
                           included; open_share of duration_seconds;
                           half_open_seconds of it; longest_outage_seconds
  A recording says how calls went as they were made: what is said of a refused
  call is how it would have gone had it been made.

The recording is read once, whatever the number of settings. The page of
--report has a bounded size; a page that is there is replaced, and nothing
else is ever written over."#;

/// Feeds the file through the breaker and prints what came of it.
pub(super) fn replay(args: &ReplayArgs) -> Result<(), CliError> {
    if !args.compare.is_empty() || args.report.is_some() {
        return observed::observed(args);
    }
    let file = recording(args)?;
    let config = configuration(args.config.as_deref(), &args.set)?;
    let mut options = Options::new(config.breaker.policy, if args.jsonl { Mode::JsonLines } else { Mode::Summary });
    options.stall_detection = config.breaker.stall_detection;
    options.reading = args.input.reading()?;
    let name = name_of(file);
    let configured = args.config.as_ref().map_or_else(|| "the defaults".into(), |path| path.display().to_string());
    tell_of_limit(&args.input, &configured, options.policy.latency_threshold);
    let input = args.input.open(file, args.jsonl && io::stdout().is_terminal())?;
    match run(&options, input, &mut io::stdout().lock()) {
        Ok(report) => {
            tell(&report, &name, &args.input);
            Ok(())
        }
        // Whoever read has seen enough.
        Err(ReplayError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(ReplayError::Write(error)) => Err(CliError::during("standard output", error)),
        Err(error) => Err(unreadable(&name, &error)),
    }
}

/// The file to replay: the last one that is named, though `--compare` may have taken it for a configuration.
fn recording(args: &ReplayArgs) -> Result<&Path, CliError> {
    let last = args.file.as_ref().or_else(|| args.compare.last().filter(|_| args.compare.len() > 1));
    let last = last.map(PathBuf::as_path).ok_or_else(|| {
        CliError::new("--compare: the recording is missing; name it after the files (- for standard input)")
    })?;
    if !args.compare.is_empty() && is_configuration(last) {
        let name = last.display();
        return Err(CliError::new(format!(
            "{name} is a configuration; the recording is missing, name it after the files (- for standard input)"
        )));
    }
    Ok(last)
}

/// Whether a file is named and written as a configuration is.
fn is_configuration(path: &Path) -> bool {
    let is_named_so = path.extension().is_some_and(|extension| extension == "toml");
    let is_small = || fs::metadata(path).is_ok_and(|data| data.is_file() && data.len() <= MAX_FILE_BYTES);
    is_named_so && is_small() && fs::read_to_string(path).is_ok_and(|text| text.parse::<toml::Table>().is_ok())
}

/// Calls are replayed no longer than `--max-latency`: tells where that keeps every call from being slow.
pub(super) fn tell_of_limit(args: &InputArgs, setting: &str, threshold: Latency) {
    if args.max_latency < f64::from(threshold.as_micros()) / 1e6 {
        let (limit, millis) = (args.max_latency, threshold.as_millis_f64());
        eprint_line(format!(
            "--max-latency {limit} is below latency_threshold = {millis} (ms) of {setting}: no call can be slow"
        ));
    }
}

/// The input ended early.
pub(super) fn unreadable(name: &str, error: &ReplayError) -> CliError {
    if let ReplayError::Line { warnings, .. } = error {
        note_each(name, warnings);
    }
    CliError::during(name, error)
}

/// What the output does not say.
pub(super) fn tell(report: &Report, name: &str, args: &InputArgs) {
    note_each(name, &report.warnings);
    if let Some(log) = &report.log {
        tell_of_log(name, log, args.latency_unit.is_some());
    }
    if report.log.is_none() && report.records > 0 && args.describes_a_log() {
        eprint_line(format!(
            "{name}: --latency-unit and --latency-field say nothing here; JSON and CSV have milliseconds, in latency_ms"
        ));
    }
    if report.records == 0 {
        eprint_line(format!("{name}: there are no records in it"));
    }
    let (calls, count) = if report.shortened == 1 { ("call", "it counts") } else { ("calls", "they count") };
    if report.shortened > 0 {
        eprint_line(format!(
            "{} {calls} took longer than --max-latency {}; {count} as started that long before the end",
            report.shortened, args.max_latency
        ));
    }
}

fn note_each(name: &str, warnings: &[crate::replay::Warning]) {
    for warning in warnings {
        eprint_line(format!("{name}: {warning}"));
    }
}
