//! The control group of a process: what the group as a whole uses, and may use.
//!
//! Both versions of the kernel's interface are read, cgroups(7), a resource at a time: of a hierarchy of version 1 if the
//! process is in one for it (`memory`, `cpu`, `cpuacct`, `pids`), else of version 2. A limit is the smallest of the group
//! and all groups around it, for that one is hit first.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hinoban_reading::{Observation, metrics};

use super::wanted::Turn;
use crate::proc::{labelled, number};
use crate::sys;

/// Where the kernel shows processes and groups; elsewhere in tests.
#[derive(Debug)]
struct Roots {
    proc: PathBuf,
    cgroup: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), cgroup: "/sys/fs/cgroup".into() }
    }
}

/// The group of one process.
#[derive(Debug, Default)]
pub(super) struct Cgroup {
    roots: Roots,
    groups: Groups,
    turn: Turn,
    /// Counters of processor time at the last look, and when that was.
    last: Option<(Duration, Cpu)>,
}

/// Its folders, by resource.
#[derive(Debug, Default, PartialEq, Eq)]
struct Groups {
    memory: Option<Group>,
    cpu: Option<Group>,
    accounting: Option<Group>,
    pids: Option<Group>,
}

/// A folder, and the top of its hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    folder: PathBuf,
    top: PathBuf,
    /// Whether it is of version 2.
    second: bool,
}

/// Counters of processor time.
#[derive(Debug, Default, Clone, Copy)]
struct Cpu {
    /// Nanoseconds used.
    used: Option<u64>,
    /// Periods that were accounted, and those of them in which it was throttled.
    periods: Option<(u64, u64)>,
}

/// The group that counts the memory of a process, by its `/proc/PID/cgroup`; groups are mounted below `top`.
pub(super) fn of_memory(text: &str, top: &Path) -> Option<Group> {
    Groups::of(text, top).memory
}

impl Group {
    /// Whether it is of version 2.
    pub(super) fn is_second(&self) -> bool {
        self.second
    }

    /// From the top of its hierarchy: `/system.slice/x`.
    pub(super) fn path(&self) -> String {
        let below = self.folder.strip_prefix(&self.top).unwrap_or(&self.folder);
        format!("/{}", below.display())
    }

    /// The group with the smallest limit on memory, this one or one around it, and the limit.
    pub(super) fn limited(&self) -> Option<(Group, u64)> {
        let limit = self.limit("memory.limit_in_bytes", "memory.max")?;
        let around = self.folder.ancestors().take_while(|folder| folder.starts_with(&self.top));
        let mut groups = around.map(|folder| Group { folder: folder.to_owned(), ..self.clone() });
        let alone = |group: &Group| Group { top: group.folder.clone(), ..group.clone() };
        let has_it = |group: &Group| alone(group).limit("memory.limit_in_bytes", "memory.max") == Some(limit);
        groups.find(has_it).map(|group| (group, limit))
    }

    pub(super) fn text(&self, file: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(file)).ok()
    }

    /// A file that holds one number.
    fn number(&self, first: &str, second: &str) -> Option<u64> {
        number(self.text(if self.second { second } else { first })?.trim_ascii())
    }

    /// The smallest of what `of` reads of the group and of those around it.
    fn smallest<T: PartialOrd>(&self, of: impl Fn(&Path) -> Option<T>) -> Option<T> {
        let around = self.folder.ancestors().take_while(|folder| folder.starts_with(&self.top));
        around.filter_map(of).reduce(|a, b| if b < a { b } else { a })
    }

    /// A limit in a file; the word `max` and version 1's number near 2^63 are none.
    fn limit(&self, first: &str, second: &str) -> Option<u64> {
        let file = if self.second { second } else { first };
        self.smallest(|folder| {
            let limit = number::<u64>(fs::read(folder.join(file)).ok()?.trim_ascii())?;
            (limit < 1 << 62).then_some(limit)
        })
    }

    /// Processors' worth of time that it may use.
    fn quota(&self) -> Option<f64> {
        self.smallest(|folder| {
            let read = |file: &str| fs::read(folder.join(file)).ok();
            let (quota, period) = if self.second {
                let text = read("cpu.max")?;
                let mut words = text.trim_ascii().split(|b| *b == b' ');
                (number::<f64>(words.next()?)?, number::<f64>(words.next()?)?)
            } else {
                let whole = |file| number::<f64>(read(file)?.trim_ascii());
                (whole("cpu.cfs_quota_us")?, whole("cpu.cfs_period_us")?)
            };
            (quota > 0.0 && period > 0.0).then(|| quota / period)
        })
    }
}

