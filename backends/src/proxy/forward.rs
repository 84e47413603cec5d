//! Forwards a request and returns its response.

use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use smol::future::FutureExt as _;
use tripline_runtime::core::Outcome;
use tripline_runtime::{Breaker, OwnedTimedPermit, Rejection};

use super::answer::Asker;
use super::body::RequestBody;
use super::call::Call;
use super::exchange::{Failure, exchange, exchange_upgradable};
use super::fault::Fault;
use super::figures::Figures;
use super::flag::Flag;
use super::heads::HasFragment;
use super::outcome;
use super::record::Record;
use super::relay::{Relay, ResponseBody};
use super::request::Target;
use super::rewrite;
use super::routes::Matched;
use super::upgrade::{self, Tunnel};
use super::upstream::Place;
use super::worker::{Client, Worker};
use crate::config::ProxyMode;

/// Handles a request. A panic gives a 500 and affects no other request.
pub(super) async fn handle(worker: Arc<Worker>, client: Client, request: Request<Incoming>) -> Response<ResponseBody> {
    let asker = Asker::new(request.headers(), request.version());
    let answer = pin!(forward(&worker, client, request, asker));
    let mut response = contain(&worker.shared.figures, asker, answer).await;
    if worker.shared.is_leaving() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        asker.close(&mut response);
    }
    response
}

/// Makes a 500 of a panic.
async fn contain(
    figures: &Figures,
    asker: Asker,
    answer: Pin<&mut impl Future<Output = Response<ResponseBody>>>,
) -> Response<ResponseBody> {
    if let Ok(response) = AssertUnwindSafe(answer).catch_unwind().await {
        return response;
    }
    figures.count(Flag::Internal);
    let mut response = asker.fault(Fault::Internal);
    asker.close(&mut response);
    response
}

async fn forward(
    worker: &Arc<Worker>,
    client: Client,
    request: Request<Incoming>,
    asker: Asker,
) -> Response<ResponseBody> {
    let mut record = Record::new(worker, &client, &request);
    let is_read = request.body().is_end_stream();
    let target = match Target::of(&request) {
        Ok(target) => target,
        Err(fault) => {
            let ends = request.extensions().get::<HasFragment>().is_some();
            return own(asker, record, fault, Flag::BadRequest, is_read && !ends);
        }
    };
    let table = worker.table.get();
    let Some(route) = table.find(target.host(), target.route_path(), request.method()).cloned() else {
        return own(asker, record, Fault::NoRoute, Flag::NoRoute, is_read);
    };
    let max_body = worker.shared.settings.max_body;
    let is_too_large = request.body().size_hint().lower() > max_body && max_body > 0;
    if is_too_large {
        return own(asker, record, Fault::BodyTooLarge, Flag::BadRequest, is_read);
    }
    drop(table);
    let matched = match Matched::new(route, &request, &target) {
        Ok(matched) => matched,
        Err(fault) => return own(asker, record, fault, Flag::BadRequest, is_read),
    };
    if let Some(breaker) = matched.breaker() {
        record.guarded_by(breaker);
    }
    let measure = matched.route.settings.measure;
    match admit(&matched, worker.shared.settings.mode).await {
        Admission::Admitted { permit, place, would_reject } => {
            if would_reject {
                record.flag(Flag::WouldReject);
            }
            record.placed();
            let call = Call::new(permit, measure, Some(place), record);
            send(worker, client, request, &target, &matched, call, asker).await
        }
        Admission::Busy => own(asker, record, Fault::Busy, Flag::Busy, is_read),
        Admission::Rejected(rejection) => {
            if matched.route.fallback.is_some() {
                record.flag(Flag::Fallback);
                let matched = matched.into_fallback();
                let Some(place) = matched.upstream().places.take().await else {
                    return own(asker, record, Fault::Busy, Flag::Busy, is_read);
                };
                record.placed();
                let call = Call::new(None, measure, Some(place), record);
                send(worker, client, request, &target, &matched, call, asker).await
            } else {
                let with_header = worker.shared.settings.response_header;
                let mut response = asker.rejection(&rejection, matched.route.settings.rejected.as_ref(), with_header);
                finish_own(&mut record, Flag::Rejected, &response);
                if !is_read {
                    asker.close(&mut response);
                }
                response
            }
        }
    }
}

/// Responds to a request that no upstream receives.
fn own(asker: Asker, mut record: Record, fault: Fault, flag: Flag, is_read: bool) -> Response<ResponseBody> {
    let mut response = asker.fault(fault);
    finish_own(&mut record, flag, &response);
    if !is_read {
        asker.close(&mut response);
    }
    response
}

/// Counts and logs a request to which the proxy responds itself.
fn finish_own(record: &mut Record, flag: Flag, response: &Response<ResponseBody>) {
    record.flag(flag);
    record.status(response.status());
    record.sent(response.body().size_hint().lower());
    record.write();
}

/// The decision of the bulkhead and the breaker.
enum Admission {
    Admitted { permit: Option<OwnedTimedPermit>, place: Place, would_reject: bool },
    Rejected(Rejection),
    Busy,
}

