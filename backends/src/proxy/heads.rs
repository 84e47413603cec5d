//! Where requests begin in the bytes of an HTTP/1.1 connection, and which of their targets have a fragment.
//!
//! hyper's parser leaves a fragment out of the target without a word, so `/a#b` would be forwarded as `/a`. Nothing here decides how a
//! message is framed: hyper rejects what is ambiguous, and ends the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are kept of a line, without spaces: more than a field that says how a body is framed has.
const MAX_KEPT: usize = 64;
const CONTENT_LENGTH: &[u8] = b"content-length:";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding:";

/// Marks a request whose target has a fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct HasFragment;

/// Which requests of a connection have a fragment, and how many were handed out. Every access is relaxed: what reads and what
/// handles is one task.
#[derive(Debug)]
pub(super) struct Requests {
    /// The number of the first request with a fragment, from 0. It is the last request of its connection.
    first_with_fragment: AtomicU64,
    taken: AtomicU64,
}

impl Requests {
    fn new() -> Self {
        Self { first_with_fragment: AtomicU64::new(u64::MAX), taken: AtomicU64::new(0) }
    }

    /// The next request was parsed: whether its target has a fragment.
    pub(super) fn take(&self) -> bool {
        self.taken.fetch_add(1, Ordering::Relaxed) >= self.first_with_fragment.load(Ordering::Relaxed)
    }

    /// How many were parsed.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Follows the requests of one connection as they are read.
#[derive(Debug)]
pub(super) struct Heads {
    place: Place,
    /// Of the current line, without spaces and in lower case.
    kept: Vec<u8>,
    /// Bytes of the current line, its end not counted.
    length: usize,
    /// The method of the current request line is over.
    is_target: bool,
    framing: Framing,
    /// The number of the current request.
    request: u64,
    requests: Arc<Requests>,
}

/// Where in a request the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    RequestLine,
    Field,
    /// So many bytes of a body, and then the next request, or the size of the next chunk.
    Body {
        left: u64,
        then: After,
    },
    ChunkSize,
    Trailer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Request,
    Chunk,
}

/// How the body of the current request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    /// Not in a way that is followed: hyper rejects it, or no client means it.
    Unknown,
}

impl Heads {
    /// At the beginning of a connection.
    pub(super) fn new() -> Self {
        Self {
            place: Place::RequestLine,
            kept: Vec::new(),
            length: 0,
            is_target: false,
            framing: Framing::Length(0),
            request: 0,
            requests: Arc::new(Requests::new()),
        }
    }

    /// What is known about the requests.
    pub(super) fn requests(&self) -> Arc<Requests> {
        self.requests.clone()
    }

