//! From tables to upstreams and routes.

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tripline_runtime::BreakerName;

use super::route::{Guard, Route};
use super::upstream::Upstream;
use crate::config::breaker::BreakerConfig;
use crate::config::error::{Reason, WarningKind};
use crate::config::keys::{ROUTE_SECTIONS, Section, UPSTREAM_SECTIONS, join};
use crate::config::model::Config;
use crate::config::report::{Place, Report, key_text};
use crate::config::source::shorten;
use crate::suggest::closest;

/// The table of all upstreams.
pub(crate) const UPSTREAMS: &str = "upstreams";
/// The list of all routes.
pub(crate) const ROUTES: &str = "routes";
/// Upstreams of a process, at most, and routes.
const MAX_ENTRIES: usize = 1_000;

/// Reads `[upstreams.NAME]` and `[[routes]]` of `file` into `config`, whose breakers are read already. A breaker that a route names
/// and the file does not have is added with the settings of the root.
pub(crate) fn read(report: &mut Report<'_>, config: &mut Config, file: &DeTable<'_>) {
    let (upstreams, upstream_places): (Vec<_>, Vec<_>) = upstreams(report, file).into_iter().unzip();
    config.upstreams = upstreams;
    for (route, seen) in routes(report, file) {
        for (key, name) in [("upstream", Some(&route.upstream)), ("fallback", route.fallback.as_ref())] {
            let (Some(name), Some(place)) = (name, seen.get(key)) else { continue };
            if config.upstreams.iter().all(|upstream| upstream.name != *name) {
                let near = closest(name, config.upstreams.iter().map(|upstream| upstream.name.as_str()));
                let meant =
                    near.map_or_else(|| format!("add [{UPSTREAMS}.{name}]"), |near| format!("did you mean {near}?"));
                let words = format!("no such upstream; {meant}");
                report.problem(&place.written, &place.value, Some(format!("\"{name}\"")), Reason::Because(words));
            }
        }
        add_breaker(report, config, &route, &seen);
        config.routes.push(route);
    }
    let is_used = |name: &str| {
        config.routes.iter().any(|route| route.upstream == name || route.fallback.as_deref() == Some(name))
    };
    for (upstream, place) in config.upstreams.iter().zip(&upstream_places) {
        if !is_used(&upstream.name) {
            let line = Some(report.line(place));
            let message = "no route leads to it; add an entry of [[routes]] with it".to_owned();
            report.warn(line, &place.written, message, WarningKind::Unlikely);
        }
    }
}

/// Adds the breaker that `route` needs, where the file has no such table.
fn add_breaker(report: &mut Report<'_>, config: &mut Config, route: &Route, seen: &Seen) {
    let name = match &route.guard {
        Guard::Breaker(name) => name.clone(),
        Guard::Upstream => match BreakerName::new(&route.upstream) {
            Ok(name) => name,
            // Reported with the upstream.
            Err(_) => return,
        },
        Guard::First | Guard::Off => return,
    };
    if config.breakers.iter().any(|breaker| breaker.name == name) {
        return;
    }
    let place = seen.get("breaker").or_else(|| seen.get("upstream"));
    let line = place.map(|place| report.line(place));
    let written = place.map(|place| place.written.clone()).unwrap_or_default();
    let message = format!("there is no [breakers.{name}]; the breaker {name} has the settings of the top of the file");
    report.warn(line, &written, message, WarningKind::Created);
    let mut breaker = BreakerConfig { name, ..config.breaker.clone() };
    breaker.settle_alerts();
    config.breakers.push(breaker);
}

/// Where the keys of an entry were set, by their names in it.
type Seen = HashMap<String, Place>;

fn upstreams(report: &mut Report<'_>, file: &DeTable<'_>) -> Vec<(Upstream, Place)> {
    let Some((key, value)) = file.get_key_value(UPSTREAMS) else { return Vec::new() };
    let DeValue::Table(tables) = value.get_ref() else {
        let allowed = format!("tables, [{UPSTREAMS}.NAME]");
        report.problem(UPSTREAMS, &key.span(), None, Reason::Allowed(allowed));
        return Vec::new();
    };
    let mut entries: Vec<_> = tables.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut upstreams = Vec::new();
    for (name, value) in entries {
        let written = join(UPSTREAMS, &key_text(name.get_ref()));
        let place = Place { written, key: name.span(), value: value.span() };
        if upstreams.len() >= MAX_ENTRIES {
            report.because(&place, format!("too many; allowed: at most {MAX_ENTRIES}"));
            break;
        }
        if BreakerName::new(name.get_ref()).is_err() {
            let allowed = format!("a name of {}", BreakerName::ALLOWED);
            report.problem(&place.written, &place.key, None, Reason::Allowed(allowed));
        }
        let mut upstream = Upstream::named(name.get_ref());
        let Some(seen) = entry(report, &UPSTREAM_SECTIONS, &mut upstream, &place, value) else { continue };
        match (seen.get("url"), seen.get("servers")) {
            (None, None) => report.because(&place, "has no url; set url = \"http://HOST:PORT\""),
            (Some(_), Some(servers)) => report.because(servers, "stands beside url; remove one of them"),
            _ => {}
        }
        both_or_none(report, &seen, "tls.certificate", "tls.key");
        upstreams.push((upstream, place));
    }
    upstreams
}

