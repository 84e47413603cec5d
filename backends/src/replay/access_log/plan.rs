//! Which fields of a line are read, and how their values become a call.

use std::borrow::Cow;

use tripline_runtime::core::Outcome;

use super::duration::{self, split_name};
use super::entry::{LogCall, Stamped};
use super::error::LogProblem;
use super::fields;
use super::outcome;
use super::request::{LogRequest, Wanted};
use super::schema::Schema;
use super::time::{self, Stamp};
use crate::replay::field_map::{FieldMapping, Role};
use crate::replay::latency_unit::LatencyUnit;

/// The fields that are read: those that were asked for, and for the rest the names of the format.
#[derive(Debug, Default)]
pub(super) struct Plan {
    slots: Vec<Slot>,
    /// Fields by their position in a line of text.
    positions: Vec<(Role, i32)>,
    /// The unit given by `--latency-unit`.
    pub(super) unit: Option<LatencyUnit>,
    /// The unit of the format.
    own_unit: Option<LatencyUnit>,
    /// Which end of a call the time named by `--field` is; else that of the format.
    stamped: Option<Stamped>,
    /// The parts of the request that are asked for beside the path.
    pub(super) wanted: Wanted,
    /// Whether the status is left out on purpose: only named fields are read, and it is not among them.
    is_status_optional: bool,
}

/// A named field that is read.
#[derive(Debug)]
struct Slot {
    name: Cow<'static, str>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Time(Stamped),
    Latency(Option<LatencyUnit>),
    Status,
    Path,
    /// Another part of the request.
    Part(Role),
    Flags,
    Required,
}

/// The values of a line, one for each slot of the plan.
#[derive(Debug)]
pub(super) struct Values<'a>(Vec<Option<Cow<'a, str>>>);

impl Plan {
    pub(super) fn new(
        schema: &Schema,
        stamped: Stamped,
        own_unit: Option<LatencyUnit>,
        unit: Option<LatencyUnit>,
        fields: &[FieldMapping],
        wanted: Wanted,
    ) -> Self {
        let mut plan = Self { unit, own_unit, stamped: Some(stamped), wanted, ..Self::default() };
        for mapping in fields.iter().filter(|mapping| wanted.has(mapping.role)) {
            let kind = match mapping.role {
                Role::Time => Kind::Time(Stamped::AtEnd),
                Role::Start => Kind::Time(Stamped::AtStart),
                Role::Latency => Kind::Latency(split_name(mapping.source.as_bytes()).1),
                Role::Status => Kind::Status,
                Role::Path => Kind::Path,
                part @ (Role::Host | Role::Method | Role::Key) => Kind::Part(part),
            };
            if let Kind::Time(stamped) = kind {
                plan.stamped = Some(stamped);
            }
            plan.slots.push(Slot { name: mapping.source.clone().into(), kind });
            if let Some(position) = mapping.position() {
                plan.positions.push((mapping.role, position));
            }
        }
        let is_mapped = |role: &[Role]| fields.iter().any(|mapping| role.contains(&mapping.role));
        let mut add = |name: &'static str, kind| plan.slots.push(Slot { name: name.into(), kind });
        if !is_mapped(&[Role::Time, Role::Start]) {
            schema.time.iter().for_each(|(name, stamped)| add(name, Kind::Time(*stamped)));
        }
        if !is_mapped(&[Role::Latency]) {
            schema.latency.iter().for_each(|(name, unit)| add(name, Kind::Latency(*unit)));
        }
        if !is_mapped(&[Role::Status]) {
            schema.status.iter().for_each(|name| add(name, Kind::Status));
        }
        if !is_mapped(&[Role::Path]) {
            schema.path.iter().for_each(|name| add(name, Kind::Path));
        }
        for (role, names) in [(Role::Host, schema.host), (Role::Method, schema.method)] {
            if wanted.has(role) && !is_mapped(&[role]) {
                for name in names {
                    add(name, Kind::Part(role));
                }
            }
        }
        schema.flags.iter().for_each(|name| add(name, Kind::Flags));
        if fields.is_empty() {
            schema.required.iter().for_each(|name| add(name, Kind::Required));
        }
        plan.is_status_optional = is_mapped(&[Role::Latency]) && !is_mapped(&[Role::Status]);
        plan
    }

    pub(super) fn values<'a>(&self) -> Values<'a> {
        Values(vec![None; self.slots.len()])
    }

    /// The position given by `--field`: 1 is the first field, -1 the last.
    pub(super) fn position(&self, role: Role) -> Option<i32> {
        self.positions.iter().find(|(mapped, _)| *mapped == role).map(|(_, position)| *position)
    }

