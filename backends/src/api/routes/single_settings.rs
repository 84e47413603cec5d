//! The settings of go-breaker's API, each with a route of its own.

use serde::Serialize;
use serde_json::{Number, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::change::Changed;
use crate::api::error::ApiError;
use crate::api::input::{Actor, FromPayload, ValidJson};
use crate::api::json::ApiJson;
use crate::api::openapi::{PostErrors, ReadErrors};
use crate::api::payload::Payload;
use crate::api::scope::CircuitScope;
use crate::api::setting_body::{body, read_change, schema_of};
use crate::api::state::ApiState;
use crate::config::Change;
use crate::text::{percent, tidy};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(memory, set_memory))
        .routes(routes!(latency, set_latency))
        .routes(routes!(window_size, set_window_size))
        .routes(routes!(percentile, set_percentile))
        .routes(routes!(wait, set_wait))
        .routes(routes!(trend_analysis, set_trend_analysis))
}

/// Makes the change, and answers what `read` then gives.
async fn apply<T>(
    scope: &CircuitScope,
    who: &Actor,
    change: Change,
    read: impl Fn(&CircuitScope) -> T,
) -> Answer<Changed<T>> {
    let applied = scope.change(change, who).await?;
    Ok(ApiJson(Changed::new(read(scope), applied)))
}

body!(NewMemoryThreshold, "memory_threshold", ["threshold", "memory"]);
body!(NewWindowSize, "latency_window_size", ["size", "latency_window_size", "latency"]);
body!(NewPercentile, "percentile", ["percentile"]);
body!(NewWait, "wait_time", ["wait_time", "wait"]);
body!(NewTrendAnalysis, "trend_analysis_enabled", ["enabled", "trend_analysis"]);

/// As the others, in whole milliseconds: GET gives no fractions.
struct NewLatencyThreshold(Change);

impl NewLatencyThreshold {
    const FIELDS: [&'static str; 2] = ["threshold", "latency"];
}

impl FromPayload for NewLatencyThreshold {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let change = read_change(payload, "latency_threshold", &Self::FIELDS)?;
        let (field, value) = payload.first_of(&Self::FIELDS);
        match value.and_then(Value::as_f64) {
            Some(x) if x.fract() != 0.0 => Err(ApiError::bad_value(field, x, "whole milliseconds")),
            _ => Ok(Self(change)),
        }
    }
}

impl ToSchema for NewLatencyThreshold {}

impl PartialSchema for NewLatencyThreshold {
    fn schema() -> RefOr<Schema> {
        let mut schema = schema_of("latency_threshold", &Self::FIELDS);
        if let RefOr::T(Schema::Object(body)) = &mut schema
            && let Some(RefOr::T(Schema::Object(threshold))) = body.properties.get_mut(Self::FIELDS[0])
        {
            threshold.schema_type = Type::Integer.into();
        }
        schema
    }
}

/// The share of memory at which the breaker opens.
#[derive(Serialize, ToSchema)]
struct MemoryThreshold {
    /// In percent.
    #[schema(value_type = f64)]
    memory: Option<Number>,
}

fn read_memory(scope: &CircuitScope) -> MemoryThreshold {
    let ratio = scope.breaker().read(|core| core.policy().memory_threshold.get());
    MemoryThreshold { memory: percent(ratio) }
}

/// The share of memory at which the breaker opens.
#[utoipa::path(get, path = "/breaker/memory", tag = "settings",
    responses((status = 200, description = "The threshold.", body = MemoryThreshold), ReadErrors))]
async fn memory(scope: CircuitScope) -> Answer<MemoryThreshold> {
    Ok(ApiJson(read_memory(&scope)))
}

/// Sets the share of memory at which the breaker opens.
#[utoipa::path(post, path = "/breaker/memory", tag = "settings", request_body = NewMemoryThreshold,
    responses((status = 200, description = "It is in force.", body = Changed<MemoryThreshold>), PostErrors))]
async fn set_memory(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewMemoryThreshold(change)): ValidJson<NewMemoryThreshold>,
) -> Answer<Changed<MemoryThreshold>> {
    apply(&scope, &who, change, read_memory).await
}

/// The latency above which a call is slow.
#[derive(Serialize, ToSchema)]
struct LatencyThreshold {
    /// In milliseconds.
    latency: u32,
}

fn read_latency(scope: &CircuitScope) -> LatencyThreshold {
    LatencyThreshold { latency: scope.breaker().read(|core| core.policy().latency_threshold.as_millis()) }
}

/// The latency above which a call is slow.
#[utoipa::path(get, path = "/breaker/latency", tag = "settings",
    responses((status = 200, description = "The threshold.", body = LatencyThreshold), ReadErrors))]
async fn latency(scope: CircuitScope) -> Answer<LatencyThreshold> {
    Ok(ApiJson(read_latency(&scope)))
}

/// Sets the latency above which a call is slow.
#[utoipa::path(post, path = "/breaker/latency", tag = "settings", request_body = NewLatencyThreshold,
    responses((status = 200, description = "It is in force.", body = Changed<LatencyThreshold>), PostErrors))]