fn routes(report: &mut Report<'_>, file: &DeTable<'_>) -> Vec<(Route, Seen)> {
    let Some((key, value)) = file.get_key_value(ROUTES) else { return Vec::new() };
    let DeValue::Array(entries) = value.get_ref() else {
        let allowed = format!("a list of tables, [[{ROUTES}]]");
        report.problem(ROUTES, &key.span(), None, Reason::Allowed(allowed));
        return Vec::new();
    };
    let mut routes = Vec::new();
    for (index, value) in entries.iter().enumerate() {
        let place = Place { written: format!("{ROUTES}[{index}]"), key: value.span(), value: value.span() };
        if index >= MAX_ENTRIES {
            report.because(&place, format!("too many; allowed: at most {MAX_ENTRIES}"));
            break;
        }
        let mut route = Route::default();
        let Some(seen) = entry(report, &ROUTE_SECTIONS, &mut route, &place, value) else { continue };
        if !seen.contains_key("upstream") {
            report.because(&place, "has no upstream; set upstream to the name of an [upstreams.NAME]");
        }
        if route.guard == Guard::Off {
            for key in ["fallback", "rejected.status", "rejected.body", "rejected.content_type"] {
                if let Some(place) = seen.get(key) {
                    report.because(place, "has no effect with breaker = \"off\"; remove one of them");
                }
            }
        }
        routes.push((route, seen));
    }
    routes
}

fn both_or_none(report: &mut Report<'_>, seen: &Seen, first: &str, second: &str) {
    let (is, is_not) = match (seen.get(first), seen.get(second)) {
        (Some(place), None) => (place, second),
        (None, Some(place)) => (place, first),
        _ => return,
    };
    let words = format!("needs {is_not} beside it");
    report.because(is, words);
}

/// Reads one table by `sections`, whose paths are those of its tables; `None` where it is no table.
fn entry<T>(
    report: &mut Report<'_>,
    sections: &'static [Section<T>],
    target: &mut T,
    place: &Place,
    value: &Spanned<DeValue<'_>>,
) -> Option<Seen> {
    let DeValue::Table(table) = value.get_ref() else {
        report.problem(&place.written, &place.key, None, Reason::Allowed("a table".into()));
        return None;
    };
    let mut seen = Seen::new();
    table_of(report, sections, "", target, &place.written, table, &mut seen);
    Some(seen)
}

fn table_of<T>(
    report: &mut Report<'_>,
    sections: &'static [Section<T>],
    path: &str,
    target: &mut T,
    written: &str,
    table: &DeTable<'_>,
    seen: &mut Seen,
) {
    let Some(section) = sections.iter().find(|section| section.path == path) else { return };
    for (name, value) in table {
        let place = Place { written: join(written, &key_text(name.get_ref())), key: name.span(), value: value.span() };
        let known = join(path, name.get_ref());
        if let Some(key) = section.key(name.get_ref()) {
            if let Err(rejected) = key.field.set(target, value) {
                for part in rejected {
                    let name = format!("{}{}", place.written, shorten(&part.suffix));
                    let value = report.shown(&part.span, &key.field);
                    report.problem(&name, &part.span, Some(value), Reason::Allowed(key.field.to_string()));
                }
            }
            seen.insert(known, place);
        } else if let (Some(_), DeValue::Table(inner)) =
            (sections.iter().find(|section| section.path == known && path.is_empty()), value.get_ref())
        {
            table_of(report, sections, &known, target, &place.written, inner, seen);
        } else {
            let tables =
                sections.iter().map(|section| section.path).filter(|other| path.is_empty() && !other.is_empty());
            let near = closest(name.get_ref(), section.keys.iter().map(|key| key.name).chain(tables));
            let meant = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            let line = Some(report.line(&place));
            report.warn(line, &place.written, format!("unknown key, ignored{meant}"), WarningKind::UnknownKey);
        }
    }
}
