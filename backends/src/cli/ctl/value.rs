//! Values on the command line.

use serde_json::{Map, Number, Value};

use super::show::{on_off, plain, scalar};
use crate::cli::output::CliError;
use crate::config::{Entry, Shape};

/// Removes the value of an optional key.
pub(super) const UNSET: &str = "unset";

/// The single value given for `name`.
pub(super) fn one<'a>(name: &str, given: &'a [String], allowed: &str) -> Result<&'a str, CliError> {
    match given {
        [one] => Ok(one),
        _ => Err(rejected(name, &given.join(" "), &format!("one value, {allowed}"))),
    }
}

pub(super) fn flag(name: &str, given: &[String]) -> Result<bool, CliError> {
    let text = one(name, given, "on or off")?;
    parse_flag(text).ok_or_else(|| rejected(name, text, "on or off"))
}

/// Parses a number with or without its unit; a percentile of `95%` is 95.
pub(super) fn number(name: &str, given: &[String], unit: &str, allowed: &str) -> Result<Number, CliError> {
    let text = one(name, given, allowed)?;
    let bare = text.strip_suffix(unit).unwrap_or(text).trim_end();
    let whole = bare.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| bare.parse().ok().and_then(Number::from_f64)).ok_or_else(|| rejected(name, text, allowed))
}

pub(super) fn rejected(name: &str, found: &str, allowed: &str) -> CliError {
    CliError::new(format!("{name} cannot be {found:?}; allowed: {allowed}"))
}

pub(super) fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// Parses the JSON value of a key from the command line. The server checks the range.
pub(super) fn of_key(entry: &Entry, given: &[String]) -> Result<Value, CliError> {
    let (name, allowed) = (entry.path(), entry.key.field.to_string());
    if entry.key.unset.is_some() && given == [UNSET] {
        return Ok(Value::Null);
    }
    let no_text = given.iter().all(String::is_empty);
    match entry.key.field.shape() {
        Shape::Flag => flag(&name, given).map(Value::from),
        Shape::NumberOrAuto(_) if given == ["auto"] => Ok("auto".into()),
        Shape::CountOrShare if given.iter().any(|part| part.ends_with('%')) => Ok(given.concat().into()),
        Shape::Number(_) | Shape::NumberOrAuto(_) | Shape::CountOrShare | Shape::Percentile => {
            number(&name, given, short_unit(entry), &allowed).map(Value::from)
        }
        Shape::Word(_) | Shape::Text => one(&name, given, &allowed).map(Value::from),
        Shape::Texts => Ok(if no_text { Value::Array(Vec::new()) } else { given.into() }),
        Shape::TextMap if no_text => Ok(Value::Object(Map::new())),
        Shape::TextMap => {
            let pair = |text: &String| {
                let (name, value) = text.split_once('=')?;
                Some((name.to_owned(), Value::from(value)))
            };
            let map: Option<Map<_, _>> = given.iter().map(pair).collect();
            map.map(Value::from).ok_or_else(|| rejected(&name, &given.join(" "), "NAME=TEXT, one or more"))
        }
    }
}

/// The value of a key in the form that [`of_key`] accepts, with entries of lists and maps one per line. `None` if it is
/// not a value.
pub(super) fn to_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(UNSET.to_owned()),
        Value::Bool(on) => Some(on_off(*on).to_owned()),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(plain)).collect();
            Some(items?.join("\n"))
        }
        Value::Object(fields) => {
            let pair = |(name, text): (&String, &Value)| Some(format!("{}={}", plain(name), plain(text.as_str()?)));
            Some(fields.iter().map(pair).collect::<Option<Vec<_>>>()?.join("\n"))
        }
        _ => scalar(value),
    }
}

/// The value for people: on one line, with its unit.
pub(super) fn shown(entry: &Entry, value: &Value) -> Option<String> {
    let text = to_text(value)?;
    Some(match (value, short_unit(entry)) {
        (Value::Null, _) => "not set".to_owned(),
        (Value::Number(_), unit) if !unit.is_empty() && !matches!(entry.key.field.shape(), Shape::Percentile) => {
            format!("{text} {unit}")
        }
        _ if text.is_empty() => "none".to_owned(),
        _ => text.replace('\n', ", "),
    })
}

/// The suffix for the unit of a number.
fn short_unit(entry: &Entry) -> &'static str {
    match entry.key.field.unit() {
        Some("milliseconds") => "ms",
        Some("seconds") => "s",
        Some("percent" | "percentage points") => "%",
        Some("samples" | "calls") => "calls",
        // A percentile may be given in percent.
        Some("ratio") if matches!(entry.key.field.shape(), Shape::Percentile) => "%",
        _ => "",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::entry;

    fn read(key: &str, given: &[&str]) -> Result<Value, String> {
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        of_key(&entry(key).unwrap(), &given).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_is_read_by_the_type_of_its_key() {
        for (key, given, expected) in [
            ("trip_confidence", &["0.99"] as &[&str], json!(0.99)),
            ("latency_threshold", &["250 ms"], json!(250)),
            ("max_wait_time", &["60s"], json!(60)),
            ("max_wait_time", &["unset"], json!(null)),
            ("percentile", &["95%"], json!(95)),
            ("wait_jitter", &["0.5"], json!(0.5)),
            ("memory_horizon_trips", &["on"], json!(true)),
            ("opsgenie.priority", &["P2"], json!("P2")),
            ("opsgenie.tags", &["a", "b c"], json!(["a", "b c"])),
            ("opsgenie.tags", &[""], json!([])),
            ("opsgenie.api_custom_attributes", &["a=b=c", "d="], json!({"a": "b=c", "d": ""})),
        ] {
            assert_eq!(read(key, given).unwrap(), expected, "{key} {given:?}");
        }
        for (key, given) in [
            ("trip_confidence", &["high"] as &[&str]),
            ("trip_confidence", &["0.9", "1"]),
            ("wait_time", &["unset"]),
            ("memory_horizon_trips", &["1"]),
            ("opsgenie.api_custom_attributes", &["a"]),
        ] {
            let error = read(key, given).unwrap_err();
            assert!(error.starts_with(key) && error.contains("allowed: "), "{error}");
        }
    }

    #[test]
    fn what_is_shown_as_text_can_be_set() {
        for (key, value) in [
            ("percentile", json!(0.95)),
            ("minimum_samples", json!(null)),
            ("enabled", json!(false)),
            ("opsgenie.team", json!("a b")),
            ("opsgenie.tags", json!(["a", "b"])),
            ("opsgenie.api_custom_attributes", json!({"a": "b"})),
        ] {
            let text = to_text(&value).unwrap();
            let given: Vec<&str> = text.split('\n').collect();
            assert_eq!(read(key, &given).unwrap(), value, "{key}");
        }
        let shown = |key, value| shown(&entry(key).unwrap(), &value).unwrap();
        assert_eq!(shown("max_wait_time", json!(60)), "60 s");
        assert_eq!(shown("percentile", json!(0.95)), "0.95");
        assert_eq!(shown("minimum_samples", json!(null)), "not set");
        assert_eq!(shown("opsgenie.tags", json!(["a", "b"])), "a, b");
    }
}
