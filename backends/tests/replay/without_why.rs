//! Removes the explanation of an open breaker from an output, for all other tests.

/// `output` without its members `why`. Each must be null if the reason next to it is null, and otherwise begin with the
/// reason.
pub(crate) fn without_why(output: &str) -> String {
    let mut parts = output.split(",\"why\":");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let reason = kept.rsplit("\"reason\":").next().unwrap_or_default().to_owned();
        let rest = if let Some(rest) = part.strip_prefix("null") {
            assert_eq!(reason, "null", "{output}");
            rest
        } else {
            let (why, rest) = part.strip_prefix('"').and_then(|text| text.split_once('"')).unwrap_or_default();
            let rule = reason.trim_matches('"').replace('_', " ");
            assert!(why.starts_with(&format!("{rule}: ")), "{why} for {rule}");
            rest
        };
        kept.push_str(rest);
    }
    kept
}
