//! All processes of the host and their command lines: read by one thread at a time, on behalf of all who look for one.
//!
//! A command line lies in the memory of its process, and to read it waits for a lock of that memory: never on the
//! runtime's thread. A look at its turn reads everything anew, unless somebody did so within half a second. One before
//! its turn (somebody waits for a start to show) reads only who is new: who was there before, and is older than a few
//! seconds, has hardly become another program.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hinoban_probe::{Cause, Look, ProbeError};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::clock;
use crate::proc::{Stat, number};

/// One process of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// The pid of its parent.
    pub ppid: u32,
    /// When it started, in ticks since boot.
    pub start: u64,
    /// Its arguments, joined by blanks; of one without any (a kernel thread), its name.
    pub command: String,
}

/// All processes that live, by pid.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<u32, Process>);

/// What a pattern finds, in the order of pids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matches {
    /// Each process that it matches.
    pub found: Vec<Process>,
    /// The pid of the one that a service of this pattern is.
    pub chosen: Option<u32>,
}

/// A table, and when it was read.
#[derive(Debug)]
struct Shared {
    at: Duration,
    /// How long that took.
    took: Duration,
    table: Arc<Table>,
}

/// How long a table serves those whose turn it is.
const FRESH: Duration = Duration::from_millis(500);
/// After so long nothing of a table is believed any more.
const OLD: Duration = Duration::from_secs(5);
/// A process younger than this may still become another program.
const YOUNG: Duration = Duration::from_secs(3);
/// More of a command line than this is not read.
const LONGEST: u64 = 128 << 10;

static SHARED: Mutex<Option<Shared>> = Mutex::new(None);
static TURN: Semaphore = Semaphore::const_new(1);

/// Processes whose command line matches, as the host stands now, and the one of them that a service would be.
///
/// It blocks for as long as the memory of any process is locked. Our own process is not among them.
pub fn matching(matches: impl Fn(&str) -> bool) -> Matches {
    scan(None).matches(matches)
}

/// The table for a look: one that is fresh enough, or a new one.
///
/// # Errors
/// If none could be had before the deadline.
pub(super) async fn recent(look: &Look) -> Result<Arc<Table>, ProbeError> {
    const BEFORE: Duration = Duration::from_millis(100);
    let anew = look.cause() == Cause::Due;
    let answer = async {
        if let Some(table) = kept(anew) {
            return Ok(table);
        }
        let turn = TURN.acquire().await;
        if let Some(table) = kept(anew) {
            return Ok(table);
        }
        let read = tokio::task::spawn_blocking(move || {
            let table = read(anew);
            drop(turn);
            table
        });
        read.await.map_err(|e| ProbeError::Failed(format!("a look was cut short: {e}")))
    };
    let deadline = look.deadline();
    let deadline = Instant::from_std(deadline.checked_sub(BEFORE).unwrap_or(deadline));
    timeout_at(deadline, answer).await.unwrap_or_else(|_| {
        Err(ProbeError::Failed(
            "the command lines of all processes could not be read in time; a process may hang in the kernel (state D of \
             ps)"
                .to_owned(),
        ))
    })
}

/// The kept table, if it is fresh enough.
fn kept(anew: bool) -> Option<Arc<Table>> {
    let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared.as_ref()?;
    // Whoever waits for a start may have a tenth of a processor's time.
    let fresh = if anew { FRESH } else { (shared.took * 10).clamp(Duration::from_millis(2), FRESH) };
    (clock::since_boot().saturating_sub(shared.at) <= fresh).then(|| shared.table.clone())
}

fn read(anew: bool) -> Arc<Table> {
    let begun = clock::since_boot();
    let before = {
        let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let young = |s: &&Shared| begun.saturating_sub(s.at) <= OLD;
        shared.as_ref().filter(|_| !anew).filter(young).map(|s| (s.at, s.table.clone()))
    };
    let table = Arc::new(scan(before.as_ref().map(|(at, table)| (*at, &**table))));
    let at = clock::since_boot();
    let shared = Shared { at, took: at.saturating_sub(begun), table: table.clone() };
    *SHARED.lock().unwrap_or_else(PoisonError::into_inner) = Some(shared);
    table
}

/// Forgets the table when nobody has needed it for a while.
pub(super) fn tidy() {
    if let Ok(mut shared) = SHARED.try_lock()
        && shared.as_ref().is_some_and(|s| clock::since_boot().saturating_sub(s.at) > OLD)
    {
        *shared = None;
    }
}

