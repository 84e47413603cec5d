//! Envoy's and Istio's JSON: `start_time`, `duration` in milliseconds, `response_code`, `response_flags`.

use super::entry::{Entry, Stamped};
use super::json_object;
use super::row::Row;
use super::schema::Schema;
use crate::replay::latency_unit::LatencyUnit;

pub(super) const ROW: Row = Row {
    name: "envoy-json",
    title: "Envoy (JSON)",
    stamped: Stamped::AtStart,
    unit: Some(LatencyUnit::Millis),
    schema: Schema {
        time: &[("start_time", Stamped::AtStart)],
        latency: &[("duration", None), ("duration_ms", None)],
        status: &["response_code"],
        path: &["path", "x-envoy-original-path", "x_envoy_original_path"],
        host: &["authority", ":authority"],
        method: &["method", ":method"],
        flags: &["response_flags"],
        required: &[],
    },
    read: |line, context| json_object::read(line, context).map(Entry::Call),
    example: concat!(
        r#"{"start_time":"2026-10-10T13:55:36.310Z","method":"GET","path":"/a","response_code":200,"#,
        r#""duration":50,"response_flags":"-"}"#
    ),
    reads_fields: false,
};
