//! An axum server on tokio with one slow route behind a breaker, supervisor and dispatcher as tokio tasks, and a client
//! that sees the breaker open.
//!
//! `cargo run -p tripline-backends --example on_tokio --features cgroup,sysinfo,tower`

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tripline_backends::log_sink::LogSink;
use tripline_backends::memory::{self, MemorySourceKind};
use tripline_backends::tower::{BreakerLayer, service_unavailable};
use tripline_runtime::core::{Confidence, Latency, Policy};
use tripline_runtime::{Breaker, SupervisedBreaker, TokioClock, supervise};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(20);
    policy.minimum_samples = Some(5);
    // Five slow calls are enough, so that ten calls show it. The default waits for evidence that lasts.
    policy.trip_confidence = Confidence::ZERO;
    let clock = Arc::new(TokioClock::new());
    let breaker = Breaker::builder(clock.clone()).policy(policy).build()?;

    let watch =
        SupervisedBreaker::new(breaker.clone()).memory(memory::open(MemorySourceKind::Auto)?).sink(Arc::new(LogSink));
    let (supervisor, dispatcher, stop) = supervise(clock, [watch], 1);
    let supervisor = tokio::spawn(supervisor.run());
    let dispatcher = tokio::spawn(dispatcher.run());

    let slow = get(|| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        "done\n"
    });
    let app = Router::new().route("/", slow.layer(BreakerLayer::new(breaker).respond_with(service_unavailable)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    for _ in 0..10 {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        println!("{}", answer.lines().next().unwrap_or_default());
    }

    server.abort();
    stop.stop(Duration::from_secs(1));
    supervisor.await?;
    println!("{:?}", dispatcher.await?);
    Ok(())
}
