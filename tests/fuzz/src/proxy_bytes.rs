//! Bytes of a client's connection to the proxy, whole or in pieces: heads, chunks and trailers, valid or hostile. What the service gets is
//! framed in one way, has no hop-by-hop fields but `te: trailers` and those of a WebSocket upgrade, and of a valid connection is what the
//! client sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tripline_backends::circuit::{Circuit, Circuits};
use tripline_backends::config::parse;
use tripline_backends::proxy::Proxy;
use tripline_runtime::{Breaker, SystemClock};

use super::strict_http::{Fields, is_token, read_body, read_fields, read_line};

/// The last request of each connection: the proxy closes the connection after its response.
const LAST: &[u8] = b"GET /last HTTP/1.1\r\nhost: last\r\nconnection: close\r\n\r\n";
/// The response of the service to every request.
pub const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-service: yes\r\n\r\nok";
/// For the responses to a valid connection.
const PATIENCE: Duration = Duration::from_secs(20);
/// For those to an invalid one, which may leave the proxy waiting for more.
const SHORT: Duration = Duration::from_millis(5);
/// Methods and fields of a valid connection. Others may change what is forwarded.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
const FIELDS: [&str; 6] = ["accept", "content-length", "cookie", "host", "transfer-encoding", "user-agent"];
/// Requests of a valid connection that are compared.
const MAX_REQUESTS: usize = 20;

/// Until the requests of a connection that broke off have reached the service.
const SETTLED: Duration = Duration::from_millis(100);

/// Method, target and body of a request.
type Compared = (String, String, Vec<u8>);

/// A request with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    method: String,
    target: String,
    fields: Fields,
    body: Vec<u8>,
}

/// What the service got: the requests, or what is wrong with one.
#[derive(Debug, Default)]
struct Received {
    requests: Vec<Request>,
    faults: Vec<String>,
}

struct Setting {
    proxy: Proxy,
    received: Arc<Mutex<Received>>,
}

pub fn run(data: &[u8]) {
    static SETTING: OnceLock<Mutex<Setting>> = OnceLock::new();
    let Some((&pieces, sent)) = data.split_first() else { return };
    let pieces = usize::from(pieces) + 1;
    let setting = lock(SETTING.get_or_init(|| Mutex::new(Setting::new())));
    let Some(mut expected) = valid_requests(sent) else {
        let (_, answers) = setting.exchange(sent, pieces, SHORT);
        let begin = &answers[..answers.len().min(7)];
        assert!(b"HTTP/1.".starts_with(begin) || sent.starts_with(b"PRI"), "{}", String::from_utf8_lossy(&answers));
        return;
    };
    expected.push(("GET".to_owned(), "/last".to_owned(), Vec::new()));
    let (mut requests, mut answers) = setting.exchange(sent, pieces, PATIENCE);
    if requests != expected {
        // A request of the input before this one may have reached the service only now.
        std::thread::sleep(SETTLED);
        (requests, answers) = setting.exchange(sent, pieces, PATIENCE);
    }
    assert_eq!(requests, expected);
    let served = answers.windows(14).filter(|bytes| bytes == b"x-service: yes").count();
    assert_eq!(served, expected.len(), "responses: {}", String::from_utf8_lossy(&answers));
}

impl Setting {
    fn new() -> Self {
        let received = Arc::new(Mutex::new(Received::default()));
        let of_service = received.clone();
        Self { proxy: proxy(service(move |connection| serve(connection, &of_service))), received }
    }

    /// Sends everything in pieces and reads until the proxy closes the connection, or nothing comes for so long. Returns what the
    /// service got, and the responses.
    fn exchange(&self, sent: &[u8], pieces: usize, patience: Duration) -> (Vec<Compared>, Vec<u8>) {
        *lock(&self.received) = Received::default();
        let client = TcpStream::connect(self.proxy.local_addr()).unwrap();
        client.set_nodelay(true).unwrap();
        client.set_read_timeout(Some(patience)).unwrap();
        for piece in sent.chunks(sent.len().div_ceil(pieces).max(1)).chain([LAST]) {
            // The proxy may have closed the connection.
            if (&client).write_all(piece).is_err() {
                break;
            }
        }
        let mut answers = Vec::new();
        let _ = (&client).read_to_end(&mut answers);
        let Received { requests, faults } = std::mem::take(&mut *lock(&self.received));
        assert!(faults.is_empty(), "the service got {faults:?}");
        let compared = requests.into_iter().map(|request| (request.method, request.target, request.body));
        (compared.collect(), answers)
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a service that handles each connection in a thread of its own.
pub fn service(handle: impl Fn(&TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let handle = handle.clone();
            std::thread::spawn(move || handle(&connection.unwrap()));
        }
    });
    address
}

