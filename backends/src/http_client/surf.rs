//! Adapts the client to surf.

use ::http_client::http_types::{self, StatusCode, headers::HeaderName as SurfName};
use ::http_client::{Config, Error, HttpClient, Request, Response};
use async_trait::async_trait;
use http::header::{HeaderName, HeaderValue};

use super::client::HyperClient;
use super::error::TransportError;
use super::request::{BodyNeed, ClientRequest, ClientResponse};

/// [`HyperClient`] as a client for surf.
///
/// A failure before the response is an [`Error`] that holds a [`TransportError`], with the status 504 for a timeout and 502
/// otherwise. It never has a 4xx status, which would blame the request.
#[derive(Debug, Clone)]
pub struct SurfClient {
    client: HyperClient,
    config: Config,
}

/// The status code as received, in the extensions of a response: surf knows registered codes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExactStatus(pub u16);

impl SurfClient {
    /// Creates a client that sends surf's requests through `client`.
    pub fn new(client: HyperClient) -> Self {
        let config =
            Config::new().set_http_keep_alive(false).set_tcp_no_delay(true).set_timeout(Some(client.limits().whole));
        Self { client, config }
    }
}

#[async_trait]
impl HttpClient for SurfClient {
    async fn send(&self, request: Request) -> Result<Response, Error> {
        let sent = async { self.client.send(outgoing(request).await?).await };
        sent.await.map(|response| incoming(&response)).map_err(into_surf)
    }

    /// Takes over the timeout of the whole request. Connections are never kept or shared, whatever `config` says.
    fn set_config(&mut self, config: Config) -> http_types::Result<()> {
        if let Some(timeout) = config.timeout {
            self.client.set_whole(timeout);
        }
        self.config = config.set_http_keep_alive(false).set_tcp_no_delay(true);
        Ok(())
    }

    fn config(&self) -> &Config {
        &self.config
    }
}

async fn outgoing(mut request: Request) -> Result<ClientRequest, TransportError> {
    let invalid = |error: &dyn std::fmt::Display| TransportError::Request(error.to_string());
    let body = request.body_bytes().await.map_err(|error| invalid(&error))?;
    let method = request.method().as_ref().parse().map_err(|error: http::method::InvalidMethod| invalid(&error))?;
    let mut outgoing = ClientRequest::new(method, request.url().clone());
    (outgoing.body, outgoing.body_need) = (body, BodyNeed::Whole);
    for (name, values) in &request {
        let name = HeaderName::try_from(name.as_str()).map_err(|error| invalid(&error))?;
        for value in values {
            let value = HeaderValue::try_from(value.as_str()).map_err(|error| invalid(&error))?;
            outgoing.headers.append(&name, value);
        }
    }
    Ok(outgoing)
}

fn incoming(answer: &ClientResponse) -> Response {
    let mut response = Response::new(status(answer.status));
    response.set_body(answer.body.as_slice());
    for (name, value) in &answer.headers {
        // A header that is not text is dropped: no caller reads one.
        if let (Ok(name), Ok(value)) = (SurfName::from_bytes(name.as_str().into()), value.to_str()) {
            response.append_header(name, value);
        }
    }
    response.ext_mut().insert(ExactStatus(answer.status));
    response
}

/// A status code that surf does not know becomes the first one of its class.
fn status(code: u16) -> StatusCode {
    StatusCode::try_from(code).unwrap_or(match code {
        ..=299 => StatusCode::Ok,
        300..=399 => StatusCode::MultipleChoice,
        400..=499 => StatusCode::BadRequest,
        500.. => StatusCode::InternalServerError,
    })
}

/// Converts an error for surf. (The blanket conversion would give it the status 500.)
fn into_surf(error: TransportError) -> Error {
    let status = match error {
        TransportError::TimedOut { .. } => StatusCode::GatewayTimeout,
        _ => StatusCode::BadGateway,
    };
    Error::new(status, error)
}
