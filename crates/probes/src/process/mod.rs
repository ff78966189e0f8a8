//! Processes: how one is found, by its [pidfile](PidfileProcess) or by its [command line](MatchingProcess), and what is
//! read of it.
//!
//! A look finds the process, makes sure that it is the one it meant, and measures it. What is wrong is told apart by
//! [`ReasonKind`](hinoban_reading::ReasonKind): no pidfile, garbage in it, a process that is gone, one that ended but is
//! still listed, and a pid that meanwhile belongs to somebody else. Nothing is ever signalled.
//!
//! The identity of a process is its pid and its start time. A pidfd is opened and then the start time is read again:
//! if it is still the same, the descriptor is of that process. The descriptor wakes us within microseconds of its end,
//! and afterwards tells how it ended.

mod attributes;
mod belief;
mod by_pidfile;
mod cgroup;
mod clients;
mod connector;
mod ending;
mod following;
mod kernel_log;
mod killer;
mod matching;
mod reuse;
mod sample;
mod table;
mod tally;
mod task;
mod traffic;
mod wanted;
mod words;

use hinoban_reading::Identity;

use crate::proc::Stat;

pub use by_pidfile::PidfileProcess;
pub use killer::Sources;
pub use matching::MatchingProcess;
pub use table::{Matches, Process, matching};

/// The identity of whatever process has this pid now, a zombie included.
pub fn identity_of(pid: u32) -> Option<Identity> {
    Stat::of(pid).ok().map(|stat| Identity { pid, start: stat.start })
}

/// Whether this very process still runs; a zombie does not.
pub fn is_alive(identity: &Identity) -> bool {
    Stat::of(identity.pid).is_ok_and(|stat| stat.start == identity.start && !stat.is_zombie())
}
