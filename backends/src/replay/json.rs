//! JSON lines.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::LineProblem;
use super::names::{Field, Names};
use super::path_filter::PathFilter;
use super::record::{Fields, Parsed, Record};

/// Reads one line; `null` is the same as leaving a field out, other fields are passed over.
pub(super) fn parse(text: &[u8], names: &mut Names, paths: &PathFilter) -> Result<Parsed, LineProblem> {
    // A list would be taken as the fields in their order.
    if text.first() != Some(&b'{') {
        return Err(LineProblem::Json { message: "expected `{`".into(), column: 1 });
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let line = json.deserialize_map(LineVisitor { names }).map_err(|error| problem(&error))?;
    json.end().map_err(|error| problem(&error))?;
    let fields = Fields {
        at_ms: line.at_ms.map(RawValue::get),
        latency_ms: line.latency_ms.map(RawValue::get),
        outcome: line.outcome.as_ref().map(|text| &*text.0),
        memory_percent: line.memory_percent.map(RawValue::get),
        path: line.path.map(|path| path.get().trim_matches('"')).filter(|path| *path != "null"),
    };
    Record::parse(&fields, paths)
}

fn problem(error: &serde_json::Error) -> LineProblem {
    let mut message = error.to_string();
    // The parser saw one line only, and would call it line 1.
    if let Some(place) = message.rfind(" at line ") {
        message.truncate(place);
    }
    LineProblem::Json { message, column: error.column() }
}

/// Numbers are kept as they are written, because `f64` has no room for the nanoseconds of a time since 1970.
#[derive(Default)]
struct Line<'a> {
    at_ms: Option<&'a RawValue>,
    latency_ms: Option<&'a RawValue>,
    outcome: Option<Text<'a>>,
    memory_percent: Option<&'a RawValue>,
    path: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct LineVisitor<'n> {
    names: &'n mut Names,
}

impl<'de> Visitor<'de> for LineVisitor<'_> {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line<'de>, A::Error> {
        let mut line = Line::default();
        while let Some(field) = map.next_key_seed(Name { names: &mut *self.names })? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if self.names.have_twice(field) {
                return Err(A::Error::duplicate_field(field.as_str()));
            }
            match field {
                Field::AtMs => line.at_ms = map.next_value()?,
                Field::LatencyMs => line.latency_ms = map.next_value()?,
                Field::Outcome => line.outcome = map.next_value()?,
                Field::MemoryPercent => line.memory_percent = map.next_value()?,
                Field::Path => line.path = map.next_value()?,
            }
        }
        Ok(line)
    }
}

/// Reads a name without keeping it.
struct Name<'n> {
    names: &'n mut Names,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<Field>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.names.meet(name))
    }
}
