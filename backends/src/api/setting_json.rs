//! Values of configuration keys as JSON.

use serde_json::{Map, Value};

use crate::config::{Change, Entry, RejectedValue, SettingValue, Shape};
use crate::text::tidy;

/// The value as JSON.
pub(super) fn to_json(value: SettingValue) -> Value {
    match value {
        SettingValue::Flag(flag) => flag.into(),
        SettingValue::Number(x) => tidy(x).map_or(Value::Null, Value::Number),
        SettingValue::Text(text) => text.into(),
        SettingValue::Texts(texts) => texts.into(),
        SettingValue::TextMap(map) => {
            Value::Object(map.into_iter().map(|(name, text)| (name, text.into())).collect::<Map<_, _>>())
        }
    }
}

/// Why a JSON value is not a value of a key.
pub(super) enum BadSetting {
    /// It is of another type.
    Type,
    /// It is of the type, and not allowed.
    Value(RejectedValue),
}

/// The change that sets a key to a JSON value. Null unsets a key that can be without a value.
pub(super) fn change(entry: &Entry, json: &Value) -> Result<Change, BadSetting> {
    let path = entry.path();
    if json.is_null() && entry.key.unset.is_some() {
        return Change::unset(&path).map_err(BadSetting::Value);
    }
    let value = from_json(json).filter(|value| is_of_type(value, entry.key.field.shape())).ok_or(BadSetting::Type)?;
    Change::set(&path, value).map_err(BadSetting::Value)
}

fn from_json(json: &Value) -> Option<SettingValue> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(match json {
        Value::Null => return None,
        Value::Bool(flag) => SettingValue::Flag(*flag),
        Value::Number(number) => SettingValue::Number(number.as_f64()?),
        Value::String(text) => SettingValue::Text(text.clone()),
        Value::Array(items) => SettingValue::Texts(items.iter().map(text).collect::<Option<_>>()?),
        Value::Object(fields) => SettingValue::TextMap(
            fields.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect::<Option<_>>()?,
        ),
    })
}

fn is_of_type(value: &SettingValue, shape: Shape) -> bool {
    matches!(
        (value, shape),
        (SettingValue::Flag(_), Shape::Flag)
            | (SettingValue::Number(_), Shape::Number(_) | Shape::Percentile)
            | (SettingValue::Number(_) | SettingValue::Text(_), Shape::NumberOrAuto(_) | Shape::CountOrShare)
            | (SettingValue::Text(_), Shape::Word(_) | Shape::Text)
            | (SettingValue::Texts(_), Shape::Texts)
            | (SettingValue::TextMap(_), Shape::TextMap)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::config::{Config, entries, parse, recommended};

    #[test]
    fn the_value_of_every_key_can_be_set_to_itself() {
        let full = "name = 'x'\nminimum_samples = 7\nmax_wait_time = 400\nstate_dir = 's'\n[http]\ntoken_file = 't'\n[opsgenie]\n\
                    api_key = 'k'\ntags = ['a', 'b']\napi_custom_attributes = { a = 'b', 'c.d' = '\"' }\n[webhook]\nurl = 'https://h'";
        let configs = [Config::default(), parse(&recommended(), "r").unwrap().0, parse(full, "f").unwrap().0];
        for (config, entry) in configs.iter().flat_map(|config| entries().map(move |entry| (config, entry))) {
            let value = entry.key.field.value(config);
            let json = value.clone().map_or(Value::Null, to_json);
            let Ok(change) = change(&entry, &json) else {
                assert!(json.is_null(), "{} = {json}", entry.path());
                continue;
            };
            let mut changed = config.clone();
            change.apply_to(&mut changed);
            assert_eq!(entry.key.field.value(&changed), value, "{}", entry.path());
        }
    }
}
