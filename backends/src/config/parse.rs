//! From text to a [`Config`].

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::breakers::{self, BREAKERS, INHERIT, Named, Root, TEMPLATES};
use super::error::{ConfigErrors, Problem, Reason, Warning, WarningKind};
use super::keys::{Key, SECTIONS, Section, TOP_ALIAS, WEBHOOKS, family_key, join, section};
use super::lints::advice;
use super::model::Config;
use super::proxy::{self, ROUTES, UPSTREAMS};
use super::report::{Place, Report, key_text};
use super::resolved::ResolvedBreaker;
use super::source::{Source, shorten};
use super::value::DAY_SECONDS;
use super::webhook::Webhook;
use crate::suggest::closest;

/// Unknown keys beyond this many are only counted: such a file is not a configuration with a typo.
const MAX_UNKNOWN: usize = 50;
/// Webhooks of a process, at most.
const MAX_WEBHOOKS: usize = 16;

/// Reads a configuration from `text`; `file` is only what problems and warnings call it. Pure: no file, no environment.
///
/// # Errors
/// [`ConfigErrors`] with every problem of the text. Where it is not valid TOML, that is the only one.
pub fn parse(text: &str, file: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    read(text, file).and_then(Reader::finish)
}

/// The settings of every breaker of a text, each with the place that it comes from.
///
/// # Errors
/// As [`parse`].
pub fn resolved(text: &str, file: &str) -> Result<Vec<ResolvedBreaker>, ConfigErrors> {
    let (config, _) = parse(text, file)?;
    Ok(read(text, file)?.resolved(&config))
}

fn read<'a>(text: &'a str, file: &'a str) -> Result<Reader<'a>, ConfigErrors> {
    let source = Source::new(file, text);
    let table = DeTable::parse(text).map_err(|error| syntax(&source, &error))?;
    let mut reader = Reader {
        report: Report::new(source),
        config: Config::default(),
        seen: HashMap::new(),
        named: Named::default(),
        unknown: 0,
    };
    reader.table(&Level::top(), table.get_ref());
    let root = Root { config: &reader.config, seen: &reader.seen };
    let named = breakers::read(&mut reader.report, &root, table.get_ref());
    reader.config.breakers = named.configs();
    reader.named = named;
    proxy::read(&mut reader.report, &mut reader.config, table.get_ref());
    reader.proxy_rules();
    Ok(reader)
}

fn syntax(source: &Source<'_>, error: &toml::de::Error) -> ConfigErrors {
    let span = error.span().unwrap_or_default();
    let (line, column) = source.place(span.start);
    let mut message = error.message().replace('\n', "; ");
    if message == "duplicate key" {
        // The one message about a key that does not name it.
        message = format!("{message}: {} is set twice", shorten(source.written(span)));
    }
    let problem = Problem {
        file: source.file.into(),
        line: Some(line),
        column: Some(column),
        key: String::new(),
        value: None,
        reason: Reason::Because(format!("not valid TOML: {message}")),
    };
    ConfigErrors::one(problem)
}

struct Reader<'a> {
    report: Report<'a>,
    config: Config,
    seen: HashMap<String, Place>,
    named: Named,
    unknown: usize,
}

/// A table of the file.
struct Level {
    /// The section whose keys it holds.
    path: String,
    /// The prefix of its keys: the path, or the place in a list.
    full: String,
    /// As it stands in the file.
    written: String,
}

impl Level {
    fn top() -> Self {
        Self { path: String::new(), full: String::new(), written: String::new() }
    }
}

