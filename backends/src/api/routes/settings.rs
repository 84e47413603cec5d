//! Settings of the breaker, each to read and to change.

use serde::Serialize;
use serde_json::Number;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::change::Changed;
use crate::api::error::ApiError;
use crate::api::input::{Actor, FromPayload, ValidJson, refused};
use crate::api::json::ApiJson;
use crate::api::openapi::{PostErrors, ReadErrors};
use crate::api::payload::Payload;
use crate::api::scope::CircuitScope;
use crate::api::state::ApiState;
use crate::config::{Change, SettingValue};
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

/// No share, in percent or as a ratio, is told in finer steps.
const LEAST: f64 = 0.000_001;

/// Sets `key` to what the field `field` of the body says, and answers what `read` then gives.
async fn change<T>(
    scope: &CircuitScope,
    who: &Actor,
    (key, value, field): (&str, impl Into<SettingValue>, &'static str),
    read: impl Fn(&CircuitScope) -> Result<T, ApiError>,
) -> Answer<Changed<T>> {
    let applied = scope.change(Change::set(key, value).map_err(refused(field))?, who).await?;
    Ok(ApiJson(Changed::new(read(scope)?, applied)))
}

/// The share of memory at which the breaker opens.
#[derive(Serialize, ToSchema)]
struct MemoryThreshold {
    /// In percent.
    #[schema(value_type = f64)]
    memory: Option<Number>,
}

#[derive(ToSchema)]
struct NewMemoryThreshold {
    /// In percent, with or without a fraction.
    #[schema(minimum = 0.000_001, maximum = 99.999_999)]
    threshold: f64,
}

impl FromPayload for NewMemoryThreshold {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let threshold = payload.within("threshold", LEAST..=100.0 - LEAST, "0 < x < 100 (percent)")?;
        Ok(Self { threshold })
    }
}

fn read_memory(scope: &CircuitScope) -> Result<MemoryThreshold, ApiError> {
    let ratio = scope.breaker().read(|core| core.policy().memory_threshold.get());
    Ok(MemoryThreshold { memory: percent(ratio) })
}

/// The share of memory at which the breaker opens.
#[utoipa::path(get, path = "/breaker/memory", tag = "settings",
    responses((status = 200, description = "The threshold.", body = MemoryThreshold), ReadErrors))]
async fn memory(scope: CircuitScope) -> Answer<MemoryThreshold> {
    read_memory(&scope).map(ApiJson)
}

/// Sets the share of memory at which the breaker opens.
#[utoipa::path(post, path = "/breaker/memory", tag = "settings", request_body = NewMemoryThreshold,
    responses((status = 200, description = "It is in force.", body = Changed<MemoryThreshold>), PostErrors))]
async fn set_memory(
    scope: CircuitScope,
    who: Actor,
    ValidJson(new): ValidJson<NewMemoryThreshold>,
) -> Answer<Changed<MemoryThreshold>> {
    change(&scope, &who, ("memory_threshold", new.threshold, "threshold"), read_memory).await
}

/// The latency above which a call is slow.
#[derive(Serialize, ToSchema)]
struct LatencyThreshold {
    /// In milliseconds.
    latency: u32,
}

#[derive(ToSchema)]
struct NewLatencyThreshold {
    /// In milliseconds.
    #[schema(minimum = 1, maximum = 4_294_967)]
    threshold: u32,
}

impl FromPayload for NewLatencyThreshold {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { threshold: payload.whole("threshold", 1, 4_294_967, "milliseconds")? })
    }
}

fn read_latency(scope: &CircuitScope) -> Result<LatencyThreshold, ApiError> {
    Ok(LatencyThreshold { latency: scope.breaker().read(|core| core.policy().latency_threshold.as_millis()) })
}

/// The latency above which a call is slow.
#[utoipa::path(get, path = "/breaker/latency", tag = "settings",
    responses((status = 200, description = "The threshold.", body = LatencyThreshold), ReadErrors))]
