//! A warning about an alert that replicas share without a fleet.

use super::breaker::BreakerConfig;
use super::fleet::FleetEngineKind;
use super::model::Config;
use super::opsgenie::AlertScope;

/// The warning about an alert that several replicas would share without a fleet; `None` where there is none such.
///
/// ```
/// use tripline_backends::config::{parse, shared_alert_warning};
///
/// let (config, _) = parse("[opsgenie]\nenabled = true\n", "breakers.toml")?;
/// assert!(shared_alert_warning(&config).is_some_and(|warning| warning.contains("[fleet]")));
/// # Ok::<(), tripline_backends::config::ConfigErrors>(())
/// ```
pub fn shared_alert_warning(config: &Config) -> Option<String> {
    let shares =
        |breaker: &BreakerConfig| breaker.opsgenie.enabled && breaker.opsgenie.alert_scope == AlertScope::Service;
    (config.fleet.engine == FleetEngineKind::Off && config.all_breakers().iter().any(shares)).then(|| {
        "opsgenie.alert_scope = \"service\" without [fleet]: with more than one replica the first that recovers closes the \
         alert of all; set fleet.engine, or alert_scope = \"host\" (with one replica nothing is to be done)"
            .to_owned()
    })
}
