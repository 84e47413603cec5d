//! CSV with a header.

use csv_core::{ReadRecordResult, Reader};

use super::error::LineProblem;
use super::names::{Field, Names};
use super::path_filter::PathFilter;
use super::record::{Fields, Parsed, Record};

/// The columns of the file, and room for the values of a line.
#[derive(Debug)]
pub(super) struct Csv {
    cells: Cells,
    columns: usize,
    at_ms: usize,
    latency_ms: Option<usize>,
    outcome: Option<usize>,
    memory_percent: Option<usize>,
    path: Option<usize>,
    header: Box<[u8]>,
}

impl Csv {
    /// Reads the header. The columns stand in any order; others are passed over.
    pub(super) fn new(header: &[u8], names: &mut Names) -> Result<Self, LineProblem> {
        let mut cells = Cells { reader: Reader::new(), bytes: Vec::new(), ends: Vec::new(), count: 0 };
        cells.split(header)?;
        for column in 0..cells.count {
            names.meet(&String::from_utf8_lossy(cells.bytes(column)));
        }
        let at_ms = cells.column(Field::AtMs)?.ok_or(LineProblem::MissingColumn(Field::AtMs.as_str()))?;
        let latency_ms = cells.column(Field::LatencyMs)?;
        let memory_percent = cells.column(Field::MemoryPercent)?;
        if latency_ms.is_none() && memory_percent.is_none() {
            return Err(LineProblem::MissingColumn(Field::LatencyMs.as_str()));
        }
        let outcome = cells.column(Field::Outcome)?;
        let path = cells.column(Field::Path)?;
        let header = header.into();
        Ok(Self { columns: cells.count, at_ms, latency_ms, outcome, memory_percent, path, header, cells })
    }

    /// Whether the line is the header again.
    pub(super) fn is_header(&self, text: &[u8]) -> bool {
        *text == *self.header
    }

    /// Reads one line; an empty value is the same as none.
    pub(super) fn parse(&mut self, text: &[u8], paths: &PathFilter) -> Result<Parsed, LineProblem> {
        self.cells.split(text)?;
        if self.cells.count != self.columns {
            return Err(LineProblem::Columns { found: self.cells.count, expected: self.columns });
        }
        let value = |column: Option<usize>| match column {
            Some(column) => self.cells.text(column),
            None => Ok(None),
        };
        let fields = Fields {
            at_ms: value(Some(self.at_ms))?,
            latency_ms: value(self.latency_ms)?,
            outcome: value(self.outcome)?,
            memory_percent: value(self.memory_percent)?,
            path: value(self.path)?,
        };
        Record::parse(&fields, paths)
    }
}

/// One line, split into its values.
#[derive(Debug)]
struct Cells {
    reader: Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Cells {
    /// A value may stand in quotes, but not go on in the next line.
    fn split(&mut self, line: &[u8]) -> Result<(), LineProblem> {
        let (count, is_whole) = split(&mut self.reader, line, &mut self.bytes, &mut self.ends);
        self.count = count;
        // Only a carriage return ends a record before its line does.
        if is_whole { Ok(()) } else { Err(LineProblem::StrayReturn) }
    }

    fn bytes(&self, column: usize) -> &[u8] {
        let start = column.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(column).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default().trim_ascii()
    }

    fn text(&self, column: usize) -> Result<Option<&str>, LineProblem> {
        let text = str::from_utf8(self.bytes(column)).map_err(|_| LineProblem::NotUtf8)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn column(&self, field: Field) -> Result<Option<usize>, LineProblem> {
        let name = field.as_str();
        let mut named = (0..self.count).filter(|&column| self.bytes(column) == name.as_bytes());
        let first = named.next();
        if named.next().is_some() { Err(LineProblem::ColumnTwice(name)) } else { Ok(first) }
    }
}

/// Splits a line into its values, one behind the other in `bytes`, each with its end in `ends`. Returns their number, and whether the record
/// ends with the line.
pub(super) fn split(reader: &mut Reader, line: &[u8], bytes: &mut Vec<u8>, ends: &mut Vec<usize>) -> (usize, bool) {
    reader.reset();
    // Values are no longer than the line, and there is at most one more of them than there are delimiters.
    bytes.resize(line.len() + 1, 0);
    ends.resize(line.len() + 1, 0);
    let (mut rest, mut written, mut count) = (line, 0, 0);
    loop {
        let bytes = bytes.get_mut(written..).unwrap_or_default();
        let ends = ends.get_mut(count..).unwrap_or_default();
        let (result, taken, wrote, ended) = reader.read_record(rest, bytes, ends);
        rest = rest.get(taken..).unwrap_or_default();
        written += wrote;
        count += ended;
        // An empty rest is the end of the line to the reader; anything else than "go on" ends it.
        if !matches!(result, ReadRecordResult::InputEmpty) {
            return (count, rest.is_empty());
        }
    }
}
