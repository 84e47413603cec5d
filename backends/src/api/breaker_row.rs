//! One breaker as a row: of the list, and of the events of all breakers.

use serde::Serialize;
use serde_json::Number;
use tripline_runtime::Breaker;
use utoipa::ToSchema;

use super::status::Status;
use crate::circuit::Circuit;
use crate::text::tidy;

/// What a list says of a breaker, and of a member of a family.
#[derive(Serialize, ToSchema)]
pub(super) struct BreakerHealth {
    /// `closed`, `open`, `half_open`, `disabled` or `forced_open`.
    state: &'static str,
    /// Open, half-open or forced open; of a family, also where one of its keys is.
    triggered: bool,
    /// Why it opened last; null unless it is open, half-open or forced open now.
    #[schema(required)]
    trip_reason: Option<&'static str>,
    /// The percentile of the window, in milliseconds; null while it is empty.
    #[schema(value_type = Option<f64>, required)]
    current_percentile_ms: Option<Number>,
}

impl BreakerHealth {
    /// The health of this moment.
    pub(super) fn of(breaker: &Breaker) -> Self {
        breaker.read(|core| {
            let state = core.state().kind();
            Self {
                state: state.as_str(),
                triggered: state.is_triggered(),
                trip_reason: core.last_trip().filter(|_| state.is_triggered()).map(|trip| trip.reason.as_str()),
                current_percentile_ms: core.percentile().and_then(|latency| tidy(latency.as_millis_f64())),
            }
        })
    }
}

/// One breaker in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Row {
    pub(super) name: String,
    #[serde(flatten)]
    health: BreakerHealth,
    /// The latency threshold, in whole milliseconds.
    latency_threshold_ms: u32,
    /// When it opened, RFC 3339 in UTC; null while it is not open, half-open or forced open.
    #[schema(required)]
    since: Option<String>,
    /// How many keys a family has; null for a single breaker.
    #[schema(required)]
    keys: Option<u32>,
    /// How many of these are open; null for a single breaker.
    #[schema(required)]
    open_keys: Option<u32>,
    /// Its incident in the fleet, as in the status; left out where the process is in no fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<String>,
}

impl Row {
    /// The row of this moment, with the breaker's incident in the fleet.
    pub(super) fn of(circuit: &Circuit, fleet: Option<String>) -> Self {
        let status = Status::of(circuit, None, None);
        let family = circuit.family();
        let open_keys = family.map(|family| {
            let members = family.members();
            u32::try_from(members.iter().skip(1).filter(|member| member.state().is_triggered()).count())
                .unwrap_or(u32::MAX)
        });
        Self {
            name: status.name,
            health: BreakerHealth {
                state: status.state,
                triggered: status.triggered || open_keys.is_some_and(|open| open > 0),
                trip_reason: status.trip_reason,
                current_percentile_ms: status.current_percentile_ms,
            },
            latency_threshold_ms: status.latency_threshold_ms,
            since: status.last_trip_time.filter(|_| status.triggered),
            keys: family.map(|family| u32::try_from(family.len()).unwrap_or(u32::MAX)),
            open_keys,
            fleet,
        }
    }
}
