//! Who killed a process: real kills, and real memory that runs out. Each source of the answer is forced.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, Wake};
use hinoban_probes::PidfileProcess;
use hinoban_probes::process::Sources;
use hinoban_reading::{Confidence, Ending, How, Killer, Observation, OutOfMemory, Reached, Source};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const LIMIT: u64 = 32 << 20;

/// Says that a test cannot run here; where everything must run, fails.
fn pass_over(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "passed over: {why}");
    eprintln!("passed over: {why}");
}

fn look(probe: &mut PidfileProcess) -> Observation {
    let look = Look::new(Instant::now().into_std() + Duration::from_secs(5), Duration::ZERO, Cause::Due);
    match probe.observe(&look).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("a look at a local pidfile waited"),
    }
}

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

async fn ending(probe: &mut PidfileProcess) -> Ending {
    until(|| look(probe).ending).await
}

/// A control group with a memory limit; version 1, or version 2 if that is what there is.
struct Group(PathBuf);

impl Group {
    fn new(name: &str) -> Option<Self> {
        let name = format!("hinoban-{name}-{}", std::process::id());
        let first = Path::new("/sys/fs/cgroup/memory");
        let (folder, limit) = match first.is_dir() {
            true => (first.join(&name), "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup").join(&name), "memory.max"),
        };
        std::fs::create_dir(&folder).ok()?;
        let group = Self(folder);
        std::fs::write(group.0.join(limit), LIMIT.to_string()).ok()?;
        // Without swap in the group the limit is hit at once; the file is missing where that is not accounted.
        let _ = std::fs::write(group.0.join("memory.swappiness"), "0");
        let _ = std::fs::write(group.0.join("memory.swap.max"), "0");
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..200 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

/// A process that waits for a line, and then uses more memory than the group has, or ends as the line says.
struct Scene {
    dir: TempDir,
    child: Child,
}

impl Scene {
    fn new(group: Option<&Group>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        assert!(Command::new("mkfifo").arg(dir.path().join("go")).status().unwrap().success());
        let join =
            group.map_or(String::new(), |group| format!("echo $$ > {}/cgroup.procs; ", group.0.display()));
        // `tail` keeps what it reads until a line ends: one without an end fills memory.
        let script = format!("{join}echo $$ > x.pid; read x < go; exec tail -n 1 /dev/zero");
        let child =
            Command::new("sh").args(["-c", &script]).current_dir(dir.path()).stdin(Stdio::null()).spawn();
        Self { dir, child: child.unwrap() }
    }

    async fn probe(&self, sources: Sources) -> PidfileProcess {
        let pidfile = self.dir.path().join("x.pid");
        let mut probe = PidfileProcess::new(pidfile).learning_from(sources);
        until(|| look(&mut probe).standing.is_up().then_some(())).await;
        probe
    }

