//! Bytes that a service answers with, behind the proxy: heads, chunks and trailers, valid or hostile. The client gets a response that is
//! framed in one way and has no hop-by-hop fields; of a valid one it gets status and body. What the service sends too much never becomes
//! the response to another request.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tripline_backends::proxy::Proxy;

use super::proxy_bytes::{RESPONSE, lock, proxy, service};
use super::strict_http::{Fields, read_body, read_fields, read_line, values};

const FIRST: &[u8] = b"GET /first HTTP/1.1\r\nhost: a\r\n\r\n";
const LAST: &[u8] = b"GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
/// Fields that concern the connection of the service only.
const HOP_BY_HOP: [&str; 5] = ["keep-alive", "proxy-connection", "proxy-authenticate", "te", "upgrade"];
/// For a response that is complete. One that is cut off leaves the client waiting while the service keeps the connection.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

/// How the service answers.
#[derive(Debug, Clone, Default)]
struct Answer {
    bytes: Vec<u8>,
    pieces: usize,
    closes: bool,
}

struct Setting {
    proxy: Proxy,
    answer: Arc<Mutex<Answer>>,
}

/// A response without its fields.
#[derive(Debug, PartialEq, Eq)]
struct Response {
    status: u16,
    body: Vec<u8>,
    is_of_service: bool,
    is_last: bool,
}

pub fn run(data: &[u8]) {
    static SETTING: OnceLock<Mutex<Setting>> = OnceLock::new();
    let Some((&manner, bytes)) = data.split_first() else { return };
    let setting = lock(SETTING.get_or_init(|| Mutex::new(Setting::new())));
    let closes = manner & 1 == 1;
    *lock(&setting.answer) = Answer { bytes: bytes.to_vec(), pieces: usize::from(manner >> 1) + 1, closes };
    let valid = valid_response(bytes);
    let is_complete = valid.is_some() || closes;
    let responses = setting.exchange(if is_complete { PATIENCE } else { SHORT });
    let text = || String::from_utf8_lossy(bytes);
    if let Some(valid) = valid {
        assert_eq!(
            responses.first().map(|first| (first.status, &first.body)),
            Some((valid.status, &valid.body)),
            "{}",
            text()
        );
        assert!(responses.len() == 2 || responses[0].is_last, "{responses:?} of {}", text());
    }
    // Another request, on this connection or on a new one, gets its own response.
    let again = setting.exchange_last();
    for response in responses.get(1).into_iter().chain(&again) {
        let is_own = response.is_of_service && response.body == b"ok" && response.status == 200;
        assert!(is_own || response.status == 502, "{response:?} behind {}", text());
    }
    assert_eq!(again.len(), 1, "behind {}", text());
}

impl Setting {
    fn new() -> Self {
        let answer = Arc::new(Mutex::new(Answer::default()));
        let of_service = answer.clone();
        Self { proxy: proxy(service(move |connection| serve(connection, &of_service))), answer }
    }

    /// Sends two requests, and returns the responses that came.
    fn exchange(&self, patience: Duration) -> Vec<Response> {
        self.send(&[FIRST, LAST], patience)
    }

    fn exchange_last(&self) -> Vec<Response> {
        self.send(&[LAST], PATIENCE)
    }

    fn send(&self, requests: &[&[u8]], patience: Duration) -> Vec<Response> {
        let client = TcpStream::connect(self.proxy.local_addr()).unwrap();
        client.set_read_timeout(Some(patience)).unwrap();
        let (mut reader, mut responses) = (BufReader::new(&client), Vec::new());
        for request in requests {
            // The proxy may have closed the connection.
            if (&client).write_all(request).is_err() {
                break;
            }
            match read_final(&mut reader) {
                Ok(Some(response)) => responses.push(response),
                Ok(None) => break,
                Err(fault) => {
                    panic!("the client got {fault}, of {}", String::from_utf8_lossy(&lock(&self.answer).bytes))
                }
            }
            if responses.last().is_some_and(|response| response.is_last) {
                break;
            }
        }
        responses
    }
}

/// The status and the body, where the bytes are one valid response that the proxy forwards unchanged, and nothing more.
fn valid_response(mut bytes: &[u8]) -> Option<Response> {
    let mut line = bytes.iter().take_while(|byte| **byte != b'\r');
    if !line.all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        return None;
    }
    let (response, fields) = read_response(&mut bytes).ok()??;
    let is_plain = fields.len() < 50
        && fields.iter().all(|(name, value)| {
            (["content-length", "transfer-encoding", "content-type", "date"].contains(&&**name)
                || name.starts_with("x-a"))
                && value.iter().all(u8::is_ascii_graphic)
        });
    let is_framed = fields.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding");
    let has_body = (200..600).contains(&response.status) && !matches!(response.status, 204 | 205 | 304);
    (is_plain && is_framed && has_body && bytes.is_empty()).then_some(response)
}

/// Skips interim responses.
fn read_final(from: &mut impl BufRead) -> Result<Option<Response>, String> {
    loop {
        match read_response(from)? {
            Some((response, _)) if (100..200).contains(&response.status) => {}
            other => return Ok(other.map(|(response, _)| response)),
        }
    }
}

/// Reads a response to a GET by the strict rules of RFC 9112. `None` where the connection ends before it does.
fn read_response(from: &mut impl BufRead) -> Result<Option<(Response, Fields)>, String> {
    let Some(line) = read_line(from)? else { return Ok(None) };
    let line = String::from_utf8(line).map_err(|error| error.to_string())?;
    let code = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let code = code.filter(|code| code.bytes().all(|digit| digit.is_ascii_digit()));
    let code = code.filter(|_| matches!(line.as_bytes().get(12), None | Some(b' ')));
    let status: u16 = code.and_then(|code| code.parse().ok()).ok_or_else(|| format!("the status line {line:?}"))?;
    let Some(fields) = read_fields(from)? else { return Ok(None) };
    if HOP_BY_HOP.iter().any(|name| !values(&fields, name).is_empty()) {
        return Err(format!("hop-by-hop fields: {fields:?}"));
    }
    let is_last = values(&fields, "connection").iter().any(|value| value.eq_ignore_ascii_case(b"close"));
    let has_no_body = matches!(status, 100..200 | 204 | 304);
    let is_framed = fields.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding");
    let body = match (has_no_body, is_framed) {
        (true, _) => Some(Vec::new()),
        (false, true) => read_body(from, &fields)?,
        (false, false) => {
            if !is_last {
                return Err(format!("a body without an end: {fields:?}"));
            }
            let mut body = Vec::new();
            let _ = from.read_to_end(&mut body);
            Some(body)
        }
    };
    let is_of_service = values(&fields, "x-service") == [b"yes"];
    Ok(body.map(|body| (Response { status, body, is_of_service, is_last }, fields)))
}

/// Reads requests without bodies, and answers them.
fn serve(connection: &TcpStream, answer: &Mutex<Answer>) {
    let mut reader = BufReader::new(connection);
    let mut writer = connection;
    let _ = connection.set_nodelay(true);
    while let Ok(Some(line)) = read_line(&mut reader) {
        if !matches!(read_fields(&mut reader), Ok(Some(_))) {
            return;
        }
        if !line.starts_with(b"GET /first") {
            if writer.write_all(RESPONSE).is_err() {
                return;
            }
            continue;
        }
        let Answer { bytes, pieces, closes } = lock(answer).clone();
        for piece in bytes.chunks(bytes.len().div_ceil(pieces).max(1)) {
            if writer.write_all(piece).is_err() {
                return;
            }
        }
        if closes {
            let _ = connection.shutdown(Shutdown::Both);
            return;
        }
    }
}
