//! The parts of the program that apply a change of the configuration.

use tripline_runtime::{Breaker, BreakerName};

#[cfg(feature = "api")]
use crate::circuit::Circuit;
use crate::config::{BreakerConfig, Config};

/// Brings a changed configuration into effect. It is called on the thread that owns the configuration, one change after
/// the other, and a change is answered when all appliers are done: it should be quick. A panic is logged, and the applier
/// is called again with the next change.
pub trait Applier: Send {
    /// `old` was in force, `new` is from now on. They may be equal in everything that this applier is about.
    fn apply(&mut self, old: &Config, new: &Config);

    /// An operator asked for a reload, and the configuration is the same: reads the files that it names again, where there are any.
    /// Default: nothing.
    fn refresh(&mut self, _config: &Config) {}
}

impl<F: FnMut(&Config, &Config) + Send> Applier for F {
    fn apply(&mut self, old: &Config, new: &Config) {
        self(old, new);
    }

    fn refresh(&mut self, config: &Config) {
        self(config, config);
    }
}

/// The settings of a breaker before and after; `None` for one that is not in both.
fn settings_of<'c>(
    name: &BreakerName,
    old: &'c Config,
    new: &'c Config,
) -> Option<(&'c BreakerConfig, &'c BreakerConfig)> {
    // Where the file no longer names breakers, the root is the only one, and not another name for the others.
    let is_left = !old.breakers.is_empty() && new.breakers.is_empty() && new.breaker.name != *name;
    Some((old.settings_of(name.as_str())?, new.settings_of(name.as_str())?)).filter(|_| !is_left)
}

/// The policy applies between two samples and the window is kept. Whether the breaker is enabled changes only where the
/// configuration changes it.
impl Applier for Breaker {
    fn apply(&mut self, old: &Config, new: &Config) {
        let Some((old, new)) = settings_of(self.name(), old, new) else { return };
        if let Err(error) = new.apply_policy(old, self) {
            tracing::error!(breaker = self.name().as_str(), %error, "the changed settings cannot be applied; the previous ones stay in force");
        }
    }
}

/// Its policy and its alerts; see [`Circuit::apply`].
#[cfg(feature = "api")]
impl Applier for Circuit {
    fn apply(&mut self, old: &Config, new: &Config) {
        if let Some((old, new)) = settings_of(self.name(), old, new) {
            Self::apply(self, old, new);
        }
    }
}
