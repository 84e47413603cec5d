//! `tripline observe`

mod changes;
mod history;
mod routing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation)]
mod routing_tests;
mod tail;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use clap::Args;
use tripline_runtime::core::MemorySample;
use tripline_runtime::{Clock, MemoryError, MemorySource, Mode, SystemClock};

use super::CliError;
use super::replay::InputArgs;
use super::serve::{self, address, configuration};
use crate::api::router;
use crate::app::{App, BoxFuture, Platform, Spawner, SystemPlatform};
use crate::circuit::Circuits;
use crate::config::Config;
use crate::memory::{MemorySourceKind, MemoryUsed};
use crate::process::log;
use crate::process::signals::SignalRequests;
use crate::replay::follow::{FollowClock, Follower};
use crate::replay::{Reading, Role};

use changes::{Changes, Followed};
use routing::{Choice, LogRouting};
use worker::Source;

#[derive(Debug, Args)]
pub(super) struct ObserveArgs {
    /// The access log of a server or proxy. It is read as it grows, through rotation and truncation; it need not exist yet.
    #[arg(long, value_name = "FILE", required = true)]
    follow: PathBuf,
    /// The configuration file. Default: breakers.toml in the working directory, else the recommended configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The only breaker that follows the log, for every call. Default: those of [[routes]]; required if there are several breakers and
    /// no [[routes]].
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
No call passes through this process, and none is rejected: calls that a breaker would reject are counted \
(tripline_would_reject_total). Trips, alerts, API, dashboard and metrics are those of breakers in front of the service.

With [[routes]] in the configuration each call goes to the breaker that guards it in `tripline proxy` with the same file, and of a \
family to the member of its key. Calls without a breaker are counted. A route by host needs a log with the host; a key that is a \
header needs --field key=FIELD.

The rotated files and the content of the log at the start are the history: it fills the window and the learned state of each \
breaker, with the same decisions as `tripline replay`. Incidents that end within it raise no alert. From then on calls are \
replayed to the breakers about three seconds after their own time, or up to a minute if lines arrive late or in batches. The \
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
    let choice = Choice {
        breaker: args.breaker.clone(),
        has_key_field: reading.input.field_mappings.iter().any(|mapping| mapping.role == Role::Key),
    };
    let followed: Arc<OnceLock<Followed>> = Arc::default();
    let mut source = None;
    let changed = followed.clone();
    let app = App::builder(opened)
        .platform(platform)
        .listen(config.http.listen)
        .mode(Mode::Observe)
        .without_stall_detection()
        .without_wait_jitter()
        .prepare(|circuits| source = Some(prepare(circuits, &config, choice, args, &reading, clock, &followed)))
        .applier(Box::new(move |_: &Config, new: &Config| {
            if let Some(followed) = changed.get() {
                followed.apply(new);
            }
        }))
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

/// Drives the breakers through the history.
fn prepare(
    circuits: &Circuits,
    config: &Config,
    choice: Choice,
    args: &ObserveArgs,
    reading: &Reading,
    clock: Arc<FollowClock>,
    followed: &Arc<OnceLock<Followed>>,
) -> Result<Source, CliError> {
    let routing = Arc::new(LogRouting::new(&choice, config, circuits, None).map_err(CliError::new)?);
    routing.warn_of_unused(&choice, circuits);
    let follower = Follower::new(clock, routing.clone(), reading);
    let changes = Changes::new(routing.clone());
    let source = Source::open(&args.follow, follower, changes.clone(), circuits.clone())?;
    let (source, summaries) = source.read_history(args.history)?;
    for (breaker, history) in summaries {
        tracing::info!(
            breaker = breaker.as_str(), file = %args.follow.display(), history, "observing: no call is rejected"
        );
    }
    followed.get_or_init(|| Followed::new(choice, circuits.clone(), changes));
    Ok(source)
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
