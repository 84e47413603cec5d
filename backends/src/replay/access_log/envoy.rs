//! Envoy's default format, and that of Istio, which has more fields between flags and bytes.
//!
//! `[START] "METHOD PATH PROTOCOL" STATUS FLAGS … RECEIVED SENT DURATION UPSTREAM "…" …`: the time is the start of the call, the
//! duration is in milliseconds. The flags UF, UO, UH, URX, UT, UC, UR, LR, UPE, UMSDR, SI, DF and OM are a failure whatever the
//! status; DC (the client went away) makes a call that would be well ignored.

use std::borrow::Cow;

use super::entry::{Entry, LogCall, Stamped};
use super::error::LogProblem;
use super::fields::{self, Fields, Kind};
use super::number::Decimal;
use super::request::LogRequest;
use super::row::{Context, Row};
use super::schema::Schema;
use super::{outcome, time};
use crate::replay::field_map::Role;
use crate::replay::latency_unit::LatencyUnit;

pub(super) const ROW: Row = Row {
    name: "envoy",
    title: "Envoy",
    stamped: Stamped::AtStart,
    unit: Some(LatencyUnit::Millis),
    schema: Schema::NONE,
    read: |line, context| read(line, context).map(Entry::Call),
    example: concat!(
        r#"[2026-10-10T13:55:36.310Z] "GET /a HTTP/2" 200 - 0 512 26 25 "10.0.35.28" "curl/8.4.0" "cc21d9b0" "shop" "#,
        r#""10.0.2.1:80""#
    ),
    reads_fields: false,
};

fn read<'a>(line: &'a [u8], context: &mut Context<'_>) -> Result<LogCall<'a>, LogProblem> {
    if fields::has_two_times(line) {
        return Err(LogProblem::Glued);
    }
    let mut fields = Fields::new(line);
    let stamp = fields.next()?.filter(|field| field.kind == Kind::Bracketed).and_then(|field| time::parse(field.text));
    let stamp = stamp.ok_or(LogProblem::Time)?;
    let request = fields.next()?.filter(|field| field.kind == Kind::Quoted).ok_or(LogProblem::Request)?;
    let status = fields.next()?.and_then(|field| outcome::status(field.text)).ok_or(LogProblem::Status)?;
    let flags = fields.next()?.filter(|field| field.kind == Kind::Word && is_flags(field.text));
    let flags = flags.ok_or(LogProblem::Numbers)?;
    let number = duration(&mut fields)?;
    // A TCP connection has no method, and neither has what could not be read as HTTP.
    if request.text.starts_with(b"- ") || status == outcome::SWITCHING_PROTOCOLS {
        return Err(LogProblem::NoCall);
    }
    let unit = context.plan.unit.unwrap_or(LatencyUnit::Millis);
    let mut parts = LogRequest::of(request.text, context.plan.wanted);
    if context.plan.wanted.host
        && let Some(host) = authority(&mut fields)?
    {
        parts.set(Role::Host, Cow::Borrowed(host));
    }
    context.plan.set_parts(&mut parts, line)?;
    Ok(LogCall {
        stamp,
        stamped: Stamped::AtStart,
        latency: number.nanos(unit).ok_or(LogProblem::Latency)?,
        outcome: outcome::of_flags(status, flags.text),
        status: outcome::without_failure(flags.text).then_some(status),
        request: parts,
        is_unit_unclear: false,
        places: 0,
    })
}

fn is_flags(text: &[u8]) -> bool {
    text == b"-" || text.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b',')
}

/// The third of the four numbers right before a quoted field, or before the end; the last of the four may be absent.
fn duration(fields: &mut Fields<'_>) -> Result<Decimal, LogProblem> {
    let mut last_four: [Option<Word>; 4] = [None; 4];
    loop {
        let field = fields.next()?;
        match field.filter(|field| field.kind == Kind::Word) {
            Some(field) => {
                let number = Decimal::parse(field.text).filter(|number| number.is_whole());
                last_four.rotate_left(1);
                last_four[3] = match number {
                    Some(number) => Some(Word::Number(number)),
                    None => (field.text == b"-").then_some(Word::Dash),
                };
            }
            None => match last_four {
                [Some(Word::Number(_)), Some(Word::Number(_)), Some(duration), Some(_)] => {
                    return match duration {
                        Word::Number(number) => Ok(number),
                        Word::Dash => Err(LogProblem::Latency),
                    };
                }
                _ if field.is_none() => return Err(LogProblem::Numbers),
                _ => last_four = [None; 4],
            },
        }
    }
}

