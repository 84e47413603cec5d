//! The `OpenAPI` document.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::http_support;

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use http_support::{Api, send};
use serde_json::{Value, json};
use tripline_backends::api::{Token, router};

fn document(api: &Api) -> Value {
    let answer = api.get("/openapi.json");
    assert_eq!((answer.status.as_u16(), &answer.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    answer.json()
}

/// Method and path of every operation.
fn operations(document: &Value) -> Vec<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
    });
    all.collect()
}

#[test]
fn every_route_of_the_api_is_described() {
    let get = "/breaker/status /breaker/enabled /breaker/memory /breaker/latency /breaker/latency-window-size \
        /breaker/percentile /breaker/wait /breaker/trend-analysis /breaker/memory-usage /breaker/memory-limit \
        /breaker/latencies-above-threshold /breaker/staged-alerts /breaker/opsgenie/status /metrics /health /openapi.json / /breaker/events /breakers/events";
    let post = "/breaker/enabled /breaker/disabled /breaker/memory /breaker/latency /breaker/latency-window-size \
        /breaker/percentile /breaker/wait /breaker/trend-analysis /breaker/reset /breaker/force-open \
        /breaker/trigger-by-memory /breaker/trigger-by-latency /breaker/restore-memory-check /breaker/opsgenie/toggle \
        /breaker/alerts/test /breaker/opsgenie/priority /breaker/opsgenie/triggers /breaker/opsgenie/tags /breaker/opsgenie/cooldown";
    let expected = get.split_whitespace().map(|path| ("GET", path));
    let expected: BTreeSet<_> = expected.chain(post.split_whitespace().map(|path| ("POST", path))).collect();
    let found = operations(&document(&Api::new()));
    let found: BTreeSet<_> = found.iter().map(|(method, path)| (method.as_str(), path.as_str())).collect();
    assert_eq!(expected.difference(&found).next(), None, "is not described");
    // Every described route exists.
    let api = Api::new();
    // Event streams never end and have their own tests.
    for (method, path) in found.into_iter().filter(|&(_, path)| !path.ends_with("/events")) {
        let request =
            Request::builder().method(method).uri(path.replace("{name}", "default")).header("host", "localhost");
        let answer = api.send(request.body(Body::empty()).unwrap());
        let status = answer.status.as_u16();
        // This breaker is not a family, which the route itself reports.
        let is_there = path == "/breakers/{name}/keys" && answer.text.contains("there is no family");
        assert!(is_there || ![404, 405].contains(&status), "{method} {path}: {status}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = document(&Api::new());
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    let paths = document["paths"].as_object().unwrap();
    let operations: Vec<&Value> = paths.values().flat_map(|item| item.as_object().unwrap().values()).collect();
    let names: BTreeSet<&str> = operations.iter().map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), operations.len());
}

#[test]
fn the_token_is_described_where_there_is_one_and_only_where_it_is_needed() {
    let api = Api::new();
    assert_eq!(document(&api)["components"]["securitySchemes"], Value::Null);
    let guarded = router(api.state.clone().token(Token::new("0123456789abcdef").unwrap())).unwrap();
    let request = Request::get("/openapi.json").header("authorization", "Bearer 0123456789abcdef");
    let document = send(&guarded, request.body(Body::empty()).unwrap()).json();
    assert_eq!(document["components"]["securitySchemes"]["bearer_token"]["scheme"], "bearer");
    for (method, path) in operations(&document) {
        let request = Request::builder()
            .method(method.as_str())
            .uri(path.replace("{name}", "default"))
            .header("host", "localhost");
        let status = send(&guarded, request.body(Body::empty()).unwrap()).status.as_u16();
        let operation = &document["paths"][&path][method.to_lowercase()];
        assert_eq!(operation.get("security").is_some(), status == 401, "{method} {path}");
        assert_eq!(operation["responses"].get("401").is_some(), status == 401, "{method} {path}");
    }
}

#[test]
fn a_body_may_be_left_out_only_where_nothing_must_be_in_it() {
    let document = document(&Api::new());
    let required = |path: &str| document["paths"][path]["post"]["requestBody"]["required"].clone();
    assert_eq!(required("/breaker/enabled"), json!(false));
    assert_eq!(required("/breaker/disabled"), json!(false));
    for path in ["/breaker/latency", "/breaker/reset", "/breaker/percentile", "/breaker/opsgenie/triggers"] {
        assert_eq!(required(path), json!(true), "{path}");
    }
}
