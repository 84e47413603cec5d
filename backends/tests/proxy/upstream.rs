//! An upstream that records its input byte for byte.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::client::TOO_LONG;

/// The default response of an upstream.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The action of an upstream for a request.
pub(crate) type Answer = dyn Fn(&Seen, &mut Exchange) + Send + Sync;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) head: Vec<u8>,
    /// The body as received, including chunk sizes.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn line(&self) -> String {
        latin1(&self.head).lines().next().unwrap_or_default().to_owned()
    }

    pub(crate) fn text(&self) -> String {
        latin1(&self.head) + &latin1(&self.body)
    }

    /// The text with the chunks of the body joined, since the sender decides where a chunk ends. A chunked body whose
    /// sizes are not plain hexadecimal digits is left as received.
    pub(crate) fn joined_text(&self) -> String {
        let head = latin1(&self.head);
        let joined = if head.contains("transfer-encoding: chunked") { join_chunks(&self.body) } else { None };
        head + &latin1(joined.as_deref().unwrap_or(&self.body))
    }

    pub(crate) fn path(&self) -> String {
        self.line().split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

fn join_chunks(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let end = body.windows(2).position(|bytes| bytes == b"\r\n")?;
        let digits = std::str::from_utf8(&body[..end]).ok()?;
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(digits, 16).ok().filter(|_| is_plain)?;
        body = &body[end + 2..];
        if size == 0 {
            let chunk = [format!("{:X}\r\n", content.len()).as_bytes(), &content, b"\r\n"].concat();
            let chunk = if content.is_empty() { Vec::new() } else { chunk };
            return Some([&chunk, b"0\r\n".as_slice(), body].concat());
        }
        content.extend(body.get(..size)?);
        body = body.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

/// Each byte as one character.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The connection of a request.
pub(crate) struct Exchange {
    pub(crate) stream: TcpStream,
    pub(crate) is_over: bool,
}

impl Exchange {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if self.stream.write_all(bytes.as_ref()).is_err() {
            self.is_over = true;
        }
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        self.is_over = true;
    }

    /// Waits until the other side closes the connection.
    pub(crate) fn wait_for_close(&mut self) -> bool {
        self.stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        let mut rest = [0; 1024];
        loop {
            match self.stream.read(&mut rest) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

/// A server on a free port of loopback.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    changed: Condvar,
    connections: AtomicUsize,
}

impl Recorder {
    /// Answers every request with 200.
    pub(crate) fn start() -> Self {
        Self::answering(|_, exchange| exchange.send(OK))
    }

    pub(crate) fn answering(answer: impl Fn(&Seen, &mut Exchange) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (recorder, answer): (_, Arc<Answer>) = (shared.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                recorder.connections.fetch_add(1, Ordering::SeqCst);
                let (recorder, answer) = (recorder.clone(), answer.clone());
                thread::spawn(move || serve(stream, &recorder, &*answer));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Waits for the request of this number, from 1.
    pub(crate) fn wait_for(&self, number: usize) -> Seen {
        let seen = self.shared.seen.lock().unwrap();
        let (seen, timeout) =
            self.shared.changed.wait_timeout_while(seen, TOO_LONG, |seen| seen.len() < number).unwrap();
        assert!(!timeout.timed_out(), "{} requests instead of {number}", seen.len());
        seen[number - 1].clone()
    }

    pub(crate) fn forget(&self) {
        self.shared.seen.lock().unwrap().clear();
    }

    /// Number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, shared: &Shared, answer: &Answer) {
    let mut read = Vec::new();
    let mut exchange = Exchange { stream, is_over: false };
    while !exchange.is_over {
        let Some(seen) = request(&mut exchange.stream, &mut read) else { return };
        shared.seen.lock().unwrap().push(seen.clone());
        shared.changed.notify_all();
        answer(&seen, &mut exchange);
    }
}

/// Reads one request to its end.
fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Seen> {
    let end = fill_until(stream, read, |read| position(read, b"\r\n\r\n").map(|at| at + 4))?;
    let head: Vec<u8> = read.drain(..end).collect();
    let text = latin1(&head).to_ascii_lowercase();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
    let body = if let Some(length) = field("content-length: ") {
        let length: usize = length.parse().ok()?;
        fill_until(stream, read, |read| (read.len() >= length).then_some(length))?
    } else if field("transfer-encoding: chunked").is_some() {
        fill_until(stream, read, end_of_chunks)?
    } else {
        0
    };
    Some(Seen { head, body: read.drain(..body).collect() })
}

fn fill_until(stream: &mut TcpStream, read: &mut Vec<u8>, end: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
    loop {
        if let Some(end) = end(read) {
            return Some(end);
        }
        let mut buffer = [0; 16 << 10];
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(bytes) => read.extend(&buffer[..bytes]),
        }
    }
}

fn position(read: &[u8], wanted: &[u8]) -> Option<usize> {
    read.windows(wanted.len()).position(|window| window == wanted)
}

/// The end of a chunked body, including its trailers.
fn end_of_chunks(read: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = position(read.get(at..)?, b"\r\n")?;
        let size = usize::from_str_radix(&latin1(&read[at..at + line]), 16).ok()?;
        at += line + 2;
        if size == 0 {
            // Trailers, followed by an empty line.
            loop {
                let line = position(read.get(at..)?, b"\r\n")?;
                at += line + 2;
                if line == 0 {
                    return Some(at);
                }
            }
        }
        at += size + 2;
    }
}