async fn set_latency(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewLatencyThreshold(change)): ValidJson<NewLatencyThreshold>,
) -> Answer<Changed<LatencyThreshold>> {
    apply(&scope, &who, change, read_latency).await
}

/// Number of last calls that are evaluated.
#[derive(Serialize, ToSchema)]
struct WindowSize {
    latency_window_size: u16,
    /// The same.
    latency: u16,
}

fn read_window_size(scope: &CircuitScope) -> WindowSize {
    let size = scope.breaker().read(|core| core.policy().latency_window_size.get());
    WindowSize { latency_window_size: size, latency: size }
}

/// Number of last calls that are evaluated.
#[utoipa::path(get, path = "/breaker/latency-window-size", tag = "settings",
    responses((status = 200, description = "The size.", body = WindowSize), ReadErrors))]
async fn window_size(scope: CircuitScope) -> Answer<WindowSize> {
    Ok(ApiJson(read_window_size(&scope)))
}

/// Sets the number of last calls that are evaluated.
#[utoipa::path(post, path = "/breaker/latency-window-size", tag = "settings", request_body = NewWindowSize,
    responses((status = 200, description = "It is in force.", body = Changed<WindowSize>), PostErrors))]
async fn set_window_size(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewWindowSize(change)): ValidJson<NewWindowSize>,
) -> Answer<Changed<WindowSize>> {
    apply(&scope, &who, change, read_window_size).await
}

/// The quantile of the latencies that is compared with the threshold.
#[derive(Serialize, ToSchema)]
struct PercentileInUse {
    /// As a ratio.
    #[schema(value_type = f64)]
    percentile: Option<Number>,
}

fn read_percentile(scope: &CircuitScope) -> PercentileInUse {
    PercentileInUse { percentile: tidy(scope.breaker().read(|core| core.policy().percentile.get())) }
}

/// The quantile of the latencies that is compared with the threshold.
#[utoipa::path(get, path = "/breaker/percentile", tag = "settings",
    responses((status = 200, description = "The quantile.", body = PercentileInUse), ReadErrors))]
async fn percentile(scope: CircuitScope) -> Answer<PercentileInUse> {
    Ok(ApiJson(read_percentile(&scope)))
}

/// Sets the quantile of the latencies that is compared with the threshold.
#[utoipa::path(post, path = "/breaker/percentile", tag = "settings", request_body = NewPercentile,
    responses((status = 200, description = "It is in force.", body = Changed<PercentileInUse>), PostErrors))]
async fn set_percentile(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewPercentile(change)): ValidJson<NewPercentile>,
) -> Answer<Changed<PercentileInUse>> {
    apply(&scope, &who, change, read_percentile).await
}

/// How long the breaker stays open.
#[derive(Serialize, ToSchema)]
struct Wait {
    /// In seconds.
    #[schema(value_type = f64)]
    wait: Option<Number>,
}

fn read_wait(scope: &CircuitScope) -> Wait {
    Wait { wait: tidy(scope.breaker().read(|core| core.policy().wait_time.as_secs_f64())) }
}

/// How long the breaker stays open.
#[utoipa::path(get, path = "/breaker/wait", tag = "settings",
    responses((status = 200, description = "The wait.", body = Wait), ReadErrors))]
async fn wait(scope: CircuitScope) -> Answer<Wait> {
    Ok(ApiJson(read_wait(&scope)))
}

/// Sets how long the breaker stays open, from the next trip on.
#[utoipa::path(post, path = "/breaker/wait", tag = "settings", request_body = NewWait,
    responses((status = 200, description = "It is in force.", body = Changed<Wait>), PostErrors))]
async fn set_wait(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewWait(change)): ValidJson<NewWait>,
) -> Answer<Changed<Wait>> {
    apply(&scope, &who, change, read_wait).await
}

/// Whether only a rising or persistent latency opens the breaker.
#[derive(Serialize, ToSchema)]
struct TrendAnalysis {
    trend_analysis: bool,
}

fn read_trend_analysis(scope: &CircuitScope) -> TrendAnalysis {
    TrendAnalysis { trend_analysis: scope.breaker().read(|core| core.policy().trend_analysis) }
}

/// Whether only a rising or persistent latency opens the breaker.
#[utoipa::path(get, path = "/breaker/trend-analysis", tag = "settings",
    responses((status = 200, description = "Whether it is on.", body = TrendAnalysis), ReadErrors))]
async fn trend_analysis(scope: CircuitScope) -> Answer<TrendAnalysis> {
    Ok(ApiJson(read_trend_analysis(&scope)))
}

/// Sets whether only a rising or persistent latency opens the breaker.
#[utoipa::path(post, path = "/breaker/trend-analysis", tag = "settings", request_body = NewTrendAnalysis,
    responses((status = 200, description = "It is in force.", body = Changed<TrendAnalysis>), PostErrors))]
async fn set_trend_analysis(
    scope: CircuitScope,
    who: Actor,
    ValidJson(NewTrendAnalysis(change)): ValidJson<NewTrendAnalysis>,
) -> Answer<Changed<TrendAnalysis>> {
    apply(&scope, &who, change, read_trend_analysis).await
}
