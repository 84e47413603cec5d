//! Other decision methods, in the simplest form.

use super::Method;

/// The last calls, as slow or not.
#[derive(Debug, Clone)]
struct Window {
    slow: std::collections::VecDeque<bool>,
    size: usize,
}

impl Window {
    fn new(size: usize) -> Self {
        Self { slow: std::collections::VecDeque::new(), size }
    }

    fn push(&mut self, slow: bool) {
        if self.slow.len() == self.size {
            self.slow.pop_front();
        }
        self.slow.push_back(slow);
    }

    fn count(&self) -> usize {
        self.slow.iter().filter(|&&slow| slow).count()
    }
}

/// Which statistic of "was this call slow" is held against a bound.
#[derive(Debug, Clone, Copy)]
pub enum Statistic {
    /// The percentile of the window alone.
    Percentile,
    /// The original: the same, and no minimum of samples.
    Original,
    /// The probability, by the binomial distribution, of so many slow calls in the window (Clopper and Pearson, 1934).
    Binomial,
    /// The largest log likelihood ratio over all lengths up to the window's (a windowed GLR).
    LikelihoodRatio,
    /// A cumulative sum: a slow call adds this, a fast one takes 1 (Page, 1954).
    Cusum(f64),
    /// The same of finished calls, and as much for each call that hangs, as long as it hangs.
    CusumAndInFlight(f64),
    /// Shiryaev and Roberts, of this share of slow calls.
    ShiryaevRoberts(f64),
}

/// A plain percentile over the window and, beside it, one statistic with its bound.
#[derive(Debug, Clone)]
pub struct Peer {
    statistic: Statistic,
    bound: f64,
    threshold_us: u32,
    window: Window,
    sum: f64,
    stalled: usize,
    sees_stalls: bool,
}

const WINDOW: usize = 64;
const P0: f64 = 0.05;
const MINIMUM: usize = 21;

impl Peer {
    /// Creates a peer that trips when the statistic reaches `bound`.
    pub fn new(statistic: Statistic, bound: f64, threshold_us: u32) -> Self {
        let sees_stalls = !matches!(statistic, Statistic::Percentile | Statistic::Original);
        Self { statistic, bound, threshold_us, window: Window::new(WINDOW), sum: 0.0, stalled: 0, sees_stalls }
    }

    fn decided(&mut self, slow: bool) {
        match self.statistic {
            Statistic::Cusum(step) => self.sum = if slow { self.sum + step } else { (self.sum - 1.0).max(0.0) },
            Statistic::ShiryaevRoberts(p1) => {
                let ratio = if slow { p1 / P0 } else { (1.0 - p1) / (1.0 - P0) };
                self.sum = ((1.0 + self.sum) * ratio).min(1e9);
            }
            _ => {}
        }
    }

    fn is_above(&self) -> bool {
        let n = self.window.slow.len() + self.stalled;
        let slow = self.window.count() + self.stalled;
        let minimum = if matches!(self.statistic, Statistic::Original) { 1 } else { MINIMUM };
        let index = ((n as f64 * 0.95) as usize).min(n.saturating_sub(1));
        n >= minimum && slow > 0 && slow >= n - index
    }

    fn trips(&self) -> bool {
        self.is_above() && self.value() >= self.bound
    }

    fn value(&self) -> f64 {
        match self.statistic {
            Statistic::Percentile | Statistic::Original => f64::INFINITY,
            Statistic::Cusum(_) => self.sum,
            Statistic::ShiryaevRoberts(_) => self.sum.ln(),
            Statistic::CusumAndInFlight(step) => self.sum + step * self.stalled as f64,
            Statistic::Binomial => {
                -binomial_tail(self.window.slow.len() + self.stalled, self.window.count() + self.stalled).ln()
            }
            Statistic::LikelihoodRatio => self.likelihood_ratio(),
        }
    }

    fn likelihood_ratio(&self) -> f64 {
        let (mut n, mut slow, mut best) = (0.0, 0.0, 0.0_f64);
        let hanging = std::iter::repeat_n(true, self.stalled);
        for is_slow in hanging.chain(self.window.slow.iter().rev().copied()).take(WINDOW) {
            n += 1.0;
            slow += f64::from(u8::from(is_slow));
            let share: f64 = slow / n;
            if share > P0 {
                let fast = if share < 1.0 { (1.0 - share) * ((1.0 - share) / (1.0 - P0)).ln() } else { 0.0 };
                best = best.max(n * (share * (share / P0).ln() + fast));
            }
        }
        best
    }
}

/// P(at least `slow` of `n` calls are slow) where each is with probability [`P0`].
fn binomial_tail(n: usize, slow: usize) -> f64 {
    let mut term = (1.0 - P0).powi(i32::try_from(n).unwrap_or(i32::MAX));
    let mut below = 0.0;
    for k in 0..slow {
        below += term;
        term *= (n - k) as f64 / (k + 1) as f64 * P0 / (1.0 - P0);
    }
    (1.0 - below).max(1e-15)
}

impl Method for Peer {
    fn finished(&mut self, _: u64, latency_us: u32, stalled: bool) -> bool {
        let slow = latency_us > self.threshold_us;
        self.window.push(slow);
        if stalled && self.sees_stalls {
            self.stalled = self.stalled.saturating_sub(1);
        } else {
            self.decided(slow);
        }
        if let Statistic::CusumAndInFlight(step) = self.statistic {
            self.sum = if slow { self.sum + step } else { (self.sum - 1.0).max(0.0) };
        }
        self.trips()
    }

    fn stalled(&mut self, _: u64, count: u16) -> bool {
        if !self.sees_stalls {
            return false;
        }
        self.stalled = usize::from(count);
        self.decided(true);
        self.trips()
    }

    fn reset(&mut self, _: u64) {
        *self = Self::new(self.statistic, self.bound, self.threshold_us);
    }
}
