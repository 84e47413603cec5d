//! Everything on smol: the management API and a slow route behind the breaker on the ready server, supervisor and dispatcher
//! as smol tasks, and a client that sees it open. `cargo run -p tripline-backends --example on_smol`

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::{SocketAddr, TcpListener, TcpStream};
use tripline_backends::api::{ApiState, ServerLimits, router_with, serve};
use tripline_backends::log_sink::LogSink;
use tripline_backends::memory::{self, MemorySourceKind};
use tripline_backends::tower::{BreakerLayer, service_unavailable};
use tripline_runtime::core::{Latency, Policy};
use tripline_runtime::{Breaker, Registry, SupervisedBreaker, SystemClock, supervise};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let mut policy = Policy::default();
        policy.latency_threshold = Latency::from_millis(20);
        policy.minimum_samples = Some(5);
        let clock = Arc::new(SystemClock::new());
        let breaker = Breaker::builder(clock.clone()).policy(policy).build()?;
        let registry = Registry::new();
        registry.insert(breaker.clone())?;

        let source = memory::open(MemorySourceKind::Auto)?;
        let watch = SupervisedBreaker::new(breaker.clone()).memory(source.clone()).sink(Arc::new(LogSink));
        let (supervisor, dispatcher, stop) = supervise(clock, [watch], 1);
        let supervisor = smol::spawn(supervisor.run());
        let dispatcher = smol::spawn(dispatcher.run());

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let slow = get(|| async {
            smol::Timer::after(Duration::from_millis(50)).await;
            "done\n"
        });
        let own =
            Router::new().route("/slow", slow.layer(BreakerLayer::new(breaker).respond_with(service_unavailable)));
        let app = router_with(ApiState::new(registry, address).memory_source(source.name()), own)?;

        let client = async {
            for _ in 0..10 {
                println!("{}", ask(address, "/slow").await?.lines().next().unwrap_or_default());
            }
            println!("{}", ask(address, "/breaker/status").await?.lines().last().unwrap_or_default());
            Ok::<_, std::io::Error>(())
        };
        let (stop_serving, stopped) = smol::channel::bounded::<()>(1);
        let serving = serve(
            listener,
            app,
            async move {
                let _ = stopped.recv().await;
            },
            ServerLimits::default(),
        );
        let client = async {
            let result = client.await;
            drop(stop_serving);
            result
        };
        let (_, asked) = smol::future::zip(serving, client).await;
        asked?;

        stop.stop(Duration::from_secs(1));
        supervisor.await;
        println!("{:?}", dispatcher.await);
        Ok(())
    })
}

async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
