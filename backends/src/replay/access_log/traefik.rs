//! Traefik's text format: the combined format, a count, the router, the server and the duration with its unit.

use super::combined::{self, Style};
use super::entry::{Entry, Stamped};
use super::row::Row;
use crate::replay::latency_unit::LatencyUnit;

pub(super) const ROW: Row = Row {
    name: "traefik",
    title: "Traefik",
    stamped: Stamped::AtStart,
    unit: Some(LatencyUnit::Millis),
    schema: combined::SCHEMA,
    read: |line, context| combined::read(line, Style::Traefik, Stamped::AtStart, context).map(Entry::Call),
    example: concat!(
        r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8" 7 "web@docker" "#,
        r#""http://192.0.2.9:80" 50ms"#
    ),
    reads_fields: true,
};
