//! The tables `[breakers]` and `[templates]`, and the names in them.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};
use tripline_runtime::BreakerName;

use super::layer::{Kind, Layer};
use super::root::RESERVED_NAMES;
use crate::config::error::Reason;
use crate::config::keys::join;
use crate::config::report::{Place, Report, key_text};

/// Breakers of a process, at most.
const MAX_BREAKERS: usize = 10_000;

/// The tables of one kind, in the order of the file.
pub(super) fn read<'t>(report: &mut Report<'_>, kind: Kind, file: &'t DeTable<'t>) -> Vec<Layer<'t>> {
    let Some((key, value)) = file.get_key_value(kind.table()) else { return Vec::new() };
    let DeValue::Table(tables) = value.get_ref() else {
        let place = Place { written: kind.table().to_owned(), key: key.span(), value: value.span() };
        let allowed = format!("tables, [{}.NAME]", kind.table());
        report.problem(&place.written, &place.key, None, Reason::Allowed(allowed));
        return Vec::new();
    };
    let mut entries: Vec<_> = tables.iter().collect();
    // The parser's order is that of the names.
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut layers: Vec<Layer<'t>> = Vec::new();
    let mut by_lower_case: HashMap<String, usize> = HashMap::new();
    for (name, value) in entries {
        let written = join(kind.table(), &key_text(name.get_ref()));
        let place = Place { written, key: name.span(), value: value.span() };
        if layers.len() >= MAX_BREAKERS {
            report.because(&place, format!("too many; allowed: at most {MAX_BREAKERS}"));
            break;
        }
        let name: &str = name.get_ref();
        let DeValue::Table(table) = value.get_ref() else {
            let words =
                if matches!(kind, Kind::Breaker) { "a table, [breakers.NAME]" } else { "a table, [templates.NAME]" };
            report.problem(&place.written, &place.key, None, Reason::Allowed(words.into()));
            continue;
        };
        if BreakerName::new(name).is_err() {
            report.problem(
                &place.written,
                &place.key,
                None,
                Reason::Allowed(format!("a name of {}", BreakerName::ALLOWED)),
            );
        } else if kind == Kind::Breaker && RESERVED_NAMES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            report.because(
                &place,
                format!("is reserved for the API; allowed: any name but {}", RESERVED_NAMES.join(", ")),
            );
        } else if let Some(other) = by_lower_case.get(&name.to_ascii_lowercase()).and_then(|at| layers.get(*at)) {
            let line = report.line(&other.place);
            let words = format!("differs only by case from {} on line {line}; rename one of them", other.place.written);
            report.because(&place, words);
        }
        by_lower_case.entry(name.to_ascii_lowercase()).or_insert(layers.len());
        let mut layer = Layer::new(name, place);
        layer.read(report, table);
        layers.push(layer);
    }
    layers
}
