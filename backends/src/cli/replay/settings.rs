//! The configuration of a replay: that of a file, overridden by `--set`.

use std::path::Path;

use super::super::{CliError, eprint_line};
use crate::config::{Config, Problem, Reason, Warning, key_names, load, parse, recommended};
use crate::suggest::closest;
use crate::text::shown;

/// The settings of a replay: those of a file, or the defaults, overridden by `set`. All problems of `set` are reported
/// together. `breaker` selects one of several; its settings are at the top of the result.
pub(in crate::cli) fn configuration(
    file: Option<&Path>,
    set: &[String],
    breaker: Option<&str>,
) -> Result<Config, CliError> {
    let mut base = Base::default();
    if let Some(path) = file {
        // The unchanged file comes first, so that its own problems name its own lines.
        let (config, warnings) = load(path).map_err(|errors| CliError::with_config(&errors))?;
        for warning in &warnings {
            eprint_line(warning);
        }
        let name = meant(&config, breaker, path)?;
        if set.is_empty() {
            return Ok(of_breaker(&config, name.as_deref()));
        }
        base = Base::read(path, warnings)?;
        base.breaker = name;
    } else if let Some(name) = breaker {
        return Err(CliError::new(format!(
            "--breaker {}: needs --config FILE, which has the breakers",
            on_one_line(name)
        )));
    }
    let name = base.breaker.clone();
    Ok(of_breaker(&changed(base, set)?, name.as_deref()))
}

/// The selected named breaker; `None` if the file has none and the root is the breaker.
fn meant(config: &Config, given: Option<&str>, path: &Path) -> Result<Option<String>, CliError> {
    let names: Vec<&str> = config.breakers.iter().map(|breaker| breaker.name.as_str()).collect();
    let listed = || names.join(", ");
    match (given, names.as_slice()) {
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some((*only).to_owned())),
        (None, _) => Err(CliError::during(
            shown(path),
            format!("has several breakers; --breaker NAME picks one of {}", listed()),
        )),
        (Some(name), []) if name == config.breaker.name.as_str() => Ok(None),
        (Some(name), []) => Err(no_such(name, config.breaker.name.as_str(), path)),
        (Some(name), _) if names.contains(&name) => Ok(Some(name.to_owned())),
        (Some(name), _) => Err(no_such(name, &listed(), path)),
    }
}

fn no_such(name: &str, known: &str, path: &Path) -> CliError {
    CliError::new(format!("--breaker {}: {} has no such breaker; allowed: {known}", on_one_line(name), shown(path)))
}

/// `config` with the settings of this breaker at the top.
fn of_breaker(config: &Config, name: Option<&str>) -> Config {
    let named = name.and_then(|name| config.settings_of(name));
    named.map_or_else(|| config.clone(), |breaker| config.view_of(breaker))
}

/// The recommended configuration, overridden by `--set`.
pub(in crate::cli) fn recommended_with(set: &[String]) -> Result<Config, CliError> {
    let table = recommended().parse().map_err(|error| CliError::during("the recommended configuration", error))?;
    changed(Base { table, ..Base::default() }, set)
}

fn changed(mut base: Base, set: &[String]) -> Result<Config, CliError> {
    let settings: Vec<_> = set.iter().map(|text| Setting::parse(text)).collect();
    for setting in settings.iter().flatten() {
        if let Some(table) = base.target() {
            setting.put_into(table);
        }
    }
    let parsed = parse(&base.table.to_string(), "--set");
    let problems = parsed.as_ref().err().map_or(&[][..], |errors| errors.problems());
    let mut reported: Vec<String> = Vec::new();
    for (nth, setting) in settings.iter().enumerate() {
        match setting {
            Err(problem) => reported.push(problem.clone()),
            Ok(setting) if is_last_of_its_key(setting, settings.get(nth + 1..).unwrap_or_default()) => {
                let own = problems.iter().filter(|problem| plain(&problem.key) == setting.key);
                reported.extend(own.map(|problem| format!("{setting}: {}", words(problem))));
            }
            Ok(_) => {}
        }
    }
    let setting_of = |key: &str| settings.iter().flatten().rfind(|setting| setting.key == plain(key));
    // The file alone is valid; a setting makes it invalid.
    for problem in problems.iter().filter(|problem| setting_of(&problem.key).is_none()) {
        let value = problem.value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
        reported.push(format!("with --set: {}{value}: {}", problem.key, words(problem)));
    }
    let Some((config, warnings)) = parsed.ok().filter(|_| reported.is_empty()) else {
        return Err(CliError::new(reported.join("\n")));
    };
    for warning in warnings.iter().filter(|warning| !base.has_reported(warning)) {
        match setting_of(&warning.key) {
            Some(setting) => eprint_line(format!("{setting}: {}", warning.message)),
            None => eprint_line(format!("with these settings: {}: {}", warning.key, warning.message)),
        }
    }
    Ok(config)
}

