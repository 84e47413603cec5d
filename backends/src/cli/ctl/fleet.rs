//! The fleet of a server.

use serde_json::Value;

use super::show::{aligned, plain, scalar};

/// For people: the replica and its engine, then a line for each breaker.
pub(super) fn text(body: &Value) -> Option<String> {
    let word = |name: &str| body.get(name).and_then(scalar).map(|text| plain(&text));
    let engine = match (body.get("up")?.as_bool()?, body.get("alone")?.as_bool()?) {
        (true, _) => "reached".to_owned(),
        (false, alone) => {
            let error = word("error").unwrap_or_default();
            format!("{error}{}", if alone { "; this replica pages alone" } else { "" })
        }
    };
    let mut rows = vec![
        ("replica".to_owned(), word("replica")?),
        ("engine".to_owned(), engine),
        ("members".to_owned(), word("members")?),
    ];
    for breaker in body.get("breakers")?.as_array()? {
        let text = |name: &str| breaker.get(name).and_then(Value::as_str).map(plain);
        rows.push((text("name")?, text("summary")?));
    }
    Some(aligned(&rows))
}
