//! The process: started from the configuration file, stopped or killed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::or;
use tripline_backends::app::App;
use tripline_backends::circuit::Circuits;
use tripline_backends::reload::{LiveConfig, LoadedConfig};
use tripline_runtime::test_util::World;
use tripline_runtime::{Breaker, DrainReport};

use super::config_file::SimFile;
use super::platform::SimPlatform;
use super::settings::{BREAKERS, environment};

/// A running process. [`Process::kill`] ends all parts of it.
#[derive(Debug)]
pub(super) struct Process {
    app: Option<App>,
    pub(super) router: Router,
    pub(super) live: LiveConfig,
    pub(super) circuits: Circuits,
    /// In the order of [`BREAKERS`].
    pub(super) breakers: Vec<Breaker>,
    alive: Sender<()>,
    killed: Receiver<()>,
}

impl Process {
    /// Starts it.
    pub(super) fn start(world: &World, platform: &Arc<SimPlatform>, file: &SimFile) -> Result<Self, String> {
        let config = LoadedConfig::open(Box::new(file.clone()), Box::new(environment));
        let config = config.map_err(|errors| errors.to_string())?;
        let app = App::builder(config).platform(platform.clone()).start().map_err(|error| error.to_string())?;
        let router = app.router().map_err(|error| error.to_string())?;
        let breakers = BREAKERS.iter().filter_map(|name| app.circuits().get(name));
        let breakers: Vec<Breaker> = breakers.map(|circuit| circuit.breaker().clone()).collect();
        if breakers.len() != BREAKERS.len() {
            return Err("a breaker is missing".to_owned());
        }
        let (alive, killed) = bounded(1);
        let (live, circuits) = (app.config().clone(), app.circuits().clone());
        let process = Self { live, circuits, app: Some(app), router, breakers, alive, killed };
        process.adopt(world, platform);
        Ok(process)
    }

    /// Runs the tasks that the process has spawned, until it ends.
    pub(super) fn adopt(&self, world: &World, platform: &SimPlatform) {
        loop {
            let tasks = platform.take_tasks();
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                self.spawn(world, task);
            }
            world.run_until_idle();
        }
    }

    /// Runs a task of the process, until the process ends.
    pub(super) fn spawn(&self, world: &World, task: impl Future<Output = ()> + 'static) {
        let killed = self.killed.clone();
        let ended = async move {
            let _ = killed.recv().await;
        };
        world.spawn(or(ended, task));
    }

    /// Asks it to stop. The task returns the remaining alerts.
    pub(super) fn stop(&mut self, drain: Duration) -> Option<impl Future<Output = DrainReport> + use<>> {
        self.app.take().map(|app| app.stop(drain))
    }

    /// Ends everything at once.
    pub(super) fn kill(self) {
        // The tasks end first: the drop of the app must not reach them.
        self.alive.close();
    }
}
