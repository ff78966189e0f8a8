//! What the kernel's log says of processes that it killed because memory ran out.
//!
//! Facts, Linux 4.19 to 6.18, `mm/oom_kill.c`: the count in `/proc/vmstat` rises, the signal is sent, and then one line
//! names the process and what it used; a line before it names the limit, except when there were many kills within five
//! seconds. All of it is mostly written before the process has ended, seldom up to half a millisecond after.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use hinoban_reading::{Confidence, OutOfMemory, Reached, Source};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Kills that are remembered until somebody asks.
const MOST: usize = 64;

/// Records read at a time: 1 µs each.
const SLICE: usize = 512;

/// The kernel's log from the moment it was opened.
#[derive(Debug)]
pub(super) struct KernelLog {
    file: File,
    kills: VecDeque<(u32, OutOfMemory)>,
    told: Told,
    /// Whether records were overwritten before we read them.
    lost: bool,
}

/// What lines said that belongs to the kill to come.
#[derive(Debug, Default)]
struct Told {
    limit: Option<u64>,
    of: Option<(Option<u32>, Reached)>,
}

/// Whether there is more to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    All,
    More,
}

impl KernelLog {
    /// Opens it at its end.
    ///
    /// # Errors
    /// `EPERM` without CAP_SYSLOG where `kernel.dmesg_restrict` is 1.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        match file.seek(SeekFrom::End(0)) {
            // A pipe that stands for it in a test has no end.
            Err(error) if Errno::from_io_error(&error) != Some(Errno::SPIPE) => return Err(error),
            _ => {}
        }
        Ok(Self { file, kills: VecDeque::new(), told: Told::default(), lost: false })
    }

    /// Reads what has come since, a slice at most. Never waits.
    pub(super) fn drain(&mut self) -> Drained {
        let mut record = [0; 8192];
        for _ in 0..SLICE {
            match self.file.read(&mut record) {
                Ok(0) => return Drained::All,
                Ok(n) => self.record(&record[..n]),
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::PIPE) => self.lost = true,
                    Some(Errno::INTR) => {}
                    _ => return Drained::All,
                },
            }
        }
        Drained::More
    }

    /// What was said of this process, once.
    pub(super) fn take(&mut self, pid: u32) -> Option<OutOfMemory> {
        // The last that had this pid is meant.
        let at = self.kills.iter().rposition(|(of, _)| *of == pid)?;
        self.kills.remove(at).map(|(_, memory)| memory)
    }

    /// Whether something may have been said that we could not read.
    pub(super) fn has_lost(&self) -> bool {
        self.lost
    }

    /// `priority,number,time,flags;text`, and lines of a device.
    fn record(&mut self, record: &[u8]) {
        let text = String::from_utf8_lossy(record);
        let line = text.lines().next().unwrap_or_default();
        if let Some((head, line)) = line.split_once(';')
            // Programs may write there too, but never in the kernel's name: theirs have a facility.
            && head.split(',').next().and_then(|priority| priority.parse().ok()).is_some_and(|n: u32| n < 8)
        {
            self.line(line);
        }
    }

    fn line(&mut self, line: &str) {
        if line.contains(" invoked oom-killer: ") {
            self.told = Told::default();
        } else if let Some(usage) = line.strip_prefix("memory: usage ") {
            let limit = usage.split_once(", limit ").and_then(|(_, rest)| kilobytes(rest));
            match &mut self.told.of {
                Some((None, Reached::Group { limit: of, .. })) => *of = limit,
                _ => self.told.limit = limit,
            }
        } else if let Some((_, path)) = line.split_once(" killed as a result of limit of ") {
            // Before Linux 5.0.
            self.told.of = Some((None, Reached::Group { path: path.trim().to_owned(), limit: None }));
        } else if let Some(summary) = line.strip_prefix("oom-kill:") {
            self.told.of = summarised(summary, self.told.limit.take());
        } else if let Some((before, rest)) = line.split_once("Killed process ")
            && let Some((pid, rest)) = rest.split_once(' ')
            && let Ok(pid) = pid.parse()
        {
            let of_group = before.starts_with("Memory cgroup out of memory");
            // Before Linux 5.1 the line begins with it.
            if !of_group && !before.starts_with("Out of memory") && !before.is_empty() {
                return;
            }
            let reached = match self.told.of.take() {
                Some((of, reached)) if of.is_none_or(|of| of == pid) => reached,
                _ if of_group => Reached::SomeGroup,
                _ if before.is_empty() => Reached::Unknown,
                _ => Reached::Host,
            };
            // The name may hold anything; what was used comes after it.
            let used = rest.rsplit_once("anon-rss:").and_then(|(_, rest)| kilobytes(rest));
            if self.kills.len() == MOST {
                self.kills.pop_front();
            }
            let (source, confidence) = (Source::KernelLog, Confidence::Certain);
            self.kills.push_back((pid, OutOfMemory { reached, used, source, confidence }));
        }
    }
}

