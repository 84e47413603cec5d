//! The types of values that a key can have: what each allows, how it is read from TOML and how it is written.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range as Span;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tripline_runtime::core::Percentile;
use tripline_runtime::core::fleet::PageAt;

use super::range::Range;
use super::setting_value::SettingValue;
use super::text::{TextRule, quoted};

/// The longest duration that most keys take.
pub(crate) const DAY_SECONDS: f64 = 86_400.0;
/// A list or map longer than this is not one that a person wrote.
const MAX_ENTRIES: usize = 100;
/// Longest text in a list or map, in characters.
const MAX_CHARACTERS: usize = 1_000;

/// The word for a value that the breaker finds itself.
const AUTO: &str = "auto";

/// The percentile that `x` means: a ratio 0 < x ≤ 1, or percent 50 ≤ x ≤ 100; `None` for anything else.
///
/// Files, HTTP and the command line all read percentiles this way.
pub fn percentile(x: f64) -> Option<Percentile> {
    let ratio = if (50.0..=100.0).contains(&x) { x / 100.0 } else { x };
    Percentile::new(ratio).ok()
}

/// How a key reads and writes its field in a target `T`. `put` gives `None` where the value does not fit the field's type;
/// `get` gives `None` where the field is not set.
pub(crate) struct Access<T, Put, Get> {
    pub(crate) put: fn(&mut T, Put) -> Option<()>,
    pub(crate) get: fn(&T) -> Option<Get>,
}

/// The type of a key's value, with its accessors.
pub(crate) enum Field<T> {
    Flag(Access<T, bool, bool>),
    Number(Range, Access<T, f64, f64>),
    /// A number, or "auto", which is `None`.
    NumberOrAuto(Range, Access<T, Option<f64>, Option<f64>>),
    /// A number of replicas, or a share of all, as "5%".
    CountOrShare(Range, Access<T, PageAt, PageAt>),
    /// A ratio or percent; it is always written as a ratio.
    Percentile(Access<T, f64, f64>),
    Word(&'static [&'static str], Access<T, &'static str, &'static str>),
    Text(TextRule, Access<T, String, String>),
    Texts(Access<T, Vec<String>, Vec<String>>),
    /// Texts of a kind, which the words describe.
    TextsOf(&'static str, Access<T, Vec<String>, Vec<String>>),
    TextMap(Access<T, BTreeMap<String, String>, BTreeMap<String, String>>),
    /// The same, of which no value is ever shown.
    SecretMap(Access<T, BTreeMap<String, String>, BTreeMap<String, String>>),
}

/// The type of a key's value, without the accessors.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Flag,
    Number(#[cfg_attr(not(feature = "api"), expect(dead_code, reason = "only the API describes ranges"))] Range),
    NumberOrAuto(#[cfg_attr(not(feature = "api"), expect(dead_code, reason = "only the API describes ranges"))] Range),
    CountOrShare,
    Percentile,
    Word(&'static [&'static str]),
    Text,
    Texts,
    TextMap,
}

/// A part of a value that is not allowed: its place, and what follows the key's name to get there.
pub(crate) struct RejectedPart {
    pub(crate) span: Span<usize>,
    pub(crate) suffix: String,
}

impl<T> Field<T> {
    /// Whether a value of this key, as it was written, must not be shown.
    pub(crate) fn hides(&self, written: &str) -> bool {
        match self {
            Self::Text(rule, _) => rule.hides(written),
            Self::SecretMap(_) => true,
            _ => false,
        }
    }

