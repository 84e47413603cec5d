//! Caddy's JSON: `ts`, `duration` in seconds (or with a unit, by `duration_format string`), `status`.

use super::entry::{Entry, Stamped};
use super::json_object;
use super::row::Row;
use super::schema::Schema;
use crate::replay::latency_unit::LatencyUnit;

pub(super) const ROW: Row = Row {
    name: "caddy",
    title: "Caddy",
    stamped: Stamped::AtEnd,
    unit: Some(LatencyUnit::Seconds),
    schema: Schema {
        time: &[("ts", Stamped::AtEnd)],
        latency: &[("duration", None)],
        status: &["status"],
        path: &["request.uri"],
        host: &["request.host"],
        method: &["request.method"],
        flags: &[],
        required: &["request.method"],
    },
    read: |line, context| json_object::read(line, context).map(Entry::Call),
    example: concat!(
        r#"{"level":"info","ts":1791640536.05,"msg":"handled request","request":{"method":"GET","uri":"/a"},"#,
        r#""duration":0.05,"status":200}"#
    ),
    reads_fields: false,
};
