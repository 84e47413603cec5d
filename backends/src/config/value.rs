//! The kinds of values that a key can have: what each allows, how it is read from TOML and how it is written.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range as Span;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tripline_runtime::core::Percentile;

use super::model::Config;
use super::text::{TextRule, quoted};

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

/// How a key reads and writes its place in a [`Config`]. `put` gives `None` where the value has no such type; `get`
/// gives `None` for what is not set.
pub(crate) struct Access<Put, Get> {
    pub(crate) put: fn(&mut Config, Put) -> Option<()>,
    pub(crate) get: fn(&Config) -> Option<Get>,
}

/// The kind of a key's value, with the place it goes to.
pub(crate) enum Field {
    Flag(Access<bool, bool>),
    Number(Range, Access<f64, f64>),
    /// A number, or "auto", which is `None`.
    NumberOrAuto(Range, Access<Option<f64>, Option<f64>>),
    /// A ratio or percent; it is always written as a ratio.
    Percentile(Access<f64, f64>),
    Word(&'static [&'static str], Access<&'static str, &'static str>),
    Text(TextRule, Access<String, String>),
    Texts(Access<Vec<String>, Vec<String>>),
    TextMap(Access<BTreeMap<String, String>, BTreeMap<String, String>>),
}

/// The part of a value that was refused: its place, and what follows the key's name to get there.
pub(crate) struct Refused {
    pub(crate) span: Span<usize>,
    pub(crate) suffix: String,
}

impl Field {
    /// Whether a value of this key, as it was written, must not be shown.
    pub(crate) fn hides(&self, written: &str) -> bool {
        matches!(self, Self::Text(rule, _) if rule.hides(written))
    }

    /// Puts `value` into `config`, or says which parts of it are refused.
    pub(crate) fn set(&self, config: &mut Config, value: &Spanned<DeValue<'_>>) -> Result<(), Vec<Refused>> {
        let whole = || vec![Refused { span: value.span(), suffix: String::new() }];
        let done = match (self, value.get_ref()) {
            (Self::Flag(access), DeValue::Boolean(flag)) => (access.put)(config, *flag),
            (Self::Number(range, access), value) => {
                number(value).filter(|x| range.contains(*x)).and_then(|x| (access.put)(config, x))
            }
            (Self::NumberOrAuto(..), DeValue::String(text)) => self.set_text(config, text),
            (Self::NumberOrAuto(range, access), value) => {
                number(value).filter(|x| range.contains(*x)).and_then(|x| (access.put)(config, Some(x)))
            }
            (Self::Percentile(access), value) => number(value).and_then(|x| (access.put)(config, x)),
            (Self::Word(..) | Self::Text(..), DeValue::String(text)) => self.set_text(config, text),
            (Self::Texts(access), DeValue::Array(items)) if items.len() <= MAX_ENTRIES => {
                let items = items.iter().enumerate().map(|(i, item)| (format!("[{i}]"), item));
                let texts = all_texts(items)?.into_iter().map(|(_, text)| text).collect();
                (access.put)(config, texts)
            }
            (Self::TextMap(access), DeValue::Table(table)) if table.len() <= MAX_ENTRIES => {
                (access.put)(config, all_texts(entries(table))?.into_iter().collect())
            }
            _ => None,
        };
        done.ok_or_else(whole)
    }

    /// Puts a text into `config`; `None` where it is refused, and for keys that are no text.
    pub(crate) fn set_text(&self, config: &mut Config, text: &str) -> Option<()> {
        match self {
            Self::Word(words, access) => {
                words.iter().find(|word| **word == text).and_then(|word| (access.put)(config, word))
            }
            Self::Text(rule, access) if rule.fits(text) => (access.put)(config, text.to_owned()),
            Self::NumberOrAuto(_, access) if text == AUTO => (access.put)(config, None),
            _ => None,
        }
    }

