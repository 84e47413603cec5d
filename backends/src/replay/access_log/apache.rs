//! Apache's common or combined format with a request time: the last number of the line, or the only one before the request.
//!
//! Whole numbers are microseconds, as `%D` is, others seconds. As they may as well be `%T` or `%{ms}T`, a log in which all of
//! the first lines have less than 1000 is not guessed about.

use super::combined::{self, Style};
use super::entry::{Entry, Stamped};
use super::row::Row;

pub(super) const ROW: Row = Row {
    name: "apache",
    title: "Apache",
    stamped: Stamped::AtStart,
    unit: None,
    schema: combined::SCHEMA,
    read: |line, context| combined::read(line, Style::Apache, Stamped::AtStart, context).map(Entry::Call),
    example: r#"10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8.4" 50000"#,
    reads_fields: true,
};
