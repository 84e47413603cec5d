//! What a fleet costs its server: beats and reports of 1,000 and 10,000 replicas, and bytes stored; what it costs a replica that is
//! idle, and the delay from the first trip to the page. Needs Linux and `redis-server` in the path; it is started on a port of its own
//! and measured by its own figures.
//!
//! `cargo run --release -p tripline-backends --example fleet_load --features app,fleet-redis`

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use smol::Timer;
use tripline_backends::fleet::RedisFleet;
use tripline_runtime::core::fleet::{Known, Report, Terms, text};
use tripline_runtime::{
    Alert, AlertKind, AlertSink, Beat, Breaker, BreakerName, DeliveryError, Fleet, FleetEngine as _, FleetRunner,
    FleetSettings, SupervisedBreaker, SystemClock, supervise,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Between two beats of a replica.
const BEAT: Duration = Duration::from_secs(5);
/// Each phase.
const PHASE: Duration = Duration::from_secs(20);
/// A page of a new fleet waits for so long.
const GRACE: Duration = Duration::from_secs(12);

fn main() -> Result<(), Failure> {
    println!("replicas   phase      calls/s   CPU of one core   bytes stored   first trip to claim");
    for replicas in [1_000, 10_000] {
        let server = Server::start()?;
        smol::block_on(measure(&server, replicas))?;
    }
    smol::block_on(saturate(&Server::start()?))?;
    let without = smol::block_on(replicas(None))?;
    let with = smol::block_on(replicas(Some(&Server::start()?)))?;
    println!("an idle replica: {:.4} % of a core without a fleet, {:.4} % in one", without.idle, with.idle);
    println!("from the first trip to the page: {:.2} s", with.delay.as_secs_f64());
    Ok(())
}

/// What replicas do while a phase lasts.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// All are healthy: beats.
    Idle,
    /// 37 of 1,000 are open: beats, and reports of all.
    Incident,
}

#[derive(Default)]
struct Shared {
    calls: AtomicU64,
    first_unwell: Mutex<Option<Instant>>,
    claimed: Mutex<Option<Instant>>,
}

