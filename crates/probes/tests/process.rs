//! The process probe against real processes that are not our children.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, Wake};
use hinoban_probes::PidfileProcess;
use hinoban_probes::process::{identity_of, is_alive};
use hinoban_reading::{Confidence, Ending, How, Observation, ReasonKind, Standing, metrics};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// A directory with a pidfile; kills what the pidfile names when it is dropped.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Self { dir }
    }

    fn pidfile(&self) -> PathBuf {
        self.dir.path().join("x.pid")
    }

    fn probe(&self) -> PidfileProcess {
        PidfileProcess::new(self.pidfile())
    }

    /// Runs a shell line that leaves its pid in the pidfile, as an orphan of its own session.
    async fn daemon(&self, line: &str) -> u32 {
        let _ = std::fs::remove_file(self.pidfile());
        let script = format!("echo $$ > x.pid.new; mv x.pid.new x.pid; {line}");
        let status = Command::new("setsid")
            .args(["sh", "-c", r#"sh -c "$0" < /dev/null > /dev/null 2>&1 &"#, &script])
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        until(|| std::fs::read_to_string(self.pidfile()).ok()?.trim().parse().ok()).await
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.pidfile()) {
            signal("KILL", pid.trim().parse().unwrap_or(0));
        }
    }
}

fn signal(name: &str, pid: u32) {
    if pid > 1 {
        let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
    }
}

/// Asks again and again until there is an answer; gives up after 20 s.
async fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "it never came");
        sleep(Duration::from_millis(2)).await;
    }
}

/// One look, which must not wait for anything.
fn look(probe: &mut PidfileProcess) -> Observation {
    let look = Look::new(Instant::now().into_std() + Duration::from_secs(5), Duration::ZERO, Cause::Due);
    let mut observing = probe.observe(&look);
    match observing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("a look at a local pidfile waited"),
    }
}

fn kind(seen: &Observation) -> Option<ReasonKind> {
    seen.standing.reason().map(|r| r.kind)
}

fn int(seen: &Observation, metric: &hinoban_reading::Metric) -> i64 {
    seen.get(&metric.name).unwrap_or_else(|| panic!("no {metric}")).as_i64().unwrap()
}

/// Looks until an ending is told.
async fn ending(probe: &mut PidfileProcess) -> Ending {
    until(|| look(probe).ending).await
}

fn at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release.split(['.', '-']).map(|p| p.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
}

/// Says that a test cannot run here; where everything must run, fails.
fn pass_over(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "passed over: {why}");
    eprintln!("passed over: {why}");
}

#[tokio::test]
async fn a_living_daemon_is_up_and_measured() {
    let scene = Scene::new();
    let pid = scene.daemon("exec 3< /dev/null; sleep 60 & sleep 60 & wait").await;
    let mut probe = scene.probe().asked(["fds.open", "fds.percent"]);
    until(|| (look(&mut probe).get("children")?.as_i64()? == 2).then_some(())).await;
    let seen = look(&mut probe);
    assert_eq!(seen.standing, Standing::Up);
    assert_eq!(seen.identity, identity_of(pid));
    assert!(is_alive(&seen.identity.unwrap()));

    let oracle = procfs::process::Process::new(pid as i32).unwrap();
    let (stat, status) = (oracle.stat().unwrap(), oracle.status().unwrap());
    assert_eq!(int(&seen, &metrics::PID), i64::from(pid));
    assert_eq!(int(&seen, &metrics::PPID), i64::from(stat.ppid));
    assert_eq!(int(&seen, &metrics::UID), i64::from(status.ruid));
    assert_eq!(int(&seen, &metrics::EUID), i64::from(status.euid));
    assert_eq!(int(&seen, &metrics::GID), i64::from(status.rgid));
    assert_eq!(int(&seen, &metrics::THREADS), 1);
    assert!(int(&seen, &metrics::UPTIME) < 60);
    assert_eq!(int(&seen, &metrics::FDS), oracle.fd_count().unwrap() as i64);
    assert!(int(&seen, &metrics::FDS_TOTAL) > int(&seen, &metrics::FDS));
    let limits = oracle.limits().unwrap().max_open_files;
    assert_eq!(format!("{:?}", limits.soft_limit), format!("Value({})", int(&seen, &metrics::FDS_SOFT)));
    let memory = int(&seen, &metrics::MEMORY);
    assert!((64 << 10..64 << 20).contains(&memory), "{memory}");
    assert!(int(&seen, &metrics::MEMORY_TOTAL) > memory);
    assert!(int(&seen, &metrics::READ_BYTES) > 0);
    for reading in &seen.readings {
        assert!(
            probe.metrics().iter().any(|m| m.name == reading.name && m.unit == reading.unit),
            "{reading:?}"
        );
    }
}