    /// Sets the parts of a request whose positions in `line` are given by `--field`.
    pub(super) fn set_parts<'a>(&self, request: &mut LogRequest<'a>, line: &'a [u8]) -> Result<(), LogProblem> {
        for (role, position) in &self.positions {
            if matches!(role, Role::Host | Role::Method | Role::Key)
                && let Some(field) = fields::at(line, *position)?
            {
                request.set(*role, Cow::Borrowed(field.part()));
            }
        }
        Ok(())
    }

    /// The part of the request that stands under this name.
    pub(super) fn part(&self, name: &[u8]) -> Option<Role> {
        self.slots.iter().find_map(|slot| match slot.kind {
            Kind::Part(role) if slot.name.as_bytes() == name => Some(role),
            _ => None,
        })
    }

    /// Whether the latency stands under this name.
    pub(super) fn is_latency(&self, name: &[u8]) -> bool {
        let mut slots = self.slots.iter().filter(|slot| matches!(slot.kind, Kind::Latency(_)));
        slots.any(|slot| slot.name.as_bytes() == name)
    }

    /// Whether a field of this name is read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.slots.iter().any(|slot| slot.name == name)
    }

    /// Whether a field whose name begins with `prefix` and a point is read.
    pub(super) fn has_below(&self, prefix: &str) -> bool {
        let below = |name: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
        self.slots.iter().any(|slot| below(&slot.name))
    }

    /// Which end of a call its time is: of the field that is asked for, else of the format.
    pub(super) fn stamped(&self) -> Stamped {
        self.stamped.unwrap_or(Stamped::AtEnd)
    }

    /// Keeps the value of a named field; a field that is read may stand in a line only once.
    pub(super) fn set<'a>(&self, values: &mut Values<'a>, name: &str, value: Cow<'a, str>) -> Result<(), LogProblem> {
        let value = Some(value);
        for (slot, kept) in self.slots.iter().zip(&mut values.0).filter(|(slot, _)| slot.name == name) {
            if kept.is_some() && slot.kind != Kind::Required {
                return Err(LogProblem::Duplicate);
            }
            kept.clone_from(&value);
        }
        Ok(())
    }

    /// Whether a second line begins inside a field: the time that was kept comes again within its name or its value.
    pub(super) fn is_glued(&self, values: &Values<'_>, name: &str, value: &str, separator: char) -> bool {
        let is_date = |text: &str| time::is_date(text.trim_start_matches(['[', '"']).as_bytes());
        let begins_again = |time: &str| {
            let in_name = name.ends_with(time) && !self.has(name) && is_date(value);
            let mut parts = value.split(time).skip(1).filter_map(|rest| rest.strip_prefix(separator));
            in_name || parts.any(is_date)
        };
        let kept = self.slots.iter().zip(&values.0).filter(|(_, kept)| kept.is_some());
        kept.filter(|(slot, _)| matches!(slot.kind, Kind::Time(_))).any(|(slot, _)| begins_again(&slot.name))
    }

    /// Makes a call of the values; `outer` is the time that a collector put before the line.
    pub(super) fn call<'a>(&self, values: Values<'a>, outer: Option<Stamp>) -> Result<LogCall<'a>, LogProblem> {
        let (mut stamp, mut latency, mut status, mut path, mut flags) = (None, None, None, None, None);
        let mut parts: Vec<(Role, Cow<'a, str>)> = Vec::new();
        let mut problem = None;
        for (slot, value) in self.slots.iter().zip(values.0) {
            let Some(value) = value.filter(|value| !matches!(value.trim(), "" | "-")) else {
                if slot.kind == Kind::Required {
                    problem = Some(LogProblem::Numbers);
                }
                continue;
            };
            match slot.kind {
                Kind::Time(stamped) => {
                    stamp = stamp.or_else(|| Some((time::parse(value.trim().as_bytes())?, stamped)));
                }
                Kind::Latency(unit) => latency = latency.or(Some((value, unit))),
                Kind::Status => status = status.or(Some(value)),
                Kind::Path => path = path.or(Some(value)),
                Kind::Part(role) if parts.iter().all(|(known, _)| *known != role) => parts.push((role, value)),
                Kind::Flags => flags = flags.or(Some(value)),
                Kind::Part(_) | Kind::Required => {}
            }
        }
        if let Some(problem) = problem {
            return Err(problem);
        }
        let (stamp, stamped) = stamp.or(outer.map(|outer| (outer, Stamped::AtEnd))).ok_or(LogProblem::Time)?;
        let status = match status {
            Some(status) => Some(outcome::status(status.trim().as_bytes()).ok_or(LogProblem::Status)?),
            None if self.is_status_optional => None,
            None => return Err(LogProblem::Status),
        };
        let flags = flags.as_deref().unwrap_or("-");
        outcome::check_flags(flags.as_bytes())?;
        if status == Some(outcome::SWITCHING_PROTOCOLS) {
            return Err(LogProblem::NoCall);
        }
        let (text, unit) = latency.ok_or(LogProblem::Latency)?;
        let written = duration::parse(text.trim()).ok_or(LogProblem::Latency)?;
        let unit = written.unit.or(self.unit).or(unit).or(self.own_unit);
        let unit = match unit {
            Some(unit) => unit,
            None if written.places > 0 => LatencyUnit::Seconds,
            None => return Err(LogProblem::Unit),
        };
        let latency = written.nanos(unit).ok_or(LogProblem::Latency)?;
        let outcome = status.map_or(Outcome::Ok, |status| outcome::of_flags(status, flags.as_bytes()));
        let mut request = path.map(|path| LogRequest::of_text(path, self.wanted)).unwrap_or_default();
        for (role, value) in parts {
            request.set(role, bytes_of(value));
        }
        let status = status.filter(|_| outcome::without_failure(flags.as_bytes()));
        Ok(LogCall { stamp, stamped, latency, outcome, status, request, is_unit_unclear: false, places: 0 })
    }
}

fn bytes_of(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
