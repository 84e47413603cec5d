//! Twenty lightweight replicas in the test process beside three separate processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_lite::future::{block_on, zip};
use tripline_backends::fleet::RedisFleet;
use tripline_runtime::core::fleet::text;
use tripline_runtime::{
    Alert, AlertSink, Breaker, DeliveryError, Fleet, FleetRunner, FleetSettings, ShutdownHandle, SupervisedBreaker,
    SystemClock, supervise,
};

use crate::redis_server::RedisServer;
use crate::replicas::Replicas;

/// Counts alerts that are opened, and alerts that are closed; repeated closes do not count.
#[derive(Debug, Default)]
struct Counts {
    pages: AtomicUsize,
    closes: AtomicUsize,
}

#[async_trait::async_trait]
impl AlertSink for Counts {
    fn name(&self) -> &'static str {
        "counts"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let fleet = alert.fleet.as_ref().unwrap();
        // Relaxed, like every access in this file: the counters are independent.
        if alert.stage.is_end() {
            self.closes.fetch_add(usize::from(!fleet.is_repeated()), Ordering::Relaxed);
        } else {
            self.pages.fetch_add(usize::from(!fleet.is_note()), Ordering::Relaxed);
        }
        Ok(())
    }
}

struct Light {
    breaker: Breaker,
    stop: ShutdownHandle,
    thread: JoinHandle<()>,
}

fn light(number: usize, redis: &RedisServer, counts: &Arc<Counts>) -> Light {
    let clock = Arc::new(SystemClock::new());
    let breaker = Breaker::builder(clock.clone()).build().unwrap();
    let engine = Arc::new(RedisFleet::new(&redis.url(), "tripline", "checkout").unwrap());
    let settings = FleetSettings::new(text(&format!("light-{number}-abcd")), number as u64);
    let fleet = Fleet::new(engine, settings, clock.clone());
    let target = SupervisedBreaker::new(breaker.clone()).sink(counts.clone()).fleet(fleet.clone());
    let (supervisor, dispatcher, stop) = supervise(clock, [target], number as u64);
    let runner = FleetRunner::new(fleet, stop.clone());
    let thread = thread::spawn(move || {
        block_on(zip(zip(supervisor.run(), dispatcher.run()), runner.run()));
    });
    Light { breaker, stop, thread }
}

#[test]
fn twenty_three_replicas_page_once_and_close_once() {
    let Some(redis) = RedisServer::start_in_ci("twenty-three replicas") else { return };
    let counts = Arc::new(Counts::default());
    let lights: Vec<Light> = (0..20).map(|number| light(number, &redis, &counts)).collect();
    let mut replicas = Replicas::none(&redis.url(), 0);
    replicas.start_processes(3);
    replicas.until(30, "all are members", |it| it.all_count(23));
    for number in [3, 1, 4, 15, 9, 2, 6] {
        lights[number].breaker.simulate_memory();
    }
    replicas.trip(2);
    let pages = |it: &Replicas| {
        counts.pages.load(Ordering::Relaxed) + it.alerts().iter().map(|alert| alert.count as usize).sum::<usize>()
    };
    replicas.until(30, "one pages", |it| pages(it) > 0);
    thread::park_timeout(Duration::from_secs(12));
    assert_eq!(pages(&replicas), 1);
    let summary = replicas.of(0).status()["fleet"].as_str().unwrap().to_owned();
    assert!(summary.starts_with("8 of 23 replicas open"), "{summary}");
    for light in &lights {
        light.breaker.reset();
    }
    replicas.recover(2);
    let closes = |it: &Replicas| counts.closes.load(Ordering::Relaxed) + it.closes();
    replicas.until(60, "one closes", |it| closes(it) > 0);
    for light in &lights {
        light.stop.stop(Duration::from_secs(1));
    }
    for light in lights {
        light.thread.join().unwrap();
    }
    replicas.until(20, "the light ones have left", |it| it.all_count(3));
}
