//! A proxy in this process.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::TOO_LONG;
use tripline_backends::circuit::{Circuit, Circuits};
use tripline_backends::config::{Config, parse};
use tripline_backends::proxy::Proxy;
use tripline_runtime::core::Counts;
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, Clock, Family, SystemClock};

/// A running proxy with its breakers.
pub(crate) struct Fixture {
    pub(crate) address: SocketAddr,
    pub(crate) proxy: Proxy,
    pub(crate) circuits: Circuits,
}

impl Fixture {
    /// Starts a proxy with this configuration, which sets no address, on the system clock.
    pub(crate) fn new(config: &str) -> Self {
        Self::on(&(Arc::new(SystemClock::new()) as Arc<dyn Clock>), config)
    }

    /// Starts a proxy whose breakers use a clock that stands still.
    pub(crate) fn with_clock(config: &str) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        (Self::on(&(clock.clone() as Arc<dyn Clock>), config), clock)
    }

    fn on(clock: &Arc<dyn Clock>, config: &str) -> Self {
        let (mut config, _) = parse(config, "test").unwrap();
        if config.proxy.threads == 0 {
            config.proxy.threads = 1;
        }
        let circuits = circuits(&config, clock);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(&config, &circuits, listener).unwrap();
        Self { address: proxy.local_addr(), proxy, circuits }
    }

    /// Forwards everything to one upstream, guarded by the breaker `up`; `more` is added to the table of the upstream.
    pub(crate) fn to(url: &str, more: &str) -> Self {
        Self::new(&one_upstream(url, more))
    }

    pub(crate) fn breaker(&self, name: &str) -> Breaker {
        self.circuits.get(name).unwrap().breaker().clone()
    }

    pub(crate) fn counts(&self, name: &str) -> Counts {
        self.breaker(name).read(|core| *core.counts())
    }

    /// The value of a series.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.proxy.metrics()();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or_else(|| panic!("{series} is not in {text}")).trim().parse().unwrap()
    }

    /// Applies another configuration.
    pub(crate) fn apply(&self, config: &str) {
        let (config, _) = parse(config, "test").unwrap();
        self.proxy.apply(&config, &self.circuits).unwrap();
    }

    /// Whether another configuration is rejected.
    pub(crate) fn rejects(&self, config: &str) -> bool {
        let (config, _) = parse(config, "test").unwrap();
        self.proxy.apply(&config, &self.circuits).is_err()
    }

    pub(crate) fn drain(&self, patience: Duration) -> usize {
        futures_lite::future::block_on(self.proxy.drain(patience))
    }

    /// Waits until a series has this value.
    pub(crate) fn wait_for_metric(&self, series: &str, value: f64) {
        let deadline = Instant::now() + TOO_LONG;
        while (self.metric(series) - value).abs() > f64::EPSILON {
            assert!(Instant::now() < deadline, "{series} is {} and not {value}", self.metric(series));
            std::thread::yield_now();
        }
    }
}

/// A configuration that forwards everything to one upstream.
pub(crate) fn one_upstream(url: &str, more: &str) -> String {
    format!("[upstreams.up]\nurl = \"{url}\"\n{more}\n[[routes]]\nupstream = \"up\"\n")
}

fn circuits(config: &Config, clock: &Arc<dyn Clock>) -> Circuits {
    let circuits = Circuits::new();
    for settings in config.all_breakers() {
        let builder = Breaker::builder(clock.clone()).name(settings.name.clone()).policy(settings.policy.clone());
        let builder = builder.stall_detection(settings.stall_detection);
        let circuit = if settings.is_family() {
            Circuit::of_family(Family::new(builder, settings.family.limits()).unwrap())
        } else {
            Circuit::builder(builder.build().unwrap())
        };
        circuits.insert(circuit.config(settings.clone()).build()).unwrap();
    }
    circuits
}
