//! A tonic client behind a named breaker: the status in the trailers decides whether a call failed.
//!
//! `cargo run --manifest-path tests/clients/Cargo.toml --bin tonic_client`

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceBuilder;
use tripline_backends::app::App;
use tripline_backends::config::process_variable;
use tripline_backends::reload::LoadedConfig;
use tripline_backends::tower::{BreakerLayer, GrpcClassify};

// Five failed calls are enough, so that a few calls show it. The default waits for evidence that lasts.
const SETTINGS: &str = "
failure_rate_threshold = 0.5
minimum_samples = 5
trip_confidence = 0
http.listen = \"127.0.0.1:0\"
[breakers.health]
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = App::start(LoadedConfig::text(SETTINGS, "settings", Box::new(process_variable))?)?;
    let (url, is_broken) = start_server().await?;

    // Where a status of gRPC comes in the trailers, the call is measured to the end of its body.
    let layer = BreakerLayer::new(app.circuit("health")?).classify(GrpcClassify).measure_body();
    let channel = Endpoint::new(url)?.connect().await?;
    let mut client = HealthClient::new(ServiceBuilder::new().layer(layer).service(channel));

    let answer = client.check(HealthCheckRequest::default()).await?.into_inner();
    println!("{answer:?}");
    is_broken.store(true, Ordering::Relaxed);
    let mut failed = 0;
    let rejection = loop {
        match client.check(HealthCheckRequest::default()).await {
            Err(status) if status.code() == Code::Unavailable => failed += 1,
            Err(status) => break status,
            Ok(_) => return Err("a broken server answers".into()),
        }
        if failed > 100 {
            return Err("the breaker does not open".into());
        }
    };
    println!("after {failed} failed calls: {rejection}");
    println!("{:?}", app.stop(Duration::from_secs(1)).await);
    Ok(())
}

/// The health service on a real socket, and a switch that breaks it.
async fn start_server() -> Result<(String, Arc<AtomicBool>), Box<dyn Error>> {
    let is_broken = Arc::new(AtomicBool::new(false));
    let broken = is_broken.clone();
    let (_, health) = tonic_health::server::health_reporter();
    let service = InterceptedService::new(health, move |request: Request<()>| {
        if broken.load(Ordering::Relaxed) { Err(Status::unavailable("overloaded")) } else { Ok(request) }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
    Ok((url, is_broken))
}