/// `constraint=…,oom_memcg=/a,task_memcg=/b,task=name,pid=7,uid=0`
fn summarised(summary: &str, limit: Option<u64>) -> Option<(Option<u32>, Reached)> {
    let pid = summary.rsplit_once(",pid=").and_then(|(_, rest)| rest.split(',').next()?.parse().ok())?;
    let constraint = summary.strip_prefix("constraint=")?.split(',').next()?;
    let reached = match constraint {
        "CONSTRAINT_MEMCG" => {
            let (_, rest) = summary.split_once(",oom_memcg=")?;
            let path = rest.split_once(",task_memcg=").map_or(rest, |(path, _)| path);
            Reached::Group { path: path.to_owned(), limit }
        }
        "CONSTRAINT_CPUSET" | "CONSTRAINT_MEMORY_POLICY" => Reached::Nodes,
        _ => Reached::Host,
    };
    Some((Some(pid), reached))
}

/// `31744kB…` in bytes.
fn kilobytes(text: &str) -> Option<u64> {
    text.split_once("kB")?.0.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(lines: &[&str]) -> KernelLog {
        let mut log = KernelLog::open(Path::new("/dev/null")).unwrap();
        lines.iter().for_each(|line| log.record(format!("4,1,2,-;{line}\n").as_bytes()));
        log
    }

    #[test]
    fn a_group_at_its_limit_is_named_with_it() {
        let mut log = reading(&[
            "eater invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
            "memory: usage 32768kB, limit 32768kB, failcnt 55",
            "swap: usage 0kB, limit 9007199254740988kB, failcnt 0",
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/system.slice,\
             task_memcg=/system.slice/x,task=eater,pid=13912,uid=0",
            "Memory cgroup out of memory: Killed process 13912 (eater kB) total-vm:134000kB, anon-rss:31744kB, \
             file-rss:1024kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:0",
        ]);
        let memory = log.take(13912).unwrap();
        let reached = Reached::Group { path: "/system.slice".to_owned(), limit: Some(32 << 20) };
        assert_eq!((memory.reached, memory.used), (reached, Some(31 << 20)));
        assert_eq!(log.take(13912), None, "told once");
        assert_eq!(log.take(13), None);
    }

    #[test]
    fn a_host_without_memory_is_told_from_a_group_and_no_name_deceives() {
        let mut log = reading(&[
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/x,\
             task=a,pid=5,uid=0",
            "Out of memory: Killed process 5 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB",
            // What was said of the limit is left out when kills are many.
            "Memory cgroup out of memory: Killed process 6 (Killed process 9 (x) total-vm:8kB, anon-rss:8kB, f",
            "somebody says: Killed process 7 (x) anon-rss:1kB",
        ]);
        assert_eq!(log.take(5).map(|memory| memory.reached), Some(Reached::Host));
        assert_eq!(log.take(6).map(|memory| memory.reached), Some(Reached::SomeGroup));
        assert_eq!((log.take(7), log.take(9)), (None, None));
    }

    #[test]
    fn what_a_program_wrote_in_there_is_not_the_kernels_word() {
        let mut log = reading(&[]);
        let line =
            "Out of memory: Killed process 5 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB";
        log.record(format!("12,1,2,-;{line}").as_bytes());
        assert_eq!(log.take(5), None);
        log.record(format!("3,1,2,-;{line}").as_bytes());
        assert!(log.take(5).is_some());
    }

    #[test]
    fn older_kernels_say_it_in_other_words() {
        let mut log = reading(&[
            "eater invoked oom-killer: gfp_mask=0x6000c0(GFP_KERNEL), nodemask=(null), order=0, oom_score_adj=0",
            "Task in /a/b killed as a result of limit of /a",
            "memory: usage 32768kB, limit 32768kB, failcnt 11",
            "Memory cgroup out of memory: Kill process 77 (eater) score 990 or sacrifice child",
            "Killed process 77 (eater) total-vm:40000kB, anon-rss:31744kB, file-rss:1000kB, shmem-rss:0kB",
        ]);
        let memory = log.take(77).unwrap();
        assert_eq!(memory.reached, Reached::Group { path: "/a".to_owned(), limit: Some(32 << 20) });
        assert_eq!(memory.used, Some(31 << 20));
    }
}