pub fn proxy(service: SocketAddr) -> Proxy {
    let text = format!(
        "[proxy]\nthreads = 1\n[upstreams.service]\nurl = \"http://{service}\"\n[[routes]]\nupstream = \"service\"\n"
    );
    let (config, _) = parse(&text, "proxy.toml").unwrap();
    let circuits = Circuits::new();
    let breaker = Breaker::builder(Arc::new(SystemClock::new())).name("service".parse().unwrap()).build().unwrap();
    breaker.disable();
    circuits.insert(Circuit::builder(breaker).build()).unwrap();
    Proxy::start(&config, &circuits, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap()
}

/// Method, target and body of each request, where the bytes are some valid requests of which the proxy changes none.
fn valid_requests(mut bytes: &[u8]) -> Option<Vec<Compared>> {
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        let Ok(Some(request)) = read_request(&mut bytes) else { return None };
        let is_known = |name: &str| FIELDS.contains(&name) || name.starts_with("x-a");
        let hosts = request.fields.iter().filter(|(name, _)| name == "host");
        let is_host = |value: &[u8]| {
            (1..100).contains(&value.len()) && value.iter().all(u8::is_ascii_lowercase) && !value.starts_with(b"xn")
        };
        let is_plain = METHODS.contains(&&*request.method)
            && request.target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/?=&-._~".contains(&byte))
            && request.fields.iter().all(|(name, value)| is_known(name) && value.iter().all(u8::is_ascii_graphic))
            && request.fields.len() < 50
            && hosts.clone().count() == 1
            && hosts.clone().all(|(_, value)| is_host(value));
        if !is_plain || requests.len() == MAX_REQUESTS {
            return None;
        }
        requests.push((request.method, request.target, request.body));
    }
    Some(requests)
}

/// Reads requests of one connection and answers them, until it ends.
fn serve(connection: &TcpStream, received: &Mutex<Received>) {
    let mut reader = BufReader::new(connection);
    loop {
        match read_request(&mut reader) {
            Ok(Some(request)) => {
                let fault = hop_by_hop(&request);
                let mut received = lock(received);
                received.faults.extend(fault);
                received.requests.push(request);
            }
            // The client of the proxy broke off.
            Ok(None) => return,
            Err(fault) => return lock(received).faults.push(fault),
        }
        let mut connection = connection;
        if connection.write_all(RESPONSE).is_err() {
            return;
        }
    }
}

/// A field that concerns the client's connection only.
fn hop_by_hop(Request { fields, .. }: &Request) -> Option<String> {
    let has = |name: &str, allowed: &[u8]| {
        fields.iter().any(|(other, value)| other == name && !value.eq_ignore_ascii_case(allowed))
    };
    let is_websocket = fields.iter().any(|(name, value)| name == "upgrade" && value.eq_ignore_ascii_case(b"websocket"));
    let wrong = has("connection", if is_websocket { b"upgrade" } else { b"" })
        || has("te", b"trailers")
        || ["keep-alive", "proxy-connection", "proxy-authorization"].iter().any(|name| has(name, b""))
        || has("upgrade", b"websocket")
        || fields.iter().filter(|(name, _)| name == "host").count() != 1;
    wrong.then(|| format!("fields {fields:?}"))
}

/// Reads a request by the strict rules of RFC 9112: each line ends with CR LF, and a body is framed in one way. `None` at the end.
///
/// # Errors
/// What is wrong with it.
fn read_request(from: &mut impl BufRead) -> Result<Option<Request>, String> {
    let Some(line) = read_line(from)? else { return Ok(None) };
    let line = String::from_utf8(line).map_err(|error| error.to_string())?;
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts[..] else { return Err(format!("the request line {line:?}")) };
    let is_path = target.starts_with('/') || target == "*";
    if method.is_empty()
        || !method.bytes().all(is_token)
        || !is_path
        || !target.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(format!("the request line {line:?}"));
    }
    let Some(fields) = read_fields(from)? else { return Ok(None) };
    let body = read_body(from, &fields)?;
    let (method, target) = (method.to_owned(), target.to_owned());
    Ok(body.map(|body| Request { method, target, fields, body }))
}
