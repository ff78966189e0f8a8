//! How often a file is read that is written to all the time.
//!
//! Each write wakes us, and a log may be written to ten thousand times a second. So after a few looks within a second the
//! kernel need not tell us of writing any more: a timer brings the next look, until one finds that nothing was written.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// So many looks a second writing may bring before the timer takes over.
const MOST: u32 = 5;

/// Then a look comes each of these.
const PAUSE: Duration = Duration::from_millis(200);

/// As soon as others have had their turn.
const SOON: Duration = Duration::from_millis(1);

/// Counts looks, and holds the timer once there is need for it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    timer: Option<Arc<OwnedFd>>,
    since: Duration,
    looks: u32,
    busy: bool,
    armed: bool,
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing new.
    Nothing,
    /// Something, and all of it was read.
    All,
    /// More than one look reads.
    More,
}

impl Pace {
    /// One more look, at this time since boot.
    pub(super) fn note(&mut self, now: Duration, early: bool, found: Found) {
        self.drain();
        if now.saturating_sub(self.since) >= Duration::from_secs(1) {
            (self.since, self.looks) = (now, 0);
        }
        self.looks += u32::from(early && found != Found::Nothing);
        let was_busy = self.busy;
        self.busy = found != Found::Nothing && (was_busy || self.looks > MOST);
        match found {
            Found::More => self.arm(SOON),
            // What was written between the last look and the new watch nobody tells.
            _ if self.busy || was_busy => self.arm(PAUSE),
            _ => {}
        }
        if self.armed && self.timer.is_none() {
            (self.busy, self.armed) = (false, false);
        }
    }

    /// Whether writing need not be told of.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// What brings the next look, if the timer does.
    pub(super) fn timer(&self) -> Option<&Arc<OwnedFd>> {
        self.timer.as_ref().filter(|_| self.armed)
    }

    fn drain(&mut self) {
        if let Some(timer) = self.timer.as_ref().filter(|_| self.armed) {
            let _ = rustix::io::read(&**timer, &mut [0; 8]);
        }
        self.armed = false;
    }

    fn arm(&mut self, pause: Duration) {
        if self.timer.is_none() {
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            self.timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok().map(Arc::new);
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(pause.subsec_nanos()) };
        let once = Itimerspec { it_interval: zero, it_value: wait };
        if let Some(timer) = &self.timer {
            self.armed = timerfd_settime(timer, TimerfdTimerFlags::empty(), &once).is_ok();
        } else {
            self.armed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_file_is_read_by_the_timer_until_it_is_quiet() {
        let mut pace = Pace::default();
        let at = Duration::from_millis;
        for n in 0..5 {
            pace.note(at(5000 + n), true, Found::All);
            assert!(!pace.is_busy() && pace.timer().is_none());
        }
        pace.note(at(5006), true, Found::All);
        assert!(pace.is_busy() && pace.timer().is_some());
        pace.note(at(9000), true, Found::All);
        assert!(pace.is_busy(), "it goes on");
        pace.note(at(9200), true, Found::Nothing);
        assert!(!pace.is_busy() && pace.timer().is_some(), "and one look follows the new watch");
        pace.note(at(9400), true, Found::Nothing);
        assert!(!pace.is_busy() && pace.timer().is_none());
    }

    #[test]
    fn what_one_look_does_not_read_the_next_one_reads_at_once() {
        let mut pace = Pace::default();
        pace.note(Duration::from_secs(5), false, Found::More);
        assert!(!pace.is_busy() && pace.timer().is_some());
        pace.note(Duration::from_secs(5), true, Found::All);
        assert!(pace.timer().is_none());
    }
}
