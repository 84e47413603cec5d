//! A recording's line of time in a bounded number of equal buckets, however long it turns out to be.

use std::collections::VecDeque;

/// At most so many buckets; from half of them on are in use once the recording is longer than this many milliseconds.
const MAX_BUCKETS: i64 = 1_024;
/// The finest bucket: a millisecond.
const MIN_WIDTH: i64 = 1_000_000;

/// The counts of a stretch of time.
pub(super) trait Bucket: Default {
    /// Takes in what was counted in the stretch that follows.
    fn merge(&mut self, later: Self);
}

/// Buckets that begin at multiples of their width, which doubles whenever there would be too many of them. So they are the
/// same whatever order the instants come in, and those of two lines can be brought together.
#[derive(Debug, Clone)]
pub(super) struct Timeline<B> {
    width: i64,
    /// Begins at this multiple of the width.
    first: i64,
    buckets: VecDeque<B>,
}

impl<B: Bucket> Default for Timeline<B> {
    fn default() -> Self {
        Self { width: MIN_WIDTH, first: 0, buckets: VecDeque::new() }
    }
}

impl<B: Bucket> Timeline<B> {
    /// The width of a bucket in nanoseconds.
    pub(super) const fn width(&self) -> i64 {
        self.width
    }

    /// The bucket that holds the instant `at`, made if need be: O(1), and O(buckets) when they are merged.
    pub(super) fn update(&mut self, at: i64, change: impl FnOnce(&mut B)) {
        self.reach(at);
        let place = usize::try_from(at.div_euclid(self.width) - self.first);
        if let Some(bucket) = place.ok().and_then(|place| self.buckets.get_mut(place)) {
            change(bucket);
        }
    }

    /// Every bucket that has a part of `from..to`, with how many nanoseconds of it.
    pub(super) fn update_span(&mut self, from: i64, to: i64, mut change: impl FnMut(&mut B, u64)) {
        self.reach(from);
        self.reach(to);
        let mut start = from;
        while start < to {
            let end = (start.div_euclid(self.width) + 1).saturating_mul(self.width).min(to);
            self.update(start, |bucket| change(bucket, end.abs_diff(start)));
            start = end;
        }
    }

    /// The instant at which the first bucket begins, and all of them. `None` where there is none.
    pub(super) fn all(&self) -> Option<(i64, impl Iterator<Item = &B>)> {
        (!self.buckets.is_empty()).then(|| (self.first.saturating_mul(self.width), self.buckets.iter()))
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Brings the buckets to `width`, which another line has and is not finer, and makes room for `from..=to`.
    pub(super) fn align(&mut self, width: i64, from: i64, to: i64) {
        while self.width < width {
            self.double();
        }
        self.reach(from);
        self.reach(to);
    }

    fn reach(&mut self, at: i64) {
        if self.buckets.is_empty() {
            self.first = at.div_euclid(self.width);
        }
        loop {
            let number = at.div_euclid(self.width);
            if (number + 1).max(self.end()) - number.min(self.first) <= MAX_BUCKETS {
                break;
            }
            self.double();
        }
        let number = at.div_euclid(self.width);
        while number < self.first {
            self.buckets.push_front(B::default());
            self.first -= 1;
        }
        while number >= self.end() {
            self.buckets.push_back(B::default());
        }
    }

    fn double(&mut self) {
        self.width = self.width.saturating_mul(2);
        let numbers = self.first..;
        self.first = self.first.div_euclid(2);
        for (number, bucket) in numbers.zip(std::mem::take(&mut self.buckets)) {
            match self.buckets.back_mut() {
                Some(last) if number.rem_euclid(2) == 1 => last.merge(bucket),
                _ => self.buckets.push_back(bucket),
            }
        }
    }

    /// The number after that of the last bucket.
    fn end(&self) -> i64 {
        self.first.saturating_add_unsigned(self.buckets.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Default, PartialEq)]
    struct Sum(u64);

    impl Bucket for Sum {
        fn merge(&mut self, later: Self) {
            self.0 += later.0;
        }
    }

    fn sums(line: &Timeline<Sum>) -> Vec<u64> {
        line.all().map(|(_, buckets)| buckets.map(|bucket| bucket.0).collect()).unwrap_or_default()
    }

    proptest! {
        #[test]
        fn merging_loses_nothing_and_the_order_does_not_matter(
            mut instants in proptest::collection::vec(-4_000_000_000_000_000_000_i64..4_000_000_000_000_000_000, 1..300),
            shift in 0..60_u32,
        ) {
            for at in &mut instants {
                *at >>= shift;
            }
            let (mut there, mut back) = (Timeline::<Sum>::default(), Timeline::<Sum>::default());
            for &at in &instants {
                there.update(at, |sum| sum.0 += 1);
            }
            for &at in instants.iter().rev() {
                back.update(at, |sum| sum.0 += 1);
            }
            prop_assert_eq!(sums(&there).iter().sum::<u64>(), instants.len() as u64);
            prop_assert_eq!((there.width, there.first, sums(&there)), (back.width, back.first, sums(&back)));
            prop_assert!(there.end() - there.first <= MAX_BUCKETS);
            // Each is in the bucket that its instant belongs to.
            for (place, &count) in sums(&there).iter().enumerate() {
                let number = there.first.saturating_add_unsigned(place as u64);
                let own = instants.iter().filter(|at| at.div_euclid(there.width) == number).count();
                prop_assert_eq!(count, own as u64);
            }
        }

        #[test]
        fn a_span_is_spread_over_its_buckets(from in -1_000_000_000_i64..1_000_000_000, length in 0..90_000_000_000_i64) {
            let mut line = Timeline::<Sum>::default();
            line.update_span(from, from + length, |sum, nanos| sum.0 += nanos);
            prop_assert_eq!(sums(&line).iter().sum::<u64>(), length as u64);
            prop_assert!(sums(&line).iter().all(|&nanos| nanos <= line.width() as u64));
        }
    }
}
