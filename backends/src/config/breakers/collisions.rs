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
}
