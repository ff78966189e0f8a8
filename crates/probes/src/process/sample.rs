//! What is measured about a living process, with Monit's meaning of each number.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hinoban_reading::{Metric, Observation, metrics};

use super::attributes::{file_limits, owners, security};
use super::cgroup::Cgroup;
use super::task::Task;
use super::traffic::Traffic;
use super::wanted::{RARELY, Turn, Wanted};
use crate::proc::{Stat, number};
use crate::{clock, sys};

/// Every reading a process probe may give.
pub(super) const METRICS: &[Metric] = &[
    metrics::PID,
    metrics::PPID,
    metrics::UID,
    metrics::EUID,
    metrics::GID,
    metrics::UPTIME,
    metrics::THREADS,
    metrics::CHILDREN,
    metrics::CPU,
    metrics::CPU_TOTAL,
    metrics::MEMORY,
    metrics::MEMORY_PERCENT,
    metrics::MEMORY_TOTAL,
    metrics::MEMORY_TOTAL_PERCENT,
    metrics::FDS,
    metrics::FDS_TOTAL,
    metrics::FDS_SOFT,
    metrics::FDS_HARD,
    metrics::FDS_PERCENT,
    metrics::READ_BYTES,
    metrics::READ_RATE,
    metrics::DISK_READ_BYTES,
    metrics::DISK_READ_RATE,
    metrics::DISK_READ_OPS,
    metrics::DISK_READ_OPS_RATE,
    metrics::WRITE_BYTES,
    metrics::WRITE_RATE,
    metrics::DISK_WRITE_BYTES,
    metrics::DISK_WRITE_RATE,
    metrics::DISK_WRITE_OPS,
    metrics::DISK_WRITE_OPS_RATE,
    metrics::SECURITY,
    metrics::LOAD_1,
    metrics::LOAD_5,
    metrics::LOAD_15,
    metrics::LOAD_1_CORE,
    metrics::LOAD_5_CORE,
    metrics::LOAD_15_CORE,
    metrics::CGROUP_MEMORY,
    metrics::CGROUP_MEMORY_LIMIT,
    metrics::CGROUP_MEMORY_PERCENT,
    metrics::CGROUP_CPU,
    metrics::CGROUP_THROTTLED,
    metrics::CGROUP_OOM_KILLS,
    metrics::CGROUP_PIDS,
    metrics::CGROUP_PIDS_LIMIT,
    metrics::CGROUP_PIDS_PERCENT,
];

/// A process younger than this may not have settled yet.
const YOUNG: Duration = Duration::from_secs(3);

/// How many of them a look mostly gives.
const MOSTLY: usize = 32;

/// What the last look left, to tell rates from.
#[derive(Debug, Default)]
pub(super) struct Meter {
    wanted: Wanted,
    /// When, and the processor time until then.
    cpu: Option<(Duration, u64)>,
    traffic: Traffic,
    descendants: BTreeMap<u32, Descendant>,
    files: Files,
    owners: Option<[u32; 3]>,
    security: Option<Box<str>>,
    cgroup: Option<Box<Cgroup>>,
    /// When owners, limits and the security attribute are asked for again.
    turn: Turn,
}

/// Open files, as they were counted last: of the process, and of all its descendants.
#[derive(Debug, Default)]
struct Files {
    turn: Turn,
    open: Option<(u64, u64)>,
    /// The limits, soft and hard.
    limits: Option<(u64, u64)>,
}

/// Whether what another user may be forbidden to see was seen, where that was tried.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub(super) traffic: Option<bool>,
    pub(super) files: Option<bool>,
}

#[derive(Debug)]
struct Descendant {
    task: Task,
    cpu: Option<u64>,
    seen: bool,
}

/// Sums over all descendants.
#[derive(Debug, Default)]
struct Family {
    members: u32,
    threads: u32,
    /// Ticks since the last look, of those that were there.
    cpu: u64,
    memory: u64,
    descriptors: u64,
}

impl Meter {
    /// A meter that reads at each look what is wanted.
    pub(super) fn new(wanted: Wanted) -> Self {
        Self { wanted, cgroup: wanted.cgroup.then(Box::default), ..Self::default() }
    }