impl Groups {
    /// From `/proc/PID/cgroup`: lines of a number, controllers, and a path below the top of their hierarchy.
    fn of(text: &str, cgroup: &Path) -> Self {
        let mut groups = Self::default();
        let below = |top: PathBuf, path: &str, second: bool| {
            let folder = top.join(path.trim_start_matches('/'));
            // A group outside of our own namespace shows as `/../…`, and cannot be reached.
            let inside = !path.split('/').any(|part| part == "..");
            (inside && folder.is_dir()).then_some(Group { folder, top, second })
        };
        for line in text.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            for controller in controllers.split(',') {
                let slot = match controller {
                    "memory" => &mut groups.memory,
                    "cpu" => &mut groups.cpu,
                    "cpuacct" => &mut groups.accounting,
                    "pids" => &mut groups.pids,
                    _ => continue,
                };
                *slot = below(cgroup.join(controllers), path, false);
            }
        }
        let second = text.lines().find_map(|line| line.strip_prefix("0::")).and_then(|path| {
            // Beside hierarchies of version 1 it stands in a folder of its own.
            let alone = cgroup.join("cgroup.controllers").exists();
            below(if alone { cgroup.to_owned() } else { cgroup.join("unified") }, path, true)
        });
        for slot in [&mut groups.memory, &mut groups.cpu, &mut groups.accounting, &mut groups.pids] {
            *slot = slot.take().or_else(|| second.clone());
        }
        groups
    }
}

impl Cgroup {
    /// Adds what can be read. A resource without a limit has no percentage; what is measured over time appears with the
    /// second look.
    pub(super) fn read(&mut self, pid: u32, now: Duration, seen: &mut Observation) {
        if self.turn.has_come(false, now) {
            self.turn.taken(now);
            let text = fs::read_to_string(self.roots.proc.join(format!("{pid}/cgroup"))).unwrap_or_default();
            let groups = Groups::of(&text, &self.roots.cgroup);
            if groups != self.groups {
                // Another group has other counters.
                (self.groups, self.last) = (groups, None);
            }
        }
        if let Some(group) = &self.groups.memory {
            memory(group, seen);
        }
        if let Some(group) = &self.groups.pids {
            let used = group.number("pids.current", "pids.current");
            let limit = group.limit("pids.max", "pids.max");
            used.into_iter().for_each(|used| seen.push(&metrics::CGROUP_PIDS, used));
            limit.into_iter().for_each(|limit| seen.push(&metrics::CGROUP_PIDS_LIMIT, limit));
            share(used, limit).into_iter().for_each(|part| seen.push(&metrics::CGROUP_PIDS_PERCENT, part));
        }
        self.cpu(now, seen);
    }

    fn cpu(&mut self, now: Duration, seen: &mut Observation) {
        const SHORTEST: Duration = Duration::from_millis(100);
        let counters = Cpu::of(&self.groups);
        let Some((then, before)) = self.last else {
            self.last = Some((now, counters));
            return;
        };
        let interval = now.saturating_sub(then);
        if interval < SHORTEST {
            return;
        }
        if let (Some(used), Some(before)) = (counters.used, before.used) {
            let quota = self.groups.cpu.as_ref().and_then(Group::quota);
            let processors = f64::from(sys::processors());
            let may_use = quota.unwrap_or(processors).min(processors);
            let used = Duration::from_nanos(used.saturating_sub(before)).as_secs_f64();
            let percent = 100.0 * used / interval.as_secs_f64() / may_use;
            seen.push(&metrics::CGROUP_CPU, percent.min(100.0));
        }
        if let (Some((all, throttled)), Some((all_before, throttled_before))) =
            (counters.periods, before.periods)
        {
            let all = all.saturating_sub(all_before).max(1) as f64;
            let throttled = throttled.saturating_sub(throttled_before) as f64;
            seen.push(&metrics::CGROUP_THROTTLED, (100.0 * throttled / all).min(100.0));
        }
        self.last = Some((now, counters));
    }
}

