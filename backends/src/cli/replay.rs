//! `tripline replay`

mod input;
mod progress;
mod settings;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tripline_runtime::core::Latency;

use super::{Failure, ReplayArgs, note};
use crate::replay::{Mode, Options, ReplayError, Report, run};
pub(super) use input::InputArgs;
use input::{name_of, tell_of_log};
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

Any input may be compressed with gzip.

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
                 opened again by a probe, probe_slow or probe_failed"#;

/// Feeds the file through the breaker and prints what came of it.
pub(super) fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    let config = configuration(args)?;
    let mut options = Options::new(config.policy, if args.jsonl { Mode::JsonLines } else { Mode::Summary });
    options.stall_detection = config.stall_detection;
    options.max_latency = max_latency(args.max_latency)?;
    options.input = args.input.input();
    let name = name_of(&args.file);
    let input = args.input.open(&args.file, args.jsonl && io::stdout().is_terminal())?;
    match run(&options, input, &mut io::stdout().lock()) {
        Ok(report) => {
            tell(&report, &name, args);
            Ok(())
        }
        // Whoever read has seen enough.
        Err(ReplayError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(ReplayError::Write(error)) => Err(Failure::during("standard output", error)),
        Err(error) => {
            if let ReplayError::Line { warnings, .. } = &error {
                note_each(&name, warnings);
            }
            Err(Failure::during(name, error))
        }
    }
}

/// What the output does not say.
fn tell(report: &Report, name: &str, args: &ReplayArgs) {
    note_each(name, &report.warnings);
    if let Some(log) = &report.log {
        tell_of_log(name, log, args.input.input().latency_unit.is_some());
    }
    if report.records == 0 {
        note(format!("{name}: there are no records in it"));
    }
    let (calls, count) = if report.shortened == 1 { ("call", "it counts") } else { ("calls", "they count") };
    if report.shortened > 0 {
        note(format!(
            "{} {calls} took longer than --max-latency {}; {count} as started that long before the end",
            report.shortened, args.max_latency
        ));
    }
}

fn note_each(name: &str, warnings: &[crate::replay::Warning]) {
    for warning in warnings {
        note(format!("{name}: {warning}"));
    }
}

fn max_latency(seconds: f64) -> Result<Duration, Failure> {
    let longest = Duration::from(Latency::MAX);
    Duration::try_from_secs_f64(seconds).ok().filter(|span| !span.is_zero() && *span <= longest).ok_or_else(|| {
        let longest = longest.as_secs_f64();
        Failure::new(format!("--max-latency {seconds}: allowed: seconds, more than 0 and at most {longest}"))
    })
}
