//! All live settings at once, by the names of their configuration keys.

use axum::extract::Query;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::change::Changed;
use crate::api::error::ApiError;
use crate::api::input::{Actor, FromPayload, ValidJson};
use crate::api::json::ApiJson;
use crate::api::openapi::{PostErrors, QueryErrors};
use crate::api::payload::Payload;
use crate::api::scope::CircuitScope;
use crate::api::setting_json::{BadSetting, change, to_json};
use crate::api::setting_schema;
use crate::api::state::ApiState;
use crate::config::{Change, Config, Entry, entries, entry};
use crate::suggest::closest;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(settings, set_settings))
}

/// What the answer of a POST holds besides the settings; ignored where that answer is sent back.
const BESIDES: [&str; 2] = ["saved", "reason"];

/// Each live configuration key with its value.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Settings(Map<String, Value>);

impl ToSchema for Settings {}

impl PartialSchema for Settings {
    fn schema() -> RefOr<Schema> {
        let live = entries().filter(|entry| entry.key.is_live());
        let object = ObjectBuilder::new().description(Some("Configuration keys with their values."));
        live.fold(object, |object, entry| object.property(entry.path(), setting_schema::of(&entry))).into()
    }
}

/// Each live configuration key with its value, or, with `describe=1`, each key that can be shown with what is said about it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum SettingsAnswer {
    Values(#[schema(inline)] Settings),
    Descriptions(BTreeMap<String, Description>),
}

/// The description of a key.
#[derive(Serialize, ToSchema)]
struct Description {
    /// In force; null where it is not set.
    #[schema(required)]
    value: Value,
    /// Null where it is not set by default.
    #[schema(required)]
    default: Value,
    #[serde(rename = "type")]
    type_name: &'static str,
    /// The allowed values: a range with its unit, or words.
    allowed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    unit: Option<&'static str>,
    /// A change of it in the file takes effect only after a restart, and it cannot be set here.
    restart_required: bool,
    about: &'static str,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the query is read by hand, so that a bad value is answered like any other")]
struct Describe {
    /// 1: each key with its value, default, type, range, unit and meaning, also keys that need a restart.
    #[param(required = false, maximum = 1)]
    describe: u8,
}

fn json(entry: &Entry, config: &Config) -> Value {
    entry.key.field.value(config).map_or(Value::Null, to_json)
}

impl Settings {
    fn of(config: &Config) -> Self {
        let live = entries().filter(|entry| entry.key.is_live());
        Self(live.map(|entry| (entry.path(), json(&entry, config))).collect())
    }
}

impl SettingsAnswer {
    fn described(config: &Config) -> Self {
        let default = Config::default();
        let shown = entries().filter(|entry| !entry.key.is_sensitive());
        let described = shown.map(|entry| {
            let field = &entry.key.field;
            let description = Description {
                value: json(&entry, config),
                default: json(&entry, &default),
                type_name: field.shape().type_name(),
                allowed: field.to_string(),
                unit: field.unit(),
                restart_required: entry.key.restart_required,
                about: entry.key.about,
            };
            (entry.path(), description)
        });
        Self::Descriptions(described.collect())
    }
}

/// All settings that can be changed while the breaker runs, by their configuration keys.
#[utoipa::path(get, path = "/breaker/settings", tag = "settings", params(Describe),
    responses((status = 200, description = "Each key with its value. POST accepts the same object.", body = SettingsAnswer),
        QueryErrors))]
async fn settings(scope: CircuitScope, Query(query): Query<BTreeMap<String, String>>) -> Answer<SettingsAnswer> {
    let config = scope.whole_config();
    match query.get("describe").map(String::as_str) {
        None | Some("0") => Ok(ApiJson(SettingsAnswer::Values(Settings::of(&config)))),
        Some("1") => Ok(ApiJson(SettingsAnswer::described(&config))),
        Some(other) => {
            let found: String = other.chars().take(40).collect();
            Err(ApiError::bad_value("describe", format_args!("{found:?}"), "0 or 1"))
        }
    }
}

/// New values for some keys; none of them has been compared with the settings in force.
struct NewSettings(Vec<(Entry, Change)>);

impl FromPayload for NewSettings {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let given = payload.fields().iter().filter(|(name, _)| !BESIDES.contains(&name.as_str()));
        let (mut changes, mut errors) = (Vec::new(), Vec::new());
        for (name, value) in given {
            match read(name, value) {
                Ok(change) => changes.push(change),
                Err(error) => errors.push(error),
            }
        }
        let mut errors = errors.into_iter();
        match (errors.next(), changes.is_empty()) {
            (Some(first), _) => Err(errors.fold(first, |all, error| all.and(&error))),
            (None, true) => {
                let allowed = "any of the keys that GET /breaker/settings gives";
                Err(ApiError::missing("key", allowed))
            }
            (None, false) => Ok(Self(changes)),
        }
    }
}

impl ToSchema for NewSettings {}

impl PartialSchema for NewSettings {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().min_properties(Some(1));
        let live = entries().filter(|entry| entry.key.is_live());
        live.fold(object, |object, entry| object.property(entry.path(), setting_schema::of(&entry))).into()
    }
}

fn read(name: &str, value: &Value) -> Result<(Entry, Change), ApiError> {
    let shown: String = name.chars().take(60).collect();
    let Some(entry) = entry(name) else {
        let known: Vec<String> = entries().filter(|entry| entry.key.is_live()).map(|entry| entry.path()).collect();
        let meant = closest(name, known.iter().map(String::as_str));
        let meant = meant.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        return Err(ApiError::unknown_field(shown, format!("the keys that GET /breaker/settings gives{meant}")));
    };
    if entry.key.is_sensitive() {
        let allowed = "the configuration file or the environment: it is a secret, which cannot be set here";
        return Err(ApiError::bad_value(shown, "***", allowed));
    }
    if entry.key.restart_required {
        let allowed = "the configuration file: a change takes effect only after a restart";
        return Err(ApiError::bad_value(shown, short(value), allowed));
    }
    let change = change(&entry, value).map_err(|bad| match bad {
        BadSetting::Type => ApiError::wrong_type(shown, entry.key.field.to_string()),
        BadSetting::Value(rejected) => ApiError::bad_value(shown, rejected.value, rejected.allowed),
    })?;
    Ok((entry, change))
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

/// Sets any of the settings, all of them or none. A key whose value is in force already is not written to the file.
#[utoipa::path(post, path = "/breaker/settings", tag = "settings", request_body = NewSettings,
    responses((status = 200, description = "They are in force; all settings.", body = Changed<Settings>), PostErrors))]
async fn set_settings(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewSettings(given)): ValidJson<NewSettings>,
) -> Answer<Changed<Settings>> {
    let old = scope.whole_config();
    let is_new = |entry: &Entry, change: &Change| {
        let mut new = Config::clone(&old);
        change.apply_to(&mut new);
        entry.key.field.value(&new) != entry.key.field.value(&old)
    };
    let new = given.into_iter().filter(|(entry, change)| is_new(entry, change)).map(|(_, change)| change);
    let applied = scope.change(new.reduce(Change::and).unwrap_or_else(Change::none), &who).await?;
    Ok(ApiJson(Changed::new(Settings::of(&scope.whole_config()), applied)))
}
