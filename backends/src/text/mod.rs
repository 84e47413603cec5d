//! Text for people and other programs: shortening, escaping, redaction, times of day and numbers.

#[cfg(feature = "cli")]
pub(crate) mod escape;
#[cfg(any(feature = "api", feature = "replay", feature = "tower"))]
mod glob;
#[cfg(feature = "api")]
mod number;
#[cfg(any(feature = "replay", feature = "tower"))]
mod path_patterns;
mod percent;
mod redact;
#[cfg(any(feature = "api", feature = "opsgenie", feature = "webhook"))]
mod rfc3339;
mod shorten;
mod target;
mod template;

#[cfg(feature = "api")]
pub(crate) use glob::matches_glob;
#[cfg(any(feature = "replay", feature = "tower"))]
pub(crate) use glob::matches_glob_bytes;
#[cfg(feature = "api")]
pub(crate) use number::{percent, rough_percent, tidy};
#[cfg(any(feature = "replay", feature = "tower"))]
pub use path_patterns::PathPatterns;
pub(crate) use percent::percent_decoded;
pub(crate) use redact::{HIDDEN, redact, redact_url};
#[cfg(any(feature = "api", feature = "opsgenie", feature = "webhook"))]
pub(crate) use rfc3339::{rfc3339, rfc3339_checked};
pub(crate) use shorten::{escape_controls, shorten, shorten_line, shown};
pub(crate) use target::{decoded_segment, path_segment, without_port, without_query};
pub(crate) use template::{Template, TemplateError};
