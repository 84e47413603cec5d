//! CSV of any application: a header with common names or those that are asked for, then one call per line.

use std::borrow::Cow;
use std::cell::RefCell;

use csv_core::{Reader, ReaderBuilder};

use super::common_names;
use super::entry::{Entry, Stamped};
use super::error::LogProblem;
use super::header;
use super::row::{Context, Row};
use crate::replay::csv;

pub(super) const ROW: Row = Row {
    name: "csv-fields",
    title: "CSV",
    stamped: Stamped::AtEnd,
    unit: None,
    schema: common_names::SCHEMA,
    read,
    example: "time,path,status,duration_ms\n2026-10-10T13:55:36.360Z,/a,200,50",
    reads_fields: true,
};

/// Characters between values, in the order in which they are tried.
const DELIMITERS: [u8; 4] = *b",;\t|";

thread_local! {
    /// A reader for each delimiter, because building one takes longer than reading a line. A clone of a `csv_core` reader does not work.
    static READERS: RefCell<[(u8, Reader); DELIMITERS.len()]> =
        RefCell::new(DELIMITERS.map(|delimiter| (delimiter, ReaderBuilder::new().delimiter(delimiter).build())));
}

fn read<'a>(line: &'a [u8], context: &mut Context<'_>) -> Result<Entry<'a>, LogProblem> {
    if context.columns.names.is_empty() {
        for delimiter in DELIMITERS {
            let cells = split(line, delimiter)?;
            if cells.iter().any(|name| context.plan.has(name.trim())) && cells.len() > 1 {
                context.columns.set(cells.iter().map(|name| name.trim()), delimiter);
                return Ok(Entry::Header);
            }
        }
        return Err(LogProblem::Columns);
    }
    let cells = split(line, context.columns.delimiter)?;
    // Files that were put one behind the other have the header again.
    if cells.iter().map(|cell| cell.trim()).eq(context.columns.names.iter().map(String::as_str)) {
        return Ok(Entry::Header);
    }
    header::call(cells.into_iter().map(Cow::Owned), context).map(Entry::Call)
}

/// The values of a line; a value may stand in quotes, but not go on in the next line.
fn split(line: &[u8], delimiter: u8) -> Result<Vec<String>, LogProblem> {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    let (count, _) = READERS.with_borrow_mut(|readers| {
        let reader = readers.iter_mut().find(|(of, _)| *of == delimiter);
        let (_, reader) = reader.ok_or(LogProblem::Columns)?;
        Ok(csv::split(reader, line, &mut bytes, &mut ends))
    })?;
    let mut start = 0;
    let mut cells = Vec::with_capacity(count);
    for &end in ends.iter().take(count) {
        let cell = bytes.get(start..end).unwrap_or_default();
        cells.push(str::from_utf8(cell).map_err(|_| LogProblem::NotUtf8)?.to_owned());
        start = end;
    }
    Ok(cells)
}
