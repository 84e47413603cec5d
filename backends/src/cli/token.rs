//! The bearer token that the configuration asks for.

use std::path::Path;

use super::output::CliError;
use super::token_file;
use crate::api::Token;
use crate::config::Http;

/// The token of the environment, else that of the file. A server that listens on an address that is not a loopback one
/// must have a token, because the API operates the breaker.
pub(super) fn of(http: &Http) -> Result<Option<Token>, CliError> {
    let token = match (&http.token, &http.token_file) {
        (Some(token), _) => {
            Some(Token::new(token.expose()).map_err(|error| CliError::during("environment: TRIPLINE_TOKEN", error))?)
        }
        (None, Some(path)) => {
            let place = place(path);
            let text = token_file::read(path).map_err(|error| CliError::during(&place, error))?;
            Some(Token::new(&text).map_err(|error| CliError::during(&place, error))?)
        }
        (None, None) => None,
    };
    if token.is_none() && !http.listen.ip().is_loopback() {
        return Err(CliError::new(format!(
            "http.listen = {}: allowed: a loopback address, e.g. 127.0.0.1:8080, or any with a token (http.token_file or TRIPLINE_TOKEN)",
            http.listen
        )));
    }
    Ok(token)
}

/// The warning that a token file which is in use can be read by other users.
pub(super) fn warning(http: &Http) -> Option<String> {
    let path = http.token_file.as_ref().filter(|_| http.token.is_none())?;
    let warning = token_file::open_to_others(path)?;
    Some(format!("{}: {warning}", place(path)))
}

fn place(path: &Path) -> String {
    format!("http.token_file = {}", path.display())
}
