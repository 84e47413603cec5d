//! `tripline serve`

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_signal::{Signal, Signals};
use clap::Args;
use smol::channel::bounded;
use smol::future::or;
use smol::stream::StreamExt as _;
use tripline_runtime::{Clock, MemoryError, MemorySource};

use super::demo::Demo;
use super::{CliError, print_line};
use crate::api::{ServerLimits, router_with_documented, serve as serve_http};
use crate::app::{App, BoxFuture, Platform, SystemPlatform};
use crate::config::{Config, LogFormat, LogLevel, recommended};
use crate::memory::{MemorySourceKind, MockMemory};
use crate::reload::LoadedConfig;

/// Where the configuration is read from when none is named.
pub(super) const DEFAULT_CONFIG: &str = "breakers.toml";
/// How long requests in flight may take after a signal: longer than usual requests do.
const DRAIN: Duration = Duration::from_secs(30);
/// How long waiting alerts may take after those.
const ALERT_DRAIN: Duration = Duration::from_secs(10);
/// What the configuration is called where there is no file.
const RECOMMENDED: &str = "recommended configuration";

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The configuration file; without it breakers.toml in the working directory, and if there is none the recommended
    /// configuration.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The address to listen on, in place of http.listen in the configuration, which is 127.0.0.1:8080 where it is not set.
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    pub(super) listen: Option<SocketAddr>,
}

/// The end of its long help.
pub(super) const HELP: &str = "\
The bearer token of the API is the value of TRIPLINE_TOKEN in the environment, else the content of http.token_file; it has \
at least 16 bytes. On any but a loopback address there must be one.

SIGTERM and SIGINT stop the server: requests in flight are waited for, 30 seconds at most, and then the alerts that still \
wait, 10 seconds at most. A second signal ends it at once.

Exit codes: 0 stopped, and every request was answered; 1 it could not start, or requests were cut off; 2 bad arguments.";

/// An address to listen on.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "an IP address with a port is needed, such as 127.0.0.1:8080 or [::1]:8080")
}

/// Serves until SIGTERM or SIGINT, then answers what is in flight. A second signal ends it at once.
pub(super) fn serve(args: &ServeArgs) -> Result<(), CliError> {
    let opened = configuration(args.config.as_deref())?;
    let mut config = opened.config().clone();
    if let Some(listen) = args.listen {
        config.http.listen = listen;
    }
    start_log(&config);
    for warning in opened.warnings() {
        tracing::warn!("{warning}");
    }
    if let Some(path) = opened.path() {
        tracing::info!(file = %path.display(), "configuration read");
    } else {
        tracing::info!("no configuration file; the recommended configuration is used (see `tripline init`)");
    }
    let platform = ServePlatform { system: SystemPlatform::new(), mock: MockMemory::default() };
    let listen = config.http.listen;
    let app = App::builder(opened).platform(&platform).listen(listen).start().map_err(CliError::new)?;
    let circuit = app.circuits().first().ok_or_else(|| CliError::new("the configuration has no breaker"))?;
    let mock = (circuit.config().memory_source == MemorySourceKind::Mock).then(|| platform.mock.clone());
    let router = router_with_documented(app.api(), Demo::new(circuit.breaker().clone(), mock).router());
    smol::block_on(serve_until_signalled(listen, router, app))
}

/// This machine, with a mock memory that the demo can set.
struct ServePlatform {
    system: SystemPlatform,
    mock: MockMemory,
}

impl Platform for ServePlatform {
    fn clock(&self) -> Arc<dyn Clock> {
        self.system.clock()
    }

    fn spawn(&self, task: BoxFuture) {
        self.system.spawn(task);
    }

    fn spawn_dedicated(&self, name: &str, task: BoxFuture) -> io::Result<()> {
        self.system.spawn_dedicated(name, task)
    }

    fn memory(&self, kind: MemorySourceKind) -> Result<Arc<dyn MemorySource>, MemoryError> {
        if kind == MemorySourceKind::Mock { Ok(Arc::new(self.mock.clone())) } else { self.system.memory(kind) }
    }
}

/// The configuration that the user names, else `breakers.toml`, else the recommended one; the environment on top.
fn configuration(named: Option<&Path>) -> Result<LoadedConfig, CliError> {
    let environment = Box::new(|name: &str| std::env::var(name).ok());
    let usual = Some(Path::new(DEFAULT_CONFIG)).filter(|path| path.exists());
    match named.or(usual) {
        Some(path) => LoadedConfig::file(path, environment),
        None => LoadedConfig::text(&recommended(), RECOMMENDED, environment),
    }
    .map_err(|errors| CliError::with_config(&errors))
}

fn start_log(config: &Config) {
    let level = match config.log.level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).log_internal_errors(false);
    match config.log.format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
}

async fn serve_until_signalled(address: SocketAddr, router: axum::Router, app: App) -> Result<(), CliError> {
    let listener = listen(address)?;
    let local = listener.get_ref().local_addr().map_err(CliError::new)?;
    let mut signals = Signals::new([Signal::Term, Signal::Int]).map_err(|error| CliError::during("signals", error))?;
    // To standard output, so that a script can read the port it was given.
    print_line(format!("listening on http://{local}"));
    tracing::info!(address = %local, "listening");

    let (stop, stopped) = bounded::<()>(1);
    let signalled_twice = async {
        signals.next().await;
        tracing::info!(
            at_most_seconds = DRAIN.as_secs(),
            "stopping: requests in flight are waited for; a second signal ends at once"
        );
        let _ = stop.send(()).await;
        signals.next().await;
        Err(CliError::new("a second signal: ended at once, whatever was in flight"))
    };
    let stopped = async move {
        let _ = stopped.recv().await;
    };
    let mut limits = ServerLimits::default();
    limits.drain_timeout = DRAIN;
    let served = async {
        let served = serve_http(listener.into(), router, stopped, limits).await;
        let left = app.stop(ALERT_DRAIN).await.undelivered;
        if left > 0 {
            tracing::warn!(left, "stopped with alerts that were not delivered");
        }
        match served.cut_off {
            0 => Ok(()),
            cut_off => Err(CliError::new(format!("stopped before all requests were answered: {cut_off} were cut off"))),
        }
    };
    or(signalled_twice, served).await
}

fn listen(address: SocketAddr) -> Result<smol::Async<TcpListener>, CliError> {
    let listener = TcpListener::bind(address).map_err(|error| {
        let failure = CliError::during(format!("http.listen = {address}"), &error);
        match error.kind() {
            ErrorKind::AddrInUse => CliError::new(format!("{failure}; --listen gives another address")),
            _ => failure,
        }
    })?;
    smol::Async::try_from(listener).map_err(CliError::new)
}
