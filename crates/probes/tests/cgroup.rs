//! The readings of a control group, of real groups of version 1. Version 2 is tested with trees of files, beside the code.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe};
use hinoban_probes::PidfileProcess;
use hinoban_reading::Observation;
use tokio::time::{Instant, sleep};

/// A group below the top of a hierarchy, or below another.
struct Group(PathBuf);

impl Group {
    /// None where that cannot be done.
    fn new(controller: &str, name: &str) -> Option<Self> {
        let path =
            Path::new("/sys/fs/cgroup").join(controller).join(format!("{name}-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap_or_else(|e| panic!("{file}: {e}"));
    }

    fn read(&self, file: &str) -> f64 {
        fs::read_to_string(self.0.join(file)).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Whoever was in it may still be on its way out.
        for _ in 0..200 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::yield_now();
            let _ = Command::new("sleep").arg("0.02").status();
        }
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pass_over(why: &str) {
    let version_1 = Path::new("/sys/fs/cgroup/memory/cgroup.procs").exists();
    assert!(std::env::var("CI").as_deref() != Ok("true") || !version_1, "passed over: {why}");
    eprintln!("passed over: {why}");
}

async fn look(probe: &mut PidfileProcess) -> Observation {
    let look = Look::new(Instant::now().into_std() + Duration::from_secs(30), Duration::ZERO, Cause::Due);
    probe.observe(&look).await.unwrap()
}

fn real(seen: &Observation, name: &str) -> f64 {
    seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:?}")).as_f64().unwrap()
}

fn watch(child: &Child, folder: &Path) -> PidfileProcess {
    let pidfile = folder.join("x.pid");
    fs::write(&pidfile, child.id().to_string()).unwrap();
    PidfileProcess::new(pidfile).asked(["cgroup.oom.kills"])
}

/// Real pressure: another program in the group of the service wants more than the group may have.
#[tokio::test]
async fn memory_its_limit_and_kills_for_want_of_it_are_read() {
    let Some(group) = Group::new("memory", "hinoban-memory") else {
        return pass_over("no group of version 1 can be made for memory");
    };
    group.write("memory.limit_in_bytes", "16777216");
    let _ = fs::write(group.0.join("memory.memsw.limit_in_bytes"), "16777216"); // where swap is counted
    let child = Killed(Command::new("sleep").arg("1000").spawn().unwrap());
    group.write("cgroup.procs", &child.0.id().to_string());
    let folder = tempfile::tempdir().unwrap();
    let mut probe = watch(&child.0, folder.path());
    let seen = look(&mut probe).await;
    assert_eq!(real(&seen, "cgroup.memory.limit"), 16_777_216.0);
    assert_eq!(real(&seen, "cgroup.oom.kills"), 0.0);

    let procs = group.0.join("cgroup.procs");
    let glutton = format!("echo $$ > {}; head -c 100000000 /dev/zero | tail > /dev/null", procs.display());
    let _ = Command::new("sh").args(["-c", &glutton]).status().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = look(&mut probe).await;
        let percent = real(&seen, "cgroup.memory.percent");
        assert!((0.0..=100.0).contains(&percent), "{percent}");
        if real(&seen, "cgroup.oom.kills") >= 1.0 {
            let used = real(&seen, "cgroup.memory.bytes");
            assert!((used - group.read("memory.usage_in_bytes")).abs() < 8e6, "{used}");
            break;
        }
        assert!(Instant::now() < end, "nobody was killed");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn processor_time_is_measured_against_the_quota() {
    let (Some(cpu), Some(accounting)) =
        (Group::new("cpu", "hinoban-cpu"), Group::new("cpuacct", "hinoban-cpuacct"))
    else {
        return pass_over("no group of version 1 can be made for cpu");
    };
    cpu.write("cpu.cfs_quota_us", "20000"); // of 100000: a fifth of a processor
    let child = Killed(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap());
    for group in [&cpu, &accounting] {
        group.write("cgroup.procs", &child.0.id().to_string());
    }
    let folder = tempfile::tempdir().unwrap();
    let mut probe = watch(&child.0, folder.path());
    assert!(look(&mut probe).await.get("cgroup.cpu.percent").is_none(), "nothing to compare with yet");
    sleep(Duration::from_secs(2)).await;
    let seen = look(&mut probe).await;
    let (used, throttled) = (real(&seen, "cgroup.cpu.percent"), real(&seen, "cgroup.cpu.throttled.percent"));
    // It wants all it may have, and on a busy host gets less.
    assert!(used > 1.0 && used <= 100.0, "{used}");
    assert!(throttled > 0.0, "{throttled}");
}

#[tokio::test]
async fn processes_of_a_group_are_counted() {
    let Some(group) = Group::new("pids", "hinoban-pids") else {
        return pass_over("no group of version 1 can be made for pids");
    };
    group.write("pids.max", "8");
    let children: Vec<Killed> =
        (0..2).map(|_| Killed(Command::new("sleep").arg("1000").spawn().unwrap())).collect();
    for child in &children {
        group.write("cgroup.procs", &child.0.id().to_string());
    }
    let folder = tempfile::tempdir().unwrap();
    let mut probe = watch(&children[0].0, folder.path());
    let seen = look(&mut probe).await;
    assert_eq!(real(&seen, "cgroup.pids"), 2.0);
    assert_eq!(real(&seen, "cgroup.pids.limit"), 8.0);
    assert_eq!(real(&seen, "cgroup.pids.percent"), 25.0);
}