    /// Puts `value` into `target`.
    ///
    /// # Errors
    /// The parts of the value that are not allowed.
    pub(crate) fn set(&self, target: &mut T, value: &Spanned<DeValue<'_>>) -> Result<(), Vec<RejectedPart>> {
        let whole = || vec![RejectedPart { span: value.span(), suffix: String::new() }];
        let done = match (self, value.get_ref()) {
            (Self::Flag(access), DeValue::Boolean(flag)) => (access.put)(target, *flag),
            (Self::Number(range, access), value) => {
                number(value).filter(|x| range.contains(*x)).and_then(|x| (access.put)(target, x))
            }
            (Self::NumberOrAuto(range, access), value) if !matches!(value, DeValue::String(_)) => {
                number(value).filter(|x| range.contains(*x)).and_then(|x| (access.put)(target, Some(x)))
            }
            (Self::CountOrShare(range, access), value) if !matches!(value, DeValue::String(_)) => {
                let count = number(value).filter(|x| range.contains(*x));
                count.and_then(|x| (access.put)(target, PageAt::Count(x as u32)))
            }
            (Self::Percentile(access), value) => number(value).and_then(|x| (access.put)(target, x)),
            (
                Self::Word(..) | Self::Text(..) | Self::NumberOrAuto(..) | Self::CountOrShare(..),
                DeValue::String(text),
            ) => self.set_text(target, text),
            (Self::Texts(access) | Self::TextsOf(_, access), DeValue::Array(items)) if items.len() <= MAX_ENTRIES => {
                let items = items.iter().enumerate().map(|(i, item)| (format!("[{i}]"), item));
                let texts = all_texts(items)?.into_iter().map(|(_, text)| text).collect();
                (access.put)(target, texts)
            }
            (Self::TextMap(access) | Self::SecretMap(access), DeValue::Table(table)) if table.len() <= MAX_ENTRIES => {
                (access.put)(target, all_texts(entries(table))?.into_iter().collect())
            }
            _ => None,
        };
        done.ok_or_else(whole)
    }

    /// Puts a text into `target`; `None` where it is not allowed, and for keys that are no text.
    pub(crate) fn set_text(&self, target: &mut T, text: &str) -> Option<()> {
        match self {
            Self::Word(words, access) => {
                words.iter().find(|word| **word == text).and_then(|word| (access.put)(target, word))
            }
            Self::Text(rule, access) if rule.fits(text) => (access.put)(target, text.to_owned()),
            Self::NumberOrAuto(_, access) if text == AUTO => (access.put)(target, None),
            Self::CountOrShare(_, access) => (access.put)(target, share(text)?),
            _ => None,
        }
    }

    /// Whether the value must never be shown.
    pub(crate) fn is_sensitive(&self) -> bool {
        match self {
            Self::Text(rule, _) => rule.is_secret(),
            Self::SecretMap(_) => true,
            _ => false,
        }
    }

    /// The value in `target`, also of a secret; `None` where it is not set.
    pub(crate) fn value(&self, target: &T) -> Option<SettingValue> {
        match self {
            Self::Flag(access) => (access.get)(target).map(SettingValue::Flag),
            Self::Number(_, access) | Self::Percentile(access) => {
                (access.get)(target).map(|x| SettingValue::Number(tidy(x)))
            }
            Self::NumberOrAuto(_, access) => (access.get)(target)
                .map(|x| x.map_or_else(|| SettingValue::from(AUTO), |x| SettingValue::Number(tidy(x)))),
            Self::CountOrShare(_, access) => (access.get)(target).map(|at| match at {
                PageAt::Count(count) => SettingValue::Number(count.into()),
                PageAt::Millionths(share) => SettingValue::Text(format!("{}%", tidy(f64::from(share) / 1e4))),
            }),
            Self::Word(_, access) => (access.get)(target).map(SettingValue::from),
            Self::Text(_, access) => (access.get)(target).map(SettingValue::Text),
            Self::Texts(access) | Self::TextsOf(_, access) => (access.get)(target).map(SettingValue::Texts),
            Self::TextMap(access) | Self::SecretMap(access) => (access.get)(target).map(SettingValue::TextMap),
        }
    }

    /// The value in `target` as TOML; `None` where it is not set, empty, or a secret.
    pub(crate) fn show(&self, target: &T) -> Option<String> {
        let value = self.value(target).filter(|value| !self.is_sensitive() && !value.is_empty());
        value.map(|value| value.toml())
    }

