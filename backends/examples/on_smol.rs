//! An app on smol, from a configuration: a slow route behind its breaker beside the management API, and a client that
//! sees the breaker open.
//!
//! `cargo run -p tripline-backends --features app,tower --example on_smol`

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::{SocketAddr, TcpListener, TcpStream};
use tripline_backends::api::{ServerLimits, router_with, serve};
use tripline_backends::app::App;
use tripline_backends::reload::LoadedConfig;
use tripline_backends::tower::{BreakerLayer, service_unavailable};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        // Five slow calls are enough, so that ten calls show it. The default waits for evidence that lasts.
        let settings = "latency_threshold = 20\nminimum_samples = 5\ntrip_confidence = 0\n";
        let app = App::start(LoadedConfig::text(settings, "settings", Box::new(|name| std::env::var(name).ok()))?)?;
        let circuit = app.circuits().first().ok_or("the configuration has no breaker")?;

        let slow = get(|| async {
            smol::Timer::after(Duration::from_millis(50)).await;
            "done\n"
        });
        let protection = BreakerLayer::new(circuit.breaker().clone()).respond_with(service_unavailable);
        let router = router_with(app.api(), Router::new().route("/slow", slow.layer(protection)))?;

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let client = async {
            for _ in 0..10 {
                println!("{}", ask(address, "/slow").await?.lines().next().unwrap_or_default());
            }
            println!("{}", ask(address, "/breaker/status").await?.lines().last().unwrap_or_default());
            Ok::<_, std::io::Error>(())
        };
        let (stop_serving, stopped) = smol::channel::bounded::<()>(1);
        let until_stopped = async move {
            let _ = stopped.recv().await;
        };
        let serving = serve(listener, router, until_stopped, ServerLimits::default());
        let client = async {
            let result = client.await;
            drop(stop_serving);
            result
        };
        let (_, asked) = smol::future::zip(serving, client).await;
        asked?;
        println!("{:?}", app.stop(Duration::from_secs(1)).await);
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
