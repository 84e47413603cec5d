//! Records as fluent-bit's `stdout` output prints them: `[0] tag: [[1791640536.36, {}], {"log"=>"…", "stream"=>"stdout"}]`.

use super::time::{self, Stamp};

/// The record as a JSON object, and its time. Nested objects are left out.
pub(super) fn record(text: &[u8]) -> Option<(Vec<u8>, Stamp)> {
    let text = str::from_utf8(text).ok()?;
    let (index, rest) = text.strip_prefix('[')?.split_once("] ")?;
    if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (_tag, rest) = rest.split_once(": [")?;
    // Before version 2.1 there is no metadata beside the time.
    let (time, members) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(", {").and_then(|(time, rest)| Some((time, rest.split_once("}], {")?.1))),
        None => rest.split_once(", {"),
    }?;
    // Another record begins inside this one: one of them was cut off.
    if members.contains("{}], {\"") {
        return None;
    }
    let stamp = time::parse(time.as_bytes())?;
    Some((json(members.strip_suffix("}]").unwrap_or(members))?.into_bytes(), stamp))
}

/// `"a"=>"b", "c"=>1` as `{"a":"b","c":1}`.
fn json(mut members: &str) -> Option<String> {
    let mut names = Vec::new();
    let mut object = String::from("{");
    while !members.is_empty() {
        let (name, rest) = members.strip_prefix('"')?.split_once("\"=>")?;
        let (value, rest) = split_value(rest);
        members = rest;
        // A name that comes again is that of a nested object.
        if let Some(value) = written(value).filter(|_| !names.contains(&name)) {
            if !names.is_empty() {
                object.push(',');
            }
            names.push(name);
            object.extend([serde_json::to_string(name).ok()?.as_str(), ":", &value]);
        }
    }
    object.push('}');
    Some(object)
}

/// A value ends where the next member begins: what stands in quotes is not always escaped.
fn split_value(rest: &str) -> (&str, &str) {
    let begins_member = |at: &usize| {
        let name = rest.get(at + 3..).unwrap_or_default();
        name.find('"').is_some_and(|end| end > 0 && name.get(end..).is_some_and(|after| after.starts_with("\"=>")))
    };
    match rest.match_indices(", \"").map(|(at, _)| at).find(begins_member) {
        Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 2..).unwrap_or_default()),
        None => (rest, ""),
    }
}

/// The value in JSON; none for nested objects and lists.
fn written(value: &str) -> Option<String> {
    match value.as_bytes().first()? {
        b'"' if serde_json::from_str::<&serde_json::value::RawValue>(value).is_ok() => Some(value.to_owned()),
        b'"' => {
            let inside = value.get(1..)?;
            serde_json::to_string(inside.strip_suffix('"').unwrap_or(inside)).ok()
        }
        b'-' | b'0'..=b'9' => serde_json::from_str::<serde_json::Number>(value).ok().map(|_| value.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object_of(line: &str) -> Option<String> {
        record(line.as_bytes()).map(|(object, _)| String::from_utf8_lossy(&object).into_owned())
    }

    #[test]
    fn records_become_objects() {
        for (line, object) in [
            (r#"[0] app: [[1791637202.5, {}], {"a"=>"b", "c"=>-1.5}]"#, r#"{"a":"b","c":-1.5}"#),
            (r#"[12] kube.var.log: [1791637202.5, {"log"=>"x"}]"#, r#"{"log":"x"}"#),
            (
                r#"[0] a: [[1791637202.0, {"m"=>1}], {"log"=>"1 "GET /, "b" HTTP" 200"}]"#,
                r#"{"log":"1 \"GET /, \"b\" HTTP\" 200"}"#,
            ),
            (
                r#"[0] a: [[1791637202.0, {}], {"log"=>"1 \"GET /\"\n", "s"=>"t"}]"#,
                r#"{"log":"1 \"GET /\"\n","s":"t"}"#,
            ),
            (r#"[0] a: [[1791637202.0, {}], {"k"=>{"x"=>1, "y"=>2}, "log"=>"z"}]"#, r#"{"log":"z"}"#),
            (
                r#"[0] a: [[1791637202.0, {}], {"log"=>"the record's line is cut"#,
                r#"{"log":"the record's line is cut"}"#,
            ),
        ] {
            assert_eq!(object_of(line).as_deref(), Some(object), "{line}");
        }
        let stamp = record(br#"[0] a: [[1791637202.5, {}], {"a"=>1}]"#).map(|(_, stamp)| stamp.at);
        assert_eq!(stamp, Some(1_791_637_202_500_000_000));
    }

    #[test]
    fn other_lines_in_brackets_are_none() {
        for line in [
            "[pod/a/b] x",
            "[0] x",
            "[] a: [[1791637202.0, {}], {}]",
            "[0] a: [[x, {}], {}]",
            "[0] a: [[1791637202.0, {}], {x}]",
            r#"[0] a: [[1791637202.0, {}], {"s"=>200, "x"=>"y[0] a: [[1791637203.0, {}], {"s"=>500, "d"=>1}]"#,
        ] {
            assert_eq!(object_of(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_record_is_an_object_or_none(members in "[\"=>,{} a-c1\\\\]{0,60}") {
            if let Some(object) = object_of(&format!("[0] t: [[1791637202.5, {{}}], {{{members}}}]")) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&object).is_ok_and(|value| value.is_object()), "{}", object);
            }
        }
    }
}
