use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban_reading::{Moment, Now, Stamp};
use tokio::time::Instant;

use crate::lock;

/// A wall clock that goes as the runtime's clock goes: it stands still while time is paused, and jumps with it.
///
/// It begins to count when it is made, which must be inside a runtime whose time is paused for it to stand still.
#[derive(Debug, Clone)]
pub struct WallClock {
    began: Instant,
    stamp: Arc<Mutex<Stamp>>,
}

impl WallClock {
    /// 2026-11-23T10:32:53Z: where [`WallClock::default`] begins.
    pub const EPOCH: Stamp = Stamp::from_micros(1_795_429_973_000_000);

    /// A clock that shows `stamp` now.
    pub fn starting_at(stamp: Stamp) -> Self {
        Self { began: Instant::now(), stamp: Arc::new(Mutex::new(stamp)) }
    }

    /// Both clocks: the moment counts from when this clock was made.
    pub fn now(&self) -> Now {
        let elapsed = Instant::now().duration_since(self.began);
        let begun = *lock(&self.stamp);
        let stamp = Stamp::from_micros(begun.micros().saturating_add(micros(elapsed)));
        Now { moment: Moment::new(elapsed), stamp }
    }

    /// The wall clock alone.
    pub fn stamp(&self) -> Stamp {
        self.now().stamp
    }

    /// Somebody sets the wall clock to `stamp`, forwards or back. The runtime's clock does not notice.
    pub fn set(&self, stamp: Stamp) {
        let elapsed = self.now().moment.elapsed();
        *lock(&self.stamp) = Stamp::from_micros(stamp.micros().saturating_sub(micros(elapsed)));
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::starting_at(Self::EPOCH)
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
