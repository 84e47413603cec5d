//! The common and combined formats, which nginx, Apache and Traefik write, with a request time.

use std::borrow::Cow;

use super::duration::{self, Written, split_name};
use super::entry::{LogCall, Stamped};
use super::error::LogProblem;
use super::fields::{self, Field, Fields, Kind};
use super::outcome;
use super::request::LogRequest;
use super::row::Context;
use super::schema::Schema;
use super::time::{self, Stamp};
use crate::replay::field_map::Role;
use crate::replay::latency_unit::LatencyUnit;

/// Names under which a request time stands; a unit may follow (`_ms`). Not among them: those of the time that a
/// server behind took, such as `urt`.
const NAMES: [&[u8]; 5] = [b"rt", b"request_time", b"duration", b"latency", b"time_taken"];
/// Names under which a proxy of ours says what became of a call.
const FLAG_NAMES: [&[u8]; 2] = [b"flag", b"flags"];
/// Names under which the host of a request stands.
pub(super) const SCHEMA: Schema = Schema { host: &["host", "http_host", "vhost"], ..Schema::NONE };
/// nginx writes its times with this many places.
const NGINX_PLACES: u8 = 3;
/// Where no whole number is as large, it is hardly microseconds: that is less than a millisecond.
const LARGE_NUMBER_NANOS: i64 = 1_000_000;

/// Whose habits count where a request time has no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Seconds with three places; the greatest is the request time, because it includes all others.
    Nginx,
    /// The last number, or one before the request; whole numbers are microseconds.
    Apache,
    /// The last field, always with its unit.
    Traefik,
}

/// Reads `ADDRESS - USER [TIME] "REQUEST" STATUS BYTES …`, whatever stands before the time and between time and request.
pub(super) fn read<'a>(
    line: &'a [u8],
    style: Style,
    stamped: Stamped,
    context: &mut Context<'_>,
) -> Result<LogCall<'a>, LogProblem> {
    let plan = context.plan;
    if plan.position(Role::Time).is_none() && fields::has_two_times(line) {
        return Err(LogProblem::Glued);
    }
    let mut rest = Fields::new(line);
    let head = Head::read(&mut rest, context.outer)?;
    let status = rest.next()?.filter(|field| field.text.len() == 3).and_then(|field| outcome::status(field.text));
    let status = status.ok_or(LogProblem::Status)?;
    if matches!(head.request.text, b"" | b"-") || status == outcome::SWITCHING_PROTOCOLS {
        return Err(LogProblem::NoCall);
    }
    // The bytes sent; only what follows may be a request time.
    rest.next()?;
    let mut tail = Tail::read(rest, style, context)?;
    if let Some(problem) = tail.no_call {
        return Err(problem);
    }
    let found = match plan.position(Role::Latency) {
        Some(position) => fields::at(line, position)?.map(Field::value).and_then(last_number).map(Found::plain),
        None => tail.found.or(if style == Style::Apache { head.number } else { None }),
    };
    let Found { written, unit } = found.ok_or(LogProblem::Latency)?;
    let unit = match (style, written.unit.or(unit).or(plan.unit)) {
        (_, Some(unit)) => unit,
        // Apache's only whole number of the kind that has a use.
        (Style::Apache, None) if written.places == 0 => LatencyUnit::Micros,
        // A whole number is none of nginx's own times.
        (_, None) if written.places == 0 => return Err(LogProblem::Latency),
        (_, None) => LatencyUnit::Seconds,
    };
    let latency = written.nanos(unit).ok_or(LogProblem::Latency)?;
    let is_said = written.unit.is_some() || found.is_some_and(|found| found.unit.is_some()) || plan.unit.is_some();
    let is_unit_unclear = style == Style::Apache && !is_said && written.places == 0 && latency < LARGE_NUMBER_NANOS;
    let (stamp, stamped) = match plan.position(Role::Time).or(plan.position(Role::Start)) {
        Some(position) => {
            let field = fields::at(line, position)?.ok_or(LogProblem::Time)?;
            (fields::time_of(field).ok_or(LogProblem::Time)?, plan.stamped())
        }
        None => (head.stamp, stamped),
    };
    let mut request = LogRequest::of(head.request.text, plan.wanted);
    for (role, value) in tail.parts.drain(..) {
        request.set(role, Cow::Borrowed(value));
    }
    plan.set_parts(&mut request, line)?;
    Ok(LogCall {
        stamp,
        stamped,
        latency,
        outcome: outcome::of_status(status),
        status: Some(status),
        request,
        is_unit_unclear,
        places: if style == Style::Nginx { written.places } else { 0 },
    })
}

/// The part before the status.
struct Head<'a> {
    stamp: Stamp,
    request: Field<'a>,
    /// The only number there, but for the time.
    number: Option<Found>,
}

