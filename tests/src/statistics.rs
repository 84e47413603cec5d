//! The exact Mann-Kendall test, and the tolerance of a measured rate.

/// Returns the maximum number of falling pairs among `n` values without ties at which the one-sided Mann-Kendall test
/// still finds a rise: P(falls ≤ it) < `level` under independence, exactly. `None` if even no fall is no evidence.
pub fn mann_kendall_most_falls(n: usize, level: f64) -> Option<usize> {
    // The share of the orders of n values with k falls, computed value by value (Kendall, 1938).
    let mut shares = vec![1.0];
    for i in 2..=n {
        let mut next = vec![0.0; shares.len() + i - 1];
        for (k, share) in shares.iter().enumerate() {
            for moved in 0..i {
                next[k + moved] += share / i as f64;
            }
        }
        shares = next;
    }
    let mut tail = 0.0;
    let significant = shares.iter().take_while(|&share| {
        tail += share;
        tail < level
    });
    significant.count().checked_sub(1)
}

/// Returns the number of pairs of which the later value is lower.
pub fn falls(values: &[f64]) -> usize {
    values.iter().enumerate().map(|(i, a)| values[i + 1..].iter().filter(|&b| b < a).count()).sum()
}

/// Returns the rise of the least-squares line from the first value to the last, as a share of the mean.
pub fn relative_fitted_rise(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean_x = (n - 1.0) / 2.0;
    let mean_y = values.iter().sum::<f64>() / n;
    let sxx: f64 = (0..values.len()).map(|i| (i as f64 - mean_x).powi(2)).sum();
    let sxy: f64 = values.iter().enumerate().map(|(i, y)| (i as f64 - mean_x) * (y - mean_y)).sum();
    sxy / sxx * (n - 1.0) / mean_y
}

/// Returns the difference to `rate` that a rate measured over `trials` may have by chance: four standard errors.
pub fn sampling_slack(rate: f64, trials: usize) -> f64 {
    4.0 * (rate * (1.0 - rate) / trials as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_critical_values_are_those_of_the_printed_tables() {
        // S = pairs − 2·falls at p < 0.01: none at n = 4, 10 of 10 at 5, 13 of 15 at 6, 20 of 28 at 8, 27 of 45 at 10.
        let printed = [(4, None), (5, Some(0)), (6, Some(1)), (8, Some(4)), (10, Some(9))];
        for (n, most_falls) in printed {
            assert_eq!(mann_kendall_most_falls(n, 0.01), most_falls, "n {n}");
        }
        assert_eq!(falls(&[1.0, 3.0, 2.0, 0.0]), 4);
    }
}
