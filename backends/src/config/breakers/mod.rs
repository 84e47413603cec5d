//! `[breakers.NAME]` and `[templates.NAME]`: many breakers in one file.
//!
//! Each table is read once into a [`Layer`](layer::Layer); a breaker's settings are those of the root, then those of its templates from the
//! outermost to the nearest, then its own. A scalar, array or table replaces what was inherited as a whole.

mod collisions;
mod layer;
mod named;
mod tables;

use std::collections::HashMap;

use toml::de::DeTable;

use super::model::Config;
use super::report::{Place, Report};
use layer::Kind;
pub(crate) use named::Named;

/// The table of all breakers.
pub(crate) const BREAKERS: &str = "breakers";
/// The table of all templates.
pub(crate) const TEMPLATES: &str = "templates";
/// Breakers of a process, at most.
const MAX_BREAKERS: usize = 10_000;
/// Tables that a breaker's settings come from, its own included and the root not.
const MAX_LEVELS: usize = 4;

/// The root, which every breaker starts from.
pub(crate) struct Root<'a> {
    pub(crate) config: &'a Config,
    pub(crate) seen: &'a HashMap<String, Place>,
}

/// Reads the breakers and templates of `file`.
pub(crate) fn read(report: &mut Report<'_>, root: &Root<'_>, file: &DeTable<'_>) -> Named {
    let templates = tables::read(report, Kind::Template, file);
    let breakers = tables::read(report, Kind::Breaker, file);
    let named = Named::new(report, root, &templates, &breakers);
    collisions::report_aliases(report, named.breakers());
    named
}
