//! A format: a row of the table of formats.

use std::fmt;

use super::entry::{Columns, Entry, Stamped};
use super::error::LogProblem;
use super::plan::Plan;
use super::schema::Schema;
use super::time::Stamp;
use crate::replay::field_map::FieldMapping;
use crate::replay::latency_unit::LatencyUnit;

/// A format of logs, one of [`LogFormat::all`].
#[derive(Clone, Copy)]
pub struct LogFormat(pub(super) &'static Row);

/// The description of a format. Each file of a format has one, and the table lists them.
pub(super) struct Row {
    /// As it is named on the command line.
    pub(super) name: &'static str,
    /// As it is named in messages.
    pub(super) title: &'static str,
    /// Which end of a call the time of a line is, unless the field says otherwise.
    pub(super) stamped: Stamped,
    /// The unit of its request times without a unit of their own; `None` where it depends on the number.
    pub(super) unit: Option<LatencyUnit>,
    /// How its fields are found by name.
    pub(super) schema: Schema,
    /// Reads one line.
    pub(super) read: for<'a> fn(&'a [u8], &mut Context<'_>) -> Result<Entry<'a>, LogProblem>,
    /// An example line that is read without a problem, for the help and the tests. Formats with a header have two lines.
    pub(super) example: &'static str,
    /// Whether `--field` can name its times and latencies.
    pub(super) reads_fields: bool,
}

/// The context that a line is read in.
#[derive(Debug)]
pub(super) struct Context<'c> {
    pub(super) plan: &'c Plan,
    pub(super) columns: &'c mut Columns,
    /// The time that a collector put before the line.
    pub(super) outer: Option<Stamp>,
}

/// The options of the reader.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) format: LogFormat,
    pub(super) unit: Option<LatencyUnit>,
    pub(super) fields: Vec<FieldMapping>,
    pub(super) is_guessed: bool,
}

impl LogFormat {
    /// The name on the command line, such as `nginx`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// One line of a log of this format; two where it needs a header.
    pub fn example(self) -> &'static str {
        self.0.example
    }

    /// Whether the time of a line is the end of its call.
    pub fn is_stamped_at_end(self) -> bool {
        self.0.stamped == Stamped::AtEnd
    }
}

impl PartialEq for LogFormat {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for LogFormat {}

impl fmt::Debug for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogFormat").field(&self.0.name).finish()
    }
}

/// `nginx`, `Apache`, `Envoy` …
impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.title)
    }
}
