//! `tripline serve`

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use smol::channel::bounded;
use smol::future::or;
use tripline_runtime::{Clock, MemoryError, MemorySource};

use super::CliError;
use super::demo::Demo;
use crate::api::{self, ServerLimits, TrustedRequests, router_with_documented};
use crate::app::{App, BoxFuture, Platform, Spawner, SystemPlatform};
use crate::config::{LogFormat, process_variable, recommended};
use crate::memory::{MemorySourceKind, MemoryUsed, MockMemory};
use crate::process::descriptors;
use crate::process::log::{self, print_bounded};
use crate::process::signals::SignalRequests;
use crate::reload::LoadedConfig;

/// The default configuration file.
pub(super) const DEFAULT_CONFIG: &str = "breakers.toml";
/// Time limit for requests in flight after a signal: longer than usual requests take.
const DRAIN: Duration = Duration::from_secs(30);
/// Time limit for waiting alerts after that.
pub(super) const ALERT_DRAIN: Duration = Duration::from_secs(10);
/// Maximum number of concurrent connections, if there are enough descriptors.
const MAX_CONNECTIONS: usize = 4_096;
/// The name of the configuration in messages if there is no file.
const RECOMMENDED: &str = "recommended configuration";

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The configuration file. Default: breakers.toml in the working directory, else the recommended configuration.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The address to listen on. Default: http.listen of the configuration, else 127.0.0.1:8080.
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    pub(super) listen: Option<SocketAddr>,
}

/// The last part of the long help.
pub(super) const HELP: &str = "\
The bearer token of the API is the value of TRIPLINE_TOKEN in the environment, else the content of http.token_file, and has \
at least 16 bytes. It is required on every address except loopback.

SIGTERM and SIGINT stop the server: it answers the requests in flight for at most 30 seconds, then delivers the pending \
alerts for at most 10 seconds. A second signal ends the process at once.

Exit codes: 0 stopped, and every request was answered; 1 it could not start, or requests were cut off; 2 bad arguments.";

/// Parses an address to listen on.
pub(super) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "an IP address with a port is needed, such as 127.0.0.1:8080 or [::1]:8080")
}

/// Serves until SIGTERM or SIGINT, then completes requests in flight. A second signal ends the process at once.
pub(super) fn serve(args: &ServeArgs) -> Result<(), CliError> {
    let signals = SignalRequests::install().map_err(|error| CliError::during("signals", error))?;
    let opened = configuration(args.config.as_deref())?;
    let mut config = opened.config().clone();
    if let Some(listen) = args.listen {
        config.http.listen = listen;
    }
    let log = log::start(&config.log).map_err(|error| CliError::during("starting the log", error))?;
    if let Err(error) = descriptors::raise_limit() {
        tracing::warn!(%error, limit = descriptors::limit(), "the limit of open files is not raised to the hard limit");
    }
    for warning in opened.warnings() {
        tracing::warn!("{warning}");
    }
    if let Some(path) = opened.path() {
        tracing::info!(file = %path.display(), "configuration read");
    } else {
        tracing::info!("no configuration file; the recommended configuration is used (see `tripline init`)");
    }
    let platform = Arc::new(ServePlatform { system: SystemPlatform::new(), mock: MockMemory::default() });
    let listen = config.http.listen;
    let app = App::builder(opened).platform(platform.clone()).listen(listen).start().map_err(CliError::new)?;
    let circuit = app.circuits().first().ok_or_else(|| CliError::new("the configuration has no breaker"))?;
    let mock = (circuit.config().memory_source == MemorySourceKind::Mock).then(|| platform.mock.clone());
    let api = app.api().dropped_log_lines(Arc::new(log.dropped_lines()));
    let trusted = api.trusted_requests();
    let router =
        router_with_documented(api, Demo::new(app.circuits().clone(), mock).router()).map_err(CliError::new)?;
    smol::block_on(serve_until_signalled(listen, config.log.format, router, app, signals, trusted))
}

