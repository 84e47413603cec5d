//! The root that every breaker starts from, and the names of the tables.

use std::collections::HashMap;

use crate::config::model::Config;
use crate::config::report::Place;

/// The table of all breakers.
pub(crate) const BREAKERS: &str = "breakers";
/// The table of all templates.
pub(crate) const TEMPLATES: &str = "templates";
/// Names that no breaker may have: the API has routes of these names.
pub(crate) const RESERVED_NAMES: [&str; 4] = ["events", "reset", "enable", "disable"];
/// The key that names the template of a breaker, or of a template.
pub(crate) const INHERIT: &str = "inherit";
/// Tables that a breaker's settings come from, its own included and the root not.
pub(super) const MAX_LEVELS: usize = 4;

/// The root, which every breaker starts from.
pub(crate) struct Root<'a> {
    pub(crate) config: &'a Config,
    pub(crate) seen: &'a HashMap<String, Place>,
}