async fn measure(server: &Server, replicas: usize) -> Result<(), Failure> {
    // As many connections as a machine lets one process have.
    let engines: Vec<Arc<RedisFleet>> = (0..100).map(|_| server.engine()).collect::<Result<_, _>>()?;
    let empty = server.figure("used_memory")?;
    for (phase, name) in [(Phase::Idle, "idle"), (Phase::Incident, "incident")] {
        let shared = Arc::new(Shared::default());
        let started = Instant::now();
        // The beats of the first phase make the fleet old enough to page at once.
        let span = if phase == Phase::Idle { PHASE.max(GRACE) } else { PHASE };
        let (cpu, tasks) = (
            server.cpu()?,
            (0..replicas).map(|number| {
                let engine = engines.get(number % engines.len()).cloned();
                smol::spawn(replica(engine, number, replicas, phase, started + span, shared.clone()))
            }),
        );
        for task in tasks.collect::<Vec<_>>() {
            task.await?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let share = (server.cpu()? - cpu) / seconds * 100.0;
        let stored = server.figure("used_memory")? - empty;
        // Relaxed: the tasks have ended.
        let rate = shared.calls.load(Ordering::Relaxed) as f64 / seconds;
        let unwell = lock(&shared.first_unwell).to_owned();
        let claimed = lock(&shared.claimed).to_owned();
        let delay = unwell
            .zip(claimed)
            .map_or("-".to_owned(), |(from, to)| format!("{:.1} s", to.duration_since(from).as_secs_f64()));
        println!("{replicas:8}   {name:8} {rate:9.0}   {share:13.2} %   {stored:12.0}   {delay}");
    }
    Ok(())
}

/// One replica: a beat every 5 s from a moment of its own, and in an incident a report with each.
async fn replica(
    engine: Option<Arc<RedisFleet>>,
    number: usize,
    replicas: usize,
    phase: Phase,
    end: Instant,
    shared: Arc<Shared>,
) -> Result<(), Failure> {
    let engine = engine.ok_or("no engine")?;
    let (name, breaker) = (text(&format!("web-{number}-abcd")), BreakerName::default());
    let is_unwell = phase == Phase::Incident && number % 1_000 < 37;
    let mut known = Known::default();
    Timer::after(BEAT.mul_f64(number as f64 / replicas as f64)).await;
    while Instant::now() < end {
        engine.beat(&Beat::of(&name)).await?;
        shared.calls.fetch_add(1, Ordering::Relaxed);
        if phase == Phase::Incident {
            if is_unwell {
                lock(&shared.first_unwell).get_or_insert_with(Instant::now);
            }
            let mut report = Report::of(&name);
            (report.open, report.unwell) = (is_unwell, is_unwell.then_some(AlertKind::CircuitOpen));
            (report.can_deliver, report.known) = (is_unwell, known);
            let view = engine.sync(&breaker, &report, &Terms::default()).await?;
            known = view.known;
            shared.calls.fetch_add(1, Ordering::Relaxed);
            if let Some(claim) = view.claim {
                lock(&shared.claimed).get_or_insert_with(Instant::now);
                engine.acknowledge(&breaker, &name, &claim).await?;
            }
        }
        Timer::after(BEAT).await;
    }
    Ok(())
}

/// Beats and reports as fast as the server takes them, from 100 connections.
async fn saturate(server: &Server) -> Result<(), Failure> {
    for name in ["beats", "reports"] {
        let (calls, end) = (Arc::new(AtomicU64::new(0)), Instant::now() + Duration::from_secs(5));
        let mut tasks = Vec::new();
        let (from, cpu) = (Instant::now(), server.cpu()?);
        for number in 0..100 {
            let (engine, calls) = (server.engine()?, calls.clone());
            tasks.push(smol::spawn(async move {
                let replica = text(&format!("web-{number}-abcd"));
                let mut report = Report::of(&replica);
                (report.open, report.unwell) = (true, Some(AlertKind::CircuitOpen));
                while Instant::now() < end {
                    match name {
                        "beats" => drop(engine.beat(&Beat::of(&replica)).await?),
                        _ => drop(engine.sync(&BreakerName::default(), &report, &Terms::default()).await?),
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), Failure>(())
            }));
        }
        for task in tasks {
            task.await?;
        }
        let seconds = from.elapsed().as_secs_f64();
        let (rate, share) = (calls.load(Ordering::Relaxed) as f64 / seconds, (server.cpu()? - cpu) / seconds);
        println!("saturated: {rate:.0} {name}/s on {share:.2} cores, {:.0} us of the server each", share / rate * 1e6);
    }
    Ok(())
}

/// So many whole replicas run in this process.
const WHOLE: usize = 100;
/// Of them so many trip.
const TRIPPED: usize = 37;

/// What a whole replica costs.
struct Cost {
    /// Of a core, in percent.
    idle: f64,
    /// From the first trip until the page is delivered; without a fleet it pages at once.
    delay: Duration,
}

/// Delivers to nowhere, and notes when the first page came.
#[derive(Debug, Default)]
struct Pager(Mutex<Option<Instant>>);

#[async_trait]
impl AlertSink for Pager {
    fn name(&self) -> &'static str {
        "pager"
    }

    async fn deliver(&self, _: &Alert) -> Result<(), DeliveryError> {
        lock(&self.0).get_or_insert_with(Instant::now);
        Ok(())
    }
}

/// Whole replicas with breaker, supervisor, dispatcher and runner, each with a connection of its own.
async fn replicas(server: Option<&Server>) -> Result<Cost, Failure> {
    let (clock, pager) = (Arc::new(SystemClock::new()), Arc::new(Pager::default()));
    let (mut breakers, mut tasks, mut stops) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..WHOLE {
        let seed = number as u64;
        let breaker = Breaker::builder(clock.clone()).build()?;
        let mut target = SupervisedBreaker::new(breaker.clone()).sink(pager.clone());
        let fleet = match server {
            Some(server) => {
                let settings = FleetSettings::new(text(&format!("web-{number}-abcd")), seed);
                Some(Fleet::new(server.engine()?, settings, clock.clone()))
            }
            None => None,
        };
        target = match &fleet {
            Some(fleet) => target.fleet(fleet.clone()),
            None => target,
        };
        let (supervisor, dispatcher, stop) = supervise(clock.clone(), [target], seed);
        tasks.push(smol::spawn(supervisor.run()));
        tasks.push(smol::spawn(async move {
            dispatcher.run().await;
        }));
        tasks.extend(fleet.map(|fleet| smol::spawn(FleetRunner::new(fleet, stop.clone()).run())));
        breakers.push(breaker);
        stops.push(stop);
    }
    // What happens at the start is not measured.
    Timer::after(GRACE).await;
    let (from, cpu) = (Instant::now(), own_cpu()?);
    Timer::after(PHASE).await;
    let idle = (own_cpu()? - cpu) / from.elapsed().as_secs_f64() / WHOLE as f64 * 100.0;
    let tripped = Instant::now();
    for breaker in breakers.iter().take(TRIPPED) {
        breaker.simulate_memory();
    }
    let deadline = tripped + PHASE;
    let paged = loop {
        if let Some(at) = *lock(&pager.0) {
            break at;
        }
        if Instant::now() > deadline {
            return Err("it did not page".into());
        }
        Timer::after(Duration::from_millis(5)).await;
    };
    for stop in &stops {
        stop.stop(Duration::from_secs(1));
    }
    for task in tasks {
        task.await;
    }
    Ok(Cost { idle, delay: paged.duration_since(tripped) })
}

/// Seconds of processor time that the threads of this process have used.
fn own_cpu() -> Result<f64, Failure> {
    let mut nanos = 0_u64;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += text.split_whitespace().next().ok_or("no such figure")?.parse::<u64>()?;
    }
    Ok(nanos as f64 / 1e9)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Result<Self, Failure> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
        let child = command.stdout(Stdio::null()).spawn()?;
        let server = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > deadline {
                return Err("redis-server does not start".into());
            }
            std::thread::yield_now();
        }
        Ok(server)
    }

    fn engine(&self) -> Result<Arc<RedisFleet>, Failure> {
        let address = format!("redis://127.0.0.1:{}/0", self.port);
        Ok(Arc::new(RedisFleet::new(&address, "load", "checkout")?))
    }

    /// Seconds of processor time that the server has used.
    fn cpu(&self) -> Result<f64, Failure> {
        Ok(self.figure("used_cpu_user")? + self.figure("used_cpu_sys")?)
    }

    /// A figure of the server about itself.
    fn figure(&self, name: &str) -> Result<f64, Failure> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.write_all(b"INFO everything\r\nQUIT\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(value.ok_or("no such figure")?.trim().parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
