//! What can be set and has no effect yet.

use super::model::Config;
use super::problem::Warning;

/// A key that is read and checked, and that nothing in the `tripline` binary answers to yet.
struct Unserved {
    /// With its section.
    key: &'static str,
    is_set: fn(&Config) -> bool,
    effect: &'static str,
}

/// When one of these is served, its line goes, and with it the warnings and the comment in the recommended text.
const UNSERVED: [Unserved; 1] = [Unserved {
    key: "state_dir",
    is_set: |config| config.state_dir.is_some(),
    effect: "not served by this version: nothing is kept over a restart",
}];

/// What `config` asks for and the `tripline` binary of this version does not do; `file` is what the warnings call the
/// configuration.
pub fn unserved(config: &Config, file: &str) -> Vec<Warning> {
    let set = UNSERVED.iter().filter(|unserved| (unserved.is_set)(config));
    set.map(|unserved| Warning {
        file: file.into(),
        line: None,
        key: unserved.key.into(),
        message: unserved.effect.into(),
    })
    .collect()
}

/// What a key with its section does not do yet; `None` for those that are served.
pub(crate) fn effect(key: &str) -> Option<&'static str> {
    UNSERVED.iter().find(|unserved| unserved.key == key).map(|unserved| unserved.effect)
}
