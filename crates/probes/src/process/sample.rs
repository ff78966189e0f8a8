//! What is measured about a living process, with Monit's meaning of each number.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hinoban_reading::{Metric, Observation, metrics};

use super::task::Task;
use crate::proc::{Stat, labelled};
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
];

/// The counters of `/proc/PID/io`: label, total, rate. Monit counts system calls as operations.
const COUNTERS: [(&str, Metric, Metric); 6] = [
    ("rchar:", metrics::READ_BYTES, metrics::READ_RATE),
    ("read_bytes:", metrics::DISK_READ_BYTES, metrics::DISK_READ_RATE),
    ("syscr:", metrics::DISK_READ_OPS, metrics::DISK_READ_OPS_RATE),
    ("wchar:", metrics::WRITE_BYTES, metrics::WRITE_RATE),
    ("write_bytes:", metrics::DISK_WRITE_BYTES, metrics::DISK_WRITE_RATE),
    ("syscw:", metrics::DISK_WRITE_OPS, metrics::DISK_WRITE_OPS_RATE),
];

/// How long is believed what rarely changes.
const RARELY: Duration = Duration::from_secs(20);

/// What the last look left, to tell rates from.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// When, and the processor time until then.
    cpu: Option<(Duration, u64)>,
    io: Option<(Duration, [u64; 6])>,
    descendants: HashMap<u32, Descendant>,
    /// Limits on open files, and when they were asked for: they rarely change.
    file_limits: Option<(Duration, u64, u64)>,
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
    /// Reads everything and adds it. Rates appear from the second look on; an interval shorter than a tenth of a second
    /// (a look that an event brought) is left to grow, since processor time comes in ticks of ten milliseconds.
    pub(super) fn read(
        &mut self,
        task: &mut Task,
        stat: &Stat,
        pidfd: Option<&OwnedFd>,
        seen: &mut Observation,
    ) {
        const SHORTEST: Duration = Duration::from_millis(100);
        let now = clock::since_boot();
        seen.readings.reserve(METRICS.len());
        seen.push(&metrics::PID, task.pid);
        seen.push(&metrics::PPID, stat.ppid);
        if let Some([uid, euid, gid]) = owners(task.pid, pidfd) {
            seen.push(&metrics::UID, uid);
            seen.push(&metrics::EUID, euid);
            seen.push(&metrics::GID, gid);
        }
        seen.push(&metrics::UPTIME, now.saturating_sub(clock::ticks(stat.start)).as_secs());
        seen.push(&metrics::THREADS, stat.threads);

        let since = self.cpu.map(|(then, cpu)| (now.saturating_sub(then), stat.cpu.saturating_sub(cpu)));
        let measured = since.filter(|(interval, _)| *interval >= SHORTEST);
        let moves_on = since.is_none() || measured.is_some();
        let family = self.walk(task, stat, moves_on);
        if moves_on {
            self.cpu = Some((now, stat.cpu));
        }
        if let Some((interval, ticks)) = measured {
            let own = percent(ticks, interval, stat.threads);
            let others = percent(family.cpu, interval, family.threads);
            seen.push(&metrics::CPU, own);
            seen.push(&metrics::CPU_TOTAL, (own + others).min(100.0));
        }
        seen.push(&metrics::CHILDREN, family.members);

        if let Some(memory) = task.memory() {
            let all = total_memory(now);
            let total = memory + family.memory;
            seen.push(&metrics::MEMORY, memory);
            seen.push(&metrics::MEMORY_PERCENT, 100.0 * memory as f64 / all);
            seen.push(&metrics::MEMORY_TOTAL, total);
            seen.push(&metrics::MEMORY_TOTAL_PERCENT, 100.0 * total as f64 / all);
        }
        if let Some(open) = task.descriptors() {
            seen.push(&metrics::FDS, open);
            seen.push(&metrics::FDS_TOTAL, open + family.descriptors);
        }
        if let Some((soft, hard)) = self.file_limits(task.pid, now) {
            seen.push(&metrics::FDS_SOFT, soft);
            seen.push(&metrics::FDS_HARD, hard);
        }
        self.read_io(task, now, SHORTEST, seen);
    }

    fn read_io(&mut self, task: &mut Task, now: Duration, shortest: Duration, seen: &mut Observation) {
        let mut buffer = [0; 512];
        let Some(text) = task.io(&mut buffer) else { return };
        let totals = COUNTERS.each_ref().map(|(label, ..)| labelled(text, label).unwrap_or(0));
        let interval = self.io.map(|(then, _)| now.saturating_sub(then));
        let measured = interval.filter(|i| *i >= shortest);
        for (i, (_, total, rate)) in COUNTERS.iter().enumerate() {
            seen.push(total, totals[i]);
            if let (Some(interval), Some((_, before))) = (measured, &self.io) {
                seen.push(rate, totals[i].saturating_sub(before[i]) as f64 / interval.as_secs_f64());
            }
        }
        if interval.is_none() || measured.is_some() {
            self.io = Some((now, totals));
        }
    }

    /// Visits all descendants, breadth first.
    fn walk(&mut self, root: &mut Task, stat: &Stat, moves_on: bool) -> Family {
        let mut family = Family::default();
        let mut waiting = Vec::new();
        root.children(stat.threads, &mut waiting);
        if waiting.is_empty() {
            self.descendants.clear();
            return family;
        }
        self.descendants.values_mut().for_each(|d| d.seen = false);
        while let Some(pid) = waiting.pop() {
            // The table of one scan and the files of the next may disagree: nobody is counted twice.
            if pid == root.pid || self.descendants.get(&pid).is_some_and(|d| d.seen) {
                continue;
            }
            let Some((descendant, stat)) = self.descendant(pid) else { continue };
            descendant.seen = true;
            family.members += 1;
            family.threads += stat.threads;
            if let Some(before) = descendant.cpu {
                family.cpu += stat.cpu.saturating_sub(before);
            }
            if moves_on {
                descendant.cpu = Some(stat.cpu);
            }
            family.memory += descendant.task.memory().unwrap_or(0);
            family.descriptors += descendant.task.descriptors().unwrap_or(0);
            descendant.task.children(stat.threads, &mut waiting);
        }
        self.descendants.retain(|_, d| d.seen);
        family
    }

    /// The descendant with this pid, as known or newly opened.
    fn descendant(&mut self, pid: u32) -> Option<(&mut Descendant, Stat)> {
        let known = self.descendants.get_mut(&pid).and_then(|d| d.task.stat().ok());
        let stat = match known {
            Some(stat) => stat,
            None => {
                let (task, stat) = Task::open(pid).ok()?;
                self.descendants.insert(pid, Descendant { task, cpu: None, seen: false });
                stat
            }
        };
        Some((self.descendants.get_mut(&pid)?, stat))
    }

    fn file_limits(&mut self, pid: u32, now: Duration) -> Option<(u64, u64)> {
        if self.file_limits.is_none_or(|(asked, ..)| now.saturating_sub(asked) >= RARELY) {
            let limits = sys::file_limits_of(pid).ok().or_else(|| limits_by_file(pid));
            self.file_limits = limits.map(|(soft, hard)| (now, soft, hard));
        }
        self.file_limits.map(|(_, soft, hard)| (soft, hard))
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

/// Real and effective user and real group: from the pidfd (Linux 6.13, under 1 µs), or from `status` (13 µs).
fn owners(pid: u32, pidfd: Option<&OwnedFd>) -> Option<[u32; 3]> {
    let info = pidfd.and_then(|fd| sys::pidfd_info(fd.as_fd(), sys::PIDFD_INFO_CREDS).ok());
    if let Some(info) = info.filter(|i| i.mask & sys::PIDFD_INFO_CREDS != 0) {
        return Some([info.ruid, info.euid, info.rgid]);
    }
    let text = std::fs::read(format!("/proc/{pid}/status")).ok()?;
    let ids = |label: &str, nth: usize| -> Option<u32> {
        let line = text.split(|b| *b == b'\n').find_map(|l| l.strip_prefix(label.as_bytes()))?;
        crate::proc::number(line.trim_ascii().split(|b| *b == b'\t').nth(nth)?)
    };
    Some([ids("Uid:", 0)?, ids("Uid:", 1)?, ids("Gid:", 0)?])
}

fn limits_by_file(pid: u32) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let mut limit = || match words.next()? {
        "unlimited" => Some(u64::MAX),
        n => n.parse().ok(),
    };
    Some((limit()?, limit()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_of_owners_and_limits_agree() {
        let us = std::process::id();
        let pid = rustix::process::getpid();
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok();
        assert_eq!(owners(us, pidfd.as_ref()), owners(us, None));
        assert_eq!(sys::file_limits_of(us).ok(), limits_by_file(us));
    }

    #[test]
    fn one_busy_thread_is_all_of_a_process_with_one_thread() {
        let second = Duration::from_secs(1);
        let hz = rustix::param::clock_ticks_per_second();
        assert_eq!(percent(hz, second, 1), 100.0);
        assert_eq!(percent(hz / 2, second, 1), 50.0);
        assert_eq!(percent(hz * 1000, second, 4), 100.0, "never more than all");
    }
}
