//! Text for people and other programs: shortened, with control characters escaped, without secrets; times of day and numbers.

#[cfg(feature = "cli")]
pub(crate) mod escape;
#[cfg(feature = "api")]
mod glob;
#[cfg(feature = "api")]
mod number;
mod redact;
#[cfg(any(feature = "api", feature = "opsgenie", feature = "webhook"))]
mod rfc3339;
mod shorten;
mod template;

#[cfg(feature = "api")]
pub(crate) use glob::matches_glob;
#[cfg(feature = "api")]
pub(crate) use number::{percent, rough_percent, tidy};
pub(crate) use redact::{HIDDEN, redact, redact_url};
#[cfg(any(feature = "api", feature = "opsgenie", feature = "webhook"))]
pub(crate) use rfc3339::{rfc3339, rfc3339_checked};
pub(crate) use shorten::{escape_controls, shorten, shorten_line, shown};
pub(crate) use template::{Template, TemplateError};
