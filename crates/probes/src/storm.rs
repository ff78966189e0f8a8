//! When events come so thick that looking at each would be a load of its own.

use std::time::Duration;

use hinoban_probe::{Cause, Look};

use crate::clock;

/// So many looks a second may events bring.
const MOST: u32 = 20;

/// Counts the looks that events brought within a second.
#[derive(Debug, Default)]
pub(crate) struct Storm {
    since: Duration,
    looks: u32,
}

impl Storm {
    /// One more look.
    pub(crate) fn note(&mut self, look: &Look) {
        let early = look.cause() == Cause::Early;
        if early || self.looks > 0 {
            self.note_at(clock::since_boot(), early);
        }
    }

    /// Whether to ask for no event until the next look: a file that is made and removed all the time, a host on which
    /// containers mount and unmount.
    pub(crate) fn rages(&self) -> bool {
        self.looks > MOST
    }

    fn note_at(&mut self, now: Duration, early: bool) {
        if now.saturating_sub(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, looks: 0 };
        }
        self.looks += u32::from(early);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_ends_with_the_first_look_after_its_second() {
        let mut storm = Storm::default();
        let at = Duration::from_millis;
        for n in 0..20 {
            storm.note_at(at(5000 + n), true);
        }
        assert!(!storm.rages());
        storm.note_at(at(5021), true);
        assert!(storm.rages());
        storm.note_at(at(5500), false);
        assert!(storm.rages());
        storm.note_at(at(6000), false);
        assert!(!storm.rages());
    }
}