    /// Lets it eat, and collects it.
    fn eat(&mut self) {
        std::fs::write(self.dir.path().join("go"), "\n").unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kernel_log_is_readable() -> bool {
    let mut one = [0; 8192];
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
    rustix::fs::open("/dev/kmsg", flags, rustix::fs::Mode::empty())
        .is_ok_and(|log| rustix::io::read(&log, &mut one).is_ok())
}

const KILLED: How = How::Signalled { signal: 9, core: false };

fn tells_endings() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release.split(['.', '-']).map(|p| p.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (6, 15)
}

#[tokio::test]
async fn a_group_that_ran_out_of_memory_is_named_with_its_limit_and_what_was_used() {
    let Some(group) = Group::new("log") else { return pass_over("no control group with a memory limit") };
    if !kernel_log_is_readable() || !tells_endings() {
        return pass_over("the kernel's log may not be read, or the kernel is older than Linux 6.15");
    }
    let end = Instant::now() + Duration::from_secs(60);
    let (told, mut probe) = loop {
        let mut scene = Scene::new(Some(&group));
        let mut probe = scene.probe(Sources::default()).await;
        scene.eat();
        let told = ending(&mut probe).await;
        // Of more than ten kills within five seconds the kernel tells less.
        let terse =
            matches!(told.killer.as_deref(), Some(Killer::Memory(m)) if m.reached == Reached::SomeGroup);
        if !terse || Instant::now() > end {
            break (told, probe);
        }
        sleep(Duration::from_secs(2)).await;
    };
    assert_eq!((&told.how, told.source, told.confidence), (&KILLED, Source::Pidfd, Confidence::Certain));
    let Some(Killer::Memory(memory)) = told.killer.as_deref() else { panic!("{told:?}") };
    assert_eq!((memory.source, memory.confidence), (Source::KernelLog, Confidence::Certain));
    let Reached::Group { path, limit } = &memory.reached else { panic!("{memory:?}") };
    assert_eq!(path.rsplit('/').next(), group.0.file_name().and_then(|name| name.to_str()));
    assert_eq!(*limit, Some(LIMIT));
    let used = memory.used.unwrap();
    assert!((LIMIT / 2..=LIMIT).contains(&used), "{used}");
    assert_eq!(
        told.told().to_string(),
        format!(
            "was killed by the kernel because the memory limit of {path} (32 MiB) was reached; it used {}",
            hinoban_reading::Unit::Bytes.show(&hinoban_reading::Value::Real(used as f64))
        )
    );
    assert_eq!(look(&mut probe).ending, None, "told once");
}

#[tokio::test]
async fn without_the_log_a_risen_count_is_a_suspicion() {
    let Some(group) = Group::new("count") else { return pass_over("no control group with a memory limit") };
    if !tells_endings() {
        return pass_over("the kernel is older than Linux 6.15");
    }
    let mut scene = Scene::new(Some(&group));
    let mut probe = scene.probe(Sources { kernel_log: None, groups: None, ..Sources::default() }).await;
    assert!(probe.limits().iter().any(|what| what.contains("only guessed")), "{:?}", probe.limits());
    scene.eat();
    let told = ending(&mut probe).await;
    let Some(Killer::Memory(memory)) = told.killer.as_deref() else { panic!("{told:?}") };
    let (source, confidence) = (Source::HostCounter, Confidence::Inferred);
    assert_eq!(*memory, OutOfMemory { reached: Reached::Unknown, used: None, source, confidence });
}

#[tokio::test]
async fn without_the_log_the_group_that_counted_a_kill_is_named_with_its_limit() {
    let Some(group) = Group::new("own") else { return pass_over("no control group with a memory limit") };
    if !tells_endings() {
        return pass_over("the kernel is older than Linux 6.15");
    }
    let mut scene = Scene::new(Some(&group));
    let mut probe = scene.probe(Sources { kernel_log: None, ..Sources::default() }).await;
    scene.eat();
    let told = ending(&mut probe).await;
    let Some(Killer::Memory(memory)) = told.killer.as_deref() else { panic!("{told:?}") };
    assert_eq!((memory.source, memory.confidence), (Source::GroupCounter, Confidence::Inferred));
    let Reached::Group { path, limit } = &memory.reached else { panic!("{memory:?}") };
    assert_eq!(path.rsplit('/').next(), group.0.file_name().and_then(|name| name.to_str()));
    assert_eq!(*limit, Some(LIMIT));
}

#[tokio::test]
async fn a_group_in_which_nobody_starved_clears_the_kernel() {
    let Some(group) = Group::new("calm") else { return pass_over("no control group with a memory limit") };
    if !tells_endings() {
        return pass_over("the kernel is older than Linux 6.15");
    }
    let mut scene = Scene::new(Some(&group));
    let counts = counted(&scene.dir, 3);
    let mut probe = scene.probe(Sources { kernel_log: None, counts, ..Sources::default() }).await;
    counted(&scene.dir, 4); // somewhere else on the host
    scene.child.kill().unwrap();
    scene.child.wait().unwrap();
    let told = ending(&mut probe).await;
    assert_eq!((told.how, told.killer.as_deref()), (KILLED, Some(&Killer::Other)));
}

/// A count of our own, which other tests cannot make rise.
fn counted(dir: &TempDir, kills: u32) -> PathBuf {
    let path = dir.path().join("vmstat");
    std::fs::write(&path, format!("nr_free_pages 1\noom_kill {kills}\n")).unwrap();
    path
}

#[tokio::test]
async fn a_kill_by_somebody_is_told_at_once_and_not_blamed_on_memory() {
    if !tells_endings() {
        return pass_over("the kernel is older than Linux 6.15");
    }
    let mut scene = Scene::new(None);
    let counts = counted(&scene.dir, 3);
    let mut probe = scene.probe(Sources { counts, ..Sources::default() }).await;
    scene.child.kill().unwrap();
    scene.child.wait().unwrap();
    // The look that finds it gone knows all of it.
    let told = look(&mut probe).ending.unwrap();
    assert_eq!((told.how, told.killer.as_deref()), (KILLED, Some(&Killer::Other)));
}

#[tokio::test]
async fn a_log_that_is_late_is_asked_again_and_the_look_does_not_wait_for_it() {
    if !tells_endings() {
        return pass_over("the kernel is older than Linux 6.15");
    }
    let mut scene = Scene::new(None);
    let counts = counted(&scene.dir, 3);
    let log = scene.dir.path().join("kmsg");
    assert!(Command::new("mkfifo").arg(&log).status().unwrap().success());
    let grace = Duration::from_secs(10);
    let sources = Sources { kernel_log: Some(log.clone()), counts, grace, ..Sources::default() };
    let mut probe = scene.probe(sources).await;
    let mut writer = std::fs::File::options().write(true).open(&log).unwrap();
    let pid = scene.child.id();
    counted(&scene.dir, 4);
    scene.child.kill().unwrap();
    scene.child.wait().unwrap();
    let seen = look(&mut probe);
    assert!(!seen.standing.is_up(), "that it is gone is known at once: whoever restarts it need not wait");
    assert_eq!(seen.ending, None, "how is not known yet");
    let line = format!(
        "4,1,2,-;Out of memory: Killed process {pid} (sh) total-vm:9kB, anon-rss:5kB, file-rss:1kB\n"
    );
    std::io::Write::write_all(&mut writer, line.as_bytes()).unwrap();
    let told = look(&mut probe).ending.unwrap();
    let Some(Killer::Memory(memory)) = told.killer.as_deref() else { panic!("{told:?}") };
    assert_eq!((&memory.reached, memory.used), (&Reached::Host, Some(5 << 10)));
}

#[tokio::test]
async fn a_log_that_says_nothing_is_waited_for_a_moment_and_wakes_us_then() {
    if !tells_endings() {
        return pass_over("the kernel is older than Linux 6.15");
    }
    let mut scene = Scene::new(None);
    let counts = counted(&scene.dir, 3);
    let grace = Duration::from_millis(200);
    let sources = Sources { kernel_log: Some("/dev/null".into()), counts, grace, ..Sources::default() };
    let mut probe = scene.probe(sources).await;
    counted(&scene.dir, 4);
    scene.child.kill().unwrap();
    scene.child.wait().unwrap();
    assert_eq!(look(&mut probe).ending, None);
    let timers: Vec<_> = probe
        .wakes()
        .into_iter()
        .filter_map(|w| if let Wake::Fd(fd) = w { Some(fd) } else { None })
        .collect();
    let timer = timers.last().expect("something must ask again");
    let mut fds = [PollFd::new(&**timer, PollFlags::IN)];
    assert_eq!(poll(&mut fds, Some(&Timespec { tv_sec: 20, tv_nsec: 0 })).unwrap(), 1);
    let told = ending(&mut probe).await;
    assert_eq!(told.killer.as_deref(), Some(&Killer::Other), "somebody else was killed by the kernel");
}

#[tokio::test]
async fn a_core_dump_is_told() {
    if !tells_endings() {
        return pass_over("the kernel is older than Linux 6.15");
    }
    let dir = tempfile::tempdir().unwrap();
    // The kernel says whether it dumped; where dumps go is the host's affair, here it is beside the pidfile if anywhere.
    let script = "ulimit -c unlimited || exit 7; echo $$ > x.pid; exec sleep 1000";
    let mut child = Command::new("sh").args(["-c", script]).current_dir(dir.path()).spawn().unwrap();
    let mut probe = PidfileProcess::new(dir.path().join("x.pid"));
    let pid = child.id();
    let named = |seen: &Observation| seen.identity.is_some_and(|identity| identity.pid == pid);
    until(|| named(&look(&mut probe)).then_some(())).await;
    // It is a shell until it has become what dies.
    let comm = format!("/proc/{pid}/comm");
    until(|| (std::fs::read_to_string(&comm).ok()?.trim() == "sleep").then_some(())).await;
    assert!(Command::new("kill").args(["-s", "SEGV", &pid.to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    let told = ending(&mut probe).await;
    let core = std::os::unix::process::ExitStatusExt::core_dumped(&status);
    assert_eq!((told.how, told.killer), (How::Signalled { signal: 11, core }, None));
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    assert!(core || pattern.trim() != "core", "where a plain file takes it, it was dumped");
}

#[tokio::test]
async fn each_way_to_learn_of_an_end_stands_for_itself() {
    let root = rustix::process::geteuid().is_root();
    for source in [Source::Pidfd, Source::ProcStat, Source::Connector, Source::None] {
        let mut scene = Scene::new(None);
        let [pidfd, zombie, connector] =
            [Source::Pidfd, Source::ProcStat, Source::Connector].map(|one| one == source);
        let mut probe = scene.probe(Sources { pidfd, zombie, connector, ..Sources::default() }).await;
        scene.child.kill().unwrap();
        let first = until(|| Some(look(&mut probe)).filter(|seen| !seen.standing.is_up())).await.ending;
        // Its parent collects it only when the test says so.
        assert!(first.is_none() || zombie || connector, "it is a zombie still: {first:?}");
        // What is of the same user shows its status too, mostly.
        assert!(first.is_some() || !(zombie && root), "root sees it");
        scene.child.wait().unwrap();
        let told = match first {
            Some(told) => told,
            None => ending(&mut probe).await,
        };
        let sure = match source {
            Source::Pidfd => tells_endings(),
            Source::ProcStat => root,
            Source::Connector => probe.limits().is_empty(),
            _ => false,
        };
        match told.how {
            How::Unknown { .. } => assert!(!sure && told.source == Source::None, "{source:?}: {told:?}"),
            _ => assert_eq!((told.how, told.source), (KILLED, source)),
        }
    }
}

/// A parent that collects at once, as init does, leaves only the connector to older kernels.
#[tokio::test]
async fn the_connector_tells_statuses_signals_and_core_dumps_of_those_that_were_collected() {
    let (pidfd, zombie) = (false, false);
    for (line, how) in [
        ("exit 3", How::Exited { status: 3 }),
        ("exit 0", How::Exited { status: 0 }),
        ("kill -s TERM $$", How::Signalled { signal: 15, core: false }),
        ("ulimit -c 0; kill -s SEGV $$", How::Signalled { signal: 11, core: false }),
    ] {
        let dir = tempfile::tempdir().unwrap();
        assert!(Command::new("mkfifo").arg(dir.path().join("go")).status().unwrap().success());
        let script = format!("echo $$ > x.pid; read x < go; {line}");
        let mut child = Command::new("sh").args(["-c", &script]).current_dir(dir.path()).spawn().unwrap();
        let collector = std::thread::spawn(move || child.wait());
        let sources = Sources { pidfd, zombie, ..Sources::default() };
        let mut probe = PidfileProcess::new(dir.path().join("x.pid")).learning_from(sources);
        until(|| look(&mut probe).standing.is_up().then_some(())).await;
        std::fs::write(dir.path().join("go"), "\n").unwrap();
        collector.join().unwrap().unwrap();
        let told = ending(&mut probe).await;
        if probe.limits().iter().any(|what| what.contains("proc connector")) {
            assert!(matches!(&told.how, How::Unknown { why } if why.contains("proc connector")), "{told:?}");
            return pass_over("the kernel tells only root");
        }
        assert_eq!((told.how, told.source, told.confidence), (how, Source::Connector, Confidence::Certain));
    }
}

/// Its first thread has ended well, and the connector says so; then the process is killed.
#[tokio::test]
async fn the_connector_is_not_believed_about_a_process_whose_first_thread_has_left() {
    if !cfg!(target_arch = "x86_64") || Command::new("python3").arg("-V").output().is_err() {
        return pass_over("needs python3 on x86_64");
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "import ctypes, os, threading, time
open('x.pid', 'w').write(str(os.getpid()))
while not os.path.exists('go'): time.sleep(0.01)
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).syscall(60, 0)";
    let mut child = Command::new("python3").args(["-c", script]).current_dir(dir.path()).spawn().unwrap();
    let sources = Sources { pidfd: false, zombie: false, ..Sources::default() };
    let mut probe = PidfileProcess::new(dir.path().join("x.pid")).learning_from(sources);
    until(|| look(&mut probe).standing.is_up().then_some(())).await;
    std::fs::write(dir.path().join("go"), "").unwrap();
    let stat = format!("/proc/{}/stat", child.id());
    until(|| std::fs::read_to_string(&stat).ok()?.contains(") Z ").then_some(())).await;
    assert!(look(&mut probe).standing.is_up(), "the others go on");
    child.kill().unwrap();
    child.wait().unwrap();
    let told = ending(&mut probe).await;
    assert!(matches!(told.how, How::Unknown { .. }), "{told:?}");
}

/// This program again, as nobody: what needs no rights is told all the same, and what needs some is said to be missing.
#[test]
fn all_of_this_holds_without_root() {
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        return; // it is so already
    }
    // A copy, for the folder of the build may be closed to others.
    let dir =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir();
    let dir = dir.unwrap();
    let copy = dir.path().join("killed");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let out = Command::new(&copy)
        .args(["--test-threads", "1"])
        .env_remove("CI") // control groups and the kernel's log are root's
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output();
    let out = match out {
        Ok(out) => out,
        Err(error) => return pass_over(&format!("nobody may not run programs here: {error}")),
    };
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && text.contains("test result: ok"), "{text}");
}
