//! Kills for want of memory in the control group of a process, as the group counts them: for whoever may not read the
//! kernel's log, as in a container.
//!
//! Facts, `mm/oom_kill.c`: the count of the victim's own group rises before the signal is sent, whoever ran out of memory.
//! Who did is guessed from the group with the limit: `oom` in `memory.events` of version 2 rises when it cannot be kept,
//! `memory.failcnt` of version 1 each time when it is hit.

use std::path::Path;

use hinoban_reading::Reached;

use super::cgroup::{self, Group};
use crate::proc::{labelled, number};

/// What a group and its limit had counted while the process lived.
#[derive(Debug)]
pub(super) struct Tally {
    own: Group,
    limited: Option<(Group, u64)>,
    counts: Counts,
    /// The count of the host when these were read.
    host: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    kills: Option<u64>,
    hits: Option<u64>,
}

/// What a group tells of a kill.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nobody in it was killed for want of memory.
    Nobody,
    /// Somebody was, and this was probably used up.
    Somebody(Reached),
    /// It is gone, or counts nothing.
    Nothing,
}

impl Tally {
    /// Of the group that `text`, a `/proc/PID/cgroup`, names below `top`. None if it cannot be read.
    pub(super) fn new(text: &str, top: &Path, host: Option<u64>) -> Option<Self> {
        let own = cgroup::of_memory(text, top)?;
        let limited = own.limited();
        let mut tally = Self { own, limited, counts: Counts { kills: None, hits: None }, host };
        tally.counts = tally.count();
        tally.counts.kills.map(|_| tally)
    }

    /// To be called while the process lives: what has risen until now was not about it. Reads only if the host has
    /// counted more.
    pub(super) fn it_lives(&mut self, host: Option<u64>) {
        if host != self.host {
            (self.host, self.limited) = (host, self.own.limited());
            self.counts = self.count();
        }
    }

    /// What has risen since.
    pub(super) fn told(&self) -> Told {
        let now = self.count();
        let (Some(before), Some(kills)) = (self.counts.kills, now.kills) else { return Told::Nothing };
        if kills == before {
            return Told::Nobody;
        }
        let was_hit = now.hits > self.counts.hits;
        Told::Somebody(match self.limited.as_ref().filter(|_| was_hit) {
            Some((group, limit)) => Reached::Group { path: group.path(), limit: Some(*limit) },
            None => Reached::Unknown,
        })
    }

    fn count(&self) -> Counts {
        let label = |group: &Group, first: &str, label: &str| {
            labelled(&group.text(if group.is_second() { "memory.events" } else { first })?, label)
        };
        let hits = self.limited.as_ref().and_then(|(group, _)| match group.is_second() {
            true => label(group, "", "oom "),
            false => number(group.text("memory.failcnt")?.trim_ascii()),
        });
        Counts { kills: label(&self.own, "memory.oom_control", "oom_kill "), hits }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(top: &Path, file: &str, text: &str) {
        let path = top.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn version_2_counts_kills_in_the_group_and_hits_where_the_limit_is() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        let events = |of: &str, oom: u32, kills: u32| {
            write(top, &format!("{of}/memory.events"), &format!("max 9\noom {oom}\noom_kill {kills}\n"));
        };
        write(top, "cgroup.controllers", "memory\n");
        write(top, "a.slice/memory.max", "33554432\n");
        write(top, "a.slice/x/memory.max", "max\n");
        events("a.slice", 3, 3);
        events("a.slice/x", 0, 1);
        let mut tally = Tally::new("0::/a.slice/x\n", top, Some(7)).unwrap();
        assert_eq!(tally.told(), Told::Nobody);
        events("a.slice", 3, 4);
        events("a.slice/x", 0, 2);
        assert_eq!(tally.told(), Told::Somebody(Reached::Unknown), "the host had no more: no limit was hit");
        events("a.slice", 4, 4);
        let reached = Reached::Group { path: "/a.slice".to_owned(), limit: Some(32 << 20) };
        assert_eq!(tally.told(), Told::Somebody(reached));
        tally.it_lives(Some(7));
        assert_ne!(tally.told(), Told::Nobody, "nothing new on the host: not read again");
        tally.it_lives(Some(8));
        assert_eq!(tally.told(), Told::Nobody);
        fs::remove_dir_all(top.join("a.slice/x")).unwrap();
        assert_eq!(tally.told(), Told::Nothing);
    }

    #[test]
    fn a_group_that_counts_nothing_is_none() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "cgroup.controllers", "cpu\n");
        assert!(Tally::new("0::/\n", dir.path(), None).is_none());
    }
}
