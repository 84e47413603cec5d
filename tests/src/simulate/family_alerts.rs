//! Invariants of the alerts of a family: one for all members, or one for each.

use std::collections::BTreeSet;
use std::time::Duration;

use tripline_core::{EscalationPolicy, Instant};
use tripline_runtime::test_util::RecordingSink;

use super::violation::{Check, hold};
use crate::sim_support::s;

/// Time for an attempt to send an alert that is due.
const SENT_WITHIN: Duration = s(30);

/// Checks the alerts that are open. `incidents` are those of the members, each with its beginning; `calm_at` is the present time, where
/// alerts can be sent.
pub(super) fn check<'a>(
    pager: &RecordingSink,
    is_per_key: bool,
    incidents: impl Iterator<Item = (&'a str, Instant)>,
    calm_at: Option<Instant>,
) -> Check {
    let open = open(pager);
    let is_together = open.len() <= 1 && open.iter().all(Option::is_none);
    hold(is_per_key || is_together, "one alert per family", || format!("of {open:?}"))?;
    for key in open.iter().filter(|_| is_per_key) {
        let times = open.iter().filter(|other| *other == key).count();
        hold(key.is_some() && times == 1, "one alert per member", || format!("{key:?} has {times}"))?;
    }
    let late = SENT_WITHIN + EscalationPolicy::default().cooldown;
    for (key, since) in incidents {
        let is_due = calm_at.is_some_and(|now| now > since + late);
        let is_paged = open.iter().any(|other| !is_per_key || other.as_deref() == Some(key));
        hold(!is_due || is_paged, "paged", || format!("{key} is in an incident since {since:?}, open: {open:?}"))?;
    }
    Ok(())
}

/// The keys of the alerts that are open.
pub(super) fn open(pager: &RecordingSink) -> Vec<Option<String>> {
    let mut open = BTreeSet::new();
    for alert in pager.all() {
        let alias = (alert.key, alert.kind);
        if alert.stage.is_end() {
            open.remove(&alias);
        } else {
            open.insert(alias);
        }
    }
    open.into_iter().map(|(key, _)| key).collect()
}
