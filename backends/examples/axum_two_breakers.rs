//! An axum server on tokio with two named breakers from one file, and the management API, metrics, alerts and dashboard
//! on a second port. A client then makes one route slow and checks that the other one is still served.
//!
//! `cargo run -p tripline-backends --example axum_two_breakers --features app,tower`

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tripline_backends::app::App;
use tripline_backends::config::process_variable;
use tripline_backends::reload::LoadedConfig;
use tripline_backends::tower::{BreakerLayer, service_unavailable};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/two_breakers.toml");

    // Tripline begins here,
    let app = App::start(LoadedConfig::file(file.as_ref(), Box::new(process_variable))?)?;
    let management = app.serve_api()?;
    let checkout = BreakerLayer::new(app.circuit("checkout")?).respond_with(service_unavailable);
    let search = BreakerLayer::new(app.circuit("search")?).respond_with(service_unavailable);
    // and ends here, but for the two layers below and `app.stop` at the end.

    let router = Router::new()
        .route("/checkout", get(slow_checkout).layer(checkout))
        .route("/search", get(async || "found\n").layer(search));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("service on http://{address}, management and dashboard on http://{management}");
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    see_it_work(address, management).await?;

    server.abort();
    println!("{:?}", app.stop(Duration::from_secs(1)).await);
    Ok(())
}

/// A dependency that has become slow.
async fn slow_checkout() -> &'static str {
    tokio::time::sleep(Duration::from_millis(50)).await;
    "paid\n"
}

/// Calls both routes and reads the management API. This example is run by CI: what it claims must hold.
async fn see_it_work(service: SocketAddr, management: SocketAddr) -> Result<(), Box<dyn Error>> {
    for _ in 0..10 {
        println!(
            "GET /checkout: {}   GET /search: {}",
            status(service, "/checkout").await?,
            status(service, "/search").await?
        );
    }
    check(status(service, "/checkout").await? == "503", "the slow route is rejected")?;
    check(status(service, "/search").await? == "200", "the other route is served")?;

    let open = ask(management, "/breakers?state=open").await?;
    check(open.contains("\"name\":\"checkout\"") && !open.contains("search"), "the API lists the open breaker")?;
    let metrics = ask(management, "/metrics").await?;
    for name in ["checkout", "search"] {
        check(metrics.contains(&format!("breaker=\"{name}\"")), "the metrics have both breakers")?;
    }
    check(ask(management, "/").await?.contains("<title>Tripline</title>"), "the dashboard is there")?;
    println!("{}", open.lines().last().unwrap_or_default());
    Ok(())
}

async fn status(address: SocketAddr, path: &str) -> Result<String, Box<dyn Error>> {
    Ok(ask(address, path).await?.split(' ').nth(1).unwrap_or_default().to_owned())
}

async fn ask(address: SocketAddr, path: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn check(holds: bool, claim: &str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(format!("not so: {claim}").into()) }
}
