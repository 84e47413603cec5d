//! The bearer token.

use std::fmt;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use subtle::ConstantTimeEq as _;

use super::error::ApiError;

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

    fn is(&self, offered: &[u8]) -> bool {
        self.0.ct_eq(offered).into()
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

/// The token that requests must have, if any.
#[derive(Debug, Clone)]
pub(super) struct RequiredToken(pub(super) Option<Token>);

/// Lets through what carries the token, and what anybody may see.
pub(super) async fn require_token(State(required): State<RequiredToken>, request: Request, next: Next) -> Response {
    match &required.0 {
        Some(token) if !is_public(&request) && !carries(&request, token) => unauthorized(),
        _ => next.run(request).await,
    }
}

fn is_public(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    reads && matches!(request.uri().path(), "/" | "/health" | "/test")
}

fn carries(request: &Request, token: &Token) -> bool {
    let mut offers = request.headers().get_all(AUTHORIZATION).iter();
    let (Some(offer), None) = (offers.next(), offers.next()) else { return false };
    let Some((scheme, offered)) = offer.as_bytes().split_first_chunk::<7>() else { return false };
    scheme.eq_ignore_ascii_case(b"bearer ") && token.is(offered)
}

fn unauthorized() -> Response {
    let error = ApiError::new(StatusCode::UNAUTHORIZED, "this needs the bearer token")
        .field("Authorization", "Bearer followed by the token");
    let mut response = error.into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
