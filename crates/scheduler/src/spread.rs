//! Clocks that leap. Intervals go by the clock that nobody sets, and the calendar by that on the wall, as it is: what is
//! left to do when either leaps is to look at everything soon, but not at all of it at once.

use std::time::Duration;

use hinoban_reading::{Now, Stamp};

use crate::Watching;
use crate::machine::Scheduler;
use crate::watched::Watched;

/// Who is called so long after he wanted to be has slept: no load delays him as much.
const SLEPT: Duration = Duration::from_secs(10);

impl Scheduler {
    /// Whether nobody has called us for long after we wanted to be called: the host slept, or we were stopped.
    pub(crate) fn has_slept(&mut self, now: Now) -> bool {
        let called = std::mem::replace(&mut self.woken, true);
        called
            && now.moment.since(self.now.moment) >= SLEPT
            && self.next_deadline().is_some_and(|at| now.moment.since(at) >= SLEPT)
    }

    /// Spreads the next looks over one period of each service, in the order of the configuration. What was never looked at
    /// yet waits for its first look as before. Clocks may leap again and again: what waits for the place that one leap gave
    /// it is put off by no further one, so that each has its look at most a period after it was due.
    pub(crate) fn spread(&mut self, now: Now) {
        let moves = |w: &Watched| {
            let waits = w.cycle == 0 && w.due > now.moment;
            w.watching != Watching::No && w.every < Duration::MAX / 8 && !waits
        };
        let all = u32::try_from(self.services.iter().filter(|w| moves(w)).count()).unwrap_or(u32::MAX);
        for (nth, watched) in (0..all).zip(self.services.iter_mut().filter(|w| moves(w))) {
            let place = now.moment + watched.every / all * nth;
            let put_off = std::mem::replace(&mut watched.leapt, true);
            watched.due = if put_off { watched.due.min(place) } else { place };
        }
        self.services.iter_mut().for_each(|watched| watched.not_after(now.stamp));
        self.index();
    }
}

impl Watched {
    /// Nothing has been so since a time that is yet to come.
    fn not_after(&mut self, now: Stamp) {
        let at_most = |stamp: &mut Stamp| *stamp = (*stamp).min(now);
        self.records.iter_mut().flatten().for_each(|record| at_most(&mut record.since));
        self.judged.iter_mut().flatten().for_each(at_most);
        self.since.iter_mut().for_each(|(_, since)| at_most(since));
        self.subject.at.iter_mut().for_each(at_most);
        self.tests.iter_mut().flatten().filter_map(|looks| looks.at.as_mut()).for_each(at_most);
    }
}
