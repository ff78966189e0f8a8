//! Who is next: when each service wants to be called, without asking all of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use hinoban_reading::Moment;

/// So many services have their first look at the same moment. More at once would keep what happens meanwhile waiting for
/// longer than a few milliseconds.
const TOGETHER: u32 = 256;

/// The next so many follow this much later, which leaves time for other things: ten thousand have been looked at within
/// a second. More than the slack within which turns are taken together, so that they stay apart.
const APART: Duration = Duration::from_millis(25);

/// How long after the first of them the look at the `n`th of many things is due that all could be due at once. The turns
/// that follow keep that distance. Within one period everything has had its look.
pub(crate) fn distance(n: u32, every: Duration) -> Duration {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let apart = u64::from(n / TOGETHER).saturating_mul(micros(APART));
    Duration::from_micros(apart % micros(every).max(1))
}

/// For each service, by its position, a moment that is not later than when it wants to be called.
///
/// One entry each: a service whose time comes earlier gets another one, and the old is passed over; one whose time comes
/// later moves when its old time has come. Most services only ever move to their next turn.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    /// The entry of each service that is meant; the largest number: none.
    meant: Vec<u64>,
}

const NEVER: u64 = u64::MAX;

impl Queue {
    /// Of services that want to be called at these moments.
    pub(crate) fn of(wanted: impl Iterator<Item = Moment>) -> Self {
        let meant: Vec<u64> = wanted.map(nanos).collect();
        let entries = meant.iter().zip(0..).filter(|(at, _)| **at != NEVER);
        let heap = entries.map(|(at, i)| Reverse((*at, i))).collect::<Vec<_>>().into();
        Self { heap, meant }
    }

    /// A service wants to be called at this moment.
    pub(crate) fn want(&mut self, i: usize, at: Moment) {
        self.enter(i, nanos(at));
    }

    /// The next moment at which somebody wants to be called; `wanted` says when somebody does.
    pub(crate) fn next(&mut self, wanted: impl Fn(usize) -> Moment) -> Option<Moment> {
        self.first(&wanted).map(|(at, _)| moment(at))
    }

    /// Takes the first who wants to be called until then, and when. Afterwards it says anew when it wants to be.
    pub(crate) fn take(
        &mut self,
        until: Moment,
        wanted: impl Fn(usize) -> Moment,
    ) -> Option<(Moment, usize)> {
        let (at, i) = self.first(&wanted).filter(|(at, _)| *at <= nanos(until))?;
        self.heap.pop();
        self.meant[i] = NEVER;
        Some((moment(at), i))
    }

    /// Brings to the front an entry that is true.
    fn first(&mut self, wanted: &impl Fn(usize) -> Moment) -> Option<(u64, usize)> {
        while let Some(Reverse((at, i))) = self.heap.peek().copied() {
            let i = i as usize;
            if self.meant[i] == at {
                let real = nanos(wanted(i));
                if real == at {
                    return Some((at, i));
                }
                self.meant[i] = NEVER;
                self.heap.pop();
                self.enter(i, real);
            } else {
                self.heap.pop();
            }
        }
        None
    }

    fn enter(&mut self, i: usize, at: u64) {
        if at < self.meant[i] {
            self.meant[i] = at;
            self.heap.push(Reverse((at, i as u32)));
        }
    }
}

/// Five hundred years of nanoseconds are enough; what is further away never comes.
fn nanos(at: Moment) -> u64 {
    let at = at.elapsed();
    at.as_secs().saturating_mul(1_000_000_000).saturating_add(at.subsec_nanos().into())
}

fn moment(at: u64) -> Moment {
    Moment::new(Duration::from_nanos(at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::new(Duration::from_millis(ms))
    }

    #[test]
    fn many_are_looked_at_a_few_at_a_time_and_all_within_a_period() {
        let second = Duration::from_secs(1);
        assert_eq!(distance(255, second), Duration::ZERO, "few enough are looked at together");
        assert_eq!(distance(256, second), APART);
        assert_eq!(distance(9_999, second), 39 * APART);
        assert!((0..100_000).all(|n| distance(n, second) < second));
        assert_eq!(distance(99_999, Duration::from_secs(60)), 390 * APART);
    }

    #[test]
    fn who_is_not_to_be_called_is_not() {
        let mut queue = Queue::of([at(5), Moment::new(Duration::MAX)].into_iter());
        let wanted = |i: usize| [at(5), Moment::new(Duration::MAX)][i];
        assert_eq!(queue.take(at(4), wanted), None);
        assert_eq!(queue.take(at(5), wanted), Some((at(5), 0)));
        assert_eq!(queue.next(wanted), None);
    }

    proptest! {
        /// Against asking all of them.
        #[test]
        fn the_next_is_who_wants_to_be_called_first(steps in proptest::collection::vec((0usize..5, 0u64..50, any::<bool>()), 1..80)) {
            let mut wanted = [at(1), at(2), at(3), at(4), Moment::new(Duration::MAX)];
            let mut queue = Queue::of(wanted.iter().copied());
            for (i, ms, later) in steps {
                let then = if later { Moment::new(Duration::MAX) } else { at(ms) };
                // Whoever wants to be called earlier says so; later is found out.
                let earlier = then < wanted[i];
                wanted[i] = then;
                if earlier {
                    queue.want(i, then);
                }
                let first = wanted.iter().min().copied().filter(|at| at.elapsed() < Duration::MAX);
                prop_assert_eq!(queue.next(|i| wanted[i]), first);
                if let Some(first) = first.filter(|_| ms % 3 == 0) {
                    let taken = queue.take(first, |i| wanted[i]).unwrap();
                    prop_assert_eq!((taken.0, wanted[taken.1]), (first, first));
                    wanted[taken.1] = first + Duration::from_millis(ms);
                    queue.want(taken.1, wanted[taken.1]);
                }
            }
        }
    }
}
