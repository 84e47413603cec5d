//! logfmt and other lines of `key=value` pairs, with words between them or not.

use std::borrow::Cow;

use super::common_names;
use super::entry::{Entry, LogCall, Stamped};
use super::error::LogProblem;
use super::fields::closing_quote;
use super::row::{Context, Row};

pub(super) const ROW: Row = Row {
    name: "logfmt",
    title: "key=value",
    stamped: Stamped::AtEnd,
    unit: None,
    schema: common_names::SCHEMA,
    read: |line, context| read(line, context).map(Entry::Call),
    example: r#"time=2026-10-10T13:55:36.360Z level=info method=GET path="/a" status=200 duration=50ms"#,
    reads_fields: true,
};

pub(super) fn read<'a>(line: &'a [u8], context: &mut Context<'_>) -> Result<LogCall<'a>, LogProblem> {
    if !line.contains(&b'=') || line.first() == Some(&b'{') {
        return Err(LogProblem::Numbers);
    }
    let text = str::from_utf8(line).map_err(|_| LogProblem::NotUtf8)?;
    let mut values = context.plan.values();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix('=') else {
            rest = after.trim_start();
            continue;
        };
        let (value, after) = match after.strip_prefix('"') {
            Some(inside) => {
                let end = closing_quote(inside.as_bytes()).ok_or(LogProblem::NotClosed)?;
                (inside.get(..end).unwrap_or_default(), inside.get(end + 1..).unwrap_or_default())
            }
            None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        if context.plan.is_glued(&values, key, value, '=') {
            return Err(LogProblem::Glued);
        }
        context.plan.set(&mut values, key, Cow::Borrowed(value))?;
        rest = after.trim_start();
    }
    context.plan.call(values, context.outer)
}