/// Takes a slot, then asks the breaker. In this order, waiting for the slot is not part of the upstream's latency. A
/// request that must wait also asks before, so nothing queues while the breaker is open.
async fn admit(matched: &Matched, mode: ProxyMode) -> Admission {
    let (upstream, breaker) = (matched.upstream(), matched.breaker());
    let place = if let Some(place) = upstream.places.try_take() {
        place
    } else {
        if let (Some(breaker), ProxyMode::Enforce) = (breaker, mode) {
            // The permit is dropped at once: no call is made.
            if let Err(rejection) = breaker.try_start().map(drop) {
                return Admission::Rejected(rejection);
            }
        }
        match upstream.places.wait().await {
            Some(place) => place,
            None => return Admission::Busy,
        }
    };
    match (breaker.map(Breaker::try_start_owned), mode) {
        (None, _) => Admission::Admitted { permit: None, place, would_reject: false },
        (Some(Ok(permit)), _) => Admission::Admitted { permit: Some(permit), place, would_reject: false },
        (Some(Err(_)), ProxyMode::Observe) => Admission::Admitted { permit: None, place, would_reject: true },
        (Some(Err(rejection)), ProxyMode::Enforce) => Admission::Rejected(rejection),
    }
}

/// Sends a request to the upstream.
async fn send(
    worker: &Arc<Worker>,
    client: Client,
    mut request: Request<Incoming>,
    target: &Target,
    matched: &Matched,
    mut call: Call,
    asker: Asker,
) -> Response<ResponseBody> {
    let (settings, upstream) = (&worker.shared.settings, matched.upstream());
    let on_upgrade = upgrade::asked_for(&mut request);
    let (parts, incoming) = request.into_parts();
    let (body, upload) = RequestBody::new(incoming, settings.max_body);
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().clear();
    rewrite::request(&mut request, target, &client, settings.forwarded);
    let answered = if on_upgrade.is_some() {
        upgrade::set_fields(request.headers_mut());
        // In a box, because it is seldom.
        Box::pin(exchange_upgradable(upstream, request, target, &upload)).await
    } else {
        exchange(upstream, worker.thread, request, target, &upload).await
    };
    let answered = answered.and_then(|(mut response, driver)| {
        let is_upgrade = on_upgrade.is_some() && upgrade::is_agreed(&response);
        let invalid = |words| Failure { fault: Fault::BadGateway(words), flag: Flag::UpstreamReset };
        rewrite::response(&mut response, is_upgrade).map_err(invalid).map(|()| (response, driver, is_upgrade))
    });
    match (answered, on_upgrade) {
        (Ok((mut response, driver, true)), Some(on_upgrade)) => {
            upgrade::set_fields(response.headers_mut());
            call.record().status(response.status());
            call.upgraded();
            let tunnel = Tunnel {
                client: on_upgrade,
                upstream: hyper::upgrade::on(&mut response),
                idle_timeout: settings.tunnel_idle_timeout,
                phase: worker.phase.clone(),
                connection: client,
            };
            let run = tunnel.run(call);
            tokio::spawn(async move {
                run.await;
                drop(driver);
            });
            response.map(|_| ResponseBody::own(Bytes::new()))
        }
        (Ok((response, driver, _)), _) => {
            let (parts, incoming) = response.into_parts();
            let by_head = outcome::of_head(parts.status, &parts.headers, &upstream.settings.failure_statuses);
            call.record().status(parts.status);
            if let (Some(wait), Some(breaker)) =
                (outcome::retry_after(parts.status, &parts.headers, SystemTime::now), matched.breaker())
            {
                breaker.handle_retry_after(wait);
            }
            call.head(by_head, matched);
            let outcome = by_head.unwrap_or(Outcome::Ok);
            let of_thread = (matched.clone(), worker.thread);
            let relay = Relay::new(incoming, driver, upload, of_thread, outcome, call);
            Response::from_parts(parts, ResponseBody::Relay(Box::new(relay)))
        }
        (Err(Failure { fault, flag }), _) => {
            let mut response = asker.fault(fault);
            call.record().flag(flag);
            call.record().status(response.status());
            call.record().sent(response.body().size_hint().lower());
            if fault.status() == StatusCode::BAD_GATEWAY || fault.status() == StatusCode::GATEWAY_TIMEOUT {
                call.end(Outcome::Failed);
            } else {
                // The client's fault: neutral while it is young.
                drop(call);
            }
            if !upload.is_done() {
                asker.close(&mut response);
            }
            response
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;
    use http::{HeaderMap, Version};

    #[test]
    fn a_panic_in_a_request_is_a_500_that_ends_its_connection() {
        let (figures, asker) = (Figures::default(), Asker::new(&HeaderMap::new(), Version::HTTP_11));
        let answered = smol::block_on(contain(&figures, asker, pin!(async { panic!("in a request") })));
        assert_eq!(answered.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answered.headers().get("connection").map(http::HeaderValue::as_bytes), Some(&b"close"[..]));
        assert_eq!(figures.requests(Flag::Internal), 1);
    }
}
