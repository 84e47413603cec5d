//! From tables to breakers: inheritance.

use std::collections::{HashMap, HashSet};

use tripline_runtime::core::Policy;
use tripline_runtime::{BreakerName, MAX_FAMILY_WINDOW};

use super::layer::Layer;
use super::root::{MAX_LEVELS, Root};
use crate::config::breaker::BreakerConfig;
use crate::config::error::{Reason, WarningKind};
use crate::config::fleet::FleetEngineKind;
use crate::config::keys::{ALERTS, FAMILY, Key, alert_keys, family_key, is_own_key, join, section};
use crate::config::lints::advice;
use crate::config::model::Config;
use crate::config::report::{Place, Report};
use crate::config::resolved::{Origin, ResolvedBreaker, ResolvedSetting};
use crate::config::source::shorten;
use crate::config::value::DAY_SECONDS;
use crate::suggest::closest;

/// By what `per_key` is known.
const PER_KEY_PATH: &str = "alerts.per_key";
/// A chain of templates is followed so far; one of half the length is too long already.
const MAX_CHAIN: usize = 64;

/// The named breakers of a file.
#[derive(Default)]
pub(crate) struct Named {
    breakers: Vec<NamedBreaker>,
}

/// One breaker with its settings, and where they were set.
pub(super) struct NamedBreaker {
    /// Of its header.
    pub(super) place: Place,
    pub(super) config: BreakerConfig,
    /// The keys that its tables set, by what they are known by at the top of the file.
    set: HashMap<String, Place>,
}

