//! Lines of values whose names stand in a header.

use std::borrow::Cow;

use super::entry::{Columns, LogCall};
use super::error::LogProblem;
use super::row::Context;

/// A line with more columns is not a header.
const MAX_COLUMNS: usize = 1_024;

impl Columns {
    pub(super) fn set<'n>(&mut self, names: impl Iterator<Item = &'n str>, delimiter: u8) {
        self.names = names.take(MAX_COLUMNS).map(str::to_owned).collect();
        self.delimiter = delimiter;
    }
}

/// Makes a call of one value for each column. `date` and `time` in columns of their own are one time.
pub(super) fn call<'a>(
    cells: impl Iterator<Item = Cow<'a, str>>,
    context: &Context<'_>,
) -> Result<LogCall<'a>, LogProblem> {
    let names = &context.columns.names;
    let (mut values, mut count) = (context.plan.values(), 0);
    let (mut date, mut clock) = (None, None);
    for cell in cells {
        let name = names.get(count).ok_or(LogProblem::Columns)?;
        count += 1;
        match name.as_str() {
            "date" => date = Some(cell.clone()),
            "time" => clock = Some(cell.clone()),
            _ => {}
        }
        let is_split_time = matches!(name.as_str(), "date" | "time") && names.iter().any(|name| name == "date");
        if !(is_split_time && names.iter().any(|name| name == "time")) {
            context.plan.set(&mut values, name, cell)?;
        }
    }
    if count != names.len() {
        return Err(LogProblem::Columns);
    }
    if let (Some(date), Some(clock)) = (date, clock) {
        context.plan.set(&mut values, "date", Cow::Owned(format!("{date} {clock}")))?;
    }
    context.plan.call(values, context.outer)
}
