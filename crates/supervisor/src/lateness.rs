//! How late looks begin, counted: what tells whether one supervisor is enough for all it watches.

use std::fmt;
use std::time::Duration;

/// Four for each doubling, up to two minutes.
const BUCKETS: usize = 104;

/// How long after its turn each due look has begun, since the supervisor began. A look that waits for something else (what
/// it depends on, an action that is being done) is not counted, and one that an event brought has no turn.
///
/// Times fall into buckets whose bounds lie a quarter of a doubling apart, so a quantile is at most a quarter too high.
/// Turns may be taken up to 20 ms early, together with others; those count as in time.
#[derive(Clone, PartialEq, Eq)]
pub struct Lateness {
    counts: [u64; BUCKETS],
    longest: Duration,
}

impl Lateness {
    /// Counts one. This is all that is done for each look.
    pub fn count(&mut self, late: Duration) {
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros)] += 1;
        self.longest = self.longest.max(late);
    }

    /// How many looks were counted.
    pub fn looks(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The longest time of all.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// The time that this part of the looks (0.5: half of them) did not exceed; zero if there was none.
    pub fn quantile(&self, part: f64) -> Duration {
        let looks = self.looks();
        let wanted = (part.clamp(0.0, 1.0) * looks as f64).ceil().max(1.0) as u64;
        let mut passed = 0;
        let reached = self.buckets().find(|(_, count)| {
            passed += count;
            passed >= wanted
        });
        reached.map_or(Duration::ZERO, |(bound, _)| bound.min(self.longest))
    }

    /// The buckets that are not empty, in order: the time that all in it stayed below, and how many are in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let all = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        all.map(|(at, count)| (Duration::from_micros(bound(at)), *count))
    }
}

impl Default for Lateness {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], longest: Duration::ZERO }
    }
}

impl fmt::Debug for Lateness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most] = [0.5, 0.99].map(|part| self.quantile(part));
        f.debug_struct("Lateness")
            .field("looks", &self.looks())
            .field("half", &half)
            .field("99 %", &most)
            .field("longest", &self.longest)
            .finish()
    }
}

fn bucket(micros: u64) -> usize {
    if micros < 4 {
        return micros as usize;
    }
    let doubling = micros.ilog2();
    let quarter = micros >> (doubling - 2) & 3;
    (4 * (doubling as usize - 1) + quarter as usize).min(BUCKETS - 1)
}

/// What all in a bucket stays below, in microseconds.
fn bound(bucket: usize) -> u64 {
    match bucket as u64 {
        n if n < 4 => n + 1,
        n => (5 + n % 4) << (n / 4 - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_below_the_bound_of_its_bucket_and_not_below_the_one_before() {
        for micros in (0..5000).chain((5..27).flat_map(|n| [(1 << n) - 1, 1 << n, 3 << (n - 1)])) {
            let at = bucket(micros);
            assert!(micros < bound(at), "{micros} µs in {at}");
            assert!(at == 0 || micros >= bound(at - 1), "{micros} µs in {at}");
            assert!(bound(at) <= micros.max(3) + micros / 4 + 1, "{micros} µs in {at}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1, "an hour is counted too");
    }

    #[test]
    fn quantiles_are_of_all_that_was_counted() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.quantile(0.99), Duration::ZERO);
        (0..98).for_each(|_| lateness.count(Duration::from_micros(900)));
        (0..2).for_each(|_| lateness.count(Duration::from_millis(70)));
        assert_eq!(lateness.looks(), 100);
        assert_eq!(lateness.quantile(0.5), Duration::from_micros(1024));
        assert_eq!(lateness.quantile(0.98), Duration::from_micros(1024));
        assert_eq!(lateness.quantile(0.99), Duration::from_millis(70), "never more than the longest");
        assert_eq!(lateness.longest(), Duration::from_millis(70));
        assert_eq!(lateness.buckets().map(|(_, count)| count).collect::<Vec<_>>(), [98, 2]);
    }
}
