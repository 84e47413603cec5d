//! A server on a real socket, and a reader of its events.
#![allow(dead_code, missing_docs, missing_debug_implementations, unreachable_pub)]

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use smol::Timer;
use smol::channel::{Sender, unbounded};
use smol::future::{FutureExt as _, block_on};
use smol::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use smol::net::{TcpListener, TcpStream};
use tripline_backends::api::{Served, ServerLimits, serve};

/// Time limit of a test. No test comes near it unless something is wrong.
const TOO_LONG: Duration = Duration::from_secs(30);

/// A server limit that a test must not reach.
const NEVER: Duration = Duration::from_secs(3_600);

pub struct Server {
    pub address: SocketAddr,
    pub stop: Sender<()>,
    pub task: smol::Task<Served>,
}

impl Server {
    pub fn start(router: Router) -> Self {
        let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = unbounded::<()>();
        let stopped = async move {
            let _ = stopped.recv().await;
        };
        let mut limits = ServerLimits::default();
        limits.write_timeout = NEVER;
        limits.drain_timeout = NEVER;
        Self { address, stop, task: smol::spawn(serve(listener, router, stopped, limits)) }
    }

    /// A reader whose request has additional headers: lines that end in CR LF.
    pub async fn reader(&self, headers: &str) -> Reader {
        let reader = self.request("/breaker/events", headers).await;
        assert!(reader.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", reader.head);
        reader
    }

    pub async fn request(&self, path: &str, headers: &str) -> Reader {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "the connection ended after {head:?}");
            head.push_str(&line);
        }
        Reader { stream, head, text: String::new(), chunks: 0 }
    }

    /// The body of a response with a length.
    pub async fn get(&self, path: &str) -> String {
        let mut answer = self.request(path, "Connection: close\r\n").await;
        let mut body = String::new();
        answer.stream.read_to_string(&mut body).await.unwrap();
        body
    }
}

/// One connection that reads events.
pub struct Reader {
    stream: BufReader<TcpStream>,
    pub head: String,
    text: String,
    /// Number of chunks received; the server writes each at once.
    pub chunks: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

impl Reader {
    /// The next event; `None` at a regular end of the stream. Skips comments.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let parsed = parse(&event);
                if parsed.is_some() {
                    return parsed;
                }
            }
            if !self.read_chunk().await {
                return None;
            }
        }
    }

    /// The next event of this name that matches `wanted`.
    pub async fn find(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before a {name}"));
            if event.name == name && wanted(&event.data) {
                return event;
            }
        }
    }

    /// The next transition to this state.
    pub async fn transition(&mut self, to: &str) -> Event {
        self.find("transition", |data| data["to"] == to).await
    }

    async fn read_chunk(&mut self) -> bool {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("no length: {line:?}"));
        let mut piece = vec![0; length + 2];
        self.stream.read_exact(&mut piece).await.unwrap();
        self.text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        self.chunks += usize::from(length > 0);
        length > 0
    }
}

fn parse(text: &str) -> Option<Event> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let data = serde_json::from_str(&field("data: ")?).unwrap();
    Some(Event { name: field("event: ").unwrap(), id: field("id: "), data })
}

pub fn run<T>(test: impl Future<Output = T>) -> T {
    let too_long = async {
        Timer::after(TOO_LONG).await;
        panic!("it takes too long");
    };
    block_on(test.or(too_long))
}

/// Polls until the condition holds.
pub async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        Timer::after(Duration::from_millis(10)).await;
    }
}