impl Named {
    pub(super) fn new(
        report: &mut Report<'_>,
        root: &Root<'_>,
        templates: &[Layer<'_>],
        breakers: &[Layer<'_>],
    ) -> Self {
        let templates = Templates::new(report, templates, breakers);
        let named = breakers.iter().filter_map(|layer| {
            let chain = templates.chain(layer);
            let ends = chain.last().is_none_or(|last| templates.next(last).is_none());
            if (ends && chain.len() > MAX_LEVELS) || chain.len() == MAX_CHAIN {
                let words = format!(
                    "inherits through {} tables, {}; allowed: at most {MAX_LEVELS}, its own included",
                    chain.len(),
                    chain
                        .iter()
                        .take(2 * MAX_LEVELS)
                        .map(|layer| layer.place.written.as_str())
                        .collect::<Vec<_>>()
                        .join(" -> ")
                );
                report.because(&layer.place, words);
            }
            // A name that is not valid was reported.
            let name = BreakerName::new(&layer.name).ok()?;
            Some(NamedBreaker::new(report, root, name, layer, &chain))
        });
        Self { breakers: named.collect() }
    }

    pub(super) fn breakers(&self) -> &[NamedBreaker] {
        &self.breakers
    }

    /// Their settings, in the order of the file.
    pub(crate) fn configs(&self) -> Vec<BreakerConfig> {
        self.breakers.iter().map(|breaker| breaker.config.clone()).collect()
    }

    /// Warns of settings that are probably mistakes, each line and message once, however many breakers inherit it.
    pub(crate) fn warn(&self, report: &mut Report<'_>, root: &Root<'_>) {
        let Some(first) = self.breakers.first() else { return };
        let name = &root.config.breaker.name;
        if self.breakers.iter().all(|breaker| breaker.config.name != *name) {
            let line = root.seen.get("name").map_or_else(|| report.line(&first.place), |place| report.line(place));
            let words = format!("the root is no longer a breaker; add [breakers.{name}] to keep it");
            report.warn(Some(line), "breakers", words, WarningKind::Unlikely);
        }
        let mut known = HashSet::new();
        for breaker in &self.breakers {
            if let Some((place, words)) = breaker.useless_family_key()
                && known.insert((place.key.start, words.to_owned()))
            {
                report.warn(Some(report.line(place)), &place.written, words.to_owned(), WarningKind::Unlikely);
            }
            if let Some(place) = breaker
                .set
                .get(PER_KEY_PATH)
                .filter(|_| breaker.config.family.alerts_per_key && root.config.fleet.engine != FleetEngineKind::Off)
                && known.insert((place.key.start, String::new()))
            {
                let words = "a fleet does not share incidents of single members: each replica pages for its own; set it to false, or \
                             remove [fleet]";
                report.warn(Some(report.line(place)), &place.written, words.to_owned(), WarningKind::Unlikely);
            }
            let place = |key: &str| breaker.set.get(key).or_else(|| root.seen.get(key));
            for (key, message) in advice(&root.config.view_of(&breaker.config), &|key| place(key).is_some()) {
                let at = place(key).unwrap_or(&breaker.place);
                let written = if place(key).is_some() { at.written.clone() } else { format!("{}.{key}", at.written) };
                if known.insert((at.key.start, message.clone())) {
                    report.warn(Some(report.line(at)), &written, message, WarningKind::Unlikely);
                }
            }
        }
    }

    /// Every setting with its origin; without named breakers those of the root.
    pub(crate) fn resolved(&self, report: &Report<'_>, root: &Root<'_>) -> Vec<ResolvedBreaker> {
        let empty = HashMap::new();
        let settings = |config: &BreakerConfig, set: &HashMap<String, Place>| {
            let view = root.config.view_of(config);
            let setting = |shown: String, path: &str, key: &Key<Config>| {
                let place = set.get(path).or_else(|| root.seen.get(path));
                let origin = place.map_or(Origin::Default, |place| Origin::File {
                    written: place.written.clone(),
                    line: report.line(place),
                });
                ResolvedSetting { key: shown, value: key.field.show(&view), origin }
            };
            let own = section("").into_iter().flat_map(|section| section.keys).filter(|key| is_own_key(key.name));
            let own = own.map(|key| setting(key.name.to_owned(), key.name, key));
            // A key of families, as those of `family` below.
            let alerts =
                alert_keys().filter(|alert| config.is_family() || join(ALERTS, alert.key.name) != PER_KEY_PATH);
            let alerts = alerts.map(|alert| {
                let table = if alert.is_inherited { "opsgenie" } else { ALERTS };
                setting(join(ALERTS, alert.key.name), &join(table, alert.key.name), alert.key)
            });
            let family = FAMILY.iter().filter(|_| config.is_family());
            let family = family.map(|key| setting(key.name.to_owned(), key.name, key));
            own.chain(family).chain(alerts).collect()
        };
        if self.breakers.is_empty() {
            let root = &root.config.breaker;
            return vec![ResolvedBreaker { name: root.name.clone(), settings: settings(root, &empty) }];
        }
        let resolve = |breaker: &NamedBreaker| ResolvedBreaker {
            name: breaker.config.name.clone(),
            settings: settings(&breaker.config, &breaker.set),
        };
        self.breakers.iter().map(resolve).collect()
    }
}

impl NamedBreaker {
    fn new(
        report: &mut Report<'_>,
        root: &Root<'_>,
        name: BreakerName,
        layer: &Layer<'_>,
        chain: &[&Layer<'_>],
    ) -> Self {
        let mut view = root.config.view_of(&root.config.breaker);
        let mut set = HashMap::new();
        for assigned in chain.iter().rev().flat_map(|layer| &layer.values) {
            // The value was accepted when its table was read.
            let _ = assigned.key.field.set(&mut view, assigned.value);
            set.insert(assigned.path.clone(), assigned.place.clone());
        }
        let mut config = view.breaker;
        config.name = name;
        config.settle_alerts();
        let mut breaker = Self { place: layer.place.clone(), config, set };
        breaker.longest_wait(report, root);
        breaker.family_window(report, root);
        breaker
    }

    /// Members are small: their window is too.
    fn family_window(&self, report: &mut Report<'_>, root: &Root<'_>) {
        let window = self.config.policy.latency_window_size.get();
        if !self.config.is_family() || window <= MAX_FAMILY_WINDOW {
            return;
        }
        let place = self.set.get("latency_window_size").or_else(|| root.seen.get("latency_window_size"));
        let place = place.unwrap_or(&self.place);
        let allowed = format!(
            "at most {MAX_FAMILY_WINDOW} in a family; set latency_window_size in [{}], or remove its key",
            self.place.written
        );
        report.problem(&place.written, &place.key, Some(window.to_string()), Reason::Allowed(allowed));
    }

    /// A key of a family in the table of a single breaker.
    fn useless_family_key(&self) -> Option<(&Place, &'static str)> {
        if self.config.is_family() {
            return None;
        }
        let mut keys = self.set.keys().filter(|key| family_key(key).is_some());
        let place = keys.next().and_then(|key| self.set.get(key)).or_else(|| self.set.get(PER_KEY_PATH))?;
        Some((place, "has no effect without key: only a family has members; set key, or remove it"))
    }

    /// As at the top of the file: unset, the longest wait follows a long `wait_time`; set, it must not lie below it.
    fn longest_wait(&mut self, report: &mut Report<'_>, root: &Root<'_>) {
        let policy = &mut self.config.policy;
        let own = [self.set.get("max_wait_time"), self.set.get("wait_time")];
        if own[0].is_none() && !root.seen.contains_key("max_wait_time") {
            policy.max_wait_time = Policy::default().max_wait_time.max(policy.wait_time);
        } else if policy.max_wait_time < policy.wait_time {
            // Where both are the root's, the root's problem says it.
            let Some(place) = own.into_iter().flatten().next() else { return };
            let allowed = format!(
                "wait_time at most max_wait_time, and that at most {DAY_SECONDS} (seconds); {} has wait_time = {} and \
                 max_wait_time = {}",
                self.place.written,
                policy.wait_time.as_secs_f64(),
                policy.max_wait_time.as_secs_f64()
            );
            let shown = shorten(report.source.written(place.value.clone()));
            report.problem(&place.written, &place.value, Some(shown), Reason::Allowed(allowed));
        }
    }
}

/// The templates of a file by name.
struct Templates<'a, 't> {
    by_name: HashMap<&'a str, &'a Layer<'t>>,
}

impl<'a, 't> Templates<'a, 't> {
    /// Reports each `inherit` that names no template, and each circle once.
    fn new(report: &mut Report<'_>, templates: &'a [Layer<'t>], breakers: &[Layer<'_>]) -> Self {
        let by_name: HashMap<&str, &Layer<'_>> = templates.iter().map(|layer| (layer.name.as_str(), layer)).collect();
        for (name, place) in templates.iter().chain(breakers).filter_map(|layer| layer.inherit.as_ref()) {
            if !by_name.contains_key(name.as_str()) {
                let shown = shorten(name);
                let words = if breakers.iter().any(|breaker| breaker.name == *name) {
                    format!(
                        "is a breaker, and only templates are inherited; move what both share into [templates.{shown}]"
                    )
                } else {
                    let near = closest(name, by_name.keys().copied());
                    let meant = near.map_or_else(
                        || format!("add [templates.{shown}], or remove the key"),
                        |near| format!("did you mean {near}?"),
                    );
                    format!("no such template; {meant}")
                };
                report.problem(&place.written, &place.value, Some(format!("\"{shown}\"")), Reason::Because(words));
            }
        }
        let all = Self { by_name };
        let mut in_circle: HashSet<&str> = HashSet::new();
        for layer in templates {
            let chain = all.chain(layer);
            let last = chain.last().and_then(|last| last.inherit.as_ref());
            let closes = last.is_some_and(|(name, _)| *name == layer.name);
            if closes && !in_circle.contains(layer.name.as_str()) {
                in_circle.extend(chain.iter().map(|layer| layer.name.as_str()));
                let names: Vec<&str> = chain.iter().map(|layer| layer.name.as_str()).collect();
                let words = format!("inherits itself: {} -> {}; remove one inherit", names.join(" -> "), layer.name);
                report.because(&layer.place, words);
            }
        }
        all
    }

    /// `layer`, the template that it names, the one that this names, and so on; a circle ends it before a table comes twice.
    fn chain<'l>(&self, layer: &'l Layer<'t>) -> Vec<&'l Layer<'t>>
    where
        'a: 'l,
    {
        let mut chain = vec![layer];
        let mut next = self.next(layer);
        while let Some(template) = next.filter(|_| chain.len() < MAX_CHAIN) {
            if chain.iter().any(|known| std::ptr::eq(*known, template)) {
                break;
            }
            chain.push(template);
            next = self.next(template);
        }
        chain
    }

    /// The template that `layer` names.
    fn next(&self, layer: &Layer<'_>) -> Option<&'a Layer<'t>> {
        let (name, _) = layer.inherit.as_ref()?;
        self.by_name.get(name.as_str()).copied()
    }
}
