//! Bytes of a connection to the API of a running app: heads and bodies of requests, valid or hostile. The app has a
//! breaker, a family, alerts and a configuration file that it writes.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tower_service::Service as _;
use tripline_backends::app::{App, BoxFuture, Platform, Spawner};
use tripline_backends::config::parse;
use tripline_backends::http_client::{ClientRequest, ClientResponse, HyperClient, Network, TransportError};
use tripline_backends::memory::{MemorySourceKind, MemoryUsed};
use tripline_backends::reload::{ConfigStore, LoadedConfig, Unsaved};
use tripline_core::Outcome;
use tripline_runtime::test_util::{ManualClock, World};
use tripline_runtime::{Breaker, Clock, Family, MemoryError, MemorySource, MockMemory};

const FILE: &str = "breakers.toml";
const CONFIG: &str = "\
    # as agreed\nmemory_source = \"mock\"\nlatency_threshold = 300 # ms\nwait_time = 3\n\n\
    [opsgenie]\nenabled = true\napi_key = \"k\"\nteam = \"core\"\nenvironment = \"prod\"\nservice_id = \"7\"\nhostname = \"h\"\n\
    business = \"b\"\n\n[webhook]\nenabled = true\nurl = \"http://hook.test/in\"\n\n\
    [breakers.default] # a dependency\nlatency_threshold = 200\n\n\
    [breakers.tenants]\nkey = \"header:x-tenant\"\nmax_keys = 4\n";

/// A stream of events never ends.
const MAX_POLLS: usize = 200;

thread_local! {
    /// To build it takes longer than to answer.
    static PROCESS: Process = Process::new();
}

pub fn run(data: &[u8]) {
    PROCESS.with(|process| {
        process.restore();
        process.check(data);
    });
}

/// A running app.
struct Process {
    world: World,
    machine: Machine,
    file: MemoryFile,
    app: App,
    router: Router,
    default: Breaker,
    tenants: Family,
}

impl Process {
    fn new() -> Self {
        let world = World::new(1);
        let (machine, file) = (Machine::new(&world), MemoryFile::default());
        let config = LoadedConfig::open(Box::new(file.clone()), Box::new(|_| None)).unwrap();
        let app = App::builder(config).platform(Arc::new(machine.clone())).start().unwrap();
        let router = app.router().unwrap();
        let default = app.circuits().get("default").unwrap().breaker().clone();
        let tenants = app.circuits().family("tenants").unwrap();
        let process = Self { world, machine, file, app, router, default, tenants };
        process.machine.adopt(&process.world);
        process
    }

    fn breakers(&self) -> [Breaker; 3] {
        [self.default.clone(), self.tenants.get("acme").unwrap(), self.tenants.get("other").unwrap()]
    }

    /// Undoes what the input before this one did.
    fn restore(&self) {
        CONFIG.clone_into(&mut self.file.text());
        self.app.config().reload();
        self.world.advance(Duration::from_secs(1));
        for breaker in self.breakers() {
            breaker.undo_simulations();
            breaker.reset();
        }
        self.check_configuration();
    }

    fn check(&self, data: &[u8]) {
        for status in self.answers(data) {
            // 501: what needs a fleet. 503: what `/ready` answers while a breaker is open.
            assert!((200..500).contains(&status) || matches!(status, 501 | 503), "status {status}");
        }
        // Whatever was set, the breakers work, and nothing panics.
        for breaker in self.breakers() {
            self.world.request(&breaker, Duration::from_millis(20), Outcome::Ok);
        }
        self.world.advance(Duration::from_secs(20));
        self.check_configuration();
    }