#[tokio::test]
async fn processor_time_appears_with_the_second_look() {
    let scene = Scene::new();
    // Both end with the folder of the test at the latest.
    scene.daemon("(while [ -e x.pid ]; do :; done) & while [ -e x.pid ]; do :; done").await;
    let mut probe = scene.probe();
    assert_eq!(look(&mut probe).get("cpu.percent"), None);
    assert_eq!(look(&mut probe).get("cpu.percent"), None, "an instant later nothing can be told");
    let busy = |seen: &Observation, name: &str| seen.get(name).and_then(|v| v.as_f64()).filter(|x| *x > 0.0);
    let (own, all) = until(|| {
        let seen = look(&mut probe);
        Some((busy(&seen, "cpu.percent")?, busy(&seen, "cpu.total.percent")?))
    })
    .await;
    assert!(own <= 100.0 && all <= 100.0 && all >= own, "{own} {all}");
}

#[tokio::test]
async fn no_pidfile_is_absent_and_garbage_is_down() {
    let scene = Scene::new();
    let mut probe = scene.probe();
    assert!(matches!(look(&mut probe).standing, Standing::Absent(r) if r.kind == ReasonKind::PidfileAbsent));
    for text in ["", "pid=12\n", "0", "-5"] {
        std::fs::write(scene.pidfile(), text).unwrap();
        assert_eq!(kind(&look(&mut probe)), Some(ReasonKind::PidfileGarbage), "{text:?}");
    }
    std::fs::remove_file(scene.pidfile()).unwrap();
    std::fs::create_dir(scene.pidfile()).unwrap();
    assert_eq!(kind(&look(&mut probe)), Some(ReasonKind::PidfileGarbage));
    std::fs::remove_dir(scene.pidfile()).unwrap();
}

#[tokio::test]
async fn a_stale_pidfile_is_a_process_gone() {
    let scene = Scene::new();
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    std::fs::write(scene.pidfile(), child.id().to_string()).unwrap();
    let seen = look(&mut scene.probe());
    assert_eq!(kind(&seen), Some(ReasonKind::ProcessGone));
    assert_eq!(seen.ending, None, "nobody we ever watched");
    assert_eq!(seen.identity, None);
    std::fs::remove_file(scene.pidfile()).unwrap();
}

#[tokio::test]
async fn a_zombie_is_down_and_its_parent_is_named() {
    let scene = Scene::new();
    // The child ends when the pipe says so; its parent has become a `sleep`, which never collects anybody.
    let status = Command::new("mkfifo").arg(scene.dir.path().join("go")).status().unwrap();
    assert!(status.success());
    let mut parent = Command::new("sh")
        .args(["-c", "sh -c 'read x < go; exit 3' & echo $! > x.pid; exec sleep 1000"])
        .current_dir(scene.dir.path())
        .spawn()
        .unwrap();
    let mut probe = scene.probe();
    until(|| look(&mut probe).standing.is_up().then_some(())).await;
    std::fs::write(scene.dir.path().join("go"), "\n").unwrap();
    let seen = until(|| Some(look(&mut probe)).filter(|s| !s.standing.is_up())).await;
    assert_eq!(kind(&seen), Some(ReasonKind::Zombie), "{seen:?}");
    let text = &seen.standing.reason().unwrap().text;
    assert!(text.contains(&format!("parent PID {} (sleep)", parent.id())), "{text}");
    assert_eq!(seen.identity, None);

    let mut told = seen.ending;
    for _ in 0..100 {
        let seen = look(&mut probe);
        assert!(told.is_none() || seen.ending.is_none(), "an ending is told once");
        told = told.or(seen.ending);
    }
    let fd_wakes = probe.wakes().iter().filter(|w| matches!(w, Wake::Fd(_))).count();
    assert_eq!(fd_wakes, 0, "a zombie's pidfd is readable all the time, and would wake us all the time");
    parent.kill().unwrap();
    parent.wait().unwrap();
    let told = match told {
        Some(ending) => ending,
        None => ending(&mut probe).await, // without the right to read field 52
    };
    if rustix::process::geteuid().is_root() || at_least(6, 15) {
        assert_eq!(told.how, How::Exited { status: 3 });
        assert_eq!(told.confidence, Confidence::Certain);
    }
    std::fs::remove_file(scene.pidfile()).unwrap();
}

