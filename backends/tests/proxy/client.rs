//! A client that sends raw bytes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Time limit of a test. No test comes near it unless something is wrong.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(20);

/// One connection to the proxy.
pub(crate) struct Client {
    stream: TcpStream,
    /// Bytes received but not consumed yet.
    read: Vec<u8>,
}

/// A response.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Status line and fields as received.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The values of a field, joined.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self.head.lines().filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// Sends bytes. The proxy may close the connection before it has read all of them.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// The next response; `None` if the connection is closed instead.
    pub(crate) fn response(&mut self) -> Option<Response> {
        self.response_to("GET")
    }

    pub(crate) fn response_to(&mut self, method: &str) -> Option<Response> {
        let head = self.head()?;
        let status: u16 = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head:?}"));
        let mut response = Response { status, head, body: Vec::new() };
        let has_no_body = method == "HEAD" || status < 200 || status == 204 || status == 304;
        if has_no_body {
            return Some(response);
        }
        if let Some(length) = response.field("content-length") {
            response.body = self.bytes(length.parse().unwrap())?;
        } else if response.field("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(self.line()?.trim(), 16).unwrap();
                if size == 0 {
                    while self.line()? != "\r\n" {}
                    break;
                }
                let chunk = self.bytes(size)?;
                response.body.extend(chunk);
                self.line()?;
            }
        } else {
            while self.fill() {}
            response.body = std::mem::take(&mut self.read);
        }
        Some(response)
    }

    /// Status line and fields up to the empty line.
    pub(crate) fn head(&mut self) -> Option<String> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill() {
                return None;
            }
        };
        Some(String::from_utf8_lossy(&self.take(end)).into_owned())
    }

    fn line(&mut self) -> Option<String> {
        let end = loop {
            if let Some(at) = self.read.iter().position(|byte| *byte == b'\n') {
                break at + 1;
            }
            if !self.fill() {
                return None;
            }
        };
        Some(String::from_utf8_lossy(&self.take(end)).into_owned())
    }

    /// Reads exactly `length` bytes; `None` if the connection is closed before.
    pub(crate) fn bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            if !self.fill() {
                return None;
            }
        }
        Some(self.take(length))
    }

    /// Whether the proxy closes the connection without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.fill()
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.read.split_off(length);
        std::mem::replace(&mut self.read, rest)
    }

    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(bytes) => {
                self.read.extend(&buffer[..bytes]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing more came within {TOO_LONG:?}: {error}; so far {:?}", self.read),
        }
    }
}

/// One request on a connection of its own.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> Response {
    let mut client = Client::connect(address);
    client.send(request);
    client.response().expect("a response")
}

/// A GET on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> Response {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))
}
