//! nginx with `log_format … escape=json`, under the names of its variables.

use super::entry::{Entry, Stamped};
use super::json_object;
use super::row::Row;
use super::schema::Schema;
use crate::replay::latency_unit::LatencyUnit;

const END: Stamped = Stamped::AtEnd;

pub(super) const ROW: Row = Row {
    name: "nginx-json",
    title: "nginx (JSON)",
    stamped: END,
    unit: Some(LatencyUnit::Seconds),
    schema: Schema {
        time: &[
            ("msec", END),
            ("time_iso8601", END),
            ("time_local", END),
            ("time", END),
            ("@timestamp", END),
            ("timestamp", END),
            ("ts", END),
        ],
        latency: &[("request_time", None), ("rt", None), ("request_time_ms", Some(LatencyUnit::Millis))],
        status: &["status"],
        path: &["request_uri", "uri", "request", "path"],
        host: &["host", "http_host", "server_name"],
        method: &["request_method", "method"],
        flags: &["flag"],
        required: &[],
    },
    read: |line, context| json_object::read(line, context).map(Entry::Call),
    example: r#"{"time":"2026-10-10T13:55:36+00:00","request":"GET /a HTTP/1.1","status":200,"request_time":0.050}"#,
    reads_fields: false,
};
