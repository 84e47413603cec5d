//! The bearer token.

use std::fmt;
use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use subtle::ConstantTimeEq as _;

use super::error::ApiError;
use super::state::ApiState;

/// A bearer token. Its `Debug` shows nothing of it, and comparing takes the same time wherever texts differ.
#[derive(Clone)]
pub struct Token(Vec<u8>);

/// A token is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenTooShort {
    /// Its length in bytes.
    pub bytes: usize,
}

impl Token {
    /// The fewest bytes of a token.
    pub const MIN_BYTES: usize = 16;

    /// Takes a token of at least 16 bytes; white space around it (the end of a file's line) is left out.
    ///
    /// # Errors
    /// [`TokenTooShort`] for a shorter one.
    pub fn new(text: &str) -> Result<Self, TokenTooShort> {
        let bytes = text.trim().as_bytes();
        if bytes.len() < Self::MIN_BYTES { Err(TokenTooShort { bytes: bytes.len() }) } else { Ok(Self(bytes.to_vec())) }
    }

    /// Whether these are the headers of a request with this token: one `Authorization: Bearer`.
    pub fn is_carried_by(&self, headers: &HeaderMap) -> bool {
        let mut offers = headers.get_all(AUTHORIZATION).iter();
        let (Some(offer), None) = (offers.next(), offers.next()) else { return false };
        let Some((scheme, offered)) = offer.as_bytes().split_first_chunk::<7>() else { return false };
        scheme.eq_ignore_ascii_case(b"bearer ") && self.0.ct_eq(offered).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl fmt::Display for TokenTooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the token has {} bytes; allowed: at least {}", self.bytes, Token::MIN_BYTES)
    }
}

impl std::error::Error for TokenTooShort {}

/// The API would listen beyond loopback without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenMissing {
    /// The address that the server listens on.
    pub listen: SocketAddr,
}

impl fmt::Display for TokenMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listen = self.listen;
        write!(f, "the API on {listen} has no token; allowed: a loopback address, `ApiState::token` or `without_token`")
    }
}

impl std::error::Error for TokenMissing {}

/// A request with a valid token, among its extensions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authorized;

/// Lets through what carries the token, and what is public. Marks the first with [`Authorized`].
pub(super) async fn require_token(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    if let Some(token) = state.required_token() {
        if token.is_carried_by(request.headers()) {
            request.extensions_mut().insert(Authorized);
        } else if !is_public(&request) {
            return unauthorized();
        }
    }
    next.run(request).await
}

fn is_public(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    reads && matches!(request.uri().path(), "/" | "/health" | "/ready" | "/test")
}

fn unauthorized() -> Response {
    let error = ApiError::new(StatusCode::UNAUTHORIZED, "this needs the bearer token")
        .field("Authorization", "Bearer followed by the token");
    let mut response = error.into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