    /// What was saved is in force, and what the operator wrote beside it is there.
    fn check_configuration(&self) {
        let text = self.file.text().clone();
        let (saved, _) = parse(&text, FILE).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        assert!(text.contains("# as agreed") && text.contains("# a dependency"), "{text}");
        if let Some(error) = self.app.config().config_error() {
            panic!("{error}\n{text}");
        }
        assert_eq!(saved, *self.app.config().config(), "{text}");
        for circuit in self.app.circuits().iter() {
            let wanted = saved.all_breakers().iter().find(|config| config.name == *circuit.name());
            assert_eq!(wanted, Some(&*circuit.config()), "{text}");
        }
    }

    /// Sends everything at once, and returns the statuses of the answers.
    fn answers(&self, data: &[u8]) -> Vec<u16> {
        let answered = Arc::new(Mutex::new(Vec::new()));
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let (mut router, answered) = (self.router.clone(), answered.clone());
            async move {
                let answer = router.call(request).await;
                if let Ok(answer) = &answer {
                    answered.lock().unwrap().push(answer.status().as_u16());
                }
                answer
            }
        });
        let mut builder = http1::Builder::new();
        builder.half_close(true).auto_date_header(false).max_buf_size(16 * 1_024).max_headers(64);
        let mut connection = pin!(builder.serve_connection(Bytes { left: data }, service));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..MAX_POLLS {
            if connection.as_mut().poll(&mut context).is_ready() {
                break;
            }
            self.machine.adopt(&self.world);
        }
        let answered = answered.lock().unwrap();
        answered.clone()
    }
}

/// A client that sends everything at once, closes its sending half and reads all answers.
struct Bytes<'a> {
    left: &'a [u8],
}

impl Read for Bytes<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut to: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let length = self.left.len().min(to.remaining());
        let (now, later) = self.left.split_at(length);
        to.put_slice(now);
        self.left = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Bytes<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Virtual time, memory as reported, tasks in the world, and a network on which no service answers.
#[derive(Debug, Clone)]
struct Machine {
    clock: Arc<ManualClock>,
    tasks: Tasks,
}

#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<Vec<BoxFuture>>>);

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tasks")
    }
}

impl Machine {
    fn new(world: &World) -> Self {
        Self { clock: world.clock(), tasks: Tasks::default() }
    }

    /// Runs what the app has spawned, until all of it waits.
    fn adopt(&self, world: &World) {
        loop {
            let tasks = std::mem::take(&mut *self.tasks.0.lock().unwrap());
            let is_last = tasks.is_empty();
            for task in tasks {
                world.spawn(task);
            }
            world.run_until_idle();
            if is_last {
                return;
            }
        }
    }
}

impl Platform for Machine {
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn spawner(&self) -> Spawner {
        let tasks = self.tasks.clone();
        Spawner::new(move |task| tasks.0.lock().unwrap().push(task))
    }

    fn spawn_dedicated(&self, _: &str, task: BoxFuture) -> io::Result<()> {
        self.spawner().spawn(task);
        Ok(())
    }

    fn seed(&self) -> u64 {
        1
    }

    fn memory(&self, _: MemorySourceKind, _: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
        Ok(Arc::new(MockMemory::default()))
    }

    fn alert_client(&self) -> HyperClient {
        HyperClient::default().through(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Network for Machine {
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    async fn exchange(&self, _: ClientRequest) -> Result<ClientResponse, TransportError> {
        Err(TransportError::Connect(io::ErrorKind::ConnectionRefused.into()))
    }
}

/// The configuration file. Clones share it.
#[derive(Debug, Clone)]
struct MemoryFile(Arc<Mutex<String>>);

impl Default for MemoryFile {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(CONFIG.to_owned())))
    }
}

impl MemoryFile {
    fn text(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap()
    }
}

impl ConfigStore for MemoryFile {
    fn name(&self) -> String {
        FILE.to_owned()
    }

    fn read(&self) -> Result<String, String> {
        Ok(self.text().clone())
    }

    fn rewrite(&self, _: &str, edit: &dyn Fn(&str) -> Result<String, Unsaved>) -> Result<String, Unsaved> {
        let mut text = self.text();
        *text = edit(&text)?;
        Ok(text.clone())
    }
}