    /// Reads everything and adds it. Rates appear from the second look on; an interval shorter than a tenth of a second
    /// (a look that an event brought) is left to grow, since processor time comes in ticks of ten milliseconds.
    pub(super) fn read(
        &mut self,
        task: &mut Task,
        stat: &Stat,
        pidfd: Option<&OwnedFd>,
        seen: &mut Observation,
    ) -> Tried {
        const SHORTEST: Duration = Duration::from_millis(100);
        let now = clock::since_boot();
        seen.readings.reserve(MOSTLY);
        seen.push(&metrics::PID, task.pid);
        seen.push(&metrics::PPID, stat.ppid);
        let uptime = now.saturating_sub(clock::ticks(stat.start));
        // Daemons often change their user, soon after they were started.
        if self.owners.is_none() || self.wanted.owners || uptime < YOUNG || self.turn.has_come(false, now) {
            self.owners = owners(task.pid, pidfd);
        }
        if let Some([uid, euid, gid]) = self.owners {
            seen.push(&metrics::UID, uid);
            seen.push(&metrics::EUID, euid);
            seen.push(&metrics::GID, gid);
        }
        seen.push(&metrics::UPTIME, uptime.as_secs());
        let since = self.cpu.map(|(then, cpu)| (now.saturating_sub(then), stat.cpu.saturating_sub(cpu)));
        let measured = since.filter(|(interval, _)| *interval >= SHORTEST);
        let moves_on = since.is_none() || measured.is_some();
        let counts = self.files.turn.has_come(self.wanted.files, now);
        let family = self.walk(task, stat, now, moves_on, counts);
        if moves_on {
            self.cpu = Some((now, stat.cpu));
        }
        // In the order of the table of metrics, which packs them fastest.
        seen.push(&metrics::THREADS, stat.threads);
        seen.push(&metrics::CHILDREN, family.members);
        if let Some((interval, ticks)) = measured {
            let own = percent(ticks, interval, stat.threads);
            let others = percent(family.cpu, interval, family.threads);
            seen.push(&metrics::CPU, own);
            seen.push(&metrics::CPU_TOTAL, (own + others).min(100.0));
        }
        if let Some(memory) = task.memory(stat, now) {
            let all = total_memory(now);
            let total = memory + family.memory;
            seen.push(&metrics::MEMORY, memory);
            seen.push(&metrics::MEMORY_PERCENT, 100.0 * memory as f64 / all);
            seen.push(&metrics::MEMORY_TOTAL, total);
            seen.push(&metrics::MEMORY_TOTAL_PERCENT, 100.0 * total as f64 / all);
        }
        let mut tried = Tried::default();
        if counts {
            self.files.turn.taken(now);
            self.files.open = task.descriptors().map(|open| (open, open + family.descriptors));
            tried.files = Some(self.files.open.is_some());
        }
        self.read_rarely(task.pid, now);
        self.files.show(seen);
        if let Some(security) = self.security.as_deref() {
            seen.push(&metrics::SECURITY, security);
        }
        if let Some(cgroup) = &mut self.cgroup {
            cgroup.read(task.pid, now, seen);
        }
        tried.traffic = self.traffic.read(task, now, self.wanted.traffic, SHORTEST, seen);
        if self.wanted.load {
            load(seen);
        }
        tried
    }

    /// What changes rarely.
    fn read_rarely(&mut self, pid: u32, now: Duration) {
        let due = self.turn.has_come(false, now);
        if due || self.wanted.security {
            self.security = Some(security(pid).into());
        }
        if due {
            self.turn.taken(now);
            self.files.limits = file_limits(pid);
        }
    }

