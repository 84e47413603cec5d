//! The body of a POST that sets one configuration key: its type, range and schema follow from the key table.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};

use super::error::ApiError;
use super::input;
use super::payload::Payload;
use super::setting_json::{self, BadSetting};
use super::setting_schema;
use crate::config::{Change, entry};

/// The change that a body asks for: the value of the first of `fields` that it holds, for the configuration key `key`.
pub(crate) fn read_change(payload: &Payload, key: &str, fields: &[&'static str]) -> Result<Change, ApiError> {
    let Some(entry) = entry(key) else { return Err(ApiError::conflict(format!("there is no setting {key}"))) };
    let (field, value) = payload.first_of(fields);
    let value = value.ok_or_else(|| ApiError::missing(field, entry.key.field.to_string()))?;
    setting_json::change(&entry, value).map_err(|bad| match bad {
        BadSetting::Type => ApiError::wrong_type(field, entry.key.field.to_string()),
        BadSetting::Value(rejected) => input::rejected(field)(rejected),
    })
}

/// The schema of such a body, with the names that may be used in place of the first.
pub(crate) fn schema_of(key: &str, fields: &[&'static str]) -> RefOr<Schema> {
    let Some((first, others)) = fields.split_first() else { return ObjectBuilder::new().into() };
    let Some(entry) = entry(key) else { return ObjectBuilder::new().into() };
    let object = ObjectBuilder::new().property(*first, setting_schema::of(&entry)).required(*first);
    let also = (!others.is_empty()).then(|| format!("Also read as {}, the name that GET gives.", others.join(", ")));
    object.description(also).into()
}

/// Declares the body of a POST that sets one configuration key, which may stand there under several names.
macro_rules! body {
    ($(#[$about:meta])* $name:ident, $key:literal, $fields:expr) => {
        $(#[$about])*
        struct $name($crate::config::Change);

        impl $crate::api::input::FromPayload for $name {
            fn read(payload: &$crate::api::payload::Payload) -> Result<Self, $crate::api::error::ApiError> {
                $crate::api::setting_body::read_change(payload, $key, &$fields).map(Self)
            }
        }

        impl utoipa::ToSchema for $name {}

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::api::setting_body::schema_of($key, &$fields)
            }
        }
    };
}
pub(crate) use body;
