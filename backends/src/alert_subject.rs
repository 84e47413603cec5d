//! The subject of an alert: its text, and the beginning of its alias.

use tripline_runtime::BreakerName;

/// `[namespace/]api[-breaker]`. The breaker is left out where it is called `default`, or gives the API its name.
pub(crate) fn alert_subject(namespace: &str, api: &str, breaker: &BreakerName) -> String {
    let namespace = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
    match api {
        "" => format!("{namespace}{breaker}"),
        api if *breaker == BreakerName::default() => format!("{namespace}{api}"),
        api => format!("{namespace}{api}-{breaker}"),
    }
}
