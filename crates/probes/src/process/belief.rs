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
#[derive(Debug, Default)]
pub(super) struct Changes {
    since: Duration,
    count: u32,
}

impl Changes {
    /// So many in so long are told at once.
    const MOST: u32 = 5;
    const WINDOW: Duration = Duration::from_secs(10);

    /// To be called at each look; `changed`: whether the one we followed has gone.
    pub(super) fn note(&mut self, changed: bool) {
        if changed || self.count > 0 {
            self.note_at(clock::since_boot(), changed);
        }
    }

    fn note_at(&mut self, now: Duration, changed: bool) {
        if now.saturating_sub(self.since) >= Self::WINDOW {
            *self = Self { since: now, count: 0 };
        }
        self.count += u32::from(changed);
    }

    /// Whether processes come and go, and the rest is left to the turn.
    pub(super) fn are_many(&self) -> bool {
        self.count > Self::MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_left_to_the_turn_until_one_comes_after_the_window() {
        let mut changes = Changes::default();
        let at = Duration::from_secs;
        (0..5).for_each(|n| changes.note_at(at(100 + n), true));
        assert!(!changes.are_many());
        changes.note_at(at(105), true);
        assert!(changes.are_many());
        changes.note_at(at(109), false);
        assert!(changes.are_many());
        changes.note_at(at(110), false);
        assert!(!changes.are_many());
    }
}
