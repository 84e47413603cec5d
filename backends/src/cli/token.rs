//! The bearer token that the configuration asks for.

use super::CliError;
use crate::api::Token;
use crate::config::Http;

/// The token of the environment, else that of the file. Who listens for others must have one: the API operates the breaker.
pub(super) fn of(http: &Http) -> Result<Option<Token>, CliError> {
    let token = match (&http.token, &http.token_file) {
        (Some(token), _) => {
            Some(Token::new(token.expose()).map_err(|error| CliError::during("environment: TRIPLINE_TOKEN", error))?)
        }
        (None, Some(path)) => {
            let place = format!("http.token_file = {}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| CliError::during(&place, error))?;
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