    /// These bytes were read.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.place {
                Place::Body { left, then } => self.body(bytes, left, then),
                _ => self.line(bytes),
            };
        }
    }

    /// The bytes behind those of the body.
    fn body<'b>(&mut self, bytes: &'b [u8], left: u64, then: After) -> &'b [u8] {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - length as u64;
        self.place = match (left, then) {
            (1.., _) => Place::Body { left, then },
            (0, After::Chunk) => Place::ChunkSize,
            (0, After::Request) => self.next_request(),
        };
        bytes.get(length..).unwrap_or_default()
    }

    /// The bytes behind those of the line.
    fn line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if self.place == Place::RequestLine {
            self.request_line(line);
        } else {
            let kept = line.iter().filter(|byte| !byte.is_ascii_whitespace()).take(MAX_KEPT - self.kept.len());
            self.kept.extend(kept.map(u8::to_ascii_lowercase));
        }
        self.length += line.iter().filter(|byte| **byte != b'\r').count();
        if end.is_some() {
            self.place = self.end_of_line();
            self.kept.clear();
            self.length = 0;
        }
        rest.get(1..).unwrap_or_default()
    }

    fn request_line(&mut self, line: &[u8]) {
        let target = if self.is_target { Some(line) } else { line.splitn(2, |byte| *byte == b' ').nth(1) };
        self.is_target = target.is_some();
        if target.is_some_and(|target| target.contains(&b'#')) {
            self.requests.first_with_fragment.fetch_min(self.request, Ordering::Relaxed);
        }
    }

    /// Where the byte behind the end of the current line belongs.
    fn end_of_line(&mut self) -> Place {
        let is_empty = self.length == 0;
        match self.place {
            // Empty lines before a request are skipped.
            Place::RequestLine if is_empty => Place::RequestLine,
            Place::RequestLine => Place::Field,
            Place::Field if is_empty => self.end_of_head(),
            Place::Field => {
                self.field();
                Place::Field
            }
            Place::ChunkSize => self.chunk(),
            Place::Trailer if is_empty => self.next_request(),
            place @ (Place::Trailer | Place::Body { .. }) => place,
        }
    }

    fn field(&mut self) {
        if self.kept.starts_with(TRANSFER_ENCODING) {
            self.framing = Framing::Chunked;
        } else if let (Some(length), Framing::Length(_)) = (self.kept.strip_prefix(CONTENT_LENGTH), self.framing) {
            // A longer line is kept in part only.
            let length = str::from_utf8(length).ok().filter(|_| self.kept.len() < MAX_KEPT);
            let length = length.and_then(|length| length.parse().ok());
            self.framing = length.map_or(Framing::Unknown, Framing::Length);
        }
    }

    fn end_of_head(&mut self) -> Place {
        match self.framing {
            Framing::Length(0) => self.next_request(),
            Framing::Length(left) => Place::Body { left, then: After::Request },
            Framing::Chunked => Place::ChunkSize,
            Framing::Unknown => self.lose(),
        }
    }

    /// Behind the line with a chunk's size.
    fn chunk(&mut self) -> Place {
        let digits = self.kept.split(|byte| *byte == b';').next().unwrap_or_default();
        match str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.len() < MAX_KEPT)
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        {
            Some(0) => Place::Trailer,
            // The chunk ends with an empty line.
            Some(size) => Place::Body { left: size.saturating_add(2), then: After::Chunk },
            None => self.lose(),
        }
    }

    /// Nothing is known of what follows: no later request is accepted.
    fn lose(&mut self) -> Place {
        self.requests.first_with_fragment.fetch_min(self.request + 1, Ordering::Relaxed);
        Place::Body { left: u64::MAX, then: After::Request }
    }

    fn next_request(&mut self) -> Place {
        self.request += 1;
        self.is_target = false;
        self.framing = Framing::Length(0);
        Place::RequestLine
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first request with a fragment of a connection on which these pieces are read.
    fn first<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> u64 {
        let mut heads = Heads::new();
        for piece in pieces {
            heads.read(piece);
        }
        heads.requests.first_with_fragment.load(Ordering::Relaxed)
    }

    /// A request with this target, its bytes, and whether it has a fragment.
    fn request() -> impl Strategy<Value = (Vec<u8>, bool)> {
        let target = prop_oneof!["/[a-z?]{0,9}", "/[a-z?]{0,9}#[a-z#]{0,9}", "http://h/#"];
        let body = prop::collection::vec(any::<u8>(), 0..40);
        let fields = "(x-a: #GET /a#b HTTP/1.1\r\n){0,2}";
        (target, fields, body, 0..4, any::<bool>()).prop_map(|(target, fields, body, kind, has_empty_line)| {
            let mut bytes = if has_empty_line { b"\r\n".to_vec() } else { Vec::new() };
            bytes.extend(format!("M#X {target} HTTP/1.1\r\nhost: a\r\n{fields}").bytes());
            match kind {
                0 => bytes.extend(b"\r\n"),
                1 => {
                    bytes.extend(format!("Content-Length:  {}\t\r\n\r\n", body.len()).bytes());
                    bytes.extend(&body);
                }
                _ => {
                    bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                    for chunk in body.chunks(7) {
                        bytes.extend(format!("{:x};e=\"#\"\r\n", chunk.len()).bytes());
                        bytes.extend(chunk);
                        bytes.extend(b"\r\n");
                    }
                    bytes.extend(b"0\r\n");
                    if kind == 3 {
                        bytes.extend(b"GET /trailer#: x\r\n");
                    }
                    bytes.extend(b"\r\n");
                }
            }
            let has_fragment = target.contains('#');
            (bytes, has_fragment)
        })
    }

    proptest! {
        /// However bytes are split, the first request with a fragment is found, and nothing in a body, a field or a trailer is one.
        #[test]
        fn the_first_fragment_is_found(
            requests in prop::collection::vec(request(), 1..6),
            sizes in prop::collection::vec(1_usize..30, 1..20),
        ) {
            let expected = requests.iter().position(|(_, has_fragment)| *has_fragment);
            let bytes: Vec<u8> = requests.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
            let mut pieces = Vec::new();
            let mut rest = &bytes[..];
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                pieces.push(piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(first(pieces), expected.map_or(u64::MAX, |at| at as u64));
        }

        /// Whatever is read, memory stays bounded.
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut heads = Heads::new();
            heads.read(&bytes);
            prop_assert!(heads.kept.len() <= MAX_KEPT);
        }
    }

    #[test]
    fn what_is_not_followed_is_the_last_request() {
        let long = format!("GET / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", "0".repeat(100));
        assert_eq!(first([long.as_bytes()]), 1);
        assert_eq!(first([&b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"[..]]), 1);
    }
}