    /// The value in `config` as TOML; `None` where it is not set or a secret.
    pub(crate) fn show(&self, config: &Config) -> Option<String> {
        match self {
            Self::Text(rule, _) if rule.is_secret() => None,
            Self::Flag(access) => (access.get)(config).map(|flag| flag.to_string()),
            Self::Number(_, access) | Self::Percentile(access) => (access.get)(config).map(|x| tidy(x).to_string()),
            Self::NumberOrAuto(_, access) => {
                (access.get)(config).map(|x| x.map_or_else(|| quoted(AUTO), |x| tidy(x).to_string()))
            }
            Self::Word(_, access) => (access.get)(config).map(quoted),
            Self::Text(_, access) => (access.get)(config).filter(|text| !text.is_empty()).map(|text| quoted(&text)),
            Self::Texts(access) => (access.get)(config).filter(|texts| !texts.is_empty()).map(|texts| {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(", "))
            }),
            Self::TextMap(access) => (access.get)(config).filter(|map| !map.is_empty()).map(|map| {
                let pairs: Vec<String> =
                    map.iter().map(|(key, text)| format!("{} = {}", quoted(key), quoted(text))).collect();
                format!("{{ {} }}", pairs.join(", "))
            }),
        }
    }

    /// A value that shows how a key that is not set is written.
    pub(crate) fn blank(&self) -> &'static str {
        match self {
            Self::Texts(_) => "[]",
            Self::TextMap(_) => "{}",
            _ => "\"\"",
        }
    }
}

/// What is allowed, in words.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(_) => f.write_str("true or false"),
            Self::Number(range, _) => range.fmt(f),
            Self::NumberOrAuto(range, _) => write!(f, "{}, or {range}", quoted(AUTO)),
            Self::Percentile(_) => f.write_str("a ratio 0 < x <= 1, or 50 to 100 (percent)"),
            Self::Word(words, _) => {
                let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                f.write_str(&words.join(", "))
            }
            Self::Text(rule, _) => rule.fmt(f),
            Self::Texts(_) => write!(f, "up to {MAX_ENTRIES} texts, each 1 to {MAX_CHARACTERS} characters"),
            Self::TextMap(_) => {
                write!(f, "a table of up to {MAX_ENTRIES} names with texts, each 1 to {MAX_CHARACTERS} characters")
            }
        }
    }
}

/// The numbers that a key takes.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    least: f64,
    most: f64,
    least_is_in: bool,
    most_is_in: bool,
    whole: bool,
    unit: &'static str,
}

impl Range {
    /// `least` to `most`, both allowed, with fractions.
    pub(crate) const fn new(least: f64, most: f64, unit: &'static str) -> Self {
        Self { least, most, least_is_in: true, most_is_in: true, whole: false, unit }
    }

    /// Without the least value itself.
    pub(crate) const fn without_least(self) -> Self {
        Self { least_is_in: false, ..self }
    }

    /// Without the largest value itself.
    pub(crate) const fn without_most(self) -> Self {
        Self { most_is_in: false, ..self }
    }

    /// Without fractions.
    pub(crate) const fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// NaN and infinities are in no range.
    fn contains(&self, x: f64) -> bool {
        let above = if self.least_is_in { x >= self.least } else { x > self.least };
        let below = if self.most_is_in { x <= self.most } else { x < self.most };
        above && below && (!self.whole || x.fract() == 0.0)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, most, unit, .. } = self;
        if self.least_is_in && self.most_is_in {
            write!(f, "{least} to {most}")?;
        } else {
            let sign = |is_in: bool| if is_in { "<=" } else { "<" };
            write!(f, "{least} {} x {} {most}", sign(self.least_is_in), sign(self.most_is_in))?;
        }
        write!(f, " ({unit}{})", if self.whole { ", whole" } else { "" })
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(text) => i64::from_str_radix(text.as_str(), text.radix()).ok().map(|whole| whole as f64),
        DeValue::Float(text) => text.as_str().parse().ok(),
        _ => None,
    }
}

/// Takes away what only the arithmetic of percent and seconds put into a number.
fn tidy(x: f64) -> f64 {
    (x * 1e9).round() / 1e9
}

fn entries<'t>(table: &'t DeTable<'_>) -> impl Iterator<Item = (String, &'t Spanned<DeValue<'t>>)> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), value))
}

/// The texts of a list or map with their names, or every entry that is none.
fn all_texts<'t>(
    entries: impl Iterator<Item = (String, &'t Spanned<DeValue<'t>>)>,
) -> Result<Vec<(String, String)>, Vec<Refused>> {
    let fits = |text: &str| (1..=MAX_CHARACTERS).contains(&text.chars().count());
    let (mut texts, mut refused) = (Vec::new(), Vec::new());
    for (name, value) in entries {
        match value.get_ref() {
            DeValue::String(text) if fits(text) && fits(&name) => texts.push((name, text.to_string())),
            _ => {
                let suffix = if name.starts_with('[') { name } else { format!(".{name}") };
                refused.push(Refused { span: value.span(), suffix });
            }
        }
    }
    if refused.is_empty() { Ok(texts) } else { Err(refused) }
}