/// The system platform, with a mock memory that the demo can set.
struct ServePlatform {
    system: SystemPlatform,
    mock: MockMemory,
}

impl Platform for ServePlatform {
    fn clock(&self) -> Arc<dyn Clock> {
        self.system.clock()
    }

    fn spawner(&self) -> Spawner {
        self.system.spawner()
    }

    fn spawn_dedicated(&self, name: &str, task: BoxFuture) -> io::Result<()> {
        self.system.spawn_dedicated(name, task)
    }

    fn memory(&self, kind: MemorySourceKind, used: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
        if kind == MemorySourceKind::Mock { Ok(Arc::new(self.mock.clone())) } else { self.system.memory(kind, used) }
    }
}

/// Loads the configuration that the user names, otherwise `breakers.toml`, otherwise the recommended one, and applies
/// the environment.
pub(super) fn configuration(named: Option<&Path>) -> Result<LoadedConfig, CliError> {
    let environment = Box::new(process_variable);
    let usual = Some(Path::new(DEFAULT_CONFIG)).filter(|path| path.exists());
    match named.or(usual) {
        Some(path) => LoadedConfig::file(path, environment),
        None => LoadedConfig::text(&recommended(), RECOMMENDED, environment),
    }
    .map_err(|errors| CliError::with_config(&errors))
}

pub(super) async fn serve_until_signalled(
    address: SocketAddr,
    format: LogFormat,
    router: axum::Router,
    app: App,
    mut signals: SignalRequests,
    trusted: TrustedRequests,
) -> Result<(), CliError> {
    let listener = listen(address, "--listen")?;
    let local = listener.get_ref().local_addr().map_err(CliError::new)?;
    // Standard output, so that a script can read the assigned port.
    match format {
        LogFormat::Text => print_bounded(io::stdout(), format_args!("listening on http://{local}")),
        LogFormat::Json => {
            let line = serde_json::json!({"message": "listening", "url": format!("http://{local}")});
            print_bounded(io::stdout(), line);
        }
    }
    tracing::info!(address = %local, "listening");

    let (live, draining) = (app.config().clone(), app.api().drain_flag().clone());
    let (stop, stopped) = bounded::<()>(1);
    let signalled_twice = async {
        signals.stop_requested(|| live.reload()).await;
        draining.set();
        tracing::info!(
            at_most_seconds = DRAIN.as_secs(),
            "stopping: waiting for the requests in flight; a second signal ends the process at once"
        );
        let _ = stop.send(()).await;
        signals.stop_requested(|| ()).await;
        Err(CliError::new("ended by a second signal, without waiting for the requests in flight"))
    };
    let stopped = async move {
        let _ = stopped.recv().await;
    };
    let mut limits = ServerLimits::default();
    limits.max_connections = descriptors::connections(descriptors::limit(), MAX_CONNECTIONS);
    limits.drain_timeout = DRAIN;
    let served = async {
        let served = api::serve_with(listener.into(), router, stopped, limits, trusted).await;
        let left = app.stop(ALERT_DRAIN).await.undelivered;
        if left > 0 {
            tracing::warn!(left, "stopped before all alerts were delivered");
        }
        match served.cut_off {
            0 => Ok(()),
            cut_off => Err(CliError::new(format!("stopped before all requests were answered: {cut_off} were cut off"))),
        }
    };
    or(signalled_twice, served).await
}

/// Listens on the address of the API, which the argument `option` overrides.
pub(super) fn listen(address: SocketAddr, option: &str) -> Result<smol::Async<TcpListener>, CliError> {
    let listener = api::listen(address).map_err(|error| {
        let failure = CliError::during(format!("http.listen = {address}"), &error);
        match error.kind() {
            ErrorKind::AddrInUse => CliError::new(format!("{failure}; {option} gives another address")),
            _ => failure,
        }
    })?;
    smol::Async::try_from(listener).map_err(CliError::new)
}
