//! The bearer token.

use std::fmt;
use std::net::SocketAddr;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;

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
