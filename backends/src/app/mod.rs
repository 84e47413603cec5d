//! A configuration as a running process: circuits, supervision, alerts, durable state, metrics, and the API's router.
//!
//! `tripline serve` is a thin user of [`App`], and a server of your own can be another:
//!
//! ```no_run
//! use std::time::Duration;
//! use tripline_backends::app::App;
//! use tripline_backends::config::process_variable;
//! use tripline_backends::reload::LoadedConfig;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let app = App::start(LoadedConfig::file("breakers.toml".as_ref(), Box::new(process_variable))?)?;
//! println!("management API and dashboard on http://{}", app.serve_api()?);
//! let breaker = app.circuit("checkout")?.breaker().clone();
//! # drop(breaker);
//! // Your own server, whose calls to the checkout service `breaker` protects.
//! app.stop(Duration::from_secs(10)).await;
//! # Ok(())
//! # }
//! ```
//!
//! The example `axum_two_breakers` is such a server. [`App::router`] is the API for a server of your own choice.
//!
//! Clock, memory, storage and executor come from a [`Platform`]: [`SystemPlatform`] is the machine, and a test gives one of its
//! own with virtual time, see [`AppBuilder::platform`].

mod circuit_set;
mod error;
mod fleet;
mod management;
mod memory_sources;
mod platform;
mod replica_name;
mod token;
mod token_file;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use smol::channel::{Receiver, bounded};
use smol::future::zip;
use tripline_runtime::{
    DeliveryStats, Dispatcher, DrainReport, FleetRunner, Mode, ShutdownHandle, SupervisedBreaker, Supervisor, supervise,
};

use crate::api::{self, AllowedHost, ApiState, TokenMissing};
use crate::circuit::{Circuit, Circuits};
use crate::metrics;
use crate::reload::{Applier, LiveConfig, LoadedConfig};

use circuit_set::{CircuitMaker, CircuitSet, target};
use management::ManagementServer;
use memory_sources::MemorySources;

pub use crate::api::{BoxFuture, Spawner};
pub use error::AppError;
pub use platform::{DurableStore, Platform, SystemPlatform};
pub use token::{TokenError, bearer_token, token_file_warning};
pub use token_file::TokenFileError;

/// A running process, made by [`App::start`] or [`App::builder`]. Dropping it stops supervision without waiting for alerts.
pub struct App {
    circuits: Circuits,
    live: LiveConfig,
    deliveries: DeliveryStats,
    api: ApiState,
    management: ManagementServer,
    shutdown: ShutdownHandle,
    report: Receiver<DrainReport>,
}

/// Sets an [`App`] up; see [`App::builder`].
#[must_use = "a builder does nothing until `start`"]
pub struct AppBuilder<'p> {
    config: LoadedConfig,
    platform: Option<Arc<dyn Platform>>,
    listen: Option<SocketAddr>,
    mode: Mode,
    counts_stalls: bool,
    has_jitter: bool,
    prepare: Option<Prepare<'p>>,
    appliers: Vec<Box<dyn Applier>>,
}

/// Prepares the circuits before anything runs.
type Prepare<'p> = Box<dyn FnOnce(&Circuits) + 'p>;

impl App {
    /// Starts everything that `config` asks for on this machine.
    ///
    /// # Errors
    /// As [`AppBuilder::start`].
    pub fn start(config: LoadedConfig) -> Result<Self, AppError> {
        Self::builder(config).start()
    }

    /// Sets up a process by `config`.
    pub fn builder<'p>(config: LoadedConfig) -> AppBuilder<'p> {
        AppBuilder {
            config,
            platform: None,
            listen: None,
            mode: Mode::Enforce,
            counts_stalls: true,
            has_jitter: true,
            prepare: None,
            appliers: Vec::new(),
        }
    }