fn scan(before: Option<(Duration, &Table)>) -> Table {
    let own = std::process::id();
    let mut table = Table::default();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = number::<u32>(entry.file_name().as_encoded_bytes()).filter(|pid| *pid != own) else {
            continue;
        };
        let known = before.and_then(|(at, table)| {
            let process = table.0.get(&pid)?;
            (clock::ticks(process.start) + YOUNG < at).then_some(process)
        });
        if let Some(process) = known.cloned().or_else(|| Process::of(pid)) {
            table.0.insert(pid, process);
        }
    }
    table
}

impl Process {
    /// Whoever has this pid now, unless it has ended.
    fn of(pid: u32) -> Option<Self> {
        let stat = Stat::of(pid).ok().filter(|stat| !stat.is_zombie())?;
        Some(Self { pid, ppid: stat.ppid, start: stat.start, command: command_of(pid)? })
    }
}

/// The command line of a process, arguments joined by blanks, or its name if it has none; `None` if it is gone.
pub(super) fn command_of(pid: u32) -> Option<String> {
    let mut line = Vec::new();
    File::open(format!("/proc/{pid}/cmdline")).ok()?.take(LONGEST).read_to_end(&mut line).ok()?;
    let end = line.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    line.truncate(end);
    if line.is_empty() {
        line = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
        line.truncate(line.trim_ascii_end().len());
    }
    line.iter_mut().filter(|b| **b == 0).for_each(|b| *b = b' ');
    Some(String::from_utf8(line).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

impl Table {
    /// What matches, and who of those a service is: of the ones whose parent does not match the oldest, as Monit chooses.
    pub(super) fn matches(&self, matches: impl Fn(&str) -> bool) -> Matches {
        let mut found: Vec<&Process> = self.0.values().filter(|p| matches(&p.command)).collect();
        found.sort_unstable_by_key(|p| p.pid);
        let is_found = |pid: u32| found.binary_search_by_key(&pid, |p| p.pid).is_ok();
        let eldest = found.iter().filter(|p| !is_found(p.ppid)).min_by_key(|p| p.start);
        Matches { chosen: eldest.map(|p| p.pid), found: found.into_iter().cloned().collect() }
    }

    /// The one that a service of this pattern is.
    pub(super) fn choose(&self, matches: &dyn Fn(&str) -> bool) -> Option<&Process> {
        self.0.get(&self.matches(matches).chosen?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(u32, u32, u64, &str)]) -> Table {
        let process = |&(pid, ppid, start, command): &(u32, u32, u64, &str)| {
            (pid, Process { pid, ppid, start, command: command.to_owned() })
        };
        Table(rows.iter().map(process).collect())
    }

    /// As Monit 5.33 marks them in its `procmatch`.
    #[test]
    fn the_oldest_of_those_whose_parent_does_not_match_is_chosen() {
        let table = table(&[
            (1, 0, 0, "init"),
            (40, 1, 900, "httpd: master"),
            (41, 40, 950, "httpd: worker"),
            (50, 1, 700, "httpd -f other"),
            (51, 50, 600, "httpd: worker older than its parent"),
            (60, 1, 700, "httpd of the same age"),
            (70, 1, 5, "tail -f httpd.log"),
        ]);
        let found = table.matches(|line| line.starts_with("httpd"));
        assert_eq!(found.chosen, Some(50));
        let pids: Vec<u32> = found.found.iter().map(|p| p.pid).collect();
        assert_eq!(pids, [40, 41, 50, 51, 60]);
        assert_eq!(
            table.matches(|line| line.contains("worker")).chosen,
            Some(51),
            "their parents do not match"
        );
        assert_eq!(table.matches(|_| false), Matches::default());
    }

    #[test]
    fn who_is_known_is_not_read_again_and_who_is_new_is() {
        let own = Stat::of(std::process::id()).unwrap();
        let full = scan(None);
        assert!(!full.0.contains_key(&std::process::id()), "we do not look for ourselves");
        let parent = &full.0[&own.ppid];
        let mut before = table(&[(parent.pid, parent.ppid, 0, "as it was")]);
        before.0.insert(u32::MAX, Process { pid: u32::MAX, ..parent.clone() });
        let next = scan(Some((clock::since_boot(), &before)));
        assert_eq!(next.0[&parent.pid].command, "as it was");
        assert!(!next.0.contains_key(&u32::MAX), "who has ended is no longer there");
        before.0.get_mut(&parent.pid).unwrap().start = u64::MAX / 2;
        let next = scan(Some((clock::since_boot(), &before)));
        assert_ne!(
            next.0[&parent.pid].command, "as it was",
            "it was young, and may be another program by now"
        );
    }
}
