//! One table with settings: a breaker's or a template's.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::root::{BREAKERS, INHERIT, MAX_LEVELS, TEMPLATES};
use crate::config::error::Reason;
use crate::config::keys::{
    ALERTS, FAMILY, Key, SECTIONS, TOP_ALIAS, WEBHOOKS, alert_key, alert_keys, family_key, is_own_key, join, section,
};
use crate::config::model::Config;
use crate::config::report::{Place, Report, key_text};
use crate::config::source::shorten;
use crate::suggest::closest;

/// The kind of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Breaker,
    Template,
}

impl Kind {
    /// The table that holds all of this kind.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Breaker => BREAKERS,
            Self::Template => TEMPLATES,
        }
    }
}

/// A table with settings.
pub(super) struct Layer<'t> {
    pub(super) name: String,
    /// Of its header.
    pub(super) place: Place,
    /// The template that it names.
    pub(super) inherit: Option<(String, Place)>,
    /// The settings with allowed values.
    pub(super) values: Vec<Assigned<'t>>,
}

/// A key of a layer with its value.
pub(super) struct Assigned<'t> {
    /// The path of the key at the top of the file, e.g. `wait_time` or `opsgenie.team`.
    pub(super) path: String,
    pub(super) key: &'static Key<Config>,
    pub(super) value: &'t Spanned<DeValue<'t>>,
    pub(super) place: Place,
}

impl<'t> Layer<'t> {
    pub(super) fn new(name: &str, place: Place) -> Self {
        Self { name: name.to_owned(), place, inherit: None, values: Vec::new() }
    }

    /// Reads the keys of `table`; what is not allowed is reported.
    pub(super) fn read(&mut self, report: &mut Report<'_>, table: &'t DeTable<'t>) {
        for (name, value) in table {
            let written = join(&self.place.written, &key_text(name.get_ref()));
            let place = Place { written, key: name.span(), value: value.span() };
            let name: &str = name.get_ref();
            let own = section("").and_then(|section| section.key(name)).filter(|_| is_own_key(name));
            match own.or_else(|| family_key(name)) {
                Some(key) => self.assign(report, name.to_owned(), key, value, place),
                None if name == INHERIT => self.inherit(report, value, place),
                None if name == ALERTS => self.alerts(report, value, &place),
                None => report.because(&place, remedy(name)),
            }
        }
    }

    fn inherit(&mut self, report: &mut Report<'_>, value: &Spanned<DeValue<'_>>, place: Place) {
        if let DeValue::String(template) = value.get_ref()
            && !template.is_empty()
        {
            self.inherit = Some((template.to_string(), place));
        } else {
            let shown = shorten(report.source.written(value.span()));
            let allowed = format!("the name of a template, at most {MAX_LEVELS} tables in a row");
            report.problem(&place.written, &place.value, Some(shown), Reason::Allowed(allowed));
        }
    }

    fn alerts(&mut self, report: &mut Report<'_>, value: &'t Spanned<DeValue<'t>>, place: &Place) {
        let DeValue::Table(table) = value.get_ref() else {
            return report.problem(&place.written, &place.key, None, Reason::Allowed("a table".into()));
        };
        for (name, value) in table {
            let written = join(&place.written, &key_text(name.get_ref()));
            let place = Place { written, key: name.span(), value: value.span() };
            if let Some(alert) = alert_key(name.get_ref()) {
                let table = if alert.is_inherited { "opsgenie" } else { ALERTS };
                self.assign(report, join(table, alert.key.name), alert.key, value, place);
            } else {
                let words = if section("opsgenie").is_some_and(|opsgenie| opsgenie.key(name.get_ref()).is_some()) {
                    "is one for all breakers; set it in [opsgenie]".to_owned()
                } else {
                    unknown_alert_key(name.get_ref())
                };
                report.because(&place, words);
            }
        }
    }

    fn assign(
        &mut self,
        report: &mut Report<'_>,
        path: String,
        key: &'static Key<Config>,
        value: &'t Spanned<DeValue<'t>>,
        place: Place,
    ) {
        match key.field.set(&mut Config::default(), value) {
            Ok(()) => self.values.push(Assigned { path, key, value, place }),
            Err(rejected) => {
                for part in rejected {
                    let name = format!("{}{}", place.written, shorten(&part.suffix));
                    let value = report.shown(&part.span, &key.field);
                    report.problem(&name, &part.span, Some(value), Reason::Allowed(key.field.to_string()));
                }
            }
        }
    }
}

fn unknown_alert_key(name: &str) -> String {
    let known: Vec<&str> = alert_keys().map(|alert| alert.key.name).collect();
    match closest(name, known.iter().copied()) {
        Some(near) => format!("unknown key; did you mean {near}?"),
        None => format!("unknown key; allowed: {}", known.join(", ")),
    }
}

/// The problem with a key that no breaker has, and its remedy.
fn remedy(name: &str) -> String {
    let is_table = SECTIONS.iter().any(|section| section.path == name) || name == WEBHOOKS || name == TOP_ALIAS;
    match name {
        "name" => "a breaker is called what its table is called; remove the key, or rename the table".to_owned(),
        "state_dir" => {
            "is one for the whole process, with a folder for each breaker; set it at the top of the file".to_owned()
        }
        "opsgenie" | "webhook" | WEBHOOKS => {
            format!(
                "is one for all breakers; set [{name}] at the top of the file, and what differs in the table alerts here"
            )
        }
        _ if is_table => format!("belongs to the whole process; set [{name}] at the top of the file"),
        _ => {
            let keys = section("").into_iter().flat_map(|section| section.keys).map(|key| key.name);
            let family = FAMILY.iter().map(|key| key.name);
            let known = keys.filter(|key| is_own_key(key)).chain(family).chain([INHERIT, ALERTS]);
            let near = closest(name, known);
            let known_alert = alert_key(name).map(|alert| format!("{} in the table alerts", alert.key.name));
            let meant = known_alert.or(near.map(str::to_owned));
            meant.map_or_else(
                || "unknown key; a breaker has the keys of the top of the file, inherit and alerts".to_owned(),
                |meant| format!("unknown key; did you mean {meant}?"),
            )
        }
    }
}
