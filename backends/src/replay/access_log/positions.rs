//! Any other log of text, its fields by their positions: `--field time=4 --field latency=-1`.

use tripline_runtime::core::Outcome;

use super::duration;
use super::entry::{Entry, LogCall, Stamped};
use super::error::LogProblem;
use super::fields::{self, Field, time_of};
use super::outcome;
use super::request::LogRequest;
use super::row::{Context, Row};
use super::schema::Schema;
use crate::replay::field_map::Role;
use crate::replay::latency_unit::LatencyUnit;

pub(super) const ROW: Row = Row {
    name: "text",
    title: "text",
    stamped: Stamped::AtEnd,
    unit: None,
    schema: Schema::NONE,
    read: |line, context| read(line, context).map(Entry::Call),
    example: "",
    reads_fields: true,
};

fn read<'a>(line: &'a [u8], context: &mut Context<'_>) -> Result<LogCall<'a>, LogProblem> {
    let plan = context.plan;
    let field = |role| match plan.position(role) {
        Some(position) => fields::at(line, position),
        None => Ok(None),
    };
    let value = |role| field(role).map(|field| field.map(Field::value));
    let time = field(Role::Time)?.or(field(Role::Start)?);
    let stamp = time.and_then(time_of);
    let (stamp, stamped) = match (stamp, context.outer) {
        (Some(stamp), _) => (stamp, plan.stamped()),
        (None, Some(outer)) if time.is_none() => (outer, Stamped::AtEnd),
        _ => return Err(LogProblem::Time),
    };
    let latency = value(Role::Latency)?.ok_or(LogProblem::Latency)?;
    let written = str::from_utf8(latency).ok().and_then(duration::parse).ok_or(LogProblem::Latency)?;
    let unit = match written.unit.or(plan.unit) {
        Some(unit) => unit,
        None if written.places > 0 => LatencyUnit::Seconds,
        None => return Err(LogProblem::Unit),
    };
    let (outcome, status) = match plan.position(Role::Status) {
        Some(_) => {
            let status = value(Role::Status)?.and_then(outcome::status).ok_or(LogProblem::Status)?;
            (outcome::of_status(status), Some(status))
        }
        None => (Outcome::Ok, None),
    };
    let mut request = field(Role::Path)?.map(|field| LogRequest::of(field.part(), plan.wanted)).unwrap_or_default();
    plan.set_parts(&mut request, line)?;
    Ok(LogCall {
        stamp,
        stamped,
        latency: written.nanos(unit).ok_or(LogProblem::Latency)?,
        outcome,
        status,
        request,
        is_unit_unclear: false,
        places: 0,
    })
}
