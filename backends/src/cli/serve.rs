//! `tripline serve`

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_signal::{Signal, Signals};
use smol::stream::StreamExt as _;
use tripline_runtime::{Background, Breaker, MemorySource, Registry, SystemClock, Watch, supervise};

use super::demo::Demo;
use super::{DEFAULT_CONFIG, Failure, ServeArgs, say};
use crate::config::{Config, Http, LogFormat, LogLevel, apply_environment, load, parse, recommended};
use crate::http::{ApiState, ServerLimits, Token, router_with, serve as serve_http};
use crate::log_sink::LogSink;
use crate::memory::{self, MemorySourceKind, MockMemory, ResidentMemory};

/// How long requests in flight may take after a signal, and waiting alerts after those.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT, then answers what is in flight.
pub(super) fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let Loaded { mut config, warnings, file } = configuration(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        config.http.listen = listen;
    }
    start_log(&config);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    if let Some(path) = &file {
        tracing::info!(file = %path.display(), "configuration read");
    } else {
        tracing::info!("no configuration file; the recommended configuration is used (see `tripline init`)");
    }
    warn_of_what_is_not_served(&config);
    let token = token(&config.http)?;

    let clock = Arc::new(SystemClock::new());
    let mut builder = Breaker::builder(clock.clone())
        .name(config.name.clone())
        .policy(config.policy.clone())
        .stall_detection(config.stall_detection)
        .seed(u64::from(std::process::id()));
    if let Some(path) = &file {
        builder = builder.config_file(path);
    }
    let breaker = builder.build().map_err(Failure::new)?;
    let registry = Registry::new();
    registry.add(breaker.clone()).map_err(Failure::new)?;

    let memory = Memory::open(config.memory_source)?;
    let watch = Watch::new(breaker.clone()).memory(memory.source.clone()).sink(Arc::new(LogSink));
    let (supervisor, dispatcher, stop) = supervise(clock, [watch], u64::from(std::process::id()));
    let background =
        Background::spawn(supervisor, dispatcher, stop).map_err(|error| Failure::during("starting a thread", error))?;

    let resident = ResidentMemory::new();
    let state = ApiState::new(registry, config.http.listen)
        .memory_source(memory.source.name())
        .resident_memory(Arc::new(move || resident.bytes()));
    let state = match token {
        Some(token) => state.token(token),
        None => state,
    };
    let app = router_with(state, Demo::new(breaker, memory.mock).router());
    smol::block_on(listen_and_serve(config.http.listen, app))?;

    let left = background.stop(DRAIN).undelivered;
    if left > 0 {
        tracing::warn!(left, "stopped with alerts that were not delivered");
    }
    Ok(())
}

struct Loaded {
    config: Config,
    warnings: Vec<String>,
    file: Option<PathBuf>,
}

/// The configuration that the user names, else `breakers.toml`, else the recommended one; the environment on top.
fn configuration(named: Option<&Path>) -> Result<Loaded, Failure> {
    let file = match named {
        Some(path) => Some(path.to_owned()),
        None => Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.exists()),
    };
    let (config, warnings) = match &file {
        Some(path) => load(path),
        None => parse(&recommended(), "recommended configuration"),
    }
    .and_then(|(mut config, mut warnings)| {
        warnings.extend(apply_environment(&mut config, &|name| std::env::var(name).ok())?);
        Ok((config, warnings))
    })
    .map_err(|errors| Failure::with_config(&errors))?;
    Ok(Loaded { config, warnings: warnings.iter().map(ToString::to_string).collect(), file })
}

/// These keys are read and checked, and nothing answers to them yet: who sets them must know.
fn warn_of_what_is_not_served(config: &Config) {
    let unserved = [
        ("opsgenie.enabled", config.opsgenie.enabled),
        ("webhook.enabled", config.webhook.enabled),
        ("state_dir", config.state_dir.is_some()),
    ];
    for (key, _) in unserved.into_iter().filter(|(_, set)| *set) {
        tracing::warn!(
            key,
            "not served by this version: alerts go to the log only, and nothing is kept over a restart"
        );
    }
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

/// The token of the environment, else that of the file. Who listens for others must have one: the API operates the breaker.
fn token(http: &Http) -> Result<Option<Token>, Failure> {
    let token = match (&http.token, &http.token_file) {
        (Some(token), _) => {
            Some(Token::new(token.expose()).map_err(|error| Failure::during("environment: TRIPLINE_TOKEN", error))?)
        }
        (None, Some(path)) => {
            let place = format!("http.token_file = {}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| Failure::during(&place, error))?;
            Some(Token::new(&text).map_err(|error| Failure::during(&place, error))?)
        }
        (None, None) => None,
    };
    if token.is_none() && !http.listen.ip().is_loopback() {
        return Err(Failure::new(format!(
            "http.listen = {}: allowed: a loopback address, e.g. 127.0.0.1:8080, or any with a token (http.token_file or TRIPLINE_TOKEN)",
            http.listen
        )));
    }
    Ok(token)
}

struct Memory {
    source: Arc<dyn MemorySource>,
    mock: Option<MockMemory>,
}

impl Memory {
    fn open(kind: MemorySourceKind) -> Result<Self, Failure> {
        if kind == MemorySourceKind::Mock {
            let mock = MockMemory::default();
            return Ok(Self { source: Arc::new(mock.clone()), mock: Some(mock) });
        }
        let source = memory::open(kind)
            .map_err(|error| Failure::during(format!("memory_source = \"{}\"", kind.as_str()), error))?;
        tracing::info!(source = source.name(), "memory is sampled");
        Ok(Self { source, mock: None })
    }
}

async fn listen_and_serve(address: SocketAddr, app: axum::Router) -> Result<(), Failure> {
    let listener =
        TcpListener::bind(address).map_err(|error| Failure::during(format!("http.listen = {address}"), error))?;
    let local = listener.local_addr().map_err(Failure::new)?;
    let listener = smol::Async::try_from(listener).map_err(Failure::new)?;
    let mut signals = Signals::new([Signal::Term, Signal::Int]).map_err(|error| Failure::during("signals", error))?;
    // To standard output, so that a script can read the port it was given.
    say(format!("listening on http://{local}"));
    tracing::info!(address = %local, "listening");
    let stopped = async {
        signals.next().await;
        tracing::info!("stopping: requests in flight are answered");
    };
    let mut limits = ServerLimits::default();
    limits.drain_timeout = DRAIN;
    let served = serve_http(listener.into(), app, stopped, limits).await;
    if served.cut_off > 0 {
        tracing::warn!(connections = served.cut_off, "stopped before all requests were answered");
    }
    Ok(())
}
