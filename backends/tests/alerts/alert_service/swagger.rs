//! Validates against the API's own description, if it is available, and rejects fields that it does not define.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Map, Value};

/// The violations of the API description in a body; empty without a description.
pub(super) fn violations(method: &str, path: &str, body: &Value) -> Vec<String> {
    let Some(description) = description() else { return Vec::new() };
    let Some(operation) = operation(description, method, path) else {
        return vec![format!("{method} {path} is not described")];
    };
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let schema = parameters.filter(|parameter| parameter["in"] == "body").map(|parameter| &parameter["schema"]).next();
    let mut found = Vec::new();
    if let Some(schema) = schema {
        check(description, schema, body, &format!("{method} {path}"), &mut found);
    }
    found
}

fn description() -> Option<&'static Value> {
    static DESCRIPTION: OnceLock<Option<Value>> = OnceLock::new();
    DESCRIPTION
        .get_or_init(|| {
            let named = std::env::var_os("TRIPLINE_ALERTS_SWAGGER").map(PathBuf::from);
            let must_be_there = named.is_some();
            let beside =
                || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/opsgenie-alerts-swagger.json");
            let path = named.unwrap_or_else(beside);
            match std::fs::read_to_string(&path) {
                Ok(text) => Some(serde_json::from_str(&text).unwrap()),
                Err(error) if must_be_there => panic!("{}: {error}", path.display()),
                Err(error) => {
                    eprintln!("SKIPPED: requests are not checked against {}: {error}", path.display());
                    None
                }
            }
        })
        .as_ref()
}

/// The described path that matches best: the one with the fewest parameters.
fn operation<'a>(description: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len() && template.iter().zip(&path).all(|(t, p)| t.starts_with('{') || t == p)
    };
    let paths = description["paths"].as_object()?.iter();
    let method = method.to_lowercase();
    let mut fitting: Vec<_> = paths.filter(|(path, item)| fits(path) && item[&method].is_object()).collect();
    fitting.sort_by_key(|(path, _)| path.matches('{').count());
    fitting.first().map(|(_, item)| &item[&method])
}

fn check(description: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let schema = resolved(description, schema);
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        _ => true,
    };
    let allowed = schema["enum"].as_array().is_none_or(|allowed| allowed.contains(value));
    if !fits || !allowed {
        found.push(format!("{place}: {value}"));
    }
    for item in value.as_array().into_iter().flatten() {
        check(description, &schema["items"], item, place, found);
    }
    let Some(object) = value.as_object() else { return };
    let (mut properties, mut required) = (Map::new(), Vec::new());
    collect(description, schema, &mut properties, &mut required);
    for name in required.iter().filter(|name| !object.contains_key(*name)) {
        found.push(format!("{place}: {name} is missing"));
    }
    for (name, value) in object {
        let place = format!("{place}.{name}");
        if let Some(schema) = properties.get(name).or_else(|| schema.get("additionalProperties")) {
            check(description, schema, value, &place, found);
        } else if schema["discriminator"].is_null() || name != "name" {
            // A responder has a type, and fields per type that the description omits; a team has a name.
            found.push(format!("{place} is not described"));
        }
    }
}

fn resolved<'a>(description: &'a Value, schema: &'a Value) -> &'a Value {
    schema["$ref"].as_str().map_or(schema, |path| description.pointer(path.trim_start_matches('#')).unwrap())
}

fn collect(description: &Value, schema: &Value, properties: &mut Map<String, Value>, required: &mut Vec<String>) {
    let schema = resolved(description, schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(description, part, properties, required);
    }
    properties.extend(schema["properties"].as_object().cloned().unwrap_or_default());
    required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
}

#[test]
fn the_description_is_closed_where_it_is_at_hand() {
    let path = "/v2/alerts";
    let mut body = serde_json::json!({"message": "m", "responders": [{"type": "team", "name": "t"}], "tags": ["a:b"]});
    assert_eq!(violations("POST", path, &body), [""; 0]);
    if description().is_some() {
        assert_eq!(violations("POST", path, &serde_json::json!({})).len(), 1);
        assert_eq!(violations("DELETE", path, &body).len(), 1);
        body["colour"] = "red".into();
        body["tags"] = "a:b".into();
        body["details"] = serde_json::json!({"a": 1});
        assert_eq!(violations("POST", path, &body).len(), 3);
    }
}
