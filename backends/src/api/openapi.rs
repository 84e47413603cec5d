//! The document that describes the API, made from the declarations that the routes are made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::{Extension, Router};
use http::header::CONTENT_TYPE;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, Schema};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::error::ApiError;

/// The name of the scheme of the bearer token.
const SCHEME: &str = "bearer_token";
/// Routes that need no token.
const PUBLIC: [&str; 6] = ["/", "/health", "/ready", "/test", "/test/{name}", "/test/{name}/keys/{key}"];

/// The document as JSON.
#[derive(Clone)]
pub(super) struct Document(pub(super) Arc<str>);

/// An empty document to which the routes add themselves.
pub(super) fn outline() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Tripline")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Watches and operates a circuit breaker. Bodies are JSON; fields that are not known are ignored.",
        ))
        .license(Some(utoipa::openapi::License::builder().name("MIT").build()));
    OpenApiBuilder::new().info(info).build()
}

/// The router, and the document of all its routes in it.
pub(super) fn with_document(documented: OpenApiRouter, needs_token: bool) -> Router {
    let (router, mut document) = documented.split_for_parts();
    add_errors(&mut document);
    add_named(&mut document);
    let_bodies_be_left_out(&mut document);
    if needs_token {
        add_token(&mut document);
    }
    // Ours serialize; a document that did not would still leave the API usable.
    let text = document.to_json().unwrap_or_else(|_| "{}".into());
    router.layer(Extension(Document(text.into())))
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = (&str, &mut Operation)> {
    document.paths.paths.iter_mut().flat_map(|(path, item)| {
        let operations = [item.get.as_mut(), item.post.as_mut()];
        operations.into_iter().flatten().map(|operation| (path.as_str(), operation))
    })
}

/// Every path under `/breaker` once more under `/breakers/{name}`, as the router has it.
fn add_named(document: &mut OpenApi) {
    let name = ParameterBuilder::new()
        .name("name")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The name of the breaker, percent-encoded."))
        .schema(Some(String::schema()))
        .build();
    let of_first = document.paths.paths.iter().filter_map(|(path, item)| Some((path.strip_prefix("/breaker/")?, item)));
    let named: Vec<_> = of_first
        .map(|(rest, item)| {
            let mut item = item.clone();
            for operation in [item.get.as_mut(), item.post.as_mut()].into_iter().flatten() {
                operation.operation_id = operation.operation_id.as_ref().map(|id| format!("{id}_of_breaker"));
                operation.parameters.get_or_insert_default().push(RefOr::T(name.clone()));
            }
            (format!("/breakers/{{name}}/{rest}"), item)
        })
        .collect();
    document.paths.paths.extend(named);
}

fn add_errors(document: &mut OpenApi) {
    let mut schemas = vec![(ApiError::name().to_string(), ApiError::schema())];
    ApiError::schemas(&mut schemas);
    document.components.get_or_insert_default().schemas.extend(schemas);
}

/// No body counts as an object without fields: where no field must be there, neither must the body.
fn let_bodies_be_left_out(document: &mut OpenApi) {
    let schemas = document.components.clone().unwrap_or_default().schemas;
    let is_empty = |object: &Object| object.required.is_empty() && object.min_properties.is_none();
    let needs_nothing = |schema: &RefOr<Schema>| match schema {
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next();
            let schema = name.and_then(|name| schemas.get(name));
            schema.is_some_and(|schema| matches!(schema, RefOr::T(Schema::Object(object)) if is_empty(object)))
        }
        RefOr::T(_) => false,
    };
    for (_, operation) in operations(document) {
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        let optional = |content: &RefOr<Content>| match content {
            RefOr::T(content) => content.schema.as_ref().is_some_and(needs_nothing),
            RefOr::Ref(_) => false,
        };
        if body.content.values().all(optional) {
            body.required = Some(Required::False);
        }
    }
}

fn add_token(document: &mut OpenApi) {
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().security_schemes.insert(SCHEME.into(), scheme.into());
    for (path, operation) in operations(document) {
        if !PUBLIC.contains(&path) {
            operation.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
            let response = RefOr::T(error("The bearer token is missing or another one."));
            operation.responses.responses.insert("401".into(), response);
        }
    }
}

fn error(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ApiError::name()))).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

fn errors(all: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    all.iter().map(|(status, description)| ((*status).to_owned(), RefOr::T(error(description)))).collect()
}

/// Further answers of a GET under `/breaker`.
pub(crate) struct ReadErrors;

impl IntoResponses for ReadErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[("404", "There is no breaker.")])
    }
}

/// Further answers of a GET about the fleet.
pub(crate) struct FleetErrors;

impl IntoResponses for FleetErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[("409", "This process is in no fleet.")])
    }
}

/// Further answers of a GET about a command to the fleet.
pub(crate) struct CommandErrors;

impl IntoResponses for CommandErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[
            ("400", "A number that is none."),
            ("409", "This process is in no fleet, or takes no commands to all replicas."),
        ])
    }
}

/// Further answers of a GET with a query.
pub(crate) struct QueryErrors;

impl IntoResponses for QueryErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[("400", "A value that is not allowed."), ("404", "There is no breaker.")])
    }
}

/// What any POST of the API may answer besides, for the documents of routes of your own that take a [`Payload`](super::Payload).
#[derive(Debug, Clone, Copy)]
pub struct PostErrors;

impl IntoResponses for PostErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[
            ("400", "A value that is not allowed, or no JSON."),
            ("403", "The request comes from a web page of another origin."),
            ("404", "There is no breaker."),
            ("408", "The body came too slowly."),
            ("409", "The state of the breaker, or of the configuration file, does not allow it."),
            ("413", "The body has more than 64 KiB."),
            ("415", "The body is not `application/json`."),
            ("422", "No JSON object, or a field that is missing or of another type."),
        ])
    }
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "process", responses((status = 200, description = "An OpenAPI document.", body = serde_json::Value)))]
pub(super) async fn openapi(Extension(document): Extension<Document>) -> impl axum::response::IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document.0.to_string())
}
