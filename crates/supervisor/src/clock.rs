//! The two clocks, read in one place: nobody below the supervisor asks what time it is.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hinoban_reading::{Moment, Now, Stamp};

/// Where the wall clock's time comes from. Tests give one that follows paused time.
pub type Wall = Arc<dyn Fn() -> Stamp + Send + Sync>;

/// A difference between the clocks that grew by less at once is one that a time server makes up for.
const LEAP: i64 = 10_000_000;

/// Reads both clocks.
#[derive(Clone)]
pub(crate) struct Clock {
    epoch: tokio::time::Instant,
    wall: Wall,
    /// What the clock on the wall was ahead of the other one when that was last asked, in microseconds.
    ahead: i64,
}

impl Clock {
    pub(crate) fn new(wall: Option<Wall>) -> Self {
        let wall = wall.unwrap_or_else(|| Arc::new(system_wall));
        let mut clock = Self { epoch: tokio::time::Instant::now(), wall, ahead: 0 };
        clock.ahead = clock.difference();
        clock
    }

    /// By how many seconds the clock on the wall has leapt since this was last asked, if it has: somebody set it, or the
    /// host slept, which the other clock does not know of.
    pub(crate) fn leapt(&mut self) -> Option<i64> {
        let ahead = self.difference();
        let by = ahead.saturating_sub(std::mem::replace(&mut self.ahead, ahead));
        (by.abs() >= LEAP).then_some(by / 1_000_000)
    }

    fn difference(&self) -> i64 {
        let Now { moment, stamp } = self.now();
        let passed = i64::try_from(moment.elapsed().as_micros()).unwrap_or(i64::MAX);
        stamp.micros().saturating_sub(passed)
    }

    pub(crate) fn now(&self) -> Now {
        Now { moment: Moment::new(self.epoch.elapsed()), stamp: (self.wall)() }
    }

    /// The monotonic one alone.
    pub(crate) fn moment(&self) -> Moment {
        Moment::new(self.epoch.elapsed())
    }

    /// A moment as a point on the runtime's clock; `None` if it is too far away to be one.
    pub(crate) fn instant(&self, at: Moment) -> Option<tokio::time::Instant> {
        self.epoch.checked_add(at.elapsed())
    }

    /// This long from now, as those who know no runtime write it.
    pub(crate) fn after(&self, time: Duration) -> Instant {
        (tokio::time::Instant::now() + time).into_std()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[allow(clippy::disallowed_methods)] // the one place where the wall clock is read
fn system_wall() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
