//! reqwest behind a named breaker; while the breaker is open, the last known response is the fallback.
//!
//! `cargo run --manifest-path tests/clients/Cargo.toml --bin reqwest_with_fallback`

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tripline_backends::app::App;
use tripline_backends::config::process_variable;
use tripline_backends::reload::LoadedConfig;
use tripline_runtime::{Breaker, CallError};

// Five slow calls are enough, so that a few calls show it. The default waits for evidence that lasts.
const SETTINGS: &str = "
latency_threshold = 20
minimum_samples = 5
trip_confidence = 0
http.listen = \"127.0.0.1:0\"
[breakers.prices]
";

/// Asks a price service, and remembers its last answer.
struct Prices {
    client: reqwest::Client,
    breaker: Breaker,
    url: String,
    last: Option<String>,
}

/// A price, and where it comes from.
#[derive(Debug, PartialEq)]
enum Price {
    Fresh(String),
    LastKnown(String),
}

impl Prices {
    async fn ask(&mut self) -> Result<Price, Box<dyn Error>> {
        let request = self.client.get(&self.url);
        // A status of 400 and above is an error, which counts as failed; so does no answer.
        let call = async { request.send().await?.error_for_status()?.text().await };
        match self.breaker.call_async(call).await {
            Ok(price) => {
                self.last = Some(price.clone());
                Ok(Price::Fresh(price))
            }
            // The breaker is open: the service was not asked.
            Err(CallError::Rejected(rejection)) => {
                self.last.clone().map(Price::LastKnown).ok_or_else(|| rejection.to_string().into())
            }
            Err(CallError::Failed(error)) => self.last.clone().map(Price::LastKnown).ok_or_else(|| error.into()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = App::start(LoadedConfig::text(SETTINGS, "settings", Box::new(process_variable))?)?;
    let service = PriceService::start().await?;
    let breaker = app.circuit("prices")?.breaker().clone();
    let mut prices = Prices { client: reqwest::Client::new(), breaker, url: service.url.clone(), last: None };

    check(prices.ask().await? == Price::Fresh("12.50".to_owned()), "a fast service is asked")?;
    service.delay_ms.store(60, Ordering::Relaxed);
    let mut slow_calls = 0;
    while matches!(prices.ask().await?, Price::Fresh(_)) {
        slow_calls += 1;
        check(slow_calls < 100, "the breaker opens after a few slow calls")?;
    }
    println!("the breaker opened after {slow_calls} slow calls");

    let (asked, began) = (service.asked.load(Ordering::Relaxed), Instant::now());
    let price = prices.ask().await?;
    check(price == Price::LastKnown("12.50".to_owned()), "the last known price is the fallback")?;
    check(service.asked.load(Ordering::Relaxed) == asked, "the service is not asked while the breaker is open")?;
    println!("{price:?} within {:?}", began.elapsed());
    println!("{:?}", app.stop(Duration::from_secs(1)).await);
    Ok(())
}

/// A service on a real socket that can be made slow.
struct PriceService {
    url: String,
    delay_ms: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
}

impl PriceService {
    async fn start() -> std::io::Result<Self> {
        let (delay_ms, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (delay, count) = (delay_ms.clone(), asked.clone());
        let price = get(async move || {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(delay.load(Ordering::Relaxed))).await;
            "12.50"
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/price", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/price", price)).await });
        Ok(Self { url, delay_ms, asked })
    }
}

/// This example is run by CI: what it claims must hold.
fn check(holds: bool, claim: &str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(format!("not so: {claim}").into()) }
}