    /// Visits all descendants, breadth first.
    fn walk(&mut self, root: &mut Task, stat: &Stat, now: Duration, moves_on: bool, counts: bool) -> Family {
        let mut family = Family::default();
        let mut waiting = Vec::new();
        root.children(stat.threads, &mut waiting);
        if waiting.is_empty() {
            self.descendants.clear();
            return family;
        }
        let descendants = &mut self.descendants;
        descendants.values_mut().for_each(|d| d.seen = false);
        while let Some(pid) = waiting.pop() {
            // The table of one scan and the files of the next may disagree: nobody is counted twice.
            if pid == root.pid || descendants.get(&pid).is_some_and(|d| d.seen) {
                continue;
            }
            let Some((descendant, stat)) = descendant(descendants, pid) else { continue };
            descendant.seen = true;
            family.members += 1;
            family.threads += stat.threads;
            if let Some(before) = descendant.cpu {
                family.cpu += stat.cpu.saturating_sub(before);
            }
            if moves_on {
                descendant.cpu = Some(stat.cpu);
            }
            family.memory += descendant.task.memory(&stat, now).unwrap_or(0);
            if counts {
                family.descriptors += descendant.task.descriptors().unwrap_or(0);
            }
            descendant.task.children(stat.threads, &mut waiting);
        }
        descendants.retain(|_, d| d.seen);
        family
    }
}

/// The descendant with this pid, as known or newly opened.
fn descendant(known: &mut BTreeMap<u32, Descendant>, pid: u32) -> Option<(&mut Descendant, Stat)> {
    let stat = match known.get_mut(&pid).and_then(|d| d.task.stat().ok()) {
        Some(stat) => stat,
        None => {
            let (task, stat) = Task::open(pid).ok()?;
            known.insert(pid, Descendant { task, cpu: None, seen: false });
            stat
        }
    };
    Some((known.get_mut(&pid)?, stat))
}

impl Files {
    fn show(&self, seen: &mut Observation) {
        if let Some((open, total)) = self.open {
            seen.push(&metrics::FDS, open);
            seen.push(&metrics::FDS_TOTAL, total);
        }
        if let Some((soft, hard)) = self.limits {
            seen.push(&metrics::FDS_SOFT, soft);
            seen.push(&metrics::FDS_HARD, hard);
        }
        if let (Some((open, _)), Some((soft, hard))) = (self.open, self.limits)
            && soft.min(hard) > 0
        {
            seen.push(&metrics::FDS_PERCENT, 100.0 * open as f64 / soft.min(hard) as f64);
        }
    }
}

/// The load of the host, and that for each processor that is online.
fn load(seen: &mut Observation) {
    let loads = [
        (metrics::LOAD_1, metrics::LOAD_1_CORE),
        (metrics::LOAD_5, metrics::LOAD_5_CORE),
        (metrics::LOAD_15, metrics::LOAD_15_CORE),
    ];
    let text = std::fs::read("/proc/loadavg").unwrap_or_default();
    let processors = f64::from(sys::processors());
    for ((all, each), text) in loads.iter().zip(text.split(|b| *b == b' ')) {
        if let Some(load) = number::<f64>(text) {
            seen.push(all, load);
            seen.push(each, load / processors);
        }
    }
}

/// Share of the processors it could use, as Monit reckons: threads, but no more than there are processors.
fn percent(ticks: u64, interval: Duration, threads: u32) -> f64 {
    static PROCESSORS: OnceLock<u32> = OnceLock::new();
    let usable = threads.min(*PROCESSORS.get_or_init(sys::processors)).max(1);
    let used = clock::ticks(ticks).as_secs_f64() / interval.as_secs_f64();
    (100.0 * used / f64::from(usable)).min(100.0)
}

/// MemTotal in bytes. Virtual machines are given more and less of it while they run, but not often.
fn total_memory(now: Duration) -> f64 {
    static TOTAL: Mutex<Option<(Duration, f64)>> = Mutex::new(None);
    let mut kept = TOTAL.lock().unwrap_or_else(PoisonError::into_inner);
    match *kept {
        Some((asked, total)) if now.saturating_sub(asked) < RARELY => total,
        _ => {
            let info = rustix::system::sysinfo();
            let total = (info.totalram as f64 * f64::from(info.mem_unit)).max(1.0);
            *kept = Some((now, total));
            total
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_busy_thread_is_all_of_a_process_with_one_thread() {
        let second = Duration::from_secs(1);
        let hz = rustix::param::clock_ticks_per_second();
        assert_eq!(percent(hz, second, 1), 100.0);
        assert_eq!(percent(hz / 2, second, 1), 50.0);
        assert_eq!(percent(hz * 1000, second, 4), 100.0, "never more than all");
    }
}
