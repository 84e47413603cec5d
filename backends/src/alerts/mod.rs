//! Alert sinks: `OpsGenie` and its successor, webhooks in several formats, and the conversion of stages into pages.
//!
//! Path of an alert: the dispatcher hands it to [`Staged`], which fills in its [`Page`](tripline_runtime::Page). The sink
//! inside delivers it in one attempt and returns the result. The dispatcher owns retries, order and pauses: no sink sleeps.
//!
#![cfg_attr(all(feature = "opsgenie", feature = "webhook"), doc = "```")]
#![cfg_attr(not(all(feature = "opsgenie", feature = "webhook")), doc = "```ignore")]
//! use tripline_backends::alerts::{Alerting, AlertsView as _};
//! use tripline_backends::config::parse;
//! use tripline_backends::http_client::HyperClient;
//!
//! let text = "[webhook]\nenabled = true\nurl = \"https://hooks.example/4711\"\n";
//! let (mut config, _) = parse(text, "breakers.toml")?;
//! let alerting = Alerting::new(&config.breaker, &HyperClient::default());
//! // `alerting.connect(watch)` for the breaker, and `alerting.run(clock)` beside its supervisor.
//! assert_eq!(alerting.pending(), []);
//!
//! let old = config.clone();
//! config.breaker.webhook.enabled = false;
//! alerting.apply(&old.breaker, &config.breaker); // counts from the next attempt on
//! # Ok::<(), tripline_backends::config::ConfigErrors>(())
//! ```

#[cfg(all(feature = "opsgenie", feature = "webhook"))]
mod alerting;
mod alias;
#[cfg(any(feature = "opsgenie", feature = "webhook"))]
mod classify;
pub(crate) mod format;
#[cfg(feature = "opsgenie")]
pub mod opsgenie;
#[cfg(any(feature = "opsgenie", feature = "webhook"))]
mod proxy;
#[cfg(all(feature = "opsgenie", feature = "webhook"))]
mod sinks;
mod staged;
#[cfg(any(feature = "opsgenie", feature = "api"))]
mod status;
#[cfg(all(feature = "opsgenie", feature = "webhook"))]
mod test_page;
#[cfg(any(feature = "opsgenie", feature = "webhook"))]
mod transport;
#[cfg(any(feature = "opsgenie", feature = "api"))]
mod view;
#[cfg(feature = "webhook")]
pub mod webhook;

#[cfg(all(feature = "opsgenie", feature = "webhook"))]
pub use alerting::{Alerting, staging_policy};
pub use alias::{ALIAS_CHARS, AliasNames};
#[cfg(all(feature = "opsgenie", feature = "webhook"))]
pub use sinks::{AlertControl, AlertSinks, sinks};
pub use staged::{PageRules, SharedRules, Staged};
#[cfg(any(feature = "opsgenie", feature = "api"))]
pub use status::{ContactsStatus, OpsGenieStatus, TriggerFlags, Validation};
#[cfg(any(feature = "opsgenie", feature = "api"))]
pub use view::{AlertsView, PendingAlert, TestedSink};
