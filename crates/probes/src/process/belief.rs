//! When a process whose command line matches is believed to be the service.
//!
//! Around an end and a start many processes have the name of the service in their command lines for a moment: the shell
//! that killed it, whoever asks for a start, the program that starts it. What a look before its turn finds is therefore
//! looked at until it has stayed for a while, unless it is known where it comes from.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use hinoban_reading::Identity;

use super::table::{Process, command_of};
use crate::clock;
use crate::proc::Stat;

/// So long somebody must stay to be believed.
pub(super) const TRIAL: Duration = Duration::from_millis(400);
/// So long all trials of one look may take.
pub(super) const TRIALS: Duration = Duration::from_secs(1);
/// A child of ours that is younger is the program that starts the service, and not yet the service.
const BEGINNING: Duration = Duration::from_secs(3);
/// More of an environment than this is not read, and no chain of parents followed further.
const LONGEST: u64 = 128 << 10;
const GENERATIONS: usize = 32;

/// What is seen of a process on a closer look. To read it waits for locks of its memory.
#[derive(Debug)]
pub(super) struct Closer {
    pub(super) command: String,
    session: u32,
    /// Whether a program that we started has begun it and is still there.
    is_below_us: bool,
    /// Whether it has what we give to the environment of programs.
    is_from_us: bool,
    /// Whether somebody lives who began its session, other than itself.
    is_guest: bool,
}

impl Closer {
    /// Blocks. `None` if this very process is no more.
    pub(super) fn look(identity: Identity) -> Option<Self> {
        let stat = Stat::of(identity.pid).ok().filter(|s| s.start == identity.start && !s.is_zombie())?;
        let command = command_of(identity.pid)?;
        let own = own_children().unwrap_or(0);
        let parent = |pid: &u32| Some(Stat::of(*pid).ok()?.ppid).filter(|pid| *pid > 1);
        let is_below_us = std::iter::successors(Some(stat.ppid), parent).take(GENERATIONS).any(|p| p == own);
        let is_guest = stat.session != identity.pid && Stat::of(stat.session).is_ok_and(|s| !s.is_zombie());
        let is_from_us = has_our_mark(identity.pid);
        Some(Self { command, session: stat.session, is_below_us, is_from_us, is_guest })
    }

    /// Whether it was started by a program of ours that has done its work: a daemon.
    pub(super) fn was_started_by_us(&self) -> bool {
        self.is_from_us && !self.is_below_us
    }

    /// Whether it is of the family of one whose session was this: a worker that is left of it.
    pub(super) fn is_of_family(&self, session: u32) -> bool {
        session != 0 && self.session == session && !self.is_guest
    }
}

/// Programs that we start find the name of the service in this variable.
fn has_our_mark(pid: u32) -> bool {
    let mut variables = Vec::new();
    let read =
        File::open(format!("/proc/{pid}/environ")).map(|f| f.take(LONGEST).read_to_end(&mut variables));
    matches!(read, Ok(Ok(_))) && variables.split(|b| *b == 0).any(|v| v.starts_with(b"MONIT_SERVICE="))
}

/// Whether it is a program that we are starting a service with: our child, and new.
pub(super) fn is_starter(process: &Process) -> bool {
    own_children() == Some(process.ppid)
        && clock::since_boot().saturating_sub(clock::ticks(process.start)) < BEGINNING
}

/// The pid whose children we began ourselves. Init's are everybody's.
fn own_children() -> Option<u32> {
    Some(std::process::id()).filter(|pid| *pid != 1)
}

/// How often the one we follow was another one lately.
#[derive(Debug)]
pub(super) struct Changes {
    since: Duration,
    count: u32,
    window: Duration,
}

impl Default for Changes {
    fn default() -> Self {
        Self { since: Duration::ZERO, count: 0, window: Self::SHORTEST }
    }
}

impl Changes {
    /// So many in a window are told at once.
    const MOST: u32 = 8;
    const SHORTEST: Duration = Duration::from_secs(10);
    const LONGEST: Duration = Duration::from_secs(320);

    /// To be called at each look; `changed`: whether the one we followed has gone.
    pub(super) fn note(&mut self, changed: bool) {
        if changed || self.count > 0 {
            self.note_at(clock::since_boot(), changed);
        }
    }

    fn note_at(&mut self, now: Duration, changed: bool) {
        if now.saturating_sub(self.since) >= self.window {
            // Where they come and go all the time, that is told less and less.
            let window = if self.are_many() { self.window * 2 } else { Self::SHORTEST };
            *self = Self { since: now, count: 0, window: window.min(Self::LONGEST) };
        }
        self.count += u32::from(changed);
    }

    /// Whether processes come and go, and what comes now is to wait for its turn.
    fn are_many(&self) -> bool {
        self.count > Self::MOST
    }

    /// How long it is to wait at most, if it is.
    pub(super) fn rest(&self) -> Option<Duration> {
        let end = self.since + self.window + Duration::from_millis(1);
        self.are_many().then(|| end.saturating_sub(clock::since_boot()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_waits_longer_and_longer_until_it_is_calm() {
        let mut changes = Changes::default();
        let at = Duration::from_secs;
        let mut storm = |begin| {
            (0..8).for_each(|_| changes.note_at(at(begin), true));
            assert!(!changes.are_many(), "{begin}");
            changes.note_at(at(begin), true);
            assert!(changes.are_many());
            let end = (begin..).find(|now| {
                changes.note_at(at(*now), false);
                !changes.are_many()
            });
            end.unwrap() - begin
        };
        assert_eq!([storm(100), storm(110), storm(130)], [10, 20, 40]);
        assert_eq!(storm(1000), 10, "it was calm for a whole window");
    }
}
