//! The values of a JSON object that are asked for, by dotted path.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::entry::LogCall;
use super::error::LogProblem;
use super::plan::{Plan, Values};
use super::row::Context;

/// Objects inside of objects are looked into so far.
const MAX_DEPTH: usize = 8;

/// Reads a line that is one JSON object.
pub(super) fn read<'a>(line: &'a [u8], context: &mut Context<'_>) -> Result<LogCall<'a>, LogProblem> {
    if line.first() != Some(&b'{') {
        return Err(LogProblem::Json);
    }
    let text = str::from_utf8(line).map_err(|_| LogProblem::NotUtf8)?;
    let mut values = context.plan.values();
    fill(text, "", 0, context.plan, &mut values)?;
    context.plan.call(values, context.outer)
}

fn fill<'a>(text: &'a str, prefix: &str, depth: usize, plan: &Plan, values: &mut Values<'a>) -> Result<(), LogProblem> {
    let mut problem = None;
    each_member(text, &mut |name, value| {
        let path = if prefix.is_empty() { Cow::Borrowed(name) } else { Cow::Owned(format!("{prefix}.{name}")) };
        let result = if plan.has(&path) {
            scalar(value).map_or(Ok(()), |value| plan.set(values, &path, value))
        } else if depth < MAX_DEPTH && value.starts_with('{') && plan.has_below(&path) {
            fill(value, &path, depth + 1, plan, values)
        } else {
            Ok(())
        };
        problem = problem.or(result.err());
    })?;
    problem.map_or(Ok(()), Err)
}

/// The values of these names at the top of an object; `None` where it is none.
pub(super) fn top_level<'a>(text: &'a [u8], names: &[&str]) -> Option<Vec<Option<Cow<'a, str>>>> {
    let text = str::from_utf8(text).ok()?;
    let mut values = vec![None; names.len()];
    let mut keep = |name: &str, value: &'a str| {
        for (slot, _) in values.iter_mut().zip(names).filter(|(_, wanted)| **wanted == name) {
            *slot = match value.as_bytes().first() {
                Some(b'"') => scalar(value),
                // As journald writes a message that is not printable.
                Some(b'[') => bytes(value).map(Cow::Owned),
                _ => scalar(value).filter(|_| name != "log"),
            };
        }
    };
    each_member(text, &mut keep).ok()?;
    Some(values)
}

/// Text as a list of its bytes.
fn bytes(value: &str) -> Option<String> {
    let bytes: Vec<u8> = serde_json::from_str(value).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Text without its quotes, a number as it is written; objects, lists, `null`, true and false are none.
fn scalar(value: &str) -> Option<Cow<'_, str>> {
    match value.as_bytes().first()? {
        b'"' => {
            let inside = value.get(1..value.len().checked_sub(1)?)?;
            if inside.contains('\\') {
                serde_json::from_str(value).ok().map(Cow::Owned)
            } else {
                Some(Cow::Borrowed(inside))
            }
        }
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(value)),
        _ => None,
    }
}

/// Calls `take` with the name and the written value of each member.
fn each_member<'a>(text: &'a str, take: &mut impl FnMut(&str, &'a str)) -> Result<(), LogProblem> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Members { take }).map_err(|_| LogProblem::Json)?;
    json.end().map_err(|_| LogProblem::Json)
}

struct Members<'t, F> {
    take: &'t mut F,
}

impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Members<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            let value: &'de RawValue = map.next_value()?;
            (self.take)(&name, value.get());
        }
        Ok(())
    }
}

/// A name, borrowed where nothing in it is escaped.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
