//! The extended format of the W3C, which IIS writes (and `CloudFront`, with tabs): the columns stand after `#Fields:`.
//!
//! `time-taken` is milliseconds as a whole number, as IIS writes it, and seconds as a fraction.

use std::borrow::Cow;

use super::entry::{Entry, Stamped};
use super::error::LogProblem;
use super::header;
use super::row::{Context, Row};
use super::schema::Schema;

pub(super) const ROW: Row = Row {
    name: "iis",
    title: "IIS (W3C)",
    stamped: Stamped::AtEnd,
    unit: None,
    schema: Schema {
        time: &[("date", Stamped::AtEnd), ("time", Stamped::AtEnd)],
        latency: &[("time-taken", None)],
        status: &["sc-status"],
        path: &["cs-uri-stem", "cs-uri"],
        host: &["x-host-header", "cs-host", "cs(Host)"],
        method: &["cs-method"],
        flags: &[],
        required: &[],
    },
    read,
    example: "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip sc-status sc-substatus \
              sc-win32-status time-taken\n2026-10-10 13:55:36 10.0.0.1 GET /a - 443 10.0.0.9 200 0 0 50",
    reads_fields: true,
};

/// The default fields of IIS, for a log whose header was cut off.
const DEFAULT_COLUMNS: &str = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
                               cs(Referer) sc-status sc-substatus sc-win32-status time-taken";

fn read<'a>(line: &'a [u8], context: &mut Context<'_>) -> Result<Entry<'a>, LogProblem> {
    let text = str::from_utf8(line).map_err(|_| LogProblem::NotUtf8)?;
    if let Some(directive) = text.strip_prefix('#') {
        if let Some(names) = directive.strip_prefix("Fields:") {
            context.columns.set(names.split_whitespace(), b' ');
        }
        return Ok(Entry::Header);
    }
    if context.columns.names.is_empty() {
        context.columns.set(DEFAULT_COLUMNS.split(' '), b' ');
    }
    let is_tabbed = text.contains('\t');
    let mut cells: Vec<Cow<'a, str>> = if is_tabbed {
        text.split('\t').map(|cell| Cow::Borrowed(cell.trim())).collect()
    } else {
        text.split_ascii_whitespace().map(Cow::Borrowed).collect()
    };
    // Whole numbers are milliseconds here, and nowhere else.
    let taken = context.columns.names.iter().position(|name| name == "time-taken");
    if let Some(cell) = taken.and_then(|taken| cells.get_mut(taken))
        && context.plan.unit.is_none()
        && cell.bytes().all(|byte| byte.is_ascii_digit())
    {
        *cell = Cow::Owned(format!("{cell}ms"));
    }
    header::call(cells.into_iter(), context).map(Entry::Call)
}
