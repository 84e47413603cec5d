//! `tripline proxy`

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use clap::Args;
use smol::Timer;
use smol::channel::bounded;
use smol::future::or;

use super::CliError;
use super::serve::{ALERT_DRAIN, address, configuration, listen};
use crate::api::{self, ServerLimits};
use crate::app::App;
use crate::circuit::Circuits;
use crate::config::{AccessLog, Config, Guard, LogFormat, ProxyMode, Route, ServerUrl, Upstream};
use crate::process::descriptors;
use crate::process::log::{self, print_bounded};
use crate::process::signals::SignalRequests;
use crate::proxy::{Proxy, ProxyError};

/// The name of the upstream of `--upstream`.
const DEFAULT: &str = "default";
/// Maximum number of connections to the management API.
const MAX_API_CONNECTIONS: usize = 256;

#[derive(Debug, Clone, Args)]
pub(super) struct ProxyArgs {
    /// The service to forward to, such as <http://127.0.0.1:3000>. It gets every request that matches no
    /// route of the configuration, protected by the first breaker.
    #[arg(long, value_name = "URL", value_parser = server)]
    upstream: Option<ServerUrl>,
    /// The address for requests. Default: proxy.listen of the configuration, else 127.0.0.1:8000.
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The configuration file. Default: breakers.toml in the working directory, else the recommended configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Decide, count and alert, but reject no request.
    #[arg(long)]
    observe: bool,
    /// The address of the management API and the dashboard. Default: http.listen of the configuration, else 127.0.0.1:8080.
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    api: Option<SocketAddr>,
}

/// The last part of the long help.
pub(super) const HELP: &str = "\
The bearer token of the API is the value of TRIPLINE_TOKEN in the environment, else the content of http.token_file. The port for \
requests needs none.

SIGTERM and SIGINT stop the proxy: /ready answers 503 at once and each response ends its connection, accepting ends after \
proxy.drain_delay, and requests in flight have proxy.drain_timeout to end. A second signal ends the process at once. SIGHUP reads \
the configuration and the certificates again.

The access log goes to standard output, logs to standard error. The addresses are printed to standard output, or with an access log to \
standard error.

Exit codes: 0 stopped, and no connection was cut; 1 it could not start, or connections were cut; 2 bad arguments.";

fn server(text: &str) -> Result<ServerUrl, String> {
    text.parse().map_err(|error| format!("{error}"))
}

impl ProxyArgs {
    /// `config` with the arguments of the command line applied.
    fn on_top_of(&self, config: &Config) -> Config {
        let mut config = config.clone();
        if let Some(listen) = self.listen {
            config.proxy.listen = listen;
        }
        if let Some(api) = self.api {
            config.http.listen = api;
        }
        if self.observe {
            config.proxy.mode = ProxyMode::Observe;
        }
        if let Some(url) = &self.upstream {
            config.upstreams.retain(|upstream| upstream.name != DEFAULT);
            config.upstreams.push(Upstream::new(DEFAULT, url.clone()));
            config.routes.push(Route::catch_all(DEFAULT));
        }
        config
    }
}

/// Forwards until SIGTERM or SIGINT, then drains. A second signal ends the process at once.
pub(super) fn proxy(args: &ProxyArgs) -> Result<(), CliError> {
    let signals = SignalRequests::install().map_err(|error| CliError::during("signals", error))?;
    let loaded = configuration(args.config.as_deref())?;
    let mut config = args.on_top_of(loaded.config());
    if config.routes.is_empty() {
        return Err(CliError::new(ProxyError::NoRoutes));
    }
    let log = log::start(&config.log).map_err(|error| CliError::during("starting the log", error))?;
    if let Err(error) = descriptors::raise_limit() {
        tracing::warn!(%error, limit = descriptors::limit(), "the limit of open files is not raised to the hard limit");
    }
    for warning in loaded.warnings() {
        tracing::warn!("{warning}");
    }
    if let Some(path) = loaded.path() {
        tracing::info!(file = %path.display(), "configuration read");
    } else {
        tracing::info!("no configuration file; the recommended configuration is used (see `tripline init`)");
    }
    limit_connections(&mut config);
    let listener = api::listen(config.proxy.listen).map_err(|error| cannot_listen(config.proxy.listen, &error))?;
    let running: Arc<OnceLock<Running>> = Arc::default();
    let app = {
        let (args, running) = (args.clone(), running.clone());
        let follow = move |_: &Config, new: &Config| {
            if let Some(running) = running.get() {
                running.apply(&args.on_top_of(new));
            }
        };
        App::builder(loaded).listen(config.http.listen).applier(Box::new(follow)).start().map_err(CliError::new)?
    };
    let proxy = Proxy::start(&config, app.circuits(), listener).map_err(CliError::new)?;
    let running = running.get_or_init(|| Running { proxy, circuits: app.circuits().clone() });
    let dropped = Arc::new(log.dropped_lines());
    let api = app.api().dropped_log_lines(dropped).more_metrics(Arc::new(running.proxy.metrics()));
    smol::block_on(serve_until_signalled(&config, &running.proxy, app, api, signals))
}

/// The data plane with the circuits that guard its routes.
struct Running {
    proxy: Proxy,
    circuits: Circuits,
}

impl Running {
    /// Applies a change of the configuration.
    fn apply(&self, config: &Config) {
        if let Err(error) = self.proxy.apply(config, &self.circuits) {
            tracing::error!(%error, "the changed routes and certificates are not used; the previous ones stay in force");
        }
    }
}