/// The authority, in both default formats the fourth quoted field after the numbers; the first was read with them.
fn authority<'a>(fields: &mut Fields<'a>) -> Result<Option<&'a [u8]>, LogProblem> {
    let mut quoted = || Ok::<_, LogProblem>(fields.next()?.filter(|field| field.kind == Kind::Quoted));
    let (_agent, _id) = (quoted()?, quoted()?);
    Ok(quoted()?.map(|field| field.text))
}

#[derive(Debug, Clone, Copy)]
enum Word {
    Number(Decimal),
    Dash,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tripline_runtime::core::Outcome;

    use super::super::entry::Columns;
    use super::super::plan::Plan;
    use super::*;

    fn call(line: &str) -> Result<(i64, i64, Outcome), LogProblem> {
        let (plan, mut columns) = (Plan::default(), Columns::default());
        let mut context = Context { plan: &plan, columns: &mut columns, outer: None };
        let call = read(line.as_bytes(), &mut context)?;
        Ok((call.stamp.at / 1_000_000, call.latency / 1_000_000, call.outcome))
    }

    fn with(middle: &str) -> Result<(i64, i64, Outcome), LogProblem> {
        call(&format!(
            r#"[2026-10-10T13:55:36.310Z] "GET /a HTTP/2" {middle} "10.0.0.7" "curl" "id" "shop" "10.1.0.2:80""#
        ))
    }

    #[test]
    fn the_default_format_has_the_duration_after_the_bytes() {
        let at = 1_791_640_536_310;
        assert_eq!(with("204 - 154 0 226 100"), Ok((at, 226, Outcome::Ok)));
        assert_eq!(with("503 UF,URX 0 95 12 -"), Ok((at, 12, Outcome::Failed)));
        assert_eq!(with("0 DC 0 0 5000 -"), Ok((at, 5_000, Outcome::Ignored)));
        assert_eq!(call(r#"[2026-10-10T13:55:36.310Z] "GET / HTTP/1.1" 200 - 0 5 7 6"#), Ok((at, 7, Outcome::Ok)));
    }

    #[test]
    fn more_fields_in_the_middle_are_passed_over() {
        let at = 1_791_640_536_310;
        assert_eq!(with(r#"200 - via_upstream - "-" 0 135 4 3"#), Ok((at, 4, Outcome::Ok)));
        assert_eq!(with(r#"503 UF upstream_reset{5} - "tls, 9 9 9 9" 0 9 8 -"#), Ok((at, 8, Outcome::Failed)));
        assert_eq!(with(r#"200 - "-" "-" 0 135 4 3"#), Ok((at, 4, Outcome::Ok)));
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        assert_eq!(with("200 - 0 5 -  -"), Err(LogProblem::Latency));
        assert_eq!(with("200 - 0 5 7"), Err(LogProblem::Numbers));
        assert_eq!(with("200 5 0 5 7 6"), Err(LogProblem::Numbers));
        assert_eq!(with("- - 0 5 7 6"), Err(LogProblem::Status));
        assert_eq!(with("101 - 0 5 70000 6"), Err(LogProblem::NoCall));
        let tcp = r#"[2026-10-10T13:55:36.310Z] "- - -" 0 - 10 20 3000 - "-" "-" "-" "-" "10.0.0.9:5432""#;
        assert_eq!(call(tcp), Err(LogProblem::NoCall));
        assert_eq!(call(r#"x [2026-10-10T13:55:36.310Z] "GET / HTTP/2" 200 - 0 5 7 6"#), Err(LogProblem::Time));
    }
}
