//! The HTTP log of `HAProxy` (`option httplog`), with the prefix of syslog or without.
//!
//! `CLIENT [ACCEPT DATE] FRONTEND BACKEND/SERVER TR/Tw/Tc/Tr/Ta STATUS BYTES - - STATE … "REQUEST"`: the request time is Ta, in
//! milliseconds. A state that begins with C or c is a client that went away; S, s, P, R and others are failures.

use tripline_runtime::core::Outcome;

use super::duration;
use super::entry::{Entry, LogCall, Stamped};
use super::error::LogProblem;
use super::fields::{self, Fields, Kind};
use super::outcome;
use super::request::LogRequest;
use super::row::{Context, Row};
use super::schema::Schema;
use super::time;
use crate::replay::latency_unit::LatencyUnit;

pub(super) const ROW: Row = Row {
    name: "haproxy",
    title: "HAProxy",
    stamped: Stamped::AtStart,
    unit: Some(LatencyUnit::Millis),
    schema: Schema::NONE,
    read: |line, context| read(line, context).map(Entry::Call),
    example: concat!(
        r"Oct 10 13:55:36 lb haproxy[12]: 192.0.2.6:4000 [10/Oct/2026:13:55:36.310] fe be/s1 0/0/1/48/50 200 512 - - ",
        r#"---- 1/1/0/0/0 0/0 "GET /a HTTP/1.1""#
    ),
    reads_fields: false,
};

fn read<'a>(line: &'a [u8], context: &mut Context<'_>) -> Result<LogCall<'a>, LogProblem> {
    if fields::has_two_times(line) {
        return Err(LogProblem::Glued);
    }
    let mut rest = Fields::new(line);
    let stamp = loop {
        let field = rest.next()?.ok_or(LogProblem::Time)?;
        if field.kind == Kind::Bracketed
            && let Some(stamp) = time::parse(field.text)
        {
            break stamp;
        }
    };
    let mut next = || rest.next()?.filter(|field| field.kind == Kind::Word).ok_or(LogProblem::Numbers);
    let (_frontend, _server) = (next()?, next()?);
    let timers: Vec<&[u8]> = next()?.text.split(|&byte| byte == b'/').collect();
    let status = next()?.text;
    // Bytes and two captured cookies.
    let (_, _, _) = (next()?, next()?, next()?);
    let state = next()?.text;
    let [_, _, _, _, total] = *timers else { return Err(LogProblem::Numbers) };
    let total = str::from_utf8(total.strip_prefix(b"+").unwrap_or(total)).map_err(|_| LogProblem::NotUtf8)?;
    if state.len() < 2 || state.len() > 4 {
        return Err(LogProblem::Numbers);
    }
    let request = loop {
        let field = rest.next()?.ok_or(LogProblem::Request)?;
        if field.kind == Kind::Quoted {
            break field.text;
        }
    };
    let status = match status {
        b"-1" => None,
        status => Some(outcome::status(status).ok_or(LogProblem::Status)?),
    };
    if request.starts_with(b"<") || status == Some(outcome::SWITCHING_PROTOCOLS) {
        return Err(LogProblem::NoCall);
    }
    let written = duration::parse(total).ok_or(LogProblem::Latency)?;
    let unit = context.plan.unit.unwrap_or(LatencyUnit::Millis);
    let by_status = status.map_or(Outcome::Ok, outcome::of_status);
    let outcome = match state.first() {
        Some(b'C' | b'c') if by_status == Outcome::Ok => Outcome::Ignored,
        Some(b'S' | b's' | b'R' | b'I' | b'D' | b'K') => Outcome::Failed,
        _ if status.is_none() => Outcome::Failed,
        _ => by_status,
    };
    let mut parts = LogRequest::of(request, context.plan.wanted);
    context.plan.set_parts(&mut parts, line)?;
    Ok(LogCall {
        stamp,
        stamped: Stamped::AtStart,
        latency: written.nanos(unit).ok_or(LogProblem::Latency)?,
        outcome,
        status: status.filter(|_| outcome == by_status),
        request: parts,
        is_unit_unclear: false,
        places: 0,
    })
}
