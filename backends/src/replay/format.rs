//! How an input is written.

use std::fmt;
use std::num::NonZeroU8;

/// How an input is written, and what a log does not say of itself. The default finds out what it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Input {
    /// Default: found out from the first lines.
    pub format: Format,
    /// What the request times of a log are counted in; JSON and CSV always have milliseconds. Default: what the format
    /// says, and where it says nothing a guess that [`LogReport`](super::LogReport) tells of.
    pub latency_unit: Option<LatencyUnit>,
    /// Which field of an nginx or Apache log is the request time, counted from the end of the line: 1 is the last one.
    /// Default: found by its name or its look.
    pub latency_field: Option<NonZeroU8>,
}

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// Found out from the first lines.
    #[default]
    Auto,
    /// JSON lines.
    Json,
    /// CSV with a header.
    Csv,
    /// An access log.
    Log(LogFormat),
}

/// The formats of access logs.
///
/// **Time.** `10/Oct/2026:13:55:36 +0200` (also with a fraction after the seconds), ISO 8601, or a count since 1970 of
/// seconds, milliseconds or microseconds, with an offset or else in UTC; from 1970 to 2095.
///
/// **Outcome.** A status of 500 and above is a failure. Ignored are 499 (the client gave up), 408 (it did not send its
/// request) and 0 (nothing was sent). Everything else is well. Lines of connections on which no request came, which became
/// something else (101) or are no HTTP tell of no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// nginx, and whatever writes the common or combined format with a request time in seconds as lines are written: at the
    /// end of the call.
    ///
    /// ```text
    /// log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    ///                  '"$http_referer" "$http_user_agent" rt=$request_time urt="$upstream_response_time"';
    /// ```
    ///
    /// The time stands in brackets before the request or as the first field of the line; whatever else stands there is passed
    /// over. The request time is, in this order: [`Input::latency_field`]; what is named `rt`, `request_time`, `duration`,
    /// `latency` or `time_taken`, also with `_s`, `_ms` or `_us` after it; the greatest number with three digits after the
    /// point, because nginx writes its times so, and that of the request includes those of the servers behind it; the last
    /// field of the line. It always stands after the bytes sent, and has a point unless [`Input::latency_unit`] is given.
    Nginx,
    /// Apache's common or combined format with a request time. The time of a line is when the call started.
    ///
    /// ```text
    /// LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %D" timed
    /// ```
    ///
    /// The request time is looked for as in nginx, but without names it is always the last field; of `%T/%D` the number after
    /// the slash. Whole numbers are microseconds, as `%D` is, others seconds. As they may as well be `%T` or `%{ms}T`, an
    /// input in which all of the first 20 lines have less than 1000 is not guessed about: then
    /// [`Input::latency_unit`] or [`Input::format`] must be given.
    Apache,
    /// Envoy's default format, and that of Istio, which has more fields between flags and bytes. The time of a line is when
    /// the call started; the duration is in milliseconds.
    ///
    /// ```text
    /// [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS%
    /// %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" …
    /// ```
    ///
    /// The flags UF, UO, UH, URX, UT, UC, UR, LR, UPE, UMSDR, SI, DF and OM are a failure whatever the status; DC (the client
    /// went away) makes what would be well ignored.
    Envoy,
}

/// What a request time is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatencyUnit {
    /// s
    Seconds,
    /// ms
    Millis,
    /// us
    Micros,
}

/// `nginx`, `Apache` or `Envoy`
impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nginx => "nginx",
            Self::Apache => "Apache",
            Self::Envoy => "Envoy",
        })
    }
}

/// `seconds`, `milliseconds` or `microseconds`
impl fmt::Display for LatencyUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
        })
    }
}

impl LatencyUnit {
    pub(super) const fn nanos(self) -> u64 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
        }
    }
}
