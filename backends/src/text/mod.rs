//! Text for people and other programs: times of day and numbers.

#[cfg(feature = "cli")]
pub(crate) mod escape;
mod number;
mod rfc3339;

pub(crate) use number::{percent, rough_percent, tidy};
pub(crate) use rfc3339::{rfc3339, rfc3339_checked};
