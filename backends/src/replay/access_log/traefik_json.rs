//! Traefik's JSON: `StartUTC`, `Duration` in nanoseconds, `DownstreamStatus`.

use super::entry::{Entry, Stamped};
use super::json_object;
use super::row::Row;
use super::schema::Schema;
use crate::replay::latency_unit::LatencyUnit;

pub(super) const ROW: Row = Row {
    name: "traefik-json",
    title: "Traefik (JSON)",
    stamped: Stamped::AtStart,
    unit: Some(LatencyUnit::Nanos),
    schema: Schema {
        time: &[("StartUTC", Stamped::AtStart), ("StartLocal", Stamped::AtStart), ("time", Stamped::AtEnd)],
        latency: &[("Duration", None)],
        status: &["DownstreamStatus", "OriginStatus"],
        path: &["RequestPath"],
        host: &["RequestHost", "RequestAddr"],
        method: &["RequestMethod"],
        flags: &[],
        required: &[],
    },
    read: |line, context| json_object::read(line, context).map(Entry::Call),
    example: concat!(
        r#"{"StartUTC":"2026-10-10T13:55:36.31Z","Duration":50000000,"DownstreamStatus":200,"#,
        r#""RequestPath":"/a","time":"2026-10-10T13:55:36Z"}"#
    ),
    reads_fields: false,
};
