//! `[breakers.NAME]` and `[templates.NAME]`: many breakers in one file.
//!
//! Each table is read once into a [`Layer`](layer::Layer); a breaker's settings are those of the root, then those of its templates from the
//! outermost to the nearest, then its own. A scalar, array or table replaces what was inherited as a whole.

mod collisions;
mod layer;
mod named;
mod root;
mod tables;

use toml::de::DeTable;

use super::report::Report;
use layer::Kind;
pub(crate) use named::Named;
#[cfg(feature = "cli")]
pub(crate) use root::RESERVED_NAMES;
pub(crate) use root::{BREAKERS, INHERIT, Root, TEMPLATES};

/// Reads the breakers and templates of `file`.
pub(crate) fn read(report: &mut Report<'_>, root: &Root<'_>, file: &DeTable<'_>) -> Named {
    let templates = tables::read(report, Kind::Template, file);
    let breakers = tables::read(report, Kind::Breaker, file);
    let named = Named::new(report, root, &templates, &breakers);
    collisions::report_aliases(report, named.breakers());
    named
}
