//! The only file that uses surf: sends a request and reads its response.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use tripline_runtime::Clock;

use surf::http::{Method, Response as HttpResponse};
use surf::{Client, Config};

use crate::alerts::transport::{Request, Response};
use crate::http_client::{ExactStatus, HyperClient, SurfClient, TransportError};

/// Sends requests whose whole response is needed.
#[derive(Clone)]
pub(super) struct SurfTransport {
    client: Client,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for SurfTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SurfTransport").finish_non_exhaustive()
    }
}

impl SurfTransport {
    pub(super) fn new(client: HyperClient) -> Self {
        let clock = client.clock();
        let client: Result<Client, Infallible> = Config::new().set_http_client(SurfClient::new(client)).try_into();
        match client {
            Ok(client) => Self { client, clock },
        }
    }

    /// Returns the response, whatever its status.
    pub(super) async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.exchange(request).await.map_err(|error| match error.downcast::<TransportError>() {
            Ok(error) => error,
            Err(error) => TransportError::Request(error.to_string()),
        })
    }

    async fn exchange(&self, request: Request) -> Result<Response, surf::Error> {
        let method: Method = request.method.as_str().parse()?;
        let mut outgoing = surf::Request::new(method, request.url);
        for (name, value) in &request.headers {
            if let Ok(value) = value.to_str() {
                outgoing.insert_header(name.as_str(), value);
            }
        }
        if !request.body.is_empty() {
            outgoing.set_body(request.body);
            outgoing.set_content_type(surf::http::mime::JSON);
        }
        let mut response: HttpResponse = self.client.send(outgoing).await?.into();
        let status = response.ext().get::<ExactStatus>().map_or_else(|| response.status().into(), |exact| exact.0);
        let body = response.body_bytes().await?;
        Ok(Response::new(status, body, self.clock.system_time(), |name| {
            response.header(name).map(|values| values.last().as_str())
        }))
    }
}