#[tokio::test]
async fn the_ending_of_somebody_elses_child_is_told() {
    if !at_least(6, 15) {
        return pass_over("only Linux 6.15 tells how a process ended that is not our child");
    }
    let scene = Scene::new();
    let exits = "trap 'exit 3' TERM; while :; do sleep 0.05; done";
    let cases = [
        (exits, "TERM", How::Exited { status: 3 }),
        ("exec sleep 1000", "KILL", How::Signalled { signal: 9, core: false }),
        ("ulimit -c 0; exec sleep 1000", "SEGV", How::Signalled { signal: 11, core: false }),
    ];
    let mut probe = scene.probe();
    for (line, name, how) in cases {
        let pid = scene.daemon(line).await;
        let identity = until(|| look(&mut probe).identity.filter(|i| i.pid == pid)).await;
        // A shell sets its trap some time after it wrote its pid.
        until(|| (name != "TERM" || catches_term(pid)).then_some(())).await;
        signal(name, pid);
        let told = ending(&mut probe).await;
        assert_eq!((told.identity, told.how, told.confidence), (identity, how, Confidence::Certain));
        assert!(!is_alive(&identity));
        let seen = look(&mut probe);
        assert!(matches!(kind(&seen), Some(ReasonKind::ProcessGone | ReasonKind::Zombie)), "{seen:?}");
        assert_eq!(seen.ending, None, "told once");
    }
}

fn catches_term(pid: u32) -> bool {
    let status = procfs::process::Process::new(pid as i32).and_then(|p| p.status());
    status.is_ok_and(|s| s.sigcgt & (1 << 14) != 0)
}

#[tokio::test]
async fn the_pidfd_wakes_us_at_the_end() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let scene = Scene::new();
    let pid = scene.daemon("exec sleep 1000").await;
    let mut probe = scene.probe();
    assert!(look(&mut probe).standing.is_up());
    let wakes = probe.wakes();
    let paths: Vec<&Wake> = wakes.iter().filter(|w| !matches!(w, Wake::Fd(_))).collect();
    assert!(
        matches!(paths.as_slice(), [Wake::Presence(p)] if *p == scene.pidfile()),
        "what is written beside the pidfile of a living process is nobody's business: {paths:?}"
    );
    let Some(Wake::Fd(pidfd)) = wakes.into_iter().find(|w| matches!(w, Wake::Fd(_))) else {
        panic!("no descriptor to wait for: {:?}", probe.limits())
    };
    let fired = |secs| {
        let mut fds = [PollFd::new(&*pidfd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: secs, tv_nsec: 0 })).unwrap() > 0
    };
    assert!(!fired(0));
    signal("KILL", pid);
    assert!(fired(20));
    assert!(!look(&mut probe).standing.is_up());
    let waits = |w: &Wake| matches!(w, Wake::Path(p) if *p == scene.pidfile());
    assert!(probe.wakes().iter().any(waits), "the next one may write into the same file, and keep it open");
    let deaf = |what: &String| what.contains("only at the next look");
    assert!(!probe.limits().iter().any(deaf), "{:?}", probe.limits());
}

#[tokio::test]
async fn a_pidfile_that_changes_hands_is_followed() {
    let scene = Scene::new();
    let first = scene.daemon("exec sleep 1000").await;
    let mut probe = scene.probe();
    assert_eq!(look(&mut probe).identity.unwrap().pid, first);
    let second = scene.daemon("exec sleep 1000").await;
    let seen = look(&mut probe);
    assert!(seen.standing.is_up());
    assert_eq!(seen.identity.unwrap().pid, second);
    // The first still runs; when it ends, we hear of it.
    signal("TERM", first);
    let told = ending(&mut probe).await;
    assert_eq!(told.identity.pid, first);
    assert!(look(&mut probe).standing.is_up());
}

