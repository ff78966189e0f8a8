//! All processes of the host and their command lines: read by one thread at a time, on behalf of all who look for one.
//!
//! A command line lies in the memory of its process, and to read it waits for a lock of that memory: never on the
//! runtime's thread. A look at its turn reads everything anew, unless somebody did so within half a second. One before
//! its turn (somebody waits for a start to show) asks of each whether it lives, and reads the command lines of those who
//! are new, and of others that were read too long ago: a program may call itself something else at any time.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hinoban_probe::{Cause, Look, ProbeError};
use hinoban_reading::Identity;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::clients;
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
pub(super) struct Table(HashMap<u32, Row>);

/// A process, and what was seen when its command line was read.
#[derive(Debug, Clone)]
struct Row {
    process: Process,
    session: u32,
    /// When that was, since boot.
    read: Duration,
    /// Whether it is one of our own clients.
    is_client: bool,
}

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
/// A process younger than this is probably becoming what it will be, one younger than the second may be a slow start.
const NEWBORN: Duration = Duration::from_secs(3);
const YOUNG: Duration = Duration::from_secs(60);
/// So long the command line of a young one is believed; that of an older one while a table is.
const BRIEFLY: Duration = Duration::from_secs(1);
/// More of a command line than this is not read.
const LONGEST: u64 = 128 << 10;

static SHARED: Mutex<Option<Shared>> = Mutex::new(None);
static TURN: Semaphore = Semaphore::const_new(1);

/// Processes whose command line matches, as the host stands now, and the one of them that a service would be.
///
/// It blocks for as long as the memory of any process is locked. Our own process is not among them, nor are the clients of
/// our program and who called them.
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
        shared.as_ref().filter(|_| !anew).filter(young).map(|s| s.table.clone())
    };
    let table = Arc::new(scan(before.as_deref()));
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

fn scan(before: Option<&Table>) -> Table {
    let own = std::process::id();
    let mut table = Table::default();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = number::<u32>(entry.file_name().as_encoded_bytes()).filter(|pid| *pid != own) else {
            continue;
        };
        let known = before.and_then(|table| table.0.get(&pid));
        if let Some(row) = Row::of(pid, known) {
            table.0.insert(pid, row);
        }
    }
    table
}

impl Process {
    /// Its pid and start time.
    pub fn identity(&self) -> Identity {
        Identity { pid: self.pid, start: self.start }
    }
}

impl Row {
    /// Whoever has this pid now, unless it has ended. Of the one `known` by it only what was read of its memory is taken.
    fn of(pid: u32, known: Option<&Self>) -> Option<Self> {
        let stat = Stat::of(pid).ok().filter(|stat| !stat.is_zombie())?;
        let now = clock::since_boot();
        // invariant 9: the pid may have another owner by now.
        let known = known.filter(|row| row.process.start == stat.start && row.is_fresh(now));
        let (command, read, is_client) = match known {
            Some(row) => (row.process.command.clone(), row.read, row.is_client),
            None => {
                let command = command_of(pid)?;
                let is_client = clients::is_one(pid, &command);
                (command, now, is_client)
            }
        };
        let process = Process { pid, ppid: stat.ppid, start: stat.start, command };
        Some(Self { process, session: stat.session, read, is_client })
    }