impl Reader<'_> {
    fn table(&mut self, level: &Level, table: &DeTable<'_>) {
        let Some(section) = section(&level.path) else { return };
        let is_top = level.path.is_empty() && level.written.is_empty();
        for (name, value) in table {
            let written = join(&level.written, &key_text(name.get_ref()));
            let place = Place { written, key: name.span(), value: value.span() };
            let name: &str = name.get_ref();
            let child = join(&level.path, name);
            if let Some(key) = section.key(name) {
                self.key(key, &join(&level.full, name), place, value);
            } else if is_top && [BREAKERS, TEMPLATES, UPSTREAMS, ROUTES].contains(&name) {
                // Read when the root, which breakers start from, is known.
            } else if is_top && name == TOP_ALIAS {
                self.child(&Level { written: place.written.clone(), ..Level::top() }, &place, value);
            } else if is_top && name == WEBHOOKS {
                self.webhooks(&place, value);
            } else if level.written == level.path && is_table_name(name) && super::keys::section(&child).is_some() {
                let written = place.written.clone();
                self.child(&Level { path: child.clone(), full: child, written }, &place, value);
            } else {
                self.unknown(section, &place, name);
            }
        }
    }

    fn child(&mut self, level: &Level, place: &Place, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(level, table),
            // Not shown: it may hold a secret.
            _ => self.report.problem(&place.written, &place.key, None, Reason::Allowed("a table".into())),
        }
    }

    /// Each entry holds the keys of `[webhook]`, and is read into its place.
    fn webhooks(&mut self, place: &Place, value: &Spanned<DeValue<'_>>) {
        let DeValue::Array(entries) = value.get_ref() else {
            let allowed = "a list of tables, [[webhooks]]";
            return self.report.problem(&place.written, &place.key, None, Reason::Allowed(allowed.into()));
        };
        for (index, entry) in entries.iter().enumerate() {
            let name = format!("{WEBHOOKS}[{index}]");
            let place = Place { written: name.clone(), key: entry.span(), value: entry.span() };
            if index >= MAX_WEBHOOKS {
                let words = format!("too many; allowed: at most {MAX_WEBHOOKS}");
                return self.report.problem(&name, &place.key, None, Reason::Because(words));
            }
            let of_section = std::mem::replace(&mut self.config.breaker.webhook, Webhook::entry());
            self.seen.insert(name.clone(), place.clone());
            self.child(&Level { path: "webhook".to_owned(), full: name.clone(), written: name }, &place, entry);
            let entry = std::mem::replace(&mut self.config.breaker.webhook, of_section);
            self.config.breaker.webhooks.push(entry);
        }
    }

    fn key(&mut self, key: &Key<Config>, full: &str, place: Place, value: &Spanned<DeValue<'_>>) {
        if let Err(rejected) = key.field.set(&mut self.config, value) {
            for part in rejected {
                let name = format!("{}{}", place.written, shorten(&part.suffix));
                let value = self.report.shown(&part.span, &key.field);
                self.report.problem(&name, &part.span, Some(value), Reason::Allowed(key.field.to_string()));
            }
        }
        if let Some(other) = self.seen.insert(full.to_owned(), place.clone()) {
            let (first, second) = if other.key.start < place.key.start { (other, place) } else { (place, other) };
            let words = format!(
                "set twice; it is also {} on line {}",
                first.written,
                self.report.source.place(first.key.start).0
            );
            let value = self.report.shown(&second.value, &key.field);
            self.report.problem(&second.written, &second.key, Some(value), Reason::Because(words));
        }
    }

    fn unknown(&mut self, section: &Section<Config>, place: &Place, name: &str) {
        self.unknown += 1;
        if self.unknown <= MAX_UNKNOWN {
            let meant = if section.path.is_empty() && name == INHERIT {
                "; it belongs into [breakers.NAME] or [templates.NAME]".to_owned()
            } else {
                suggestion(section, name).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default()
            };
            let line = Some(self.report.source.place(place.key.start).0);
            let message = format!("unknown key, ignored{meant}");
            self.report.warn(line, &place.written, message, WarningKind::UnknownKey);
        }
    }

    fn finish(mut self) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        self.longest_wait();
        self.webhook_rules();
        if self.unknown > MAX_UNKNOWN {
            let more = self.unknown - MAX_UNKNOWN;
            self.report.warn(None, "", format!("{more} more unknown keys, ignored"), WarningKind::UnknownKey);
        }
        let Some(errors) = ConfigErrors::of(std::mem::take(&mut self.report.problems)) else {
            if self.config.breakers.is_empty() {
                for (key, message) in advice(&self.config, &|key| self.seen.contains_key(key)) {
                    let place = self.seen.get(key).cloned();
                    let line = place.as_ref().map(|place| self.report.line(place));
                    let key = place.map_or_else(|| key.to_owned(), |place| place.written);
                    self.report.warn(line, &key, message, WarningKind::Unlikely);
                }
            }
            let root = Root { config: &self.config, seen: &self.seen };
            self.named.warn(&mut self.report, &root);
            self.report.warnings.sort_by_key(|warning| warning.line);
            return Ok((self.config, self.report.warnings));
        };
        self.report.warnings.sort_by_key(|warning| warning.line);
        Err(errors.with_warnings(self.report.warnings))
    }

    fn resolved(&self, config: &Config) -> Vec<ResolvedBreaker> {
        self.named.resolved(&self.report, &Root { config, seen: &self.seen })
    }

    /// Unset, the longest wait follows a long `wait_time`; set, it must not lie below it.
    fn longest_wait(&mut self) {
        let wait_is_bad = self.report.problems.iter().any(|p| p.key == "wait_time" || p.key.ends_with(".wait_time"));
        let wait = self.config.breaker.policy.wait_time;
        match self.seen.get("max_wait_time").cloned() {
            None => self.config.breaker.policy.max_wait_time = self.config.breaker.policy.max_wait_time.max(wait),
            Some(place) if self.config.breaker.policy.max_wait_time < wait && !wait_is_bad => {
                let allowed = format!("{} (wait_time) to {DAY_SECONDS} (seconds)", wait.as_secs_f64());
                let value = shorten(self.report.source.written(place.value.clone()));
                self.report.problem(&place.written, &place.value, Some(value), Reason::Allowed(allowed));
            }
            Some(_) => {}
        }
    }

    /// A certificate needs its key, and a key its certificate.
    fn proxy_rules(&mut self) {
        let tls = &self.config.proxy.tls;
        let (lonely, other) = match (&tls.certificate, &tls.key) {
            (Some(_), None) => ("proxy.tls.certificate", "proxy.tls.key"),
            (None, Some(_)) => ("proxy.tls.key", "proxy.tls.certificate"),
            _ => return,
        };
        if let Some(place) = self.seen.get(lonely).cloned() {
            self.report.because(&place, format!("needs {other} beside it"));
        }
    }

    /// The rules between the keys of a webhook, once each of them is valid.
    fn webhook_rules(&mut self) {
        let listed = self.config.breaker.webhooks.clone();
        let listed = listed.into_iter().enumerate().map(|(index, webhook)| (format!("{WEBHOOKS}[{index}]"), webhook));
        let all: Vec<_> =
            std::iter::once(("webhook".to_owned(), self.config.breaker.webhook.clone())).chain(listed).collect();
        for (table, webhook) in &all {
            let is_given_badly =
                self.report.problems.iter().any(|problem| problem.key.starts_with(&format!("{table}.")));
            for (key, words) in webhook.problems() {
                let place = self.seen.get(&format!("{table}.{key}")).or_else(|| self.seen.get(table.as_str()));
                if let (false, Some(place)) = (is_given_badly, place.cloned()) {
                    let value = (key == "enabled" && place.written.ends_with("enabled")).then(|| "true".to_owned());
                    // The entries of a list say which one they are.
                    let words = if table == "webhook" { words } else { words.replace("webhook.url", "url") };
                    self.report.problem(&place.written, &place.key, value, Reason::Because(words));
                }
            }
        }
        for (index, (table, webhook)) in all.iter().enumerate().skip(1) {
            let is_same = |other: &&(String, Webhook)| !webhook.name.is_empty() && other.1.name == webhook.name;
            let place = self.seen.get(&format!("{table}.name")).cloned();
            if let (Some((other, _)), Some(place)) = (all.iter().skip(1).take(index - 1).find(is_same), place) {
                let words = format!("is the name of {other} too; each needs its own");
                self.report.problem(&place.written, &place.key, Some(webhook.name.clone()), Reason::Because(words));
            }
        }
    }
}

