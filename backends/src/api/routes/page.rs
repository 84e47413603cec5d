//! Which entries of a list a request is about.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::Deserialize;
use tripline_runtime::core::StateKind;
use utoipa::IntoParams;

use crate::api::error::ApiError;
use crate::text::matches_glob;

/// Entries of one page, where the query does not say it.
const USUAL_PAGE: usize = 100;
/// Entries of one page, at most.
const MAX_PAGE: usize = 1_000;

/// Which entries, and how many.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Only those in this state: `closed`, `open`, `half_open`, `disabled` or `forced_open`.
    #[param(pattern = "^(closed|open|half_open|disabled|forced_open)$")]
    state: Option<String>,
    /// Only those whose name or key matches; `*` stands for any characters, `?` for one.
    r#match: Option<String>,
    /// How many at most, 1 to 1000. Default: 100.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1_000)]
    limit: Option<String>,
    /// Only those behind this one: the `next` of the page before.
    after: Option<String>,
}

/// A query with allowed values.
#[derive(Debug)]
pub(super) struct PageOf {
    state: Option<StateKind>,
    pattern: String,
    limit: usize,
    pub(super) after: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageOf {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<PageQuery>::from_request_parts(parts, state).await;
        let Query(query) = query.map_err(|error| ApiError::new(error.status(), error.body_text()))?;
        let limit = query.limit.as_deref().map_or(Ok(USUAL_PAGE), limit_of)?;
        Ok(Self {
            state: query.state.as_deref().map(state_of).transpose()?,
            pattern: query.r#match.unwrap_or_else(|| "*".to_owned()),
            limit,
            after: query.after.filter(|after| !after.is_empty()),
        })
    }
}

impl PageOf {
    /// Whether the query is about the entry of this name or key; `is_in` says whether it is in a state.
    pub(super) fn wants(&self, name: &str, is_in: impl FnOnce(StateKind) -> bool) -> bool {
        matches_glob(&self.pattern, name) && self.state.is_none_or(is_in)
    }

    /// The first of `wanted` as rows, and the name or key of the last one if there are more.
    pub(super) fn rows<T, R>(
        &self,
        wanted: impl Iterator<Item = T>,
        row: impl Fn(&T) -> R,
        name: impl Fn(&T) -> String,
    ) -> (Vec<R>, Option<String>) {
        let mut wanted: Vec<T> = wanted.take(self.limit + 1).collect();
        let has_more = wanted.len() > self.limit;
        wanted.truncate(self.limit);
        (wanted.iter().map(row).collect(), wanted.last().filter(|_| has_more).map(name))
    }
}

fn state_of(word: &str) -> Result<StateKind, ApiError> {
    let known = StateKind::ALL.into_iter().find(|state| state.as_str() == word);
    known.ok_or_else(|| ApiError::bad_value("state", shown(word), StateKind::ALL.map(StateKind::as_str).join(", ")))
}

fn limit_of(text: &str) -> Result<usize, ApiError> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| ApiError::bad_value("limit", shown(text), format!("1 to {MAX_PAGE}")))
}

/// The beginning of a rejected text, for a message.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}