    /// The circuit of this name.
    ///
    /// # Errors
    /// [`AppError::UnknownBreaker`], with the names that there are.
    pub fn circuit(&self, name: &str) -> Result<Circuit, AppError> {
        self.circuits.get(name).ok_or_else(|| AppError::UnknownBreaker {
            name: name.to_owned(),
            known: self.circuits.iter().map(|circuit| circuit.name().clone()).collect(),
        })
    }

    /// The circuits, in the order of the configuration.
    pub fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    /// The configuration in force, and the way to change it.
    pub fn config(&self) -> &LiveConfig {
        &self.live
    }

    /// The state of the management API, for [`api::router_with`] and its like.
    pub fn api(&self) -> ApiState {
        self.api.clone()
    }

    /// The router of the management API. It asks for the bearer token of the configuration.
    ///
    /// # Errors
    /// [`TokenMissing`] never: an app beyond loopback does not start without a token.
    pub fn router(&self) -> Result<Router, TokenMissing> {
        api::router(self.api())
    }

    /// Serves the management API, the metrics and the dashboard on the configured `http.listen`, in tasks of smol's global
    /// executor, until the app is stopped or dropped. Returns the address, whose port the system chose where the
    /// configuration has port 0.
    ///
    /// # Errors
    /// [`AppError::Listen`] where the address cannot be listened on.
    pub fn serve_api(&self) -> Result<SocketAddr, AppError> {
        self.management.serve(&self.api)
    }

    /// The metrics of all circuits as Prometheus text.
    pub fn metrics(&self) -> String {
        let text = metrics::render(&self.circuits.breakers(), Some(&self.deliveries), None);
        text + &metrics::render_families(&self.circuits.families())
    }

    /// Ends the management API after its requests in flight, stops supervision, delivers the alerts that wait for `drain` at the
    /// longest, and reports what is left. The last save of the state adds at most 5 s, leaving a fleet 3 s.
    pub async fn stop(self, drain: Duration) -> DrainReport {
        self.management.stop().await;
        self.shutdown.stop(drain);
        self.report.recv().await.unwrap_or_default()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.shutdown.stop(Duration::ZERO);
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("circuits", &self.circuits).finish_non_exhaustive()
    }
}

impl<'p> AppBuilder<'p> {
    /// Takes clock, memory, storage and executor from `platform`, also for breakers that come later. Default: [`SystemPlatform`].
    pub fn platform(self, platform: Arc<dyn Platform>) -> Self {
        Self { platform: Some(platform), ..self }
    }

    /// The address that the API is served on, in place of the configuration's `http.listen`.
    pub fn listen(self, listen: SocketAddr) -> Self {
        Self { listen: Some(listen), ..self }
    }

    /// Declares whether rejections are carried out; see [`Mode`]. Default: [`Mode::Enforce`].
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Leaves it to the program to count calls that hang, with [`Breaker::handle_stalled`](tripline_runtime::Breaker::handle_stalled). Default: each breaker counts its own.
    pub fn without_stall_detection(self) -> Self {
        Self { counts_stalls: false, ..self }
    }

    /// Takes `wait_jitter` as 0 for each breaker, as a replay does, also when the configuration changes.
    pub fn without_wait_jitter(self) -> Self {
        Self { has_jitter: false, ..self }
    }

    /// Calls `prepare` with the circuits before their supervision begins: incidents that begin and end in it raise no alert.
    pub fn prepare(self, prepare: impl FnOnce(&Circuits) + 'p) -> Self {
        Self { prepare: Some(Box::new(prepare)), ..self }
    }

    /// Calls `applier` for each change of the configuration, after [`App::circuits`] have changed: those that the configuration adds are
    /// there, and those that it no longer has are not.
    pub fn applier(mut self, applier: Box<dyn Applier>) -> Self {
        self.appliers.push(applier);
        self
    }