impl<'a> Head<'a> {
    /// The time stands in brackets before the request, or as the first word of the line.
    fn read(fields: &mut Fields<'a>, outer: Option<Stamp>) -> Result<Self, LogProblem> {
        let (mut stamp, mut number, mut numbers, mut is_first) = (None, None, 0, true);
        while let Some(field) = fields.next()? {
            match field.kind {
                Kind::Quoted => {
                    if let Some(stamp) = stamp.or(outer.filter(|_| is_request(field.text))) {
                        let number = number.filter(|_| numbers == 1);
                        return Ok(Self { stamp, request: field, number });
                    }
                }
                Kind::Bracketed => stamp = stamp.or_else(|| time::parse(field.text)),
                Kind::Word => {
                    let first_time = if is_first { time::parse(field.text) } else { None };
                    stamp = stamp.or(first_time);
                    if let Some(found) = Found::read(field).filter(|_| first_time.is_none()) {
                        number = Some(found);
                        numbers += 1;
                    }
                }
            }
            is_first = false;
        }
        Err(if stamp.is_none() { LogProblem::Time } else { LogProblem::Request })
    }
}

/// `GET /a HTTP/1.1`
fn is_request(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_uppercase) && text.contains(&b'/')
}

/// A number that is taken as the request time, and its unit where its name has one.
#[derive(Debug, Clone, Copy)]
struct Found {
    written: Written,
    unit: Option<LatencyUnit>,
}

impl Found {
    const fn plain(written: Written) -> Self {
        Self { written, unit: None }
    }

    fn read(field: Field<'_>) -> Option<Self> {
        match field.named() {
            Some((name, value)) => {
                let (stem, unit) = split_name(name);
                NAMES.contains(&stem).then(|| Some(Self { written: last_number(value)?, unit })).flatten()
            }
            None => last_number(field.text).map(Self::plain),
        }
    }
}

/// The part after the bytes sent.
struct Tail<'a> {
    found: Option<Found>,
    /// Parts of the request that have a name.
    parts: Vec<(Role, &'a [u8])>,
    /// The mark of a proxy of ours on a call that it did not make.
    no_call: Option<LogProblem>,
}

impl<'a> Tail<'a> {
    /// The request time: the one that is asked for, else a named one; else, of nginx, the greatest of those that look like
    /// its times, because the request time includes all others; else the last number of the line.
    fn read(mut fields: Fields<'a>, style: Style, context: &Context<'_>) -> Result<Self, LogProblem> {
        let (mut named, mut greatest, mut last) = (None, None::<(i64, Written)>, None);
        let (mut asked, mut no_call) = (None, None);
        let mut parts = Vec::new();
        while let Some(field) = fields.next()? {
            if let Some((name, value)) = field.named() {
                let (stem, unit) = split_name(name);
                parts.extend(context.plan.part(name).map(|role| (role, value)));
                if context.plan.is_latency(name) {
                    asked = asked.or(Some(last_number(value).map(|written| Found { written, unit })));
                } else if FLAG_NAMES.contains(&name) {
                    no_call = no_call.or(outcome::check_flags(value).err());
                } else if NAMES.contains(&stem) {
                    named = named.or(Some(last_number(value).map(|written| Found { written, unit })));
                }
                // A host may stand behind the request time.
                if !SCHEMA.host.iter().any(|host| host.as_bytes() == name) {
                    last = None;
                }
                continue;
            }
            if field.kind == Kind::Word {
                no_call = no_call.or(outcome::check_flags(field.text).err());
            }
            let written = number(field.text).filter(|written| written.places == NGINX_PLACES && written.unit.is_none());
            if let Some(written) = written {
                // More than a year is none: most likely the time of day.
                let nanos = written.nanos(LatencyUnit::Seconds);
                if nanos > greatest.map(|(nanos, _)| nanos) {
                    greatest = nanos.map(|nanos| (nanos, written));
                }
            }
            // A flag may follow.
            if no_call.is_none() {
                last = if field.kind == Kind::Word { last_number(field.text) } else { None };
            }
        }
        let greatest = greatest.map(|(_, written)| written).filter(|_| style == Style::Nginx);
        let found = match asked.or(named) {
            Some(found) => found,
            None => greatest.or(last).map(Found::plain),
        };
        let found = found.filter(|found| style != Style::Traefik || found.written.unit.is_some());
        Ok(Self { found, parts, no_call })
    }
}

/// The number that the text is; of several, as of `%T/%D` or `0.1, 0.2`, the last one.
fn last_number(text: &[u8]) -> Option<Written> {
    text.rsplit(|&byte| matches!(byte, b'/' | b',' | b' ')).find(|part| !part.is_empty()).and_then(number)
}

/// A number with digits on both sides of its point, or one with a unit.
fn number(text: &[u8]) -> Option<Written> {
    let is_whole = text.first().is_some_and(u8::is_ascii_digit) && !text.ends_with(b".");
    let has_exponent = text.iter().any(|byte| matches!(byte, b'e' | b'E'));
    str::from_utf8(text).ok().filter(|_| is_whole && !has_exponent).and_then(duration::parse)
}