async fn latency(scope: CircuitScope) -> Answer<LatencyThreshold> {
    read_latency(&scope).map(ApiJson)
}

/// Sets the latency above which a call is slow.
#[utoipa::path(post, path = "/breaker/latency", tag = "settings", request_body = NewLatencyThreshold,
    responses((status = 200, description = "It is in force.", body = Changed<LatencyThreshold>), PostErrors))]
async fn set_latency(
    scope: CircuitScope,
    who: Actor,
    ValidJson(new): ValidJson<NewLatencyThreshold>,
) -> Answer<Changed<LatencyThreshold>> {
    change(&scope, &who, ("latency_threshold", new.threshold, "threshold"), read_latency).await
}

/// How many of the last calls are looked at.
#[derive(Serialize, ToSchema)]
struct WindowSize {
    latency_window_size: u16,
    /// The same.
    latency: u16,
}

#[derive(ToSchema)]
struct NewWindowSize {
    /// How many calls; the newest stay.
    #[schema(minimum = 1, maximum = 1024)]
    size: u32,
}

impl FromPayload for NewWindowSize {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { size: payload.whole("size", 1, 1_024, "samples")? })
    }
}

fn read_window_size(scope: &CircuitScope) -> Result<WindowSize, ApiError> {
    let size = scope.breaker().read(|core| core.policy().latency_window_size.get());
    Ok(WindowSize { latency_window_size: size, latency: size })
}

/// How many of the last calls are looked at.
#[utoipa::path(get, path = "/breaker/latency-window-size", tag = "settings",
    responses((status = 200, description = "The size.", body = WindowSize), ReadErrors))]
async fn window_size(scope: CircuitScope) -> Answer<WindowSize> {
    read_window_size(&scope).map(ApiJson)
}

/// Sets how many of the last calls are looked at.
#[utoipa::path(post, path = "/breaker/latency-window-size", tag = "settings", request_body = NewWindowSize,
    responses((status = 200, description = "It is in force.", body = Changed<WindowSize>), PostErrors))]
async fn set_window_size(
    scope: CircuitScope,
    who: Actor,
    ValidJson(new): ValidJson<NewWindowSize>,
) -> Answer<Changed<WindowSize>> {
    change(&scope, &who, ("latency_window_size", new.size, "size"), read_window_size).await
}

/// Which quantile of the latencies is held against the threshold.
#[derive(Serialize, ToSchema)]
struct PercentileInUse {
    /// As a ratio.
    #[schema(value_type = f64)]
    percentile: Option<Number>,
}

struct NewPercentile {
    percentile: f64,
}

impl FromPayload for NewPercentile {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        let allowed = "a ratio 0 < x <= 1, or 50 to 100 (percent)";
        Ok(Self { percentile: payload.within("percentile", LEAST..=100.0, allowed)? })
    }
}

impl ToSchema for NewPercentile {}

impl utoipa::PartialSchema for NewPercentile {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
        let number = || ObjectBuilder::new().schema_type(Type::Number);
        let ratio = number().description(Some("A ratio.")).minimum(Some(LEAST)).maximum(Some(1));
        let percent = number().description(Some("Percent.")).minimum(Some(50)).maximum(Some(100));
        let either = OneOfBuilder::new().item(ratio).item(percent);
        ObjectBuilder::new().property("percentile", either).required("percentile").into()
    }
}

fn read_percentile(scope: &CircuitScope) -> Result<PercentileInUse, ApiError> {
    Ok(PercentileInUse { percentile: tidy(scope.breaker().read(|core| core.policy().percentile.get())) })
}

/// Which quantile of the latencies is held against the threshold.
#[utoipa::path(get, path = "/breaker/percentile", tag = "settings",
    responses((status = 200, description = "The quantile.", body = PercentileInUse), ReadErrors))]