    /// Whether its command line is still to be believed.
    fn is_fresh(&self, now: Duration) -> bool {
        let born = clock::ticks(self.process.start);
        let believed = match now.saturating_sub(born) {
            age if age < NEWBORN => Duration::ZERO,
            age if age < YOUNG => BRIEFLY,
            _ => OLD,
        };
        // What was read when it was new says little of what it has become.
        self.read > born + NEWBORN && now.saturating_sub(self.read) < believed
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
    /// Those of our own program that were only called to ask for something, and their sessions.
    pub(super) fn clients(&self) -> impl Iterator<Item = (&Process, u32)> {
        self.0.values().filter(|row| row.is_client).map(|row| (&row.process, row.session))
    }

    /// The process with this pid, and its session.
    pub(super) fn row(&self, pid: u32) -> Option<(&Process, u32)> {
        self.0.get(&pid).map(|row| (&row.process, row.session))
    }

    /// What matches, and who of those a service is: of the ones whose parent does not match the oldest, as Monit chooses.
    pub(super) fn matches(&self, matches: impl Fn(&str) -> bool) -> Matches {
        self.matches_but(matches, |_| false)
    }

    /// The same, as if those that are left out were not there.
    fn matches_but(&self, matches: impl Fn(&str) -> bool, left_out: impl Fn(&Process) -> bool) -> Matches {
        let callers = clients::with_callers(self);
        let processes = self.0.values().map(|row| &row.process);
        let mut found: Vec<&Process> = processes.filter(|p| matches(&p.command)).collect();
        found.retain(|p| !callers.contains(&p.pid) && !left_out(p));
        found.sort_unstable_by_key(|p| p.pid);
        let is_found = |pid: u32| found.binary_search_by_key(&pid, |p| p.pid).is_ok();
        let eldest = found.iter().filter(|p| !is_found(p.ppid)).min_by_key(|p| p.start);
        Matches { chosen: eldest.map(|p| p.pid), found: found.into_iter().cloned().collect() }
    }

    /// The one that a service of this pattern is, as if those that are left out were not there.
    pub(super) fn choose(
        &self,
        matches: &dyn Fn(&str) -> bool,
        left_out: impl Fn(&Process) -> bool,
    ) -> Option<&Process> {
        Some(&self.0.get(&self.matches_but(matches, left_out).chosen?)?.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(u32, u32, u64, &str)]) -> Table {
        let process = |&(pid, ppid, start, command): &(u32, u32, u64, &str)| {
            let process = Process { pid, ppid, start, command: command.to_owned() };
            (pid, Row { process, session: 0, read: clock::since_boot(), is_client: false })
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
    fn who_is_known_is_not_read_again_and_who_is_new_or_was_read_long_ago_is() {
        let own = Stat::of(std::process::id()).unwrap();
        let full = scan(None);
        assert!(!full.0.contains_key(&std::process::id()), "we do not look for ourselves");
        let init = full.0[&1].clone();
        let old = |row: &Row| row.is_fresh(clock::ticks(row.process.start) + YOUNG * 2);
        let mut before = Table([(1, init.clone()), (u32::MAX, init.clone())].into());
        let known = before.0.get_mut(&1).unwrap();
        known.process.command = "as it was".to_owned();
        if clock::since_boot() > clock::ticks(known.process.start) + YOUNG {
            let next = scan(Some(&before));
            assert_eq!(next.0[&1].process.command, "as it was");
            assert!(!next.0.contains_key(&u32::MAX), "who has ended is no longer there");
            assert_eq!(next.0[&1].read, before.0[&1].read, "a copy is as old as what it is a copy of");
        }
        before.0.get_mut(&1).unwrap().process.start += 1;
        assert_eq!(scan(Some(&before)).0[&1].process.command, init.process.command, "it is somebody else");
        assert!(full.0.contains_key(&own.ppid));
        let mut row = init;
        row.read = clock::ticks(row.process.start) + YOUNG;
        assert!(old(&Row { read: clock::ticks(row.process.start) + YOUNG * 2 - OLD / 2, ..row.clone() }));
        assert!(!old(&Row { read: clock::ticks(row.process.start) + YOUNG * 2 - OLD * 2, ..row.clone() }));
        let seconds = |n| clock::ticks(row.process.start) + Duration::from_secs(n);
        let young = |read, now| Row { read: seconds(read), ..row.clone() }.is_fresh(seconds(now));
        assert!(!young(1, 2), "it may become another program at any moment");
        assert!(!young(5, 7), "a slow start is not missed for long");
    }

    #[test]
    fn a_zombie_is_no_process() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while !Stat::of(child.id()).unwrap().is_zombie() {
            std::thread::yield_now();
        }
        let start = Stat::of(child.id()).unwrap().start;
        let process = Process { pid: child.id(), ppid: 1, start, command: "true".to_owned() };
        let row = Row { process, session: 0, read: Duration::MAX, is_client: false };
        let before = Table([(child.id(), row)].into());
        assert!(!scan(Some(&before)).0.contains_key(&child.id()));
        child.wait().unwrap();
    }

    /// `bash -c 'hinoban start web; …'` is not web, and neither is `sudo hinoban start web`.
    #[test]
    fn a_client_and_who_called_it_are_not_found() {
        let mut table = table(&[
            (1, 0, 0, "init web"),
            (20, 1, 20, "sshd for web"),
            (30, 20, 30, "bash deploy-web.sh"),
            (40, 30, 40, "sudo hinoban start web"),
            (41, 40, 41, "sudo hinoban start web"),
            (50, 41, 50, "hinoban start web"),
            (60, 1, 60, "web"),
        ]);
        for (pid, session) in [(20, 20), (30, 30), (40, 30), (41, 41), (50, 41)] {
            table.0.get_mut(&pid).unwrap().session = session;
        }
        let pids = |table: &Table| -> Vec<u32> {
            table.matches(|line| line.ends_with("web")).found.iter().map(|p| p.pid).collect()
        };
        assert_eq!(pids(&table), [1, 20, 40, 41, 50, 60]);
        table.0.get_mut(&50).unwrap().is_client = true;
        assert_eq!(pids(&table), [1, 20, 60]);
        assert_eq!(table.matches(|line| line.contains("deploy")).found, [], "it waits for the client");
    }
}
