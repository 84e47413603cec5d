//! Where alerts go: to `OpsGenie` and its successor, to any address as JSON, and how stages become pages.
//!
//! The way of an alert: the dispatcher hands it to [`Staged`], which says how people are paged; the sink inside brings it
//! there, in one attempt, and tells how it went. Retries, order and waiting are the dispatcher's: no sink sleeps.
//!
#![cfg_attr(all(feature = "opsgenie", feature = "webhook"), doc = "```")]
#![cfg_attr(not(all(feature = "opsgenie", feature = "webhook")), doc = "```ignore")]
//! use tripline_backends::alerts::sinks;
//! use tripline_backends::config::parse;
//! use tripline_backends::http_client::HyperClient;
//!
//! let text = "[webhook]\nenabled = true\nurl = \"https://hooks.example/4711\"\n";
//! let (mut config, _) = parse(text, "breakers.toml")?;
//! let made = sinks(&config, &HyperClient::default());
//! let names: Vec<_> = made.sinks.iter().map(|sink| sink.name()).collect();
//! assert_eq!(names, ["log", "webhook"]); // for `Watch::sink`
//!
//! config.webhook.enabled = false;
//! made.control.set_config(&config); // counts from the next attempt on
//! # Ok::<(), tripline_backends::config::ConfigErrors>(())
//! ```

mod alias;
#[cfg(any(feature = "opsgenie", feature = "webhook"))]
mod answer;
pub(crate) mod figures;
#[cfg(feature = "opsgenie")]
pub mod opsgenie;
#[cfg(all(feature = "opsgenie", feature = "webhook"))]
mod sinks;
mod staged;
#[cfg(feature = "webhook")]
pub mod webhook;
#[cfg(any(feature = "opsgenie", feature = "webhook"))]
mod wire;

pub use alias::{ALIAS_CHARS, AliasNames, SameAlias, check_aliases};
#[cfg(all(feature = "opsgenie", feature = "webhook"))]
pub use sinks::{AlertControl, AlertSinks, sinks};
pub use staged::{PageRules, SharedRules, Staged};
