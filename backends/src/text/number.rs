//! Numbers for JSON.

use serde_json::Number;

/// A number without the artefacts of binary arithmetic: at most nine decimals, an integer if it is whole.
pub(crate) fn tidy(x: f64) -> Option<Number> {
    let x = (x * 1e9).round() / 1e9;
    if x.fract() == 0.0 && x.abs() < 1e15 { Some(Number::from(x as i64)) } else { Number::from_f64(x) }
}

/// A ratio in percent.
pub(crate) fn percent(ratio: f64) -> Option<Number> {
    tidy(ratio * 100.0)
}

/// A measured ratio in percent, with at most two decimals.
pub(crate) fn rough_percent(ratio: f64) -> Option<Number> {
    tidy((ratio * 10_000.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_have_no_traces_of_arithmetic() {
        let shown = |ratio| percent(ratio).map(|number| number.to_string());
        assert_eq!(shown(0.8), Some("80".to_owned()));
        assert_eq!(shown(0.805), Some("80.5".to_owned()));
        assert_eq!(shown(0.57), Some("57".to_owned()));
        assert_eq!(shown(f64::NAN), None);
    }

    #[test]
    fn measured_percent_have_two_decimals() {
        let shown = |ratio| rough_percent(ratio).map(|number| number.to_string());
        assert_eq!(shown(1.0 / 3.0), Some("33.33".to_owned()));
        assert_eq!(shown(2.0 / 3.0), Some("66.67".to_owned()));
        assert_eq!(shown(0.5), Some("50".to_owned()));
        assert_eq!(shown(f64::INFINITY), None);
    }
}
