//! The parts of the program that follow a change of the configuration.

use tripline_runtime::Breaker;

#[cfg(feature = "api")]
use crate::circuit::Circuit;
use crate::config::Config;

/// Brings a changed configuration into effect. It is called on the thread that owns the configuration, one change after
/// the other, and a change is answered when all appliers are done: it should be quick. A panic is logged, and the applier
/// is called again with the next change.
pub trait Applier: Send {
    /// `old` was in force, `new` is from now on. They may be equal in everything that this applier is about.
    fn apply(&mut self, old: &Config, new: &Config);
}

impl<F: FnMut(&Config, &Config) + Send> Applier for F {
    fn apply(&mut self, old: &Config, new: &Config) {
        self(old, new);
    }
}

/// The policy applies between two samples and the window is kept. Whether the breaker is enabled changes only where the
/// configuration changes it.
impl Applier for Breaker {
    fn apply(&mut self, old: &Config, new: &Config) {
        // One that is not in both needs a restart, which the log says.
        let name = self.name().as_str();
        let (Some(old), Some(new)) = (old.settings_of(name), new.settings_of(name)) else { return };
        if let Err(error) = new.apply_policy(old, self) {
            tracing::error!(breaker = self.name().as_str(), %error, "the changed settings could not be applied");
        }
    }
}

/// Its policy and its alerts; see [`Circuit::apply`].
#[cfg(feature = "api")]
impl Applier for Circuit {
    fn apply(&mut self, old: &Config, new: &Config) {
        let name = self.name().as_str();
        if let (Some(old), Some(new)) = (old.settings_of(name), new.settings_of(name)) {
            Self::apply(self, old, new);
        }
    }
}
