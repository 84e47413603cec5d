//! The requests that deliver an alert, and the outcome of each. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use tripline_runtime::{DeliveryError, DeliveryHistory, DeliveryStatus, Page, PageAction, Priority};

use crate::alerts::alias::ESCALATED;
use crate::config::Provider;

/// One request that changes an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Opens an alert. If it is already open, the service only increments its count.
    Create { alias: String, priority: Priority },
    /// Changes the priority of an open alert.
    Raise { alias: String, priority: Priority },
    /// Adds a note that the incident goes on. `or_create`: opens the alert if there is none.
    Note { alias: String, priority: Priority, or_create: bool },
    /// Closes an alert.
    Close { alias: String, tries: Tries },
}

/// Remaining attempts of a close that the service rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tries {
    /// Number of repeated closes after the service reports that no alert exists: a create without a response may still
    /// take effect.
    missing: u8,
    /// Number of repeated closes after a failure.
    failed: u8,
}

/// Time within which a create without a response takes effect.
const APPEARS_WITHIN: Duration = Duration::from_secs(2);

impl Tries {
    const fn of(arrival: DeliveryStatus) -> Self {
        Self { missing: if matches!(arrival, DeliveryStatus::Unconfirmed) { 2 } else { 0 }, failed: 10 }
    }
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The request took effect.
    Done,
    /// The alert does not exist.
    Missing,
    /// The request was accepted and then failed.
    Failed(String),
}

/// The remaining steps for one alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan(VecDeque<Step>);

impl Plan {
    /// Plans the requests for a page, given the requests that were sent before.
    ///
    /// `OpsGenie` has one alert, whose priority is raised. Its successor documents no such request: there the second
    /// stage is an alert of its own, and both are closed at the end.
    pub(super) fn new(provider: Provider, page: &Page, alias: &str, earlier: DeliveryHistory) -> Self {
        let (alias, second, priority) = (alias.to_owned(), format!("{alias}{ESCALATED}"), page.priority);
        let created = earlier.created != DeliveryStatus::NotSent;
        let escalated = earlier.escalated != DeliveryStatus::NotSent;
        let steps = match (page.action, provider) {
            (PageAction::Escalate, Provider::OpsGenie) if created => {
                vec![Step::Raise { alias: alias.clone(), priority }, Step::Note { alias, priority, or_create: true }]
            }
            (PageAction::Create, _) | (PageAction::Escalate, Provider::OpsGenie) => {
                vec![Step::Create { alias, priority }]
            }
            (PageAction::Note, provider) => {
                vec![Step::Note { alias, priority, or_create: matches!(provider, Provider::OpsGenie) }]
            }
            (PageAction::Escalate, Provider::Jsm) => {
                let note = created.then_some(Step::Note { alias, priority, or_create: false });
                std::iter::once(Step::Create { alias: second, priority }).chain(note).collect()
            }
            (PageAction::Close, Provider::OpsGenie) if created || escalated => {
                vec![Step::Close { alias, tries: Tries::of(certain(earlier)) }]
            }
            (PageAction::Close, Provider::Jsm) => {
                let first = created.then_some(Step::Close { alias, tries: Tries::of(earlier.created) });
                let second = escalated.then_some(Step::Close { alias: second, tries: Tries::of(earlier.escalated) });
                second.into_iter().chain(first).collect()
            }
            _ => Vec::new(),
        };
        Self(steps.into())
    }

    pub(super) fn next(&self) -> Option<&Step> {
        self.0.front()
    }

    /// Applies the outcome of the next step.
    ///
    /// # Errors
    /// The error says when and why the step is repeated.
    pub(super) fn settle(&mut self, outcome: Outcome) -> Result<(), DeliveryError> {
        let again = |reason| Err(DeliveryError::Retryable { after: None, reason });
        match (self.0.front_mut(), outcome) {
            (Some(Step::Create { .. }), Outcome::Missing) => return again("no such alert".to_owned()),
            (Some(Step::Create { .. }), Outcome::Failed(reason)) => return again(reason),
            (
                Some(Step::Raise { alias, priority } | Step::Note { alias, priority, or_create: true }),
                Outcome::Missing | Outcome::Failed(_),
            ) => {
                // The alert was closed by hand or never arrived, and the incident goes on.
                let create = Step::Create { alias: std::mem::take(alias), priority: *priority };
                self.0 = VecDeque::from([create]);
                return Ok(());
            }
            (Some(Step::Close { tries, .. }), Outcome::Missing) if tries.missing > 0 => {
                tries.missing -= 1;
                return Err(DeliveryError::Pending { after: APPEARS_WITHIN });
            }
            (Some(Step::Close { tries, .. }), Outcome::Failed(reason)) if tries.failed > 0 => {
                tries.failed -= 1;
                return again(reason);
            }
            (Some(Step::Close { alias, .. }), Outcome::Failed(reason)) => {
                tracing::warn!(
                    alias = alias.as_str(),
                    reason,
                    "the alert service did not close an alert, which may still be open; close it by hand"
                );
            }
            _ => {}
        }
        self.0.pop_front();
        Ok(())
    }
}

/// The delivery status of an alert that both stages share.
const fn certain(earlier: DeliveryHistory) -> DeliveryStatus {
    match (earlier.created, earlier.escalated) {
        (DeliveryStatus::Confirmed, _) | (_, DeliveryStatus::Confirmed) => DeliveryStatus::Confirmed,
        _ => DeliveryStatus::Unconfirmed,
    }
}