    /// Starts everything.
    ///
    /// # Errors
    /// [`AppError`] where the bearer token, a memory source or the state directory cannot be used, or the system
    /// cannot start a thread. Nothing runs then.
    pub fn start(self) -> Result<App, AppError> {
        let platform = self.platform.unwrap_or_else(|| Arc::new(SystemPlatform::new()));
        let mut config = self.config.config().clone();
        if let Some(listen) = self.listen {
            config.http.listen = listen;
        }
        let token = bearer_token(&config.http)?;
        if let Some(warning) = token_file_warning(&config.http) {
            tracing::warn!("{warning}");
        }
        let hosts = config.http.allowed_hosts.iter().map(|host| host.parse::<AllowedHost>());
        let hosts: Vec<_> = hosts.collect::<Result<_, _>>()?;
        let clock = platform.clock();
        let circuits = Circuits::new();
        let mut maker = CircuitMaker {
            platform: platform.clone(),
            clock: clock.clone(),
            file: self.config.path().map(Path::to_owned),
            mode: self.mode,
            counts_stalls: self.counts_stalls,
            has_jitter: self.has_jitter,
            memories: MemorySources::new(platform.clone()),
            alert_client: platform.alert_client(),
            began_at: None,
        };
        for breaker in config.all_breakers() {
            circuits.insert(maker.make(breaker, &config)?)?;
        }
        maker.began_at = Some(clock.now());
        if let Some(prepare) = self.prepare {
            prepare(&circuits);
        }
        let fleet = fleet::fleet(&config, &*platform, &clock)?;
        let targets: Vec<SupervisedBreaker> = circuits.iter().map(|circuit| target(&circuit, fleet.as_ref())).collect();
        let (supervisor, dispatcher, shutdown) = supervise(clock.clone(), targets, platform.seed());
        let deliveries = dispatcher.stats();
        let supervision = supervisor.handle();
        let runner = fleet.clone().map(|fleet| FleetRunner::new(fleet, shutdown.clone()));
        let report = spawn_supervision(supervisor, dispatcher, runner, &*platform)?;
        let background = circuits.iter().filter_map(|circuit| maker.spawn_background(&circuit)).collect();
        let set = CircuitSet {
            maker,
            circuits: circuits.clone(),
            supervision,
            fleet: fleet.clone(),
            removed: BTreeMap::new(),
            background,
        };
        let appliers = std::iter::once(Box::new(set) as Box<dyn Applier>).chain(self.appliers).collect();
        let (live, config_task) = self.config.start_by(clock.clone(), appliers);
        platform.spawn_dedicated("tripline-config", Box::pin(config_task)).map_err(|error| {
            shutdown.stop(Duration::ZERO);
            AppError::Thread(error)
        })?;

        let mut api = ApiState::new(circuits.clone(), config.http.listen)
            .live(live.clone())
            .deliveries(deliveries.clone())
            .background(clock, platform.spawner())
            .record_events()
            .allowed_hosts(hosts)
            .resident_memory(platform.resident_memory());
        if let Some(fleet) = fleet {
            api = api.fleet(fleet);
        }
        if let Some(token) = token {
            api = api.token(token);
        }
        Ok(App { circuits, live, deliveries, api, management: ManagementServer::default(), shutdown, report })
    }
}

impl fmt::Debug for AppBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppBuilder").field("config", &self.config).field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// Runs supervisor, dispatcher and fleet until they are stopped; the receiver gets the dispatcher's report.
fn spawn_supervision(
    supervisor: Supervisor,
    dispatcher: Dispatcher,
    fleet: Option<FleetRunner>,
    platform: &dyn Platform,
) -> Result<Receiver<DrainReport>, AppError> {
    let (sender, report) = bounded(1);
    let run = async move {
        let fleet = async {
            if let Some(fleet) = fleet {
                fleet.run().await;
            }
        };
        let (((), drained), ()) = zip(zip(supervisor.run(), dispatcher.run()), fleet).await;
        // The app may have been dropped.
        let _ = sender.send(drained).await;
    };
    platform.spawn_dedicated("tripline", Box::pin(run)).map_err(AppError::Thread)?;
    Ok(report)
}