    /// The type of the values.
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Flag(_) => Shape::Flag,
            Self::Number(range, _) => Shape::Number(*range),
            Self::NumberOrAuto(range, _) => Shape::NumberOrAuto(*range),
            Self::CountOrShare(..) => Shape::CountOrShare,
            Self::Percentile(_) => Shape::Percentile,
            Self::Word(words, _) => Shape::Word(words),
            Self::Text(..) => Shape::Text,
            Self::Texts(_) | Self::TextsOf(..) => Shape::Texts,
            Self::TextMap(_) | Self::SecretMap(_) => Shape::TextMap,
        }
    }

    /// The unit of a number.
    #[cfg(feature = "api")]
    pub(crate) fn unit(&self) -> Option<&'static str> {
        match self {
            Self::Number(range, _) | Self::NumberOrAuto(range, _) => Some(range.unit),
            Self::Percentile(_) => Some("ratio"),
            _ => None,
        }
    }

    /// A value that shows how a key that is not set is written.
    pub(crate) fn blank(&self) -> &'static str {
        match self {
            Self::Texts(_) | Self::TextsOf(..) => "[]",
            Self::TextMap(_) | Self::SecretMap(_) => "{}",
            _ => "\"\"",
        }
    }
}

#[cfg(feature = "api")]
impl Shape {
    /// The type, as in JSON.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Flag => "boolean",
            Self::Number(_) | Self::Percentile => "number",
            Self::NumberOrAuto(_) => "number or \"auto\"",
            Self::CountOrShare => "number or string",
            Self::Word(_) | Self::Text => "string",
            Self::Texts => "array of strings",
            Self::TextMap => "object of strings",
        }
    }
}

/// The allowed values as text.
impl<T> fmt::Display for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(_) => f.write_str("true or false"),
            Self::Number(range, _) => range.fmt(f),
            Self::NumberOrAuto(range, _) => write!(f, "{}, or {range}", quoted(AUTO)),
            Self::CountOrShare(range, _) => write!(f, "{range}, or a share above 0 and up to 100, as \"5%\""),
            Self::Percentile(_) => f.write_str("a ratio 0 < x <= 1, or 50 to 100 (percent)"),
            Self::Word(words, _) => {
                let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                f.write_str(&words.join(", "))
            }
            Self::Text(rule, _) => rule.fmt(f),
            Self::TextsOf(allowed, _) => f.write_str(allowed),
            Self::Texts(_) => write!(f, "up to {MAX_ENTRIES} texts, each 1 to {MAX_CHARACTERS} characters"),
            Self::TextMap(_) | Self::SecretMap(_) => {
                write!(f, "a table of up to {MAX_ENTRIES} names with texts, each 1 to {MAX_CHARACTERS} characters")
            }
        }
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(text) => i64::from_str_radix(text.as_str(), text.radix()).ok().map(|whole| whole as f64),
        DeValue::Float(text) => text.as_str().parse().ok(),
        _ => None,
    }
}

/// The share that `5%` or `0.5 %` means, in steps of a millionth.
fn share(text: &str) -> Option<PageAt> {
    let percent: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
    let millionths = (percent * 1e4).round();
    (percent <= 100.0 && millionths >= 1.0).then_some(PageAt::Millionths(millionths as u32))
}

/// Takes away what only the arithmetic of percent and seconds put into a number.
fn tidy(x: f64) -> f64 {
    (x * 1e9).round() / 1e9
}

fn entries<'t>(table: &'t DeTable<'_>) -> impl Iterator<Item = (String, &'t Spanned<DeValue<'t>>)> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), value))
}

/// The texts of a list or map with their names, or every entry that is not a text.
fn all_texts<'t>(
    entries: impl Iterator<Item = (String, &'t Spanned<DeValue<'t>>)>,
) -> Result<Vec<(String, String)>, Vec<RejectedPart>> {
    let fits = |text: &str| (1..=MAX_CHARACTERS).contains(&text.chars().count());
    let (mut texts, mut rejected) = (Vec::new(), Vec::new());
    for (name, value) in entries {
        match value.get_ref() {
            DeValue::String(text) if fits(text) && fits(&name) => texts.push((name, text.to_string())),
            _ => {
                let suffix = if name.starts_with('[') { name } else { format!(".{name}") };
                rejected.push(RejectedPart { span: value.span(), suffix });
            }
        }
    }
    if rejected.is_empty() { Ok(texts) } else { Err(rejected) }
}
