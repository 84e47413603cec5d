//! One request to an upstream, up to the head of its response.

use std::future::Future;
use std::pin::{Pin, pin};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::body::{RequestBody, Upload};
use super::fault::Fault;
use super::flag::Flag;
use super::relay::{AbortOnDrop, Driver};
use super::request::Target;
use super::rewrite::aim;
use super::upstream::{ConnectError, Link, SendFailure, SharedLink, Slot, Upstream, connect};

/// The error of a request without a response from the upstream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) flag: Flag,
}

const fn failure(fault: Fault, flag: Flag) -> Failure {
    Failure { fault, flag }
}

/// Sends a request and waits for the head of the response. A request of which nothing was written is sent once more on
/// a new connection; no other request is sent twice.
pub(super) async fn exchange(
    upstream: &Upstream,
    thread: usize,
    mut request: Request<RequestBody>,
    target: &Target,
    upload: &Upload,
) -> Result<(Response<Incoming>, Driver), Failure> {
    let index = upstream.next_server();
    let Some(server) = upstream.servers.get(index) else {
        return Err(failure(Fault::BadGateway("the upstream has no server"), Flag::UpstreamConnect));
    };
    let mut idle = upstream.pools.take(thread, index, &server.addresses).await;
    let mut is_retry = false;
    loop {
        let link = match idle.take() {
            Some(link) => Connection::Own(link),
            // In a box, because most requests find a connection.
            None => Box::pin(open(upstream, thread, index, is_retry)).await?,
        };
        let (sent, is_reused, driver) = match link {
            Connection::Own(mut link) => {
                aim(&mut request, target, server, &upstream.settings.host, false);
                let sent = in_time(upstream, upload, pin!(link.send(request))).await?;
                (sent, link.is_reused, if upload.is_done() { Driver::Reader(link) } else { spawned(link) })
            }
            Connection::Shared(mut link, is_reused) => {
                aim(&mut request, target, server, &upstream.settings.host, true);
                let sent = in_time(upstream, upload, pin!(link.sender.try_send_request(request))).await?;
                let sent = sent.map_err(|mut error| match error.take_message() {
                    Some(request) => SendFailure::NotSent(Box::new(request)),
                    None => SendFailure::Broken(error.into_error()),
                });
                (sent, is_reused, Driver::Shared)
            }
        };
        match sent {
            Ok(response) => return Ok((response, driver)),
            Err(SendFailure::NotSent(unsent)) if is_reused && !is_retry => {
                is_retry = true;
                request = *unsent;
            }
            Err(SendFailure::NotSent(_)) => {
                return Err(failure(Fault::BadGateway(CLOSED), Flag::UpstreamReset));
            }
            Err(SendFailure::Broken(error)) => return Err(broken(&error, upload)),
        }
    }
}

/// Sends a request for a WebSocket, on its own connection.
pub(super) async fn exchange_upgradable(
    upstream: &Upstream,
    mut request: Request<RequestBody>,
    target: &Target,
    upload: &Upload,
) -> Result<(Response<Incoming>, Driver), Failure> {
    let index = upstream.next_server();
    let Some(server) = upstream.servers.get(index) else {
        return Err(failure(Fault::BadGateway("the upstream has no server"), Flag::UpstreamConnect));
    };
    let connected = connect(upstream, index, true).await.map_err(|error| unconnected(upstream, &error))?;
    let link = Link::open(connected.stream, index, connected.address).await.map_err(|_| closed_at_once())?;
    aim(&mut request, target, server, &upstream.settings.host, false);
    let (sent, task) = in_time(upstream, upload, pin!(link.send_upgradable(request))).await?;
    let driver = task.map_or(Driver::Done, |task| Driver::Task(AbortOnDrop::new(task)));
    sent.map(|response| (response, driver)).map_err(|error| broken(&error, upload))
}

/// A connection for one request.
enum Connection {
    Own(Link),
    /// And whether it existed before.
    Shared(SharedLink, bool),
}

const CLOSED: &str = "the upstream closed the connection";

/// Opens a new HTTP/1.1 connection, or takes the thread's HTTP/2 connection. A retry does not reuse an HTTP/2
/// connection.
async fn open(upstream: &Upstream, thread: usize, index: usize, is_retry: bool) -> Result<Connection, Failure> {
    let server = upstream.servers.get(index);
    let mut slot: Option<Slot<'_>> = None;
    if let Some(server) = server.filter(|server| upstream.may_be_h2(server)) {
        slot = upstream.shared.lock(thread, index).await;
        let known =
            slot.as_deref().and_then(Option::as_ref).filter(|link| link.is_usable(&server.addresses) && !is_retry);
        if let Some(link) = known {
            return Ok(Connection::Shared(link.clone(), true));
        }
    }
    let connected = connect(upstream, index, false).await.map_err(|error| unconnected(upstream, &error))?;
    if connected.is_h2 {
        let link = SharedLink::open(connected.stream, connected.address).await.map_err(|_| closed_at_once())?;
        if let Some(slot) = &mut slot {
            **slot = Some(link.clone());
        }
        return Ok(Connection::Shared(link, false));
    }
    let opened = Link::open(connected.stream, index, connected.address).await;
    opened.map(Connection::Own).map_err(|_| closed_at_once())
}

fn closed_at_once() -> Failure {
    failure(Fault::BadGateway(CLOSED), Flag::UpstreamConnect)
}

fn unconnected(upstream: &Upstream, error: &ConnectError) -> Failure {
    tracing::debug!(upstream = upstream.settings.name, %error, "no connection");
    let words = match error {
        ConnectError::Timeout => {
            return failure(Fault::GatewayTimeout("no connection to the upstream in time"), Flag::UpstreamTimeout);
        }
        ConnectError::Resolve(_) => "the upstream's name is not known",
        ConnectError::Connect(_) => "the upstream cannot be reached",
        ConnectError::Tls(_) => "no TLS with the upstream",
    };
    failure(Fault::BadGateway(words), Flag::UpstreamConnect)
}

/// Waits for `head_timeout`, and longer while the upload proceeds.
async fn in_time<T>(
    upstream: &Upstream,
    upload: &Upload,
    mut sending: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Failure> {
    loop {
        let frames = upload.frames();
        if let Ok(result) = timeout(upstream.settings.head_timeout, sending.as_mut()).await {
            return Ok(result);
        }
        if upload.waits_for_client() && upload.frames() == frames {
            return Err(failure(Fault::RequestTimeout, Flag::ClientGone));
        }
        if upload.frames() == frames {
            return Err(failure(Fault::GatewayTimeout("no response of the upstream in time"), Flag::UpstreamTimeout));
        }
    }
}

/// The connection runs in its own task, because the response may be read more slowly than the request is uploaded.
fn spawned(link: Link) -> Driver {
    match link.into_driver() {
        Some(driver) => Driver::Task(AbortOnDrop::new(tokio::spawn(driver).abort_handle())),
        None => Driver::Done,
    }
}

/// Determines which side broke off a request or its response.
fn broken(error: &hyper::Error, upload: &Upload) -> Failure {
    if upload.is_too_large() {
        failure(Fault::BodyTooLarge, Flag::BadRequest)
    } else if upload.has_client_failed() {
        failure(Fault::BadRequest("the request's body broke off"), Flag::ClientGone)
    } else if error.is_parse() {
        failure(Fault::BadGateway("the upstream's response is not valid"), Flag::UpstreamReset)
    } else {
        failure(Fault::BadGateway(CLOSED), Flag::UpstreamReset)
    }
}
