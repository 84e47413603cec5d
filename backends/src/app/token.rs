//! The bearer token that the configuration asks for.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::token_file::{self, TokenFileError};
use crate::api::{Token, TokenTooShort};
use crate::config::Http;
use crate::text::shown;

/// Why the API cannot be served with the configured token.
#[derive(Debug)]
#[non_exhaustive]
pub enum TokenError {
    /// `TRIPLINE_TOKEN` is too short.
    Environment(TokenTooShort),
    /// The token in `http.token_file` is too short.
    File {
        /// The file.
        path: PathBuf,
        /// Its length, and what is allowed.
        error: TokenTooShort,
    },
    /// `http.token_file` cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: TokenFileError,
    },
    /// There is no token, and the API listens beyond loopback.
    Missing {
        /// The configured address.
        listen: SocketAddr,
    },
}

/// The token of the environment, else that of the file; `None` where there is none and the API listens on loopback only.
///
/// # Errors
/// [`TokenError`] where it cannot be used, or is missing on any other address: the API operates the breakers.
pub fn bearer_token(http: &Http) -> Result<Option<Token>, TokenError> {
    if let Some(token) = &http.token {
        return Token::new(token.expose()).map(Some).map_err(TokenError::Environment);
    }
    if let Some(path) = &http.token_file {
        let text = token_file::read(path).map_err(|error| TokenError::Unreadable { path: path.clone(), error })?;
        return Token::new(&text).map(Some).map_err(|error| TokenError::File { path: path.clone(), error });
    }
    if http.listen.ip().is_loopback() { Ok(None) } else { Err(TokenError::Missing { listen: http.listen }) }
}

/// The warning that a token file which is in use can be read by other users.
pub fn token_file_warning(http: &Http) -> Option<String> {
    let path = http.token_file.as_ref().filter(|_| http.token.is_none())?;
    let warning = token_file::open_to_others(path)?;
    Some(format!("http.token_file = {}: {warning}", shown(path)))
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(error) => write!(f, "environment: TRIPLINE_TOKEN: {error}"),
            Self::File { path, error } => write!(f, "http.token_file = {}: {error}", shown(path)),
            Self::Unreadable { path, error } => write!(f, "http.token_file = {}: {error}", shown(path)),
            Self::Missing { listen } => write!(
                f,
                "http.listen = {listen}: allowed: a loopback address, e.g. 127.0.0.1:8080, or any with a token \
                 (http.token_file or TRIPLINE_TOKEN)"
            ),
        }
    }
}

impl std::error::Error for TokenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Environment(error) | Self::File { error, .. } => Some(error),
            Self::Unreadable { error, .. } => Some(error),
            Self::Missing { .. } => None,
        }
    }
}
