//! The page at `/` as served. `.ci/browser` tests its behaviour in a browser.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::event_stream;
use crate::http_support;

use axum::body::Body;
use event_stream::{Server, run};
use http::Request;
use http_support::{Answer, Api, send};
use tripline_backends::api::{Token, router};

fn page() -> Answer {
    Api::new().get("/")
}

#[test]
fn the_page_comes_with_a_strict_policy_over_a_socket() {
    run(async {
        let server = Server::start(Api::new().router);
        let head = server.request("/", "Connection: close\r\n").await.head;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-type: text/html; charset=utf-8\r\n"), "{head}");
        let policy = head.split("\r\ncontent-security-policy: ").nth(1).unwrap().split("\r\n").next().unwrap();
        for part in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'"] {
            assert!(policy.split("; ").any(|found| found == part), "{part} is not in {policy}");
        }
        for kind in ["style-src", "script-src"] {
            let allowed = policy.split("; ").find_map(|part| part.strip_prefix(kind)).unwrap();
            assert!(allowed.starts_with(" 'sha256-") && allowed.len() == " 'sha256-'".len() + 44, "{kind}{allowed}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    });
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    // The namespace of SVG is not a URL to load.
    let page = page().text.replace("http://www.w3.org/2000/svg", "");
    for foreign in ["http:", "https:", "ws:", "wss:", "src=\"//", "href=\"//", "@import", "url(http", "import("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(!page.contains(" src="), "everything is in the page itself");
}

#[test]
fn no_text_becomes_html_or_script_and_no_attribute_breaks_the_policy() {
    let page = page().text;
    for dangerous in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "eval(",
        "new Function",
        " style=\"",
    ] {
        assert!(!page.contains(dangerous), "{dangerous}");
    }
    for handler in [" onclick=", " onload=", " onerror=", " onsubmit=", " oninput=", " onchange=", "javascript:"] {
        assert!(!page.contains(handler), "{handler}");
    }
}

#[test]
fn the_page_needs_no_token_and_has_none() {
    let state = Api::new().state.token(Token::new("0123456789abcdef").unwrap());
    let answer = send(&router(state).unwrap(), Request::get("/").body(Body::empty()).unwrap());
    assert_eq!(answer.status, 200);
    assert!(!answer.text.contains("0123456789abcdef"));
    assert_eq!(answer.text, page().text, "it is the same for everybody");
}

#[test]
fn what_moves_the_page_are_events_and_not_questions() {
    let page = page().text;
    assert_eq!(
        page.matches("fetch(").count(),
        7,
        "for the events, the history, what is changed, the list of settings, whether there are several breakers, and \
         what has no events: the keys of a family and the status of a member"
    );
    assert!(!page.contains("EventSource") && !page.contains("?token"), "it cannot send a header");
}
