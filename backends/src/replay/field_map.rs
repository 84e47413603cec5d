//! Which field of a line holds what: `--field latency=took_ms`.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// The role of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// When the call ended.
    Time,
    /// When the call started.
    Start,
    /// How long the call took.
    Latency,
    /// The HTTP status.
    Status,
    /// The path of the request, or the whole request line.
    Path,
    /// The host of the request.
    Host,
    /// The method of the request.
    Method,
    /// The key of a family.
    Key,
}

impl Role {
    const ALL: [(&'static str, Self); 8] = [
        ("time", Self::Time),
        ("start", Self::Start),
        ("latency", Self::Latency),
        ("status", Self::Status),
        ("path", Self::Path),
        ("host", Self::Host),
        ("method", Self::Method),
        ("key", Self::Key),
    ];
}

/// One field that is read as something: a name (`request.took`, also a dotted path in JSON), or in text logs a position.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldMapping {
    /// Its role.
    pub role: Role,
    /// Its name or position, as it was given.
    pub source: String,
}

impl FieldMapping {
    /// Reads the field `source` as `role`.
    pub fn new(role: Role, source: impl Into<String>) -> Self {
        Self { role, source: source.into() }
    }

    /// The position in a line of text: 1 is the first field, -1 the last one.
    pub(super) fn position(&self) -> Option<i32> {
        self.source.parse().ok().filter(|position| *position != 0)
    }
}

/// The text is not `ROLE=FIELD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMappingError(());

/// `allowed: time=FIELD, …`
impl fmt::Display for FieldMappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "allowed: time=FIELD, start=FIELD, latency=FIELD, status=FIELD, path=FIELD, host=FIELD, method=FIELD or key=FIELD",
        )
    }
}

impl Error for FieldMappingError {}

impl FromStr for FieldMapping {
    type Err = FieldMappingError;

    fn from_str(text: &str) -> Result<Self, FieldMappingError> {
        let (role, source) = text.split_once('=').ok_or(FieldMappingError(()))?;
        let role = Role::ALL.iter().find(|(name, _)| *name == role.trim()).map(|(_, role)| *role);
        match (role, source.trim()) {
            (Some(role), source) if !source.is_empty() => Ok(Self::new(role, source)),
            _ => Err(FieldMappingError(())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_names_a_role_and_a_field() {
        let mapping: FieldMapping = "latency=request.took".parse().unwrap();
        assert_eq!((mapping.role, mapping.source.as_str(), mapping.position()), (Role::Latency, "request.took", None));
        let positions =
            ["time=-1", "time=4", "time=0", "time=x"].map(|text| text.parse::<FieldMapping>().unwrap().position());
        assert_eq!(positions, [Some(-1), Some(4), None, None]);
        for text in ["", "latency", "latency=", "speed=3", "=3"] {
            assert!(text.parse::<FieldMapping>().is_err(), "{text}");
        }
    }
}
