//! A value of a key, of whichever type the key takes.

use std::collections::BTreeMap;

use super::text::quoted;

/// A value for a key, of whichever type the key takes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SettingValue {
    /// True or false.
    Flag(bool),
    /// A number; a percentile may be a ratio or percent.
    Number(f64),
    /// A text, or one of a few words.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
    /// Names with texts.
    TextMap(BTreeMap<String, String>),
}

impl SettingValue {
    /// The value as TOML.
    pub(crate) fn toml(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            // Whole numbers are written without a point; NaN and infinities are no TOML, and so are rejected.
            Self::Number(x) => x.to_string(),
            Self::Text(text) => quoted(text),
            Self::Texts(texts) => {
                format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
            }
            Self::TextMap(map) if map.is_empty() => "{}".into(),
            Self::TextMap(map) => {
                let pairs = map.iter().map(|(key, text)| format!("{} = {}", quoted(key), quoted(text)));
                format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Whether it is an empty text, list or map.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Flag(_) | Self::Number(_) => false,
            Self::Text(text) => text.is_empty(),
            Self::Texts(texts) => texts.is_empty(),
            Self::TextMap(map) => map.is_empty(),
        }
    }
}

impl From<bool> for SettingValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<f64> for SettingValue {
    fn from(x: f64) -> Self {
        Self::Number(x)
    }
}

impl From<u32> for SettingValue {
    fn from(x: u32) -> Self {
        Self::Number(f64::from(x))
    }
}

impl From<&str> for SettingValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<String>> for SettingValue {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}
