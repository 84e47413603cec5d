//! Breakers that could not be distinguished outside this process.
//!
//! Folders on disk need no check: their names are distinct wherever breakers differ by more than case, which is checked with the names.

use std::collections::HashMap;

use super::named::NamedBreaker;
use crate::alert_subject::alert_subject;
use crate::config::report::Report;

/// Reports breakers whose alerts would share an alias: one would update and close the incident of the other.
pub(super) fn report_aliases(report: &mut Report<'_>, breakers: &[NamedBreaker]) {
    let mut by_subject: HashMap<String, &NamedBreaker> = HashMap::new();
    for breaker in breakers {
        let opsgenie = &breaker.config.opsgenie;
        let subject = alert_subject(&opsgenie.api_namespace, &opsgenie.api_name, &breaker.config.name);
        if let Some(other) = by_subject.get(&subject).filter(|other| other.config.name != breaker.config.name) {
            let line = report.line(&other.place);
            let words = format!(
                "its alerts would have the alias of those of {} on line {line}, {subject}; give one of the two another \
                 alerts.api_name, or another name",
                other.place.written
            );
            report.because(&breaker.place, words);
        } else {
            by_subject.insert(subject, breaker);
        }
    }
    // The alias of a member is that of its family, a slash and the key.
    for family in breakers.iter().filter(|breaker| breaker.config.is_family() && breaker.config.family.alerts_per_key) {
        let opsgenie = &family.config.opsgenie;
        let subject = alert_subject(&opsgenie.api_namespace, &opsgenie.api_name, &family.config.name);
        let inside = |(other, _): &(&String, &&NamedBreaker)| {
            other.strip_prefix(subject.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let mut others: Vec<_> = by_subject.iter().filter(inside).collect();
        others.sort_by_key(|(_, other)| other.place.key.start);
        for (other, breaker) in others {
            let line = report.line(&family.place);
            let words = format!(
                "its alerts would have the alias of those of a member of {} on line {line}, {other}; give it another alerts.api_name",
                family.place.written
            );
            report.because(&breaker.place, words);
        }
    }
}