impl Cpu {
    fn of(groups: &Groups) -> Self {
        let stat = groups.cpu.as_ref().and_then(|group| group.text("cpu.stat"));
        let periods = stat
            .as_ref()
            .and_then(|stat| Some((labelled(stat, "nr_periods ")?, labelled(stat, "nr_throttled ")?)));
        let used = groups.accounting.as_ref().and_then(|group| match group.second {
            true => labelled(&group.text("cpu.stat")?, "usage_usec ").map(|us| us.saturating_mul(1000)),
            false => number(group.text("cpuacct.usage")?.trim_ascii()),
        });
        Self { used, periods }
    }
}

fn memory(group: &Group, seen: &mut Observation) {
    let used = group.number("memory.usage_in_bytes", "memory.current");
    let limit = group.limit("memory.limit_in_bytes", "memory.max");
    used.into_iter().for_each(|used| seen.push(&metrics::CGROUP_MEMORY, used));
    limit.into_iter().for_each(|limit| seen.push(&metrics::CGROUP_MEMORY_LIMIT, limit));
    share(used, limit).into_iter().for_each(|part| seen.push(&metrics::CGROUP_MEMORY_PERCENT, part));
    let file = if group.second { "memory.events" } else { "memory.oom_control" };
    let kills = group.text(file).and_then(|text| labelled(&text, "oom_kill "));
    kills.into_iter().for_each(|kills| seen.push(&metrics::CGROUP_OOM_KILLS, kills));
}