/// The configuration that `--set` changes.
#[derive(Default)]
struct Base {
    table: toml::Table,
    warnings: Vec<Warning>,
    /// The named breaker whose table is changed; `None` for the top of the file.
    breaker: Option<String>,
}

impl Base {
    /// Reads a valid file whose warnings were already reported.
    fn read(path: &Path, warnings: Vec<Warning>) -> Result<Self, CliError> {
        let text = std::fs::read_to_string(path).map_err(|error| CliError::during(shown(path), error))?;
        let table = text.parse().map_err(|error| CliError::during(shown(path), error))?;
        Ok(Self { table, warnings, breaker: None })
    }

    /// The table that is changed; `None` if something else has its name, which loading the file has already rejected.
    fn target(&mut self) -> Option<&mut toml::Table> {
        let Some(name) = &self.breaker else { return Some(&mut self.table) };
        let empty = || toml::Value::Table(toml::Table::new());
        let breakers = self.table.entry("breakers").or_insert_with(empty).as_table_mut()?;
        breakers.entry(name.as_str()).or_insert_with(empty).as_table_mut()
    }

    fn has_reported(&self, warning: &Warning) -> bool {
        self.warnings.iter().any(|known| known.key == warning.key && known.message == warning.message)
    }
}

/// One `--set key=value` with a known key.
struct Setting<'a> {
    text: &'a str,
    key: &'a str,
    value: &'a str,
}

impl<'a> Setting<'a> {
    /// Fails if the key is unknown: after a typo, the replay would not use the requested settings.
    fn parse(text: &'a str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(format!("--set {}: allowed: KEY=VALUE", on_one_line(text)));
        };
        let setting = Self { text, key: key.trim(), value: value.trim() };
        let names = key_names();
        if setting.key.contains('.') {
            // The value may be a secret.
            let key = on_one_line(setting.key);
            return Err(format!("--set {key}: not a key of a breaker; allowed: keys at the top of the file"));
        }
        let mut keys = names.iter().map(String::as_str).filter(|name| !name.contains('.'));
        if keys.clone().any(|name| name == setting.key) {
            return Ok(setting);
        }
        let meant = closest(setting.key, &mut keys).map(|name| format!("; did you mean {name}?"));
        Err(format!("{setting}: there is no such key{}", meant.unwrap_or_default()))
    }

    /// Sets the key where the table has it. A value that is not TOML is taken as text.
    fn put_into(&self, table: &mut toml::Table) {
        let value = format!("x = {}", self.value)
            .parse::<toml::Table>()
            .ok()
            .filter(|parsed| parsed.len() == 1)
            .and_then(|mut parsed| parsed.remove("x"))
            .unwrap_or_else(|| toml::Value::String(self.value.to_owned()));
        match table.get_mut("circuit_breaker").and_then(toml::Value::as_table_mut) {
            Some(section) if section.contains_key(self.key) => section.insert(self.key.to_owned(), value),
            _ => table.insert(self.key.to_owned(), value),
        };
    }
}

/// The argument as given.
impl std::fmt::Display for Setting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--set {}", on_one_line(self.text))
    }
}

fn is_last_of_its_key(setting: &Setting<'_>, later: &[Result<Setting<'_>, String>]) -> bool {
    !later.iter().flatten().any(|other| other.key == setting.key)
}

/// A key without its table: `breakers.NAME`, or the table `circuit_breaker` of go-breaker's files.
fn plain(key: &str) -> &str {
    let of_breaker = key.strip_prefix("breakers.").and_then(|rest| rest.split_once('.')).map(|(_, key)| key);
    of_breaker.or_else(|| key.strip_prefix("circuit_breaker.")).unwrap_or(key)
}

fn words(problem: &Problem) -> String {
    match &problem.reason {
        Reason::Allowed(allowed) => format!("allowed: {allowed}"),
        Reason::Because(words) => words.clone(),
    }
}

fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