async fn percentile(scope: CircuitScope) -> Answer<PercentileInUse> {
    read_percentile(&scope).map(ApiJson)
}

/// Sets which quantile of the latencies is held against the threshold.
#[utoipa::path(post, path = "/breaker/percentile", tag = "settings", request_body = NewPercentile,
    responses((status = 200, description = "It is in force.", body = Changed<PercentileInUse>), PostErrors))]
async fn set_percentile(
    scope: CircuitScope,
    who: Actor,
    ValidJson(new): ValidJson<NewPercentile>,
) -> Answer<Changed<PercentileInUse>> {
    change(&scope, &who, ("percentile", new.percentile, "percentile"), read_percentile).await
}

/// How long the breaker stays open.
#[derive(Serialize, ToSchema)]
struct Wait {
    /// In seconds.
    #[schema(value_type = f64)]
    wait: Option<Number>,
}

#[derive(ToSchema)]
struct NewWait {
    /// In seconds.
    #[schema(minimum = 1, maximum = 3600)]
    wait_time: f64,
}

impl FromPayload for NewWait {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { wait_time: payload.within("wait_time", 1.0..=3_600.0, "1 to 3600 (seconds)")? })
    }
}

fn read_wait(scope: &CircuitScope) -> Result<Wait, ApiError> {
    Ok(Wait { wait: tidy(scope.breaker().read(|core| core.policy().wait_time.as_secs_f64())) })
}

/// How long the breaker stays open.
#[utoipa::path(get, path = "/breaker/wait", tag = "settings",
    responses((status = 200, description = "The wait.", body = Wait), ReadErrors))]
async fn wait(scope: CircuitScope) -> Answer<Wait> {
    read_wait(&scope).map(ApiJson)
}

/// Sets how long the breaker stays open, from the next trip on.
#[utoipa::path(post, path = "/breaker/wait", tag = "settings", request_body = NewWait,
    responses((status = 200, description = "It is in force.", body = Changed<Wait>), PostErrors))]
async fn set_wait(scope: CircuitScope, who: Actor, ValidJson(new): ValidJson<NewWait>) -> Answer<Changed<Wait>> {
    change(&scope, &who, ("wait_time", new.wait_time, "wait_time"), read_wait).await
}

/// Whether only a rising or persistent latency opens the breaker.
#[derive(Serialize, ToSchema)]
struct TrendAnalysis {
    trend_analysis: bool,
}

#[derive(ToSchema)]
struct NewTrendAnalysis {
    enabled: bool,
}

impl FromPayload for NewTrendAnalysis {
    fn read(payload: &Payload) -> Result<Self, ApiError> {
        Ok(Self { enabled: payload.needed_flag("enabled")? })
    }
}

fn read_trend_analysis(scope: &CircuitScope) -> Result<TrendAnalysis, ApiError> {
    Ok(TrendAnalysis { trend_analysis: scope.breaker().read(|core| core.policy().trend_analysis) })
}

/// Whether only a rising or persistent latency opens the breaker.
#[utoipa::path(get, path = "/breaker/trend-analysis", tag = "settings",
    responses((status = 200, description = "Whether it is on.", body = TrendAnalysis), ReadErrors))]
async fn trend_analysis(scope: CircuitScope) -> Answer<TrendAnalysis> {
    read_trend_analysis(&scope).map(ApiJson)
}

/// Sets whether only a rising or persistent latency opens the breaker.
#[utoipa::path(post, path = "/breaker/trend-analysis", tag = "settings", request_body = NewTrendAnalysis,
    responses((status = 200, description = "It is in force.", body = Changed<TrendAnalysis>), PostErrors))]
async fn set_trend_analysis(
    scope: CircuitScope,
    who: Actor,
    ValidJson(new): ValidJson<NewTrendAnalysis>,
) -> Answer<Changed<TrendAnalysis>> {
    change(&scope, &who, ("trend_analysis_enabled", new.enabled, "enabled"), read_trend_analysis).await
}
