//! Converts the stage of an alert into a page: priority, alias, and open, escalate or close.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use tripline_runtime::{Alert, AlertSink, DeliveryError, DeliveryStatus, FleetPart, Page, PageAction, Priority, Stage};

use super::alias::AliasNames;

/// The rules for pages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRules {
    /// The parts of an alias.
    pub names: AliasNames,
    /// Priority of an alert without stages. Default: P3.
    pub single: Priority,
    /// Priority of the first stage. Default: P3.
    pub initial: Priority,
    /// Priority of the second stage. Default: P1.
    pub escalated: Priority,
}

impl Default for PageRules {
    fn default() -> Self {
        Self { names: AliasNames::default(), single: Priority::P3, initial: Priority::P3, escalated: Priority::P1 }
    }
}

impl PageRules {
    /// The page for `alert`. A close has the current priority of the alert. An alert that already has an alias keeps it.
    pub fn page(&self, alert: &Alert) -> Page {
        let is_note = alert.fleet.as_ref().is_some_and(FleetPart::is_note);
        let (priority, action) = match alert.stage {
            Stage::Escalated if is_note => (self.escalated, PageAction::Note),
            Stage::Single if is_note => (self.single, PageAction::Note),
            _ if is_note => (self.initial, PageAction::Note),
            Stage::Single => (self.single, PageAction::Create),
            Stage::Initial => (self.initial, PageAction::Create),
            Stage::Escalated => (self.escalated, PageAction::Escalate),
            end if end.is_end() && alert.earlier.escalated != DeliveryStatus::NotSent => {
                (self.escalated, PageAction::Close)
            }
            end if end.is_end() => (self.single, PageAction::Close),
            _ => (self.single, PageAction::Create),
        };
        let mut alias = alert.alias.clone().unwrap_or_else(|| self.names.alias_of(alert));
        if alert.is_test {
            // This must not close an open alert.
            alias.push_str("/test");
        }
        Page::new(alias, priority, action)
    }
}

#[cfg(feature = "config")]
impl PageRules {
    /// The rules of a configuration. `host` is the fallback for a host that is not configured, if each host has its own
    /// alert.
    pub fn of(config: &crate::config::OpsGenie, host: &str) -> Self {
        use crate::config::AlertScope;
        let host = match (config.alert_scope, config.host()) {
            (AlertScope::Service, _) => "",
            (AlertScope::Host, "") => host,
            (AlertScope::Host, configured) => configured,
        };
        let names =
            AliasNames { namespace: config.api_namespace.clone(), api: config.api_name.clone(), host: host.to_owned() };
        let (single, initial) = (config.priority, config.initial_alert_priority);
        Self { names, single, initial, escalated: config.escalated_alert_priority }
    }
}

/// [`PageRules`] that several sinks share and that can be replaced while they run.
#[derive(Debug, Clone, Default)]
pub struct SharedRules(Arc<RwLock<PageRules>>);

impl SharedRules {
    /// Shares `rules`.
    pub fn new(rules: PageRules) -> Self {
        Self(Arc::new(RwLock::new(rules)))
    }

    /// The current rules.
    pub fn get(&self) -> PageRules {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the rules from the next attempt of every sink on.
    pub fn set(&self, rules: PageRules) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }
}

/// A sink that receives every alert with its [`Page`] filled in. It keeps no state of its own.
#[derive(Debug, Clone)]
pub struct Staged<S> {
    sink: S,
    rules: SharedRules,
}

impl<S> Staged<S> {
    /// Creates a sink that fills in pages by `rules` for `sink`.
    pub const fn new(sink: S, rules: SharedRules) -> Self {
        Self { sink, rules }
    }

    /// The sink inside.
    pub const fn sink(&self) -> &S {
        &self.sink
    }
}

#[async_trait]
impl<S: AlertSink> AlertSink for Staged<S> {
    fn name(&self) -> &str {
        self.sink.name()
    }

    fn alias(&self, alert: &Alert) -> Option<String> {
        Some(self.rules.get().names.alias_of(alert))
    }

    fn keeps_open(&self) -> bool {
        self.sink.keeps_open()
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let page = self.rules.get().page(alert);
        let mut alert = alert.clone();
        alert.page = Some(page);
        self.sink.deliver(&alert).await
    }
}
