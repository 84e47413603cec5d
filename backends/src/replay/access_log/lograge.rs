//! Lograge of Ruby on Rails, as `key=value` and as JSON: `duration` in milliseconds, whatever its digits.

use super::entry::{Entry, Stamped};
use super::row::Row;
use super::schema::Schema;
use super::{json_object, logfmt};
use crate::replay::latency_unit::LatencyUnit;

const END: Stamped = Stamped::AtEnd;

const SCHEMA: Schema = Schema {
    time: &[("time", END), ("timestamp", END), ("@timestamp", END)],
    latency: &[("duration", None)],
    status: &["status"],
    path: &["path"],
    host: &["host"],
    method: &["method"],
    flags: &[],
    required: &["controller", "action"],
};

/// Without a time of its own: that of Rails' logger before the line counts.
pub(super) const TEXT: Row = Row {
    name: "lograge",
    title: "Lograge",
    stamped: END,
    unit: Some(LatencyUnit::Millis),
    schema: SCHEMA,
    read: |line, context| logfmt::read(line, context).map(Entry::Call),
    example: concat!(
        "I, [2026-10-10T13:55:36.360123 #12]  INFO -- : method=GET path=/a format=html controller=HomeController ",
        "action=index status=200 duration=50.00 view=38.12 db=4.10"
    ),
    reads_fields: false,
};

pub(super) const JSON: Row = Row {
    name: "lograge-json",
    title: "Lograge (JSON)",
    read: |line, context| json_object::read(line, context).map(Entry::Call),
    example: concat!(
        r#"{"method":"GET","path":"/a","format":"html","controller":"HomeController","action":"index","status":200,"#,
        r#""duration":50.0,"@timestamp":"2026-10-10T13:55:36.360Z"}"#
    ),
    ..TEXT
};
