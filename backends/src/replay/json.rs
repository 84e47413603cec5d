//! JSON lines.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::LineProblem;
use super::record::{Fields, Record};

/// Numbers are kept as they are written, because `f64` has no room for the nanoseconds of a time since 1970.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    at_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    latency_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    outcome: Option<Cow<'a, str>>,
    #[serde(borrow)]
    memory_percent: Option<&'a RawValue>,
}

/// Reads one line; `null` is the same as leaving a field out, other fields are passed over.
pub(super) fn parse(text: &[u8]) -> Result<Record, LineProblem> {
    // A list would be taken as the fields in their order.
    if text.first() != Some(&b'{') {
        return Err(LineProblem::Json { message: "expected `{`".into(), column: 1 });
    }
    let line: Line<'_> = serde_json::from_slice(text).map_err(|error| problem(&error))?;
    Record::parse(&Fields {
        at_ms: line.at_ms.map(RawValue::get),
        latency_ms: line.latency_ms.map(RawValue::get),
        outcome: line.outcome.as_deref(),
        memory_percent: line.memory_percent.map(RawValue::get),
    })
}

fn problem(error: &serde_json::Error) -> LineProblem {
    let mut message = error.to_string();
    // The parser saw one line only, and would call it line 1.
    if let Some(place) = message.rfind(" at line ") {
        message.truncate(place);
    }
    LineProblem::Json { message, column: error.column() }
}
