//! The keys of an entry of `[[routes]]`.

use super::key::{Key, Section, access, key};
use crate::config::proxy::{Guard, Measure, RejectedAnswer, Route};
use crate::config::range::Range;
use crate::config::text::TextRule;
use crate::config::value::Field;

/// What these keys are set in.
type Target = Route;

/// An entry, and its table `rejected`.
pub(crate) static ROUTE_SECTIONS: [Section<Target>; 2] = [
    Section {
        path: "",
        about: "Which requests go to which upstream. The first entry that matches counts; a condition that is left out always \
                does. A change takes effect at once.",
        keys: KEYS,
    },
    Section {
        path: "rejected",
        about: "The answer to a request that the breaker rejects, in place of the proxy's own.",
        keys: REJECTED_KEYS,
    },
];

/// The word for a route without a breaker.
const OFF: &str = "off";

const KEYS: &[Key<Target>] = &[
    key(
        "host",
        "The host that the client asks for, whatever the port.",
        Field::Text(
            TextRule::Host,
            access!(
                |c, x| {
                    c.host = Some(x.to_ascii_lowercase());
                    Some(())
                },
                |c| c.host.clone()
            ),
        ),
    )
    .example("\"shop.example\""),
    key(
        "path",
        "The start of the path, compared byte by byte: /a matches /a and /a/b, not /ab.",
        Field::Text(
            TextRule::PathPrefix,
            access!(
                |c, x| {
                    c.path = Some(x);
                    Some(())
                },
                |c| c.path.clone()
            ),
        ),
    )
    .example("\"/checkout\""),
    key(
        "methods",
        "The methods, in upper case.",
        Field::TextsOf("a list of methods in upper case, such as [\"GET\", \"POST\"]", access!(
            |c, x| {
                let is_method = |text: &String| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
                c.methods = x.iter().all(is_method).then_some(x)?;
                Some(())
            },
            |c| Some(c.methods.clone())
        )),
    )
    .example("[\"POST\"]"),
    key(
        "upstream",
        "The name of an [upstreams.NAME].",
        Field::Text(TextRule::Name, access!(|c, x| { c.upstream = x; Some(()) }, |c| {
            (!c.upstream.is_empty()).then(|| c.upstream.clone())
        })),
    )
    .example("\"checkout\""),
    key(
        "breaker",
        "The breaker that guards the route; one that is in no [breakers.NAME] has the settings of the top of the file. Not set: \
         the breaker that is called as the upstream. \"off\": none, for health checks, streams and long polls.",
        Field::Text(
            TextRule::Name,
            access!(
                |c, x| {
                    c.guard = if x == OFF { Guard::Off } else { Guard::Breaker(x.parse().ok()?) };
                    Some(())
                },
                |c| match &c.guard {
                    Guard::Breaker(name) => Some(name.to_string()),
                    Guard::Off => Some(OFF.to_owned()),
                    Guard::Upstream | Guard::First => None,
                }
            ),
        ),
    )
    .example("\"checkout\""),
    key(
        "measure",
        "Whether the latency counts up to the head of the response or to the end of its body.",
        Field::Word(Measure::WORDS, access!(word Measure, measure)),
    ),
    key(
        "fallback",
        "The name of another [upstreams.NAME] that gets rejected requests.",
        Field::Text(
            TextRule::Name,
            access!(
                |c, x| {
                    c.fallback = Some(x);
                    Some(())
                },
                |c| c.fallback.clone()
            ),
        ),
    )
    .example("\"static-checkout\""),
];

fn rejected(route: &mut Route) -> &mut RejectedAnswer {
    route.rejected.get_or_insert_default()
}

const REJECTED_KEYS: &[Key<Target>] = &[
    key(
        "status",
        "The status.",
        Field::Number(
            Range::new(200.0, 599.0, "status").whole(),
            access!(
                |c, x| {
                    rejected(c).status = x as u16;
                    Some(())
                },
                |c| c.rejected.as_ref().map(|answer| f64::from(answer.status))
            ),
        ),
    )
    .example("503"),
    key(
        "body",
        "The body.",
        Field::Text(
            TextRule::AtMost(20_000),
            access!(
                |c, x| {
                    rejected(c).body = Some(x);
                    Some(())
                },
                |c| c.rejected.as_ref().and_then(|answer| answer.body.clone())
            ),
        ),
    )
    .example("'{\"error\":\"busy\"}'"),
    key(
        "content_type",
        "The type of the body.",
        Field::Text(
            TextRule::ContentType,
            access!(
                |c, x| {
                    rejected(c).content_type = x;
                    Some(())
                },
                |c| c.rejected.as_ref().map(|answer| answer.content_type.clone())
            ),
        ),
    )
    .example("\"application/json\""),
];
