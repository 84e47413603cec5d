//! Text for people: shortened, with control characters escaped, without secrets, and times of day.

mod redact;
#[cfg(any(feature = "api", feature = "opsgenie", feature = "webhook"))]
mod rfc3339;
mod shorten;
mod template;

pub(crate) use redact::{HIDDEN, redact, redact_url};
#[cfg(any(feature = "api", feature = "opsgenie", feature = "webhook"))]
pub(crate) use rfc3339::{rfc3339, rfc3339_checked};
pub(crate) use shorten::{escape_controls, shorten, shorten_line};
pub(crate) use template::{Template, TemplateError};
