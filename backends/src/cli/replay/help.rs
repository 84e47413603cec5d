//! The long help of `tripline replay`.

/// Formats of the input and the output.
pub(in crate::cli) const FORMATS: &str = r#"Input as JSON lines or CSV, in the order of at_ms:
  at_ms           when the call finished or memory was read, in milliseconds
                  from any origin; never less than in the line before
  latency_ms      how long the call took; without it the line is a memory reading
  outcome         ok (also when left out), error or ignored
  memory_percent  memory in use, as a percentage of its limit
  path            optional, for --include and --exclude
  Other fields are ignored. JSON lines:
    {"at_ms": 1200, "latency_ms": 85.5, "outcome": "ok"}
    {"at_ms": 1500, "memory_percent": 71}
  CSV with a header, its columns in any order:
    at_ms,latency_ms,outcome,memory_percent
    1200,85.5,ok,
    1500,,,71

Input as an access log; the format is detected from the first 20 lines:
  nginx         The common or combined format with the request time in
                seconds, last or with a name: rt=, request_time=, duration=,
                latency= or time_taken=, also with _s, _ms or _us. The time of
                a line is the end of its call.
                  log_format timed '$remote_addr - $remote_user [$time_local] '
                                   '"$request" $status $body_bytes_sent '
                                   '"$http_referer" "$http_user_agent" '
                                   'rt=$request_time';
  apache        The same with %D as the last number, or before the request. A
                whole number is microseconds, a fraction seconds, unless
                --latency-unit says otherwise. The time is the start of the
                call.
                  LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \
                             \"%{User-Agent}i\" %D" timed
  envoy         The default format, and that of Istio; envoy-json their JSON.
                  [2026-10-10T13:55:36.310Z] "GET /a HTTP/2" 200 - 0 512 26 25
                    "10.0.35.28" "curl/8.4.0" "cc21d9b0" "shop" "10.0.2.1:80"
  traefik       The text format; traefik-json the JSON.
  haproxy       option httplog
  alb           AWS application and classic load balancers
  nginx-json    log_format with escape=json, under nginx's names
  caddy         JSON
  iis           W3C extended format with #Fields:, also of CloudFront
  ltsv, logfmt  label:value with tabs, key=value
  lograge, lograge-json
                Lograge of Ruby on Rails
  json-fields, csv-fields
                JSON and CSV of any application, under common names
  text          any other text, by the positions of --field
  Any other     --field time=FIELD --field latency=FIELD --field status=FIELD
                with names in JSON (a.b), CSV, LTSV and key=value, and with
                positions in other text (1 is the first field, -1 the last)
  Prefixes      of kubectl, docker, syslog, Rails and records of collectors
                are skipped
  Outcome       status 500 and above: error; 499, 408, 0: ignored; else ok; with
                Envoy's flags UF UO UH URX UT UC UR LR UPE UMSDR SI DF OM: error,
                with DC: ignored
  Order         lines may be out of order by a minute; a later call is placed
                at the current end of the order, and counted. A clock that is
                set back for the rest of the log starts a new origin, which is
                counted. Calls of the same second are spread evenly over it
  Unusable lines are skipped and counted by reason, and so are lines that are
  not calls: without a request, of an upgrade (101), or flagged rejected or
  busy by `tripline proxy`.

Any input may be compressed with gzip or zstd. Several recordings, in the order
of time:
  cat access.log.1 access.log | tripline replay -

Settings:
  Without --config the defaults are used: neither breakers.toml nor the
  recommended configuration is read. --set overrides one key.
  A memory reading is valid for 3 x sample_interval_ms (1.5 s by default);
  after that memory is unknown. Set it to the interval of the recorded readings.

Output of --summary, one object:
  calls, admitted, rejected  number of calls; admitted + rejected = calls
  percentile_ms              of the window at the end; null if it is empty
  trips                      each time the breaker went from closed to open:
                             index, at_ms, reason
  recoveries                 each time it closed again: at_ms
  unusable                   unusable lines, by reason
  excluded                   calls excluded by --include and --exclude
  nul_bytes                  NUL bytes that were skipped
  origin_changes             how often the clock was set back for the rest
  index is the input record that ended, stalled or was read when the breaker
  tripped, counted from 0, without CSV header and blank lines; in an access
  log, the call in the order of the ends.

Output of --jsonl, one object for each record, in the order of the input:
  at_ms          as in the input; for an access log, since 1970
  admitted       whether the call was admitted at its start
                 (at_ms - latency_ms); null for a memory reading
  and immediately after the record:
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
  A recording contains calls as they were made: the figures of a rejected
  call show its outcome had it been made.

The recording is read once, whatever the number of settings. The report has a
bounded size. An existing report is replaced; no other file is overwritten.

Exit codes: 0 a result; 1 no result, or one from JSON lines or CSV of which lines
cannot be used; 2 bad arguments; 3 a result that cannot be trusted: more than
half of a log's lines cannot be used, or no line has the path that is asked for."#;
