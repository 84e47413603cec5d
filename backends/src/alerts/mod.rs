//! Where alerts go: to `OpsGenie` and its successor, to any address as JSON, and how stages become pages.
//!
//! The way of an alert: the dispatcher hands it to [`Staged`], which says how people are paged; the sink inside brings it
//! there, in one attempt, and tells how it went. Retries, order and waiting are the dispatcher's: no sink sleeps.
//!
#![cfg_attr(all(feature = "opsgenie", feature = "webhook"), doc = "```")]
#![cfg_attr(not(all(feature = "opsgenie", feature = "webhook")), doc = "```ignore")]
//! use tripline_backends::alerts::Alerting;
//! use tripline_backends::config::parse;
//! use tripline_backends::http_client::HyperClient;
//!
//! let text = "[webhook]\nenabled = true\nurl = \"https://hooks.example/4711\"\n";
//! let (mut config, _) = parse(text, "breakers.toml")?;
//! let alerting = Alerting::new(&config.breaker, &HyperClient::default());
//! // `alerting.connect(watch)` for the breaker, and `alerting.run(clock)` beside its supervisor.
//! assert_eq!(alerting.view().pending, []);
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
mod answer;
pub(crate) mod figures;
#[cfg(feature = "opsgenie")]
pub mod opsgenie;
#[cfg(all(feature = "opsgenie", feature = "webhook"))]
mod sinks;
mod staged;
#[cfg(feature = "api")]
pub mod view;
#[cfg(feature = "webhook")]
pub mod webhook;
#[cfg(any(feature = "opsgenie", feature = "webhook"))]
mod wire;

#[cfg(all(feature = "opsgenie", feature = "webhook"))]
pub use alerting::{Alerting, AlertsView, PendingView, staging_policy};
pub use alias::{ALIAS_CHARS, AliasNames, SameAlias, check_aliases};
#[cfg(all(feature = "opsgenie", feature = "webhook"))]
pub use sinks::{AlertControl, AlertSinks, sinks};
pub use staged::{PageRules, SharedRules, Staged};