fn is_table_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('.')
}

/// The known key or table that is closest to an unknown `name` in `section`.
fn suggestion(section: &Section<Config>, name: &str) -> Option<String> {
    elsewhere(section, name).or_else(|| {
        let tables = SECTIONS.iter().filter_map(|other| match other.path.rsplit_once('.') {
            None if section.path.is_empty() && !other.path.is_empty() => Some(other.path),
            Some((parent, table)) if parent == section.path => Some(table),
            _ => None,
        });
        let alias = [TOP_ALIAS, WEBHOOKS, BREAKERS, TEMPLATES, UPSTREAMS, ROUTES]
            .into_iter()
            .filter(|_| section.path.is_empty());
        let known = section.keys.iter().map(|key| key.name).chain(tables).chain(alias);
        closest(name, known).map(|near| join(section.path, near))
    })
}

/// A key that has this very name in another table.
fn elsewhere(section: &Section<Config>, name: &str) -> Option<String> {
    if family_key(name).is_some() {
        return Some(format!("{name} in [breakers.NAME]"));
    }
    let owner = SECTIONS.iter().find(|other| other.path != section.path && other.key(name).is_some())?;
    Some(match owner.path {
        "" => format!("{name} at the top of the file, above every [table]"),
        path => format!("{name} in [{path}]"),
    })
}