/// Limits the connections to the available descriptors: each connection of a client may need one to an upstream.
fn limit_connections(config: &mut Config) {
    let wanted = config.proxy.max_connections;
    let possible = descriptors::connections(descriptors::limit(), 2 * wanted as usize) / 2;
    let possible = u32::try_from(possible).unwrap_or(u32::MAX).max(1);
    if possible < wanted {
        tracing::warn!(wanted, possible, "proxy.max_connections is lowered: the limit of open files allows no more");
        config.proxy.max_connections = possible;
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> CliError {
    let failure = CliError::during(format!("proxy.listen = {address}"), error);
    match error.kind() {
        ErrorKind::AddrInUse => CliError::new(format!("{failure}; --listen gives another address")),
        _ => failure,
    }
}

async fn serve_until_signalled(
    config: &Config,
    proxy: &Proxy,
    app: App,
    api: api::ApiState,
    mut signals: SignalRequests,
) -> Result<(), CliError> {
    let listener = listen(config.http.listen, "--api")?;
    let dashboard = listener.get_ref().local_addr().map_err(CliError::new)?;
    announce(config, proxy.local_addr(), dashboard);
    let trusted = api.trusted_requests();
    let draining = api.drain_flag().clone();
    let router = api::router(api).map_err(CliError::new)?;
    let live = app.config().clone();
    let (signalled, first_signal) = bounded::<()>(1);
    let (stop, stopped) = bounded::<()>(1);
    let signalled_twice = async {
        signals.stop_requested(|| live.reload()).await;
        draining.set();
        proxy.leave();
        let _ = signalled.send(()).await;
        signals.stop_requested(|| ()).await;
        Err(CliError::new("ended by a second signal, without waiting for the requests in flight"))
    };
    let drained = async {
        let _ = first_signal.recv().await;
        let (delay, patience) = (config.proxy.drain_delay, config.proxy.drain_timeout);
        tracing::info!(
            delay_seconds = delay.as_secs_f64(),
            at_most_seconds = patience.as_secs_f64(),
            "stopping: requests in flight are waited for; a second signal ends at once"
        );
        Timer::after(delay).await;
        let cut_off = proxy.drain(patience).await;
        let _ = stop.send(()).await;
        cut_off
    };
    let mut limits = ServerLimits::default();
    limits.max_connections = MAX_API_CONNECTIONS;
    let stop_api = async move {
        let _ = stopped.recv().await;
    };
    let served = async {
        let (_, cut_off) =
            smol::future::zip(api::serve_with(listener.into(), router, stop_api, limits, trusted), drained).await;
        let left = app.stop(ALERT_DRAIN).await.undelivered;
        if left > 0 {
            tracing::warn!(left, "stopped before all alerts were delivered");
        }
        match cut_off {
            0 => Ok(()),
            cut_off => Err(CliError::new(format!("stopped while connections were busy: {cut_off} were cut off"))),
        }
    };
    or(signalled_twice, served).await
}

/// Prints the addresses and the effect of each route, so that a script can read the assigned ports: to standard output, or to
/// standard error if standard output is the access log.
fn announce(config: &Config, address: SocketAddr, dashboard: SocketAddr) {
    let scheme = if config.proxy.tls.certificate.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    let dashboard = format!("http://{dashboard}");
    let observes = config.proxy.mode == ProxyMode::Observe;
    let print = |line: String| match config.proxy.access_log {
        AccessLog::Off => print_bounded(io::stdout(), line),
        _ => print_bounded(io::stderr(), line),
    };
    match config.log.format {
        LogFormat::Json => {
            let routes: Vec<String> = config.routes.iter().map(|route| what_it_does(config, route)).collect();
            let line = serde_json::json!({
                "message": "listening", "url": url, "dashboard": dashboard, "observe": observes, "routes": routes
            });
            print(line.to_string());
        }
        LogFormat::Text => {
            let mut lines = vec![format!("listening on {url}"), format!("dashboard on {dashboard}")];
            lines.extend(config.routes.iter().map(|route| what_it_does(config, route)));
            if observes {
                lines.push("observe mode: no request is rejected".to_owned());
            }
            for line in lines {
                print(line);
            }
        }
    }
    tracing::info!(%address, %dashboard, observes, "listening");
}

/// Describes one route.
fn what_it_does(config: &Config, route: &Route) -> String {
    let methods = if route.methods.is_empty() { "every request".to_owned() } else { route.methods.join(", ") };
    let host = route.host.as_ref().map(|host| format!(" for {host}")).unwrap_or_default();
    let path = route.path.as_ref().map(|path| format!(" below {path}")).unwrap_or_default();
    let upstream = config.upstreams.iter().find(|upstream| upstream.name == route.upstream);
    let servers: Vec<String> =
        upstream.into_iter().flat_map(|upstream| &upstream.servers).map(ToString::to_string).collect();
    let guard = match &route.guard {
        Guard::Off => "not guarded".to_owned(),
        Guard::Breaker(name) => format!("guarded by breaker {name}"),
        Guard::First => match config.all_breakers().first() {
            Some(breaker) => format!("guarded by breaker {}", breaker.name),
            None => "not guarded".to_owned(),
        },
        Guard::Upstream => format!("guarded by breaker {}", route.upstream),
    };
    format!("{methods}{host}{path} goes to {}, {guard}", servers.join(" and "))
}
