//! Formats JSON for people.

use serde_json::Value;

/// Escapes a text of the server so that it cannot control the terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

pub(super) const fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// A string, number or boolean as one word; `None` for anything else.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(plain(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number with at most one decimal.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The fields of an object, one per line, with their values in one column. Nested objects and lists of objects are
/// indented.
pub(super) fn fields(body: &Value) -> String {
    let mut rows = Vec::new();
    collect(body, 0, &mut rows);
    aligned(&rows)
}

/// Names and values in two columns.
pub(super) fn aligned(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines = rows.iter().map(|(name, value)| format!("{name:width$}  {value}").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn collect(value: &Value, depth: usize, rows: &mut Vec<(String, String)>) {
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        let label = format!("{:indent$}{}", "", plain(name), indent = 2 * depth);
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                rows.push((label, String::new()));
                collect(value, depth + 1, rows);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                rows.push((label, format!("{} in all", items.len())));
                for (index, item) in items.iter().enumerate() {
                    rows.push((format!("{:indent$}{}.", "", index + 1, indent = 2 * depth + 2), String::new()));
                    collect(item, depth + 2, rows);
                }
            }
            _ => rows.push((label, short(value))),
        }
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        _ => scalar(value).unwrap_or_else(|| "-".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_would_steer_a_terminal_is_replaced() {
        assert_eq!(plain("a\u{1b}[2Jb\u{9b}c\nd"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn fields_are_aligned_and_what_is_inside_is_indented() {
        let text = fields(&json!({"a": true, "long_name": {"b": []}, "list": [{"c": 1}], "none": null, "empty": ""}));
        let expected = "a          yes\nlong_name\n  b        none\nlist       1 in all\n  1.\n    c      1\nnone       -\n\
                        empty      -";
        let mut lines: Vec<_> = text.lines().collect();
        let mut wanted: Vec<_> = expected.lines().collect();
        // The order of the fields depends on the JSON parser, so they are sorted.
        lines.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(lines, wanted);
    }

    #[test]
    fn a_number_has_at_most_one_digit_after_the_point() {
        assert_eq!([20.0, 20.26, 1500.04].map(number), ["20", "20.3", "1500"]);
    }
}