/// How many percent of the limit are in use; none without a limit.
fn share(used: Option<u64>, limit: Option<u64>) -> Option<f64> {
    let (used, limit) = (used?, limit.filter(|limit| *limit > 0)?);
    Some(100.0 * used as f64 / limit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of files as the kernel shows them.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(files: &[(&str, &str)]) -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            files.iter().for_each(|(path, text)| tree.write(path, text));
            tree
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn cgroup(&self) -> Cgroup {
            let roots = Roots { proc: self.0.path().join("proc"), cgroup: self.0.path().join("cg") };
            Cgroup { roots, ..Cgroup::default() }
        }
    }

    fn at(cgroup: &mut Cgroup, seconds: u64) -> Observation {
        let mut seen = Observation::up();
        cgroup.read(7, Duration::from_secs(seconds), &mut seen);
        seen
    }

    fn real(seen: &Observation, name: &str) -> Option<f64> {
        seen.get(name).and_then(|value| value.as_f64())
    }

    #[test]
    fn a_group_of_version_2_is_measured_against_the_smallest_limit_around_it() {
        let tree = Tree::new(&[
            ("proc/7/cgroup", "0::/system.slice/web.service\n"),
            ("cg/cgroup.controllers", "cpu memory pids\n"),
            ("cg/system.slice/memory.max", "1000000\n"),
            ("cg/system.slice/cpu.max", "max 100000\n"),
            ("cg/system.slice/pids.max", "max\n"),
            ("cg/system.slice/web.service/memory.current", "250000\n"),
            ("cg/system.slice/web.service/memory.max", "max\n"),
            ("cg/system.slice/web.service/memory.events", "low 0\nhigh 0\nmax 5\noom 2\noom_kill 1\n"),
            ("cg/system.slice/web.service/cpu.max", "50000 100000\n"),
            (
                "cg/system.slice/web.service/cpu.stat",
                "usage_usec 1000000\nuser_usec 1\nnr_periods 10\nnr_throttled 0\n",
            ),
            ("cg/system.slice/web.service/pids.current", "12\n"),
            ("cg/system.slice/web.service/pids.max", "48\n"),
        ]);
        let mut cgroup = tree.cgroup();
        let seen = at(&mut cgroup, 100);
        assert_eq!(real(&seen, "cgroup.memory.bytes"), Some(250_000.0));
        assert_eq!(real(&seen, "cgroup.memory.limit"), Some(1_000_000.0));
        assert_eq!(real(&seen, "cgroup.memory.percent"), Some(25.0));
        assert_eq!(real(&seen, "cgroup.oom.kills"), Some(1.0));
        assert_eq!(real(&seen, "cgroup.pids.percent"), Some(25.0));
        assert_eq!(real(&seen, "cgroup.cpu.percent"), None, "there is nothing to compare with yet");
        tree.write(
            "cg/system.slice/web.service/cpu.stat",
            "usage_usec 1500000\nuser_usec 1\nnr_periods 30\nnr_throttled 5\n",
        );
        let seen = at(&mut cgroup, 102);
        assert_eq!(real(&seen, "cgroup.cpu.percent"), Some(50.0), "0.5 s in 2 s, of half a processor");
        assert_eq!(real(&seen, "cgroup.cpu.throttled.percent"), Some(25.0));
    }

    #[test]
    fn a_group_of_version_1_has_a_folder_for_each_resource() {
        let tree = Tree::new(&[
            ("proc/7/cgroup", "5:pids:/web\n4:memory:/web\n2:cpu,cpuacct:/web\n1:name=systemd:/x\n0::/\n"),
            ("cg/unified/cgroup.procs", ""),
            ("cg/memory/web/memory.usage_in_bytes", "4096\n"),
            ("cg/memory/web/memory.limit_in_bytes", "9223372036854771712\n"),
            ("cg/memory/web/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
            ("cg/cpu,cpuacct/web/cpuacct.usage", "1000000000\n"),
            ("cg/cpu,cpuacct/web/cpu.cfs_quota_us", "25000\n"),
            ("cg/cpu,cpuacct/web/cpu.cfs_period_us", "100000\n"),
            ("cg/cpu,cpuacct/web/cpu.stat", "nr_periods 4\nnr_throttled 4\nthrottled_time 9\n"),
            ("cg/pids/web/pids.current", "3\n"),
            ("cg/pids/web/pids.max", "max\n"),
        ]);
        let mut cgroup = tree.cgroup();
        let seen = at(&mut cgroup, 100);
        assert_eq!(real(&seen, "cgroup.memory.bytes"), Some(4096.0));
        assert_eq!(real(&seen, "cgroup.memory.limit"), None, "that number is none");
        assert_eq!(real(&seen, "cgroup.oom.kills"), Some(3.0));
        assert_eq!((real(&seen, "cgroup.pids"), real(&seen, "cgroup.pids.percent")), (Some(3.0), None));
        tree.write("cg/cpu,cpuacct/web/cpuacct.usage", "1250000000\n");
        let seen = at(&mut cgroup, 102);
        assert_eq!(
            real(&seen, "cgroup.cpu.percent"),
            Some(50.0),
            "0.25 s in 2 s, of a quarter of a processor"
        );
        assert_eq!(real(&seen, "cgroup.cpu.throttled.percent"), Some(0.0));
    }

    #[test]
    fn a_process_that_moves_is_measured_where_it_is_now() {
        let tree = Tree::new(&[
            ("proc/7/cgroup", "0::/a\n"),
            ("cg/cgroup.controllers", "memory\n"),
            ("cg/a/memory.current", "1\n"),
            ("cg/b/memory.current", "2\n"),
        ]);
        let mut cgroup = tree.cgroup();
        assert_eq!(real(&at(&mut cgroup, 100), "cgroup.memory.bytes"), Some(1.0));
        tree.write("proc/7/cgroup", "0::/b\n");
        assert_eq!(real(&at(&mut cgroup, 130), "cgroup.memory.bytes"), Some(2.0));
        tree.write("proc/7/cgroup", "0::/../outside\n");
        assert!(at(&mut cgroup, 160).readings.is_empty());
    }
}
