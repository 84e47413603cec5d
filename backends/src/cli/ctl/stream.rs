//! Reads the events of the server.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ::http_client::http_types::Url;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use smol::Timer;
use smol::future::{or, pending};
use smol::net::TcpStream;
use smol_hyper::rt::FuturesIo;

use super::client::{Client, CtlError};

/// The route of the events of one breaker.
pub(super) const EVENTS: &str = "/breaker/events";
/// The route of the events of all breakers.
pub(super) const ALL_EVENTS: &str = "/breakers/events";
/// Time limit for connecting and for the head of the response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of an event, in bytes. One with the status of a full window has some ten thousand.
const MAX_EVENT_BYTES: usize = 1_024 * 1_024;
/// Maximum length of the body of a rejection, in bytes.
const MAX_REJECTION_BYTES: usize = 64 * 1_024;

/// A connection that receives events.
pub(super) struct EventStream {
    body: Incoming,
    /// Never completes. It must be polled for the body to arrive.
    connection: Pin<Box<dyn Future<Output = ()>>>,
    events: Events,
}

/// The result of a request for events.
pub(super) enum Opened {
    /// The server sends events.
    Stream(Box<EventStream>),
    /// The server has no events, for this reason.
    Absent(&'static str),
}

impl EventStream {
    /// Requests the events at `path`. A server without events is not an error.
    pub(super) async fn open(client: &Client, path: &str) -> Result<Opened, CtlError> {
        let url = client.url(path);
        if url.scheme() != "http" {
            return Ok(Opened::Absent("events are read over http only"));
        }
        let over = async {
            Timer::after(HEAD_TIMEOUT).await;
            Err(client.no_answer(format!("no answer within {HEAD_TIMEOUT:?}")))
        };
        or(Self::connect(client, &url), over).await
    }

    async fn connect(client: &Client, url: &Url) -> Result<Opened, CtlError> {
        let lost = |error: hyper::Error| client.no_answer(format!("the exchange broke off: {error}"));
        let addresses = url.clone();
        let addresses = smol::unblock(move || addresses.socket_addrs(|| None)).await;
        let addresses = addresses.map_err(|error| client.no_answer(format!("no connection: {error}")))?;
        let stream = TcpStream::connect(&*addresses).await;
        let stream = stream.map_err(|error| client.no_answer(format!("no connection: {error}")))?;
        let (mut sender, connection) = http1::Builder::new().handshake(FuturesIo::new(stream)).await.map_err(lost)?;
        let mut connection: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {
            // The reader of the body receives the error.
            let _ = connection.await;
            pending::<()>().await;
        });
        let request = request(client, url).map_err(|error| client.no_answer(error))?;
        let head = async { Some(sender.send_request(request).await) };
        let connected = async {
            connection.as_mut().await;
            None
        };
        let Some(head) = or(head, connected).await else { return Err(client.no_answer("no answer")) };
        let (head, body) = head.map_err(lost)?.into_parts();
        let mut stream = Self { body, connection, events: Events::default() };
        let is_stream =
            head.headers.get(CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"text/event-stream"));
        match head.status.as_u16() {
            200 if is_stream => Ok(Opened::Stream(Box::new(stream))),
            429 | 503 => Ok(Opened::Absent("this server has no events left for another reader")),
            404 if client.key().is_some() => Ok(Opened::Absent("a member of a family has no events of its own")),
            404..=406 => Ok(Opened::Absent("this server has no events")),
            200..=299 => Ok(Opened::Absent("the response of this server is not an event stream")),
            status => {
                let text = stream.rest(MAX_REJECTION_BYTES).await;
                Err(client.rejection(status, url.path(), &text))
            }
        }
    }

    /// Waits for the next bytes; `None` at the end. Dropping this future loses nothing.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        loop {
            let frame = async { Some(self.body.frame().await) };
            let connection = async {
                self.connection.as_mut().await;
                None
            };
            match or(frame, connection).await.flatten() {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }

    /// Waits for the data of the next event. Dropping this future loses nothing.
    pub(super) async fn next(&mut self) -> Result<String, String> {
        loop {
            if let Some(data) = self.events.take()? {
                return Ok(data);
            }
            match self.chunk().await {
                Ok(Some(bytes)) => self.events.put(&bytes),
                Ok(None) => return Err("the server ended the events".to_owned()),
                Err(error) => return Err(format!("the event stream ended early: {error}")),
            }
        }
    }

    async fn rest(&mut self, most: usize) -> String {
        let mut bytes = Vec::new();
        while let Ok(Some(chunk)) = self.chunk().await {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > most {
                break;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn request(client: &Client, url: &Url) -> Result<http::Request<Empty<Bytes>>, http::Error> {
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut request =
        http::Request::get(url.path()).header(HOST, host).header(ACCEPT, "text/event-stream").body(Empty::new())?;
    if let Some(authorization) = client.authorization() {
        let mut value = HeaderValue::try_from(authorization)?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(request)
}

/// Parses the bytes of an event stream, whose lines end in LF or CR LF.
#[derive(Debug, Default)]
struct Events {
    bytes: Vec<u8>,
    /// Data of the current, incomplete event.
    data: Vec<u8>,
}

impl Events {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The data of the next complete event that has any.
    fn take(&mut self) -> Result<Option<String>, String> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                let data = std::mem::take(&mut self.data);
                if let Some(data) = data.strip_suffix(b"\n") {
                    return Ok(Some(String::from_utf8_lossy(data).into_owned()));
                }
            } else if let Some(data) = line.strip_prefix(b"data:") {
                self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
                self.data.push(b'\n');
            }
        }
        if self.bytes.len() + self.data.len() > MAX_EVENT_BYTES {
            return Err(format!("an event is longer than {MAX_EVENT_BYTES} bytes"));
        }
        Ok(None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let text =
            "retry: 500\r\n\r\n: alive\n\nevent: status\nid: 7\ndata: {\"a\":\ndata: 1}\n\ndata:x\r\n\r\ndata: half";
        for size in 1..text.len() {
            let mut events = Events::default();
            let mut found = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                events.put(chunk);
                while let Some(data) = events.take().unwrap() {
                    found.push(data);
                }
            }
            assert_eq!(found, ["{\"a\":\n1}", "x"], "cut at {size}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_rejected() {
        let mut events = Events::default();
        events.put(&vec![b'x'; MAX_EVENT_BYTES + 1]);
        assert!(events.take().is_err());
    }
}
