//! `tripline observe`

mod history;
mod tail;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tripline_runtime::core::{MemorySample, Ratio};
use tripline_runtime::{Clock, MemoryError, MemorySource, Mode, SystemClock};

use super::CliError;
use super::replay::InputArgs;
use super::serve::{self, address, configuration};
use crate::api::router;
use crate::app::{App, BoxFuture, Platform, Spawner, SystemPlatform};
use crate::circuit::{Circuit, Circuits};
use crate::memory::{MemorySourceKind, MemoryUsed};
use crate::process::log;
use crate::process::signals::SignalRequests;
use crate::replay::Reading;
use crate::replay::follow::{FollowClock, Follower};

use worker::Source;

#[derive(Debug, Args)]
pub(super) struct ObserveArgs {
    /// The access log of a server or proxy. It is read as it grows, through rotation and truncation; it need not exist yet.
    #[arg(long, value_name = "FILE", required = true)]
    follow: PathBuf,
    /// The configuration file. Default: breakers.toml in the working directory, else the recommended configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The breaker of the configuration that follows the log; required if there are several.
    #[arg(long, value_name = "NAME")]
    breaker: Option<String>,
    /// The address of API, dashboard and metrics. Default: http.listen of the configuration.
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Number of rotated files beside the log (FILE.1, FILE.2.gz, FILE-20261128.gz …) to read as history.
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    history: usize,
    #[command(flatten)]
    input: InputArgs,
}

pub(super) const HELP: &str = "\
No call passes through this process, and none is rejected: calls that the breaker would reject are counted \
(tripline_would_reject_total). Trips, alerts, API, dashboard and metrics are those of a breaker in front of the service.

The rotated files and the content of the log at the start are the history: it fills the window and the learned state of the \
breaker, with the same decisions as `tripline replay`. Incidents that end within it raise no alert. From then on calls are \
replayed to the breaker about three seconds after their own time, or up to a minute if lines arrive late or in batches. The \
intervals between them are those of the log.

The formats are those of `tripline replay`, see there. Memory is measured only if memory_source names a source: the memory of \
this process says nothing about the service.

SIGHUP reads the configuration again; SIGTERM and SIGINT stop, as for `tripline serve`.

Exit codes: 0 stopped; 1 it could not start; 2 bad arguments.";

/// Follows the log until SIGTERM or SIGINT.
pub(super) fn observe(args: &ObserveArgs) -> Result<(), CliError> {
    let signals = SignalRequests::install().map_err(|error| CliError::during("signals", error))?;
    let reading = args.input.reading()?;
    let opened = configuration(args.config.as_deref())?;
    let mut config = opened.config().clone();
    if let Some(listen) = args.listen {
        config.http.listen = listen;
    }
    let log = log::start(&config.log).map_err(|error| CliError::during("starting the log", error))?;
    for warning in opened.warnings() {
        tracing::warn!("{warning}");
    }
    let clock = Arc::new(FollowClock::new(Arc::new(SystemClock::new())));
    let platform = Arc::new(ObservePlatform { system: SystemPlatform::new(), clock: clock.clone() });
    let mut source = None;
    let app = App::builder(opened)
        .platform(platform)
        .listen(config.http.listen)
        .mode(Mode::Observe)
        .without_stall_detection()
        .prepare(|circuits| source = Some(prepare(circuits, args, &reading, clock)))
        .start()
        .map_err(CliError::new)?;
    let source = source.ok_or_else(|| CliError::new("the configuration has no breaker"))??;
    let worker = source.follow().map_err(|error| CliError::during("starting a thread", error))?;
    let api = app.api().dropped_log_lines(Arc::new(log.dropped_lines()));
    let trusted = api.trusted_requests();
    let router = router(api).map_err(CliError::new)?;
    let served = smol::block_on(serve::serve_until_signalled(
        config.http.listen,
        config.log.format,
        router,
        app,
        signals,
        trusted,
    ));
    worker.stop();
    served
}

/// Drives the breaker through the history.
fn prepare(
    circuits: &Circuits,
    args: &ObserveArgs,
    reading: &Reading,
    clock: Arc<FollowClock>,
) -> Result<Source, CliError> {
    let circuit = meant(circuits, args.breaker.as_deref())?;
    let breaker = circuit.breaker().clone();
    // Waits are exact, as in a replay: there are no other replicas whose probes must not coincide.
    let mut policy = breaker.read(|core| core.policy().clone());
    policy.wait_jitter = Ratio::ZERO;
    breaker.set_policy(&policy).map_err(CliError::new)?;
    let follower = Follower::new(clock, breaker, circuit.config().stall_detection, reading);
    let source = Source::open(&args.follow, follower, circuit)?;
    let (source, summary) = source.read_history(args.history)?;
    tracing::info!(
        breaker = source.breaker().as_str(), file = %args.follow.display(), history = summary,
        "observing: no call is rejected"
    );
    Ok(source)
}

/// The circuit that follows the log.
fn meant(circuits: &Circuits, name: Option<&str>) -> Result<Circuit, CliError> {
    let names: Vec<String> = circuits.iter().map(|circuit| circuit.name().to_string()).collect();
    match name {
        Some(name) => circuits.get(name).ok_or_else(|| {
            CliError::new(format!("--breaker {name}: there is no such breaker; allowed: {}", names.join(", ")))
        }),
        None if names.len() > 1 => {
            Err(CliError::new(format!("there are several breakers; --breaker NAME picks one of {}", names.join(", "))))
        }
        None => circuits.first().ok_or_else(|| CliError::new("the configuration has no breaker")),
    }
}

/// The system platform with the clock of the log.
struct ObservePlatform {
    system: SystemPlatform,
    clock: Arc<FollowClock>,
}

impl Platform for ObservePlatform {
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn spawner(&self) -> Spawner {
        self.system.spawner()
    }

    fn spawn_dedicated(&self, name: &str, task: BoxFuture) -> io::Result<()> {
        self.system.spawn_dedicated(name, task)
    }

    fn memory(&self, kind: MemorySourceKind, used: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
        match kind {
            MemorySourceKind::Auto => Ok(Arc::new(NotMeasured)),
            named => self.system.memory(named, used),
        }
    }
}

/// The memory of a service on another machine: unknown.
#[derive(Debug)]
struct NotMeasured;

impl MemorySource for NotMeasured {
    fn name(&self) -> &'static str {
        "none"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        Err(MemoryError::Unreadable {
            what: "memory_source = \"auto\"".to_owned(),
            error: io::Error::other("the memory of an observed service is not measured"),
        })
    }
}
