//! JSON of any application: one object per line, its fields under common names or those that are asked for.

use super::common_names;
use super::entry::{Entry, Stamped};
use super::json_object;
use super::row::Row;

pub(super) const ROW: Row = Row {
    name: "json-fields",
    title: "JSON",
    stamped: Stamped::AtEnd,
    unit: None,
    schema: common_names::SCHEMA,
    read: |line, context| json_object::read(line, context).map(Entry::Call),
    example: r#"{"timestamp":"2026-10-10T13:55:36.360Z","path":"/a","status":200,"duration_ms":50}"#,
    reads_fields: true,
};
