//! AWS application load balancers, and classic ones.
//!
//! `TYPE TIME ELB CLIENT TARGET REQUEST TARGET RESPONSE STATUS …`: the request time is the sum of the three times in seconds.
//! Where one is -1 (no answer came) it is the time since the request was created, which an application load balancer writes too.

use tripline_runtime::core::Outcome;

use super::entry::{Entry, LogCall, Stamped};
use super::error::LogProblem;
use super::fields::{Field, Fields, Kind};
use super::number::Decimal;
use super::outcome;
use super::request::LogRequest;
use super::row::{Context, Row};
use super::schema::Schema;
use super::time;
use crate::replay::latency_unit::LatencyUnit;

pub(super) const ROW: Row = Row {
    name: "alb",
    title: "AWS ALB",
    stamped: Stamped::AtEnd,
    unit: Some(LatencyUnit::Seconds),
    schema: Schema::NONE,
    read: |line, context| read(line, context).map(Entry::Call),
    example: concat!(
        "https 2026-10-10T13:55:36.186641Z app/shop/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.1:80 0.001 0.048 0.001 200 200 ",
        r#"34 366 "GET https://shop.example:443/a HTTP/1.1" "curl/8.4.0" - - arn:aws:x "Root=1-58" "shop.example" "-" 0 "#,
        r#"2026-10-10T13:55:36.136000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#
    ),
    reads_fields: false,
};

/// The client closed the connection before the load balancer's idle time-out.
const CLIENT_CLOSED: u16 = 460;
/// Fields after the request, before the time at which the request was created.
const FIELDS_TO_CREATION: usize = 8;

fn read<'a>(line: &'a [u8], context: &mut Context<'_>) -> Result<LogCall<'a>, LogProblem> {
    let mut rest = Fields::new(line);
    let first = rest.next()?.ok_or(LogProblem::Time)?;
    let (kind, stamp) = if let Some(stamp) = time::parse(first.text) {
        (&b""[..], stamp)
    } else {
        let second = rest.next()?.filter(|field| field.kind == Kind::Word).ok_or(LogProblem::Time)?;
        (first.text, time::parse(second.text).ok_or(LogProblem::Time)?)
    };
    if !matches!(kind, b"" | b"http" | b"https" | b"h2" | b"grpcs" | b"ws" | b"wss") {
        return Err(LogProblem::Numbers);
    }
    let mut next = || rest.next()?.filter(|field| field.kind == Kind::Word).ok_or(LogProblem::Numbers);
    let (elb, _client, _target) = (next()?, next()?, next()?);
    let times = [next()?.text, next()?.text, next()?.text];
    let status = next()?.text;
    let (_target_status, _received, _sent) = (next()?, next()?, next()?);
    let request = rest.next()?.filter(|field| field.kind == Kind::Quoted).ok_or(LogProblem::Request)?;
    if is_cut_off(request.text) || names_twice(line, elb.text) {
        return Err(LogProblem::Glued);
    }
    let status = outcome::status(status).ok_or(LogProblem::Status)?;
    if kind.starts_with(b"ws") || request.text.starts_with(b"- ") || status == outcome::SWITCHING_PROTOCOLS {
        return Err(LogProblem::NoCall);
    }
    let latency = match times.map(seconds) {
        [Some(request), Some(target), Some(response)] => {
            request.checked_add(target).and_then(|sum| sum.checked_add(response)).ok_or(LogProblem::Latency)?
        }
        _ if times.iter().all(|time| seconds(time).is_some() || *time == b"-1" || *time == b"-") => {
            let created = created(rest)?.and_then(|field| time::parse(field.text)).ok_or(LogProblem::Latency)?;
            stamp.at.checked_sub(created.at).filter(|latency| *latency >= 0).ok_or(LogProblem::Latency)?
        }
        _ => return Err(LogProblem::Numbers),
    };
    let mut parts = LogRequest::of(request.text, context.plan.wanted);
    context.plan.set_parts(&mut parts, line)?;
    Ok(LogCall {
        stamp,
        stamped: Stamped::AtEnd,
        latency,
        outcome: if status == CLIENT_CLOSED { Outcome::Ignored } else { outcome::of_status(status) },
        status: Some(status).filter(|status| *status != CLIENT_CLOSED),
        request: parts,
        is_unit_unclear: false,
        places: 3,
    })
}

fn seconds(text: &[u8]) -> Option<i64> {
    Decimal::parse(text)?.nanos(LatencyUnit::Seconds)
}

fn created(mut rest: Fields<'_>) -> Result<Option<Field<'_>>, LogProblem> {
    for _ in 0..FIELDS_TO_CREATION {
        rest.next()?;
    }
    rest.next()
}

/// Whether the load balancer is named a second time: another line begins inside this one.
fn names_twice(line: &[u8], elb: &[u8]) -> bool {
    let name = [b" ", elb, b" "].concat();
    memchr::memmem::find_iter(line, &name).nth(1).is_some()
}

/// A request line without its end, or with another line in it.
fn is_cut_off(request: &[u8]) -> bool {
    let parts = request.split(|&byte| byte == b' ').filter(|part| !part.is_empty()).count();
    parts > 4
}
