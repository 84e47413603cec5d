//! A small HTTP/1.1 client.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::TOO_LONG;

/// A connection that is kept for many requests.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Headers with names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TOO_LONG)?;
        stream.set_read_timeout(Some(TOO_LONG))?;
        stream.set_write_timeout(Some(TOO_LONG))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a request without waiting for the response. `headers` are lines that end in CR LF.
    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<()> {
        let length = body.len();
        let host = self.stream.get_ref().peer_addr()?;
        let own_host =
            if headers.to_ascii_lowercase().contains("host:") { String::new() } else { format!("host: {host}\r\n") };
        let head = format!("{method} {path} HTTP/1.1\r\n{own_host}content-length: {length}\r\n{headers}\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        // A server that rejects a body may close before it has read all of it. Its response is read nevertheless.
        let _ = stream.write_all(body.as_bytes());
        Ok(())
    }

    /// Reads the response to the previous request.
    pub(crate) fn receive(&mut self) -> io::Result<Response> {
        let start = self.line()?;
        let status = start.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(&start))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: String::new() };
        let length = response.header("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.ok_or_else(|| bad("no content-length"))?];
        self.stream.read_exact(&mut body)?;
        response.body = String::from_utf8(body).map_err(|_| bad("a body that is not UTF-8"))?;
        Ok(response)
    }

    pub(crate) fn exchange(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<Response> {
        self.send(method, path, headers, body)?;
        self.receive()
    }

    /// Whether the server has sent anything that was not received yet.
    pub(crate) fn has_answer(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).unwrap();
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches("\r\n").to_owned())
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON. A body that is not declared as JSON, or is invalid, fails the test.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a request on a connection of its own.
#[track_caller]
pub(crate) fn exchange(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Response {
    Client::connect(address)
        .and_then(|mut client| client.exchange(method, path, headers, body))
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> Response {
    exchange(address, "GET", path, "", "")
}

/// Sends a request without a body.
#[track_caller]
pub(crate) fn post(address: SocketAddr, path: &str) -> Response {
    exchange(address, "POST", path, "", "")
}

#[track_caller]
pub(crate) fn post_json(address: SocketAddr, path: &str, body: &str) -> Response {
    exchange(address, "POST", path, "content-type: application/json\r\n", body)
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