/// Nothing tells of it, and a look at its turn does not always read the file while its process lives: but soon one does,
/// and one before its turn at once.
#[tokio::test]
async fn a_pidfile_that_is_written_anew_in_its_place_is_followed() {
    let scene = Scene::new();
    let first = scene.daemon("exec sleep 1000").await;
    let other = Scene::new();
    let second = other.daemon("exec sleep 1000").await;
    let settle = |ago: u64| {
        let file = std::fs::File::options().write(true).open(scene.pidfile()).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000 - ago))
            .unwrap();
    };
    for cause in [Cause::Due, Cause::Early] {
        std::fs::write(scene.pidfile(), first.to_string()).unwrap();
        settle(100);
        let mut probe = scene.probe();
        until(|| (look(&mut probe).identity?.pid == first).then_some(())).await;
        (0..3).for_each(|_| drop(look(&mut probe)));
        std::fs::write(scene.pidfile(), second.to_string()).unwrap();
        settle(50);
        if cause == Cause::Early {
            let until = Instant::now().into_std() + Duration::from_secs(5);
            let seen = probe.observe(&Look::new(until, Duration::ZERO, cause)).await.unwrap();
            assert_eq!(seen.identity, identity_of(second));
        }
        until(|| (look(&mut probe).identity?.pid == second).then_some(())).await;
    }
    signal("KILL", first);
}

#[tokio::test]
async fn a_daemon_that_unlinks_its_pidfile_first_still_tells_its_ending() {
    let scene = Scene::new();
    let pid = scene.daemon("exec sleep 1000").await;
    let mut probe = scene.probe();
    assert!(look(&mut probe).standing.is_up());
    std::fs::remove_file(scene.pidfile()).unwrap();
    let seen = look(&mut probe);
    assert_eq!(kind(&seen), Some(ReasonKind::PidfileAbsent));
    assert_eq!(seen.former.map(|f| f.pid), Some(pid), "it still lives");
    assert!(
        seen.standing
            .reason()
            .unwrap()
            .text
            .ends_with(&format!("process {pid}, which it had named, still runs"))
    );
    signal("KILL", pid);
    assert_eq!(ending(&mut probe).await.identity.pid, pid);
    assert_eq!(look(&mut probe).former, None);
}

#[tokio::test]
async fn a_process_much_younger_than_its_pidfile_is_another_one() {
    let scene = Scene::new();
    let pid = scene.daemon("exec sleep 1000").await;
    let backdate = |path: &Path, by: u64| {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - Duration::from_secs(by)).unwrap();
    };
    backdate(&scene.pidfile(), 10);
    let mut probe = scene.probe();
    let seen = look(&mut probe);
    assert_eq!(kind(&seen), Some(ReasonKind::PidReused), "{seen:?}");
    assert_eq!(seen.identity, None);
    // Written again, it means this process; from then on it is not judged by age.
    std::fs::write(scene.pidfile(), pid.to_string()).unwrap();
    assert!(look(&mut probe).standing.is_up());
    backdate(&scene.pidfile(), 60);
    assert!(look(&mut probe).standing.is_up());
}

#[tokio::test]
async fn a_pid_that_went_to_another_process_is_not_believed() {
    const LAST: &str = "/proc/sys/kernel/ns_last_pid";
    let scene = Scene::new();
    let pid = scene.daemon("exec sleep 1000").await;
    let mut probe = scene.probe();
    assert!(look(&mut probe).standing.is_up());
    signal("KILL", pid);
    let ended = ending(&mut probe).await;
    until(|| (kind(&look(&mut probe)) == Some(ReasonKind::ProcessGone)).then_some(())).await;
    // Start times are in ticks of 10 ms: the next owner shall not be born in the same one.
    sleep(Duration::from_millis(30)).await;
    for _ in 0..200 {
        if std::fs::write(LAST, (pid - 1).to_string()).is_err() {
            return pass_over("only root can choose the next pid");
        }
        let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
        let same = other.id() == pid;
        let seen = look(&mut probe);
        other.kill().unwrap();
        other.wait().unwrap();
        if same {
            assert_eq!(kind(&seen), Some(ReasonKind::PidReused), "{seen:?}");
            assert!(seen.standing.reason().unwrap().text.contains("(sleep)"));
            assert!(!is_alive(&ended.identity));
            std::fs::remove_file(scene.pidfile()).unwrap();
            return;
        }
    }
    pass_over("others took the pid every time");
}

#[tokio::test]
async fn a_leader_that_left_its_threads_behind_is_alive() {
    let scene = Scene::new();
    let python = r#"exec python3 -c '
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).syscall(60, 0)'"#;
    if !cfg!(target_arch = "x86_64") || Command::new("python3").arg("-V").output().is_err() {
        return pass_over("needs python3 on x86_64");
    }
    let pid = scene.daemon(python).await;
    until(|| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?.contains(") Z ").then_some(())).await;
    let seen = look(&mut scene.probe());
    assert_eq!(seen.standing, Standing::Up);
    assert_eq!(int(&seen, &metrics::THREADS), 2);
}
