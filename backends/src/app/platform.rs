//! The surroundings of an [`App`](super::App).

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tripline_runtime::{
    BreakerName, Clock, DurableState, FleetEngine, MemoryError, MemorySource, StateStore, SystemClock,
};

use super::replica_name;
use crate::api::{BoxFuture, ResidentReader, Spawner};
use crate::config;
use crate::fleet::{self, FleetError};
use crate::http_client::{HyperClient, Proxies};
use crate::memory::{self, MemorySourceKind, MemoryUsed, ResidentMemory};
use crate::state_dir::{Quarantined, StateDir, StateDirError};

/// A store, and what an earlier process left in it.
#[derive(Debug)]
#[non_exhaustive]
pub struct DurableStore {
    /// Keeps the state from now on.
    pub store: Arc<dyn StateStore>,
    /// The saved state; `None` if there is none that can be used.
    pub left: Option<DurableState>,
    /// State files that were not usable and were set aside. The app logs them as errors.
    pub problems: Vec<Quarantined>,
}

impl DurableStore {
    /// This store, with what an earlier process left in it.
    pub fn new(store: Arc<dyn StateStore>, left: Option<DurableState>) -> Self {
        Self { store, left, problems: Vec::new() }
    }

    /// Sets the files that were not usable.
    #[must_use]
    pub fn problems(self, problems: Vec<Quarantined>) -> Self {
        Self { problems, ..self }
    }
}

/// Clock, memory, storage, network and executor of a process. [`SystemPlatform`] is the machine; the provided methods are its
/// own, so that a test overrides only what it controls.
pub trait Platform: Send + Sync {
    /// The clock of every breaker and of supervision. It must be able to sleep.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Where tasks run beside others.
    fn spawner(&self) -> Spawner;

    /// Runs `task`, which must not wait for others, on a thread called `name` or in its place.
    ///
    /// # Errors
    /// Where the system cannot start the thread.
    fn spawn_dedicated(&self, name: &str, task: BoxFuture) -> io::Result<()>;

    /// Feeds the jitter of probes, retries and the fleet. It is called for each breaker, for supervision and for the fleet. Default: drawn at
    /// random at each call; a test that must repeat returns a number of its own.
    fn seed(&self) -> u64 {
        replica_name::drawn()
    }

    /// The unique name of this process in a fleet: its host and a random part, joined by a hyphen; at most 64 bytes. Default:
    /// `POD_NAME` or the host name, and four characters that `state_dir` keeps.
    fn replica_name(&self, state_dir: Option<&Path>) -> String {
        replica_name::replica_name(state_dir)
    }

    /// Opens a memory source. Default: that of the machine.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn memory(&self, kind: MemorySourceKind, used: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
        let source = memory::open_counting(kind, used)?;
        if kind != MemorySourceKind::Mock {
            tracing::info!(source = source.name(), used = used.as_str(), "memory is sampled");
        }
        Ok(source)
    }

    /// Reads the resident memory of the process, for the metrics. Default: from the system.
    fn resident_memory(&self) -> ResidentReader {
        let resident = ResidentMemory::new();
        Arc::new(move || resident.bytes())
    }

    /// Opens the store of `breaker` under `root`. Default: a folder on disk, see [`StateDir`].
    ///
    /// # Errors
    /// Where it cannot be used.
    fn durable_store(&self, root: &Path, breaker: &BreakerName) -> Result<DurableStore, StateDirError> {
        let opened = StateDir::open(root, breaker)?;
        Ok(DurableStore::new(Arc::new(opened.store), opened.state).problems(opened.problems))
    }

    /// The engine of the fleet that `config` asks for, for the replicas of `service`; `None` where it is off. Default: see
    /// [`fleet::open`].
    ///
    /// # Errors
    /// Where it cannot be used.
    fn fleet_engine(&self, config: &config::Fleet, service: &str) -> Result<Option<Arc<dyn FleetEngine>>, FleetError> {
        fleet::open(config, service)
    }

    /// The client that alerts are sent with. Default: one over TCP and TLS, with the proxies of the environment.
    fn alert_client(&self) -> HyperClient {
        let (proxies, problems) = Proxies::of_environment(&|name| std::env::var(name).ok());
        for problem in problems {
            tracing::warn!("environment: {problem}; it is not used");
        }
        if let Some(problem) = HyperClient::certificate_problem() {
            tracing::error!(
                "environment: {problem}; no alert is delivered over https until this is corrected and the process restarted"
            );
        }
        HyperClient::default().proxies(proxies)
    }
}

/// This machine: the system's clock, memory and disk, smol's global executor, and a thread for supervision.
#[derive(Debug, Clone)]
pub struct SystemPlatform {
    clock: Arc<SystemClock>,
}

impl SystemPlatform {
    /// Starts the clock.
    pub fn new() -> Self {
        Self { clock: Arc::new(SystemClock::new()) }
    }
}

impl Default for SystemPlatform {
    fn default() -> Self {
        Self::new()
    }
}

impl Platform for SystemPlatform {
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn spawner(&self) -> Spawner {
        Spawner::smol()
    }

    fn spawn_dedicated(&self, name: &str, task: BoxFuture) -> io::Result<()> {
        thread::Builder::new().name(name.to_owned()).spawn(move || smol::block_on(task))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first process of every container has the number 1.
    #[test]
    fn the_jitter_of_replicas_differs() {
        let platform = SystemPlatform::new();
        assert_ne!([platform.seed(), platform.seed()], [platform.seed(), platform.seed()]);
    }
}
