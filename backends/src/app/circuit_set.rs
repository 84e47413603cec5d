//! Creates the circuits of a configuration at the start, and updates them when it changes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use smol::channel::{Sender, bounded};
use smol::future::or;

use tripline_runtime::core::planted::planted;
use tripline_runtime::core::{Instant, Ratio};
use tripline_runtime::{Breaker, BreakerName, Clock, Family, Fleet, Mode, SupervisedBreaker, SupervisionHandle};

use super::error::AppError;
use super::memory_sources::MemorySources;
use super::platform::{DurableStore, Platform};
use crate::alerts::Alerting;
use crate::circuit::{Circuit, Circuits};
use crate::config::{BreakerConfig, Config};
use crate::http_client::HyperClient;
use crate::reload::Applier;

/// Creates circuits from a configuration.
pub(super) struct CircuitMaker {
    pub(super) platform: Arc<dyn Platform>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) file: Option<PathBuf>,
    pub(super) mode: Mode,
    pub(super) counts_stalls: bool,
    pub(super) has_jitter: bool,
    pub(super) memories: MemorySources,
    /// One for all circuits: loading the certificates of the system takes a while.
    pub(super) alert_client: HyperClient,
    /// When the `warm_up` of the process began, for circuits that are created later.
    pub(super) began_at: Option<Instant>,
}

impl CircuitMaker {
    /// Creates the circuit of one breaker, without starting anything.
    pub(super) fn make(&self, settings: &BreakerConfig, config: &Config) -> Result<Circuit, AppError> {
        let settings = &*self.adapted(settings);
        let mut builder = Breaker::builder(self.clock.clone())
            .stall_detection(settings.stall_detection && self.counts_stalls)
            .mode(self.mode)
            .name(settings.name.clone())
            .policy(settings.policy.clone())
            .seed(self.platform.seed());
        if let Some(path) = &self.file {
            builder = builder.config_file(path);
        }
        if let Some(began_at) = self.began_at {
            builder = builder.warm_up_since(began_at);
        }
        let circuit = if settings.is_family() {
            Circuit::of_family(Family::new(builder, settings.family.limits()).map_err(AppError::Window)?)
        } else {
            Circuit::builder(builder.latency_histogram(true).build().map_err(AppError::Window)?)
        };
        let memory = self.memories.open(settings.memory_source, settings.memory_used)?;
        let alerting = Alerting::new(settings, &self.alert_client);
        let mut circuit = circuit.config(settings.clone()).memory(memory).alerting(alerting);
        if let Some(root) = &config.state_dir {
            let DurableStore { store, left, problems } = self.platform.durable_store(root, &settings.name)?;
            for problem in problems.iter().filter(|_| !planted("durable: damaged state is not reported")) {
                tracing::error!("{problem}");
            }
            tracing::info!(
                breaker = settings.name.as_str(), state_dir = %root.display(), "incidents and alerts survive a restart"
            );
            circuit = circuit.store(store, left);
        }
        Ok(circuit.build())
    }

    /// `settings` as this process takes them.
    fn adapted<'s>(&self, settings: &'s BreakerConfig) -> Cow<'s, BreakerConfig> {
        let mut settings = Cow::Borrowed(settings);
        if !self.has_jitter {
            settings.to_mut().policy.wait_jitter = Ratio::ZERO;
        }
        settings
    }

    /// Applies changed settings to a circuit.
    fn apply(&self, circuit: &Circuit, old: &BreakerConfig, new: &BreakerConfig) {
        circuit.apply(old, &self.adapted(new));
    }

    /// Starts what runs in the background for a circuit, until the returned sender is dropped.
    pub(super) fn spawn_background(&self, circuit: &Circuit) -> Option<(BreakerName, Sender<()>)> {
        let alerting = circuit.alerting()?.clone();
        let (stop, stopped) = bounded::<()>(1);
        let until = async move {
            // It ends with its sender.
            let _ = stopped.recv().await;
        };
        self.platform.spawner().spawn(or(alerting.run(self.clock.clone()), until));
        Some((circuit.name().clone(), stop))
    }
}

/// Applies changes of the configuration to the circuits of a process.
pub(super) struct CircuitSet {
    pub(super) maker: CircuitMaker,
    pub(super) circuits: Circuits,
    pub(super) supervision: SupervisionHandle,
    pub(super) fleet: Option<Fleet>,
    /// The circuits that were removed and are still in use, by name: a program holds their breakers, or their last alerts are pending. A
    /// name that is added again gets the same circuit.
    pub(super) removed: BTreeMap<BreakerName, Circuit>,
    /// The background work of each circuit, which ends when its sender is dropped.
    pub(super) background: BTreeMap<BreakerName, Sender<()>>,
}

/// Returns the supervised breaker of a circuit.
pub(super) fn target(circuit: &Circuit, fleet: Option<&Fleet>) -> SupervisedBreaker {
    let target = circuit.supervised();
    match fleet {
        Some(fleet) => target.fleet(fleet.clone()),
        None => target,
    }
}

