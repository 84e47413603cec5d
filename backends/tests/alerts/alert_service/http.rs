//! A small HTTP server on threads, with faults on demand.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use futures_rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A received request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A response to send.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let headers: Vec<String> = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "HTTP/1.1 {} Some Words\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}",
            self.status,
            self.body.len(),
            headers.concat(),
            self.body
        )
        .into_bytes()
    }
}

/// A fault in the handling of a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// No fault; the next request gets the following fault.
    None,
    /// Sends this response and does not process the request.
    Reply(Reply),
    /// Processes the request and never responds.
    DoneAndSilent,
    /// Neither processes the request nor responds, until the client closes the connection.
    Silent,
    /// Processes the request, and closes the connection after half of the body.
    CutInBody,
    /// Sends the head and then nothing more.
    StuckInBody,
    /// Closes the connection without a response.
    Closed,
    /// Sends a response that is not HTTP.
    Garbage,
    /// Sends a body that never ends.
    Endless,
}

/// A self-signed certificate for 127.0.0.1 that is not a certificate authority.
pub(crate) struct Tls {
    pub(crate) certificate: Vec<u8>,
    pub(crate) pem: String,
    config: Arc<ServerConfig>,
}

impl Tls {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self { certificate: made.cert.der().to_vec(), pem: made.cert.pem(), config: Arc::new(config) }
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    tls: Option<Arc<ServerConfig>>,
    faults: Mutex<VecDeque<Fault>>,
    standing: Mutex<Fault>,
    hanging: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    stopped: AtomicBool,
}

/// A server that stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static, tls: Option<&Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            tls: tls.map(|tls| tls.config.clone()),
            faults: Mutex::default(),
            standing: Mutex::new(Fault::None),
            hanging: AtomicUsize::new(0),
            requests: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub(crate) fn trouble(&self, fault: Fault) {
        self.shared.faults.lock().unwrap().push_back(fault);
    }

    /// Sets the fault of all requests without one of their own.
    pub(crate) fn standing_trouble(&self, fault: Fault) {
        *self.shared.standing.lock().unwrap() = fault;
    }

    /// Number of requests that will never get a response.
    pub(crate) fn hanging(&self) -> usize {
        self.shared.hanging.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = shared.clone();
        thread::spawn(move || {
            // Some tests close the connection on purpose.
            let _ = match &shared.tls {
                None => serve(stream, &shared),
                Some(config) => {
                    serve(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream), &shared)
                }
            };
        });
    }
}

fn serve(mut stream: impl Read + Write, shared: &Shared) -> io::Result<()> {
    let request = read(&mut stream)?;
    shared.requests.lock().unwrap().push(request.clone());
    let next = shared.faults.lock().unwrap().pop_front();
    let fault = next.unwrap_or_else(|| shared.standing.lock().unwrap().clone());
    let done = || (shared.handler)(&request).bytes();
    match fault {
        Fault::None => stream.write_all(&done())?,
        Fault::Reply(reply) => stream.write_all(&reply.bytes())?,
        Fault::DoneAndSilent => {
            done();
            until_gone(&mut stream, shared)?;
        }
        Fault::Silent => until_gone(&mut stream, shared)?,
        Fault::CutInBody => {
            let reply = done();
            stream.write_all(&reply[..reply.len() - 5])?;
        }
        Fault::StuckInBody => {
            let reply = done();
            stream.write_all(&reply[..reply.len() - 5])?;
            stream.flush()?;
            until_gone(&mut stream, shared)?;
        }
        Fault::Closed => {}
        Fault::Garbage => stream.write_all(b"220 mail.example ESMTP\r\n\r\n")?,
        Fault::Endless => {
            stream.write_all(b"HTTP/1.1 202 Accepted\r\n\r\n")?;
            while stream.write_all(&[b' '; 4_096]).is_ok() {}
        }
    }
    stream.flush()
}

fn until_gone(stream: &mut impl Read, shared: &Shared) -> io::Result<()> {
    shared.hanging.fetch_add(1, Ordering::SeqCst);
    let gone = loop {
        match stream.read(&mut [0; 64]) {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    shared.hanging.fetch_sub(1, Ordering::SeqCst);
    gone
}

fn read(stream: &mut impl Read) -> io::Result<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        more(stream, &mut bytes)?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.into(), value.into())).collect();
    let mut request = Request { method, target, headers, body: Vec::new() };
    let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + 4 + length {
        more(stream, &mut bytes)?;
    }
    request.body = bytes[end + 4..].to_vec();
    Ok(request)
}

fn more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut part = [0; 4_096];
    let read = stream.read(&mut part)?;
    bytes.extend_from_slice(&part[..read]);
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
