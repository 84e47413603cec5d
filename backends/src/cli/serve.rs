//! `tripline serve`

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_signal::{Signal, Signals};
use smol::channel::bounded;
use smol::future::or;
use smol::stream::StreamExt as _;
use tripline_runtime::{Background, Breaker, MemorySource, Registry, SupervisedBreaker, SystemClock, supervise};

use super::demo::Demo;
use super::{CliError, DEFAULT_CONFIG, ServeArgs, alerts, print_line, token};
use crate::alerts::Alerting;
use crate::api::{ApiState, EventLog, ServerLimits, router_with_documented, serve as serve_http};
use crate::config::{Config, LogFormat, LogLevel, recommended};
use crate::memory::{self, MemorySourceKind, MockMemory, ResidentMemory};
use crate::reload::LoadedConfig;

/// How long requests in flight may take after a signal: longer than usual requests do.
const DRAIN: Duration = Duration::from_secs(30);
/// How long waiting alerts may take after those.
const ALERT_DRAIN: Duration = Duration::from_secs(10);
/// What the configuration is called where there is no file.
const RECOMMENDED: &str = "recommended configuration";

/// Serves until SIGTERM or SIGINT, then answers what is in flight. A second signal ends it at once.
pub(super) fn serve(args: &ServeArgs) -> Result<(), CliError> {
    let opened = configuration(args.config.as_deref())?;
    let mut config = opened.config().clone();
    if let Some(listen) = args.listen {
        config.http.listen = listen;
    }
    start_log(&config);
    let file = opened.path().map(Path::to_owned);
    for warning in opened.warnings() {
        tracing::warn!("{warning}");
    }
    if let Some(path) = &file {
        tracing::info!(file = %path.display(), "configuration read");
    } else {
        tracing::info!("no configuration file; the recommended configuration is used (see `tripline init`)");
    }
    let token = token::of(&config.http)?;

    let clock = Arc::new(SystemClock::new());
    let mut builder = Breaker::builder(clock.clone())
        .name(config.name.clone())
        .policy(config.policy.clone())
        .stall_detection(config.stall_detection)
        .latency_histogram(true)
        .seed(u64::from(std::process::id()));
    if let Some(path) = &file {
        builder = builder.config_file(path);
    }
    let breaker = builder.build().map_err(CliError::new)?;
    let registry = Registry::new();
    registry.add(breaker.clone()).map_err(CliError::new)?;
    let starting = |error| CliError::during("starting a thread", error);

    let memory = Memory::open(config.memory_source)?;
    let alerting = Alerting::new(&config, &alerts::client());
    let timeline = EventLog::default();
    let watch = SupervisedBreaker::new(breaker.clone()).memory(memory.source.clone()).sink(Arc::new(timeline.clone()));
    let watch = alerts::connect(&alerting, &config, watch)?;
    alerts::start(&alerting, clock.clone());
    let (supervisor, dispatcher, stop) = supervise(clock, [watch], u64::from(std::process::id()));
    let deliveries = dispatcher.stats();
    let background = Background::spawn(supervisor, dispatcher, stop).map_err(starting)?;
    let applied = alerting.clone();
    let retune = move |old: &Config, new: &Config| applied.apply(old, new);
    let live = opened.start(vec![Box::new(breaker.clone()), Box::new(retune)]).map_err(starting)?;

    let resident = ResidentMemory::new();
    let state = ApiState::new(registry, config.http.listen)
        .live(live)
        .alerts(Arc::new(alerting))
        .deliveries(deliveries)
        .record(timeline)
        .memory_source(memory.source.name())
        .resident_memory(Arc::new(move || resident.bytes()));
    let state = match token {
        Some(token) => state.token(token),
        None => state,
    };
    let app = router_with_documented(state, Demo::new(breaker, memory.mock).router());
    smol::block_on(serve_until_signalled(config.http.listen, app, background))
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
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).log_internal_errors(false);
    match config.log.format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
}

struct Memory {
    source: Arc<dyn MemorySource>,
    mock: Option<MockMemory>,
}

impl Memory {
    fn open(kind: MemorySourceKind) -> Result<Self, CliError> {
        if kind == MemorySourceKind::Mock {
            let mock = MockMemory::default();
            return Ok(Self { source: Arc::new(mock.clone()), mock: Some(mock) });
        }
        let source = memory::open(kind)
            .map_err(|error| CliError::during(format!("memory_source = \"{}\"", kind.as_str()), error))?;
        tracing::info!(source = source.name(), "memory is sampled");
        Ok(Self { source, mock: None })
    }
}

async fn serve_until_signalled(address: SocketAddr, app: axum::Router, background: Background) -> Result<(), CliError> {
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
        let served = serve_http(listener.into(), app, stopped, limits).await;
        // It blocks, and a signal must be heard all the same.
        let left = smol::unblock(move || background.stop(ALERT_DRAIN)).await.undelivered;
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