/// `settings` for a circuit that stays a family, or a single breaker, until a restart.
fn of_kind<'s>(circuit: &Circuit, settings: &'s BreakerConfig) -> Cow<'s, BreakerConfig> {
    if circuit.family().is_some() == settings.is_family() {
        return Cow::Borrowed(settings);
    }
    let (is, becomes) = if settings.is_family() { ("a breaker", "a family") } else { ("a family", "a breaker") };
    tracing::error!(
        breaker = settings.name.as_str(),
        "{is} becomes {becomes} only by a restart; restart the process, or give it another name, which takes effect at once"
    );
    let mut settings = settings.clone();
    settings.family = circuit.config().family.clone();
    Cow::Owned(settings)
}

impl CircuitSet {
    /// Adds the breaker of `settings`.
    fn add(&mut self, settings: &BreakerConfig, config: &Config) -> Result<(), AppError> {
        let name = &settings.name;
        if let Some(circuit) = self.removed.remove(name) {
            let off = circuit.config();
            if off.is_family() != settings.is_family() {
                self.removed.insert(name.clone(), circuit);
                return Err(AppError::NameInUse { name: name.clone() });
            }
            self.maker.apply(&circuit, &off, settings);
            if !self.supervision.keep(circuit.breaker()) {
                self.supervision.add(target(&circuit, self.fleet.as_ref()));
            }
            self.set_retired(&circuit, false);
            self.circuits.insert(circuit)?;
            return Ok(());
        }
        let circuit = self.maker.make(settings, config)?;
        if !planted("reload: an added breaker is not supervised") {
            self.supervision.add(target(&circuit, self.fleet.as_ref()));
        }
        self.background.extend(self.maker.spawn_background(&circuit));
        self.circuits.insert(circuit)?;
        Ok(())
    }

    fn set_retired(&self, circuit: &Circuit, is_retired: bool) {
        if let Some(fleet) = &self.fleet {
            fleet.set_retired(circuit.name().as_str(), is_retired);
        }
    }

    /// Removes a breaker: it admits every call from now on, and its incident is resolved.
    fn remove(&mut self, circuit: Circuit) {
        if planted("reload: a removed breaker's alert stays open") {
            self.circuits.remove(circuit.name().as_str());
            return;
        }
        let breakers = circuit.breakers();
        let was_open = breakers.iter().any(|breaker| breaker.state().is_triggered());
        circuit.retire();
        self.set_retired(&circuit, true);
        self.circuits.remove(circuit.name().as_str());
        tracing::info!(
            breaker = circuit.name().as_str(),
            was_open,
            "the breaker is no longer in the configuration; it admits every call, and its incident is resolved"
        );
        self.supervision.remove(circuit.breaker());
        self.removed.insert(circuit.name().clone(), circuit);
    }

    /// Frees the removed circuits that are no longer in use.
    fn free_removed(&mut self) {
        let Self { removed, background, supervision, .. } = self;
        removed.retain(|name, circuit| {
            let is_in_use = supervision.is_leaving(circuit.breaker()) || circuit.is_held();
            if !is_in_use {
                background.remove(name);
            }
            is_in_use
        });
    }
}

/// Changes settings, adds circuits and removes them. A circuit whose name stays keeps its window.
impl Applier for CircuitSet {
    fn apply(&mut self, old: &Config, new: &Config) {
        self.free_removed();
        if old.breakers.is_empty() && new.breakers.is_empty() {
            // A root of another name needs a restart.
            return self.circuits.iter().for_each(|circuit| self.maker.apply(&circuit, &old.breaker, &new.breaker));
        }
        let breakers = new.all_breakers();
        let gone: Vec<Circuit> = self
            .circuits
            .iter()
            .filter(|circuit| breakers.iter().all(|breaker| breaker.name != *circuit.name()))
            .collect();
        let mut added = Vec::new();
        for settings in breakers {
            let name = settings.name.as_str();
            if let Some(circuit) = self.circuits.get(name) {
                let before = old.settings_of(name).cloned().unwrap_or_else(|| BreakerConfig::clone(&circuit.config()));
                self.maker.apply(&circuit, &before, &of_kind(&circuit, settings));
                continue;
            }
            match self.add(settings, new) {
                Ok(()) => {
                    tracing::info!(breaker = name, "the breaker is in the configuration and guards from now on");
                    added.push(name.to_owned());
                }
                Err(error) => {
                    tracing::error!(breaker = name, %error, "the breaker cannot be added; start again to have it");
                }
            }
        }
        let removed: Vec<String> = gone.iter().map(|circuit| circuit.name().to_string()).collect();
        for circuit in gone {
            self.remove(circuit);
        }
        if !added.is_empty() && !removed.is_empty() {
            tracing::warn!(
                ?removed,
                ?added,
                "if this renames a breaker: the new name starts with an empty window and no incident, and the folder of the old name \
                 in state_dir stays and is not read"
            );
        }
        self.circuits.arrange(breakers.iter().map(|breaker| &breaker.name));
    }
}
