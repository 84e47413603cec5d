//! nginx, and every server that writes the common or combined format with a request time in seconds at the end of the call.
//!
//! The request time is, in this order: the field that is asked for; what is named `rt`, `request_time`, `duration`, `latency` or
//! `time_taken`, also with a unit after the name; the greatest number with three digits after the point; the last field.

use super::combined::{self, Style};
use super::entry::{Entry, Stamped};
use super::row::Row;
use crate::replay::latency_unit::LatencyUnit;

pub(super) const ROW: Row = Row {
    name: "nginx",
    title: "nginx",
    stamped: Stamped::AtEnd,
    unit: Some(LatencyUnit::Seconds),
    schema: combined::SCHEMA,
    read: |line, context| combined::read(line, Style::Nginx, Stamped::AtEnd, context).map(Entry::Call),
    example: r#"10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8.4" rt=0.050"#,
    reads_fields: true,
};
