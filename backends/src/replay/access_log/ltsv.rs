//! LTSV: `label:value`, separated by tabs.

use std::borrow::Cow;

use super::common_names;
use super::entry::{Entry, LogCall, Stamped};
use super::error::LogProblem;
use super::row::{Context, Row};
use super::schema::Schema;

pub(super) const ROW: Row = Row {
    name: "ltsv",
    title: "LTSV",
    stamped: Stamped::AtEnd,
    unit: None,
    // By LTSV's convention `host` is the client.
    schema: Schema { host: &["vhost", "http_host", "server_name"], ..common_names::SCHEMA },
    read: |line, context| read(line, context).map(Entry::Call),
    example: "time:[10/Oct/2026:13:55:36 +0000]\thost:10.0.0.1\treq:GET /a HTTP/1.1\tstatus:200\treqtime:0.050",
    reads_fields: true,
};

fn read<'a>(line: &'a [u8], context: &mut Context<'_>) -> Result<LogCall<'a>, LogProblem> {
    if !line.contains(&b'\t') {
        return Err(LogProblem::Numbers);
    }
    let text = str::from_utf8(line).map_err(|_| LogProblem::NotUtf8)?;
    let mut values = context.plan.values();
    for field in text.split('\t') {
        if let Some((label, value)) = field.split_once(':') {
            if context.plan.is_glued(&values, label, value, ':') {
                return Err(LogProblem::Glued);
            }
            let set = context.plan.set(&mut values, label, Cow::Borrowed(value));
            // The label comes again where a second line begins.
            set.map_err(|_| LogProblem::Glued)?;
        }
    }
    context.plan.call(values, context.outer)
}
