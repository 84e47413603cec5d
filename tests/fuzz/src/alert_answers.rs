//! Responses of alert services, complete or cut off, over a socket: the first byte selects the receiver, the rest is
//! the response.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use futures_lite::future::block_on;
use tripline_backends::alerts::opsgenie::OpsGenieSink;
use tripline_backends::alerts::webhook::WebhookSink;
use tripline_backends::config::{OpsGenie, Provider, Secret, Webhook};
use tripline_backends::http_client::{ClientLimits, HyperClient};
use tripline_core::{Latency, Outcome, Policy};
use tripline_runtime::test_util::World;
use tripline_runtime::{Alert, AlertSink, DeliveryError, Stage};

const KEY: &str = "k3y-0f-4ll-k3y5";
/// Of a reason that a service gives; our own words beside it are short.
const MAX_REASON_CHARACTERS: usize = 600;

/// What the service answers to every request.
static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// One input at a time.
static TURN: Mutex<u32> = Mutex::new(0);

pub fn run(data: &[u8]) {
    let [receiver, answer @ ..] = data else { return };
    let mut turn = lock(&TURN);
    // An address of its own for each: ports stay in use for a minute after a connection.
    *turn = turn.wrapping_add(1);
    let address = Ipv4Addr::new(127, 0, (*turn >> 7 & 0x7f) as u8, (*turn & 0x7f) as u8 + 1);
    answer.clone_into(&mut lock(&ANSWER));
    let url = format!("http://{address}:{}", port());
    let mut limits = ClientLimits::default();
    limits.whole = Duration::from_secs(2);
    let client = HyperClient::new(limits);
    let is_webhook = receiver % 3 == 0;
    let sink: Box<dyn AlertSink> = match receiver % 3 {
        0 => Box::new(WebhookSink::new(webhook(&url), client)),
        1 => Box::new(OpsGenieSink::new(opsgenie(&url, Provider::OpsGenie), client)),
        _ => Box::new(OpsGenieSink::new(opsgenie(&url, Provider::Jsm), client)),
    };
    let mut result = Err(DeliveryError::Pending { after: Duration::ZERO });
    for _ in 0..3 {
        result = block_on(sink.deliver(alert()));
        if !matches!(result, Err(DeliveryError::Pending { .. })) {
            break;
        }
    }
    match result {
        Ok(()) if is_webhook => assert!(has(answer, b" 2"), "delivered without a status of 2xx"),
        Ok(()) => assert!(has(answer, b" 202") && has(answer, b"requestId"), "delivered without the documented answer"),
        Err(DeliveryError::Retryable { reason, .. } | DeliveryError::Rejected { reason, .. }) => {
            assert!(!reason.is_empty() && reason.chars().count() <= MAX_REASON_CHARACTERS, "{reason}");
            assert!(!reason.contains(char::is_control), "{reason:?}");
            assert!(!reason.contains(KEY), "{reason}");
        }
        Err(_) => {}
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn webhook(url: &str) -> Webhook {
    let mut webhook = Webhook::default();
    (webhook.enabled, webhook.url) = (true, Some(Secret::new(format!("{url}/hook?token={KEY}"))));
    webhook
}

fn opsgenie(url: &str, provider: Provider) -> OpsGenie {
    let mut config = OpsGenie::default();
    config.enabled = true;
    config.provider = provider;
    config.api_key = Some(Secret::new(KEY));
    config.api_url = url.into();
    config.team = "payments".into();
    config.environment = "production".into();
    config.service_id = "s-1".into();
    config.hostname = "h-1".into();
    config
}

/// The alert of a breaker that really opened.
fn alert() -> &'static Alert {
    static ALERT: OnceLock<Alert> = OnceLock::new();
    ALERT.get_or_init(|| {
        let world = World::new(1);
        let mut policy = Policy::default();
        policy.latency_threshold = Latency::from_millis(300);
        let subject = world.breaker(policy).unwrap();
        for _ in 0..200 {
            world.request(&subject.breaker, Duration::from_secs(1), Outcome::Ok);
            world.advance(Duration::from_millis(100));
        }
        let mut alert = subject.alerts.all().remove(0);
        alert.stage = Stage::Single;
        alert
    })
}

/// The port of the service.
fn port() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream);
            }
        });
        port
    })
}

/// Takes a whole request, answers and closes.
fn serve(mut stream: TcpStream) {
    let (mut request, mut buffer) = (Vec::new(), [0; 16 * 1_024]);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    while !is_whole(&request) {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    let answer = lock(&ANSWER).clone();
    let _ = stream.write_all(&answer);
    let _ = stream.shutdown(Shutdown::Write);
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    request.len() - end - 4 >= length.unwrap_or(0)
}
