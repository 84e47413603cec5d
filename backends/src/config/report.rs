//! The findings of a reader of a configuration, with their places.

use std::ops::Range;

use super::error::{Problem, Reason, Warning, WarningKind};
use super::secret::HIDDEN;
use super::source::{Source, shorten};
use super::value::Field;

/// Where a key was set.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// As it stands in the file, with its section.
    pub(crate) written: String,
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The problems and warnings of a text, as far as it is read.
pub(crate) struct Report<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self { source, problems: Vec::new(), warnings: Vec::new() }
    }

    /// The line of a key, from 1.
    pub(crate) fn line(&self, place: &Place) -> usize {
        self.source.place(place.key.start).0
    }

    /// A value as it may be shown.
    pub(crate) fn shown<T>(&self, span: &Range<usize>, field: &Field<T>) -> String {
        let written = self.source.written(span.clone());
        if field.hides(written) { HIDDEN.into() } else { shorten(written) }
    }

    pub(crate) fn problem(&mut self, key: &str, at: &Range<usize>, value: Option<String>, reason: Reason) {
        let (line, column) = self.source.place(at.start);
        let (line, column) = (Some(line), Some(column));
        self.problems.push(Problem { file: self.source.file.into(), line, column, key: key.into(), value, reason });
    }

    /// A problem with the key itself.
    pub(crate) fn because(&mut self, place: &Place, words: impl Into<String>) {
        self.problem(&place.written, &place.key, None, Reason::Because(words.into()));
    }

    pub(crate) fn warn(&mut self, line: Option<usize>, key: &str, message: String, kind: WarningKind) {
        self.warnings.push(Warning { file: self.source.file.into(), line, key: key.into(), message, kind });
    }
}

/// A key's name as it can be shown.
pub(crate) fn key_text(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { shorten(name) } else { format!("\"{}\"", shorten(name)) }
}
