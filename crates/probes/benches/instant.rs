//! How soon the kernel tells of what happened: from the call that makes it happen to the thread that waited for it.
//!
//! `cargo bench -p hinoban-probes --bench instant`. The median and the slowest of a hundred. What a supervisor adds is the
//! turn of its loop, some ten microseconds. Network interfaces are left out: switching one takes a program and rights.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench fails loudly, and prints its figures
#![allow(clippy::disallowed_methods)] // it is there to read the clock

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hinoban_probe::{Cause, Look, Probe, Wake};
use hinoban_probes::PidfileProcess;
use hinoban_probes::process::Sources;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::{Pid, Signal, kill_process};

const ROUNDS: usize = 100;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("| what | told by | median µs | slowest µs |");
    println!("|---|---|---|---|");
    print("a process is killed", "pidfd", (0..ROUNDS).map(|_| runtime.block_on(killed(false, true))));
    print("how it ended is known", "pidfd", (0..ROUNDS).map(|_| runtime.block_on(killed(true, true))));
    print(
        "how it ended is known",
        "proc connector",
        (0..ROUNDS).map(|_| runtime.block_on(killed(true, false))),
    );
    print("a file is written", "inotify", written());
    if rustix::process::geteuid().is_root() {
        print("a file system is mounted", "mountinfo", mounted());
    }
}

fn print(what: &str, told_by: &str, took: impl IntoIterator<Item = Duration>) {
    let mut took: Vec<Duration> = took.into_iter().collect();
    took.sort_unstable();
    let [median, slowest] = [took[took.len() / 2], took[took.len() - 1]].map(|t| t.as_micros());
    println!("| {what} | {told_by} | {median} | {slowest} |");
}

/// Lets another thread wait for this descriptor, and makes happen what it tells of.
fn wait(fd: &(impl AsFd + Sync), flags: PollFlags, happens: impl FnOnce()) -> Duration {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            assert_eq!(poll(&mut [PollFd::new(fd, flags)], None).unwrap(), 1);
            Instant::now()
        });
        std::thread::sleep(Duration::from_millis(5));
        let begun = Instant::now();
        happens();
        waiting.join().unwrap() - begun
    })
}

/// The end of a process that somebody collects at once, as init does; with `how`, until looks have told how it ended.
async fn killed(how: bool, pidfd: bool) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = Pid::from_child(&child);
    std::fs::write(folder.path().join("x.pid"), child.id().to_string()).unwrap();
    let collected = std::thread::spawn(move || child.wait());
    let sources = Sources { pidfd, zombie: false, ..Sources::default() };
    let mut probe = PidfileProcess::new(folder.path().join("x.pid")).learning_from(sources);
    let deadline = Instant::now() + Duration::from_secs(10);
    let look = Look::new(deadline, Duration::ZERO, Cause::Early);
    assert!(probe.observe(&look).await.unwrap().standing.is_up());
    let fd: Arc<OwnedFd> =
        probe.wakes().into_iter().find_map(|w| if let Wake::Fd(fd) = w { Some(fd) } else { None }).unwrap();
    let mut took = wait(&*fd, PollFlags::IN, || kill_process(pid, Signal::KILL).unwrap());
    if how {
        let begun = Instant::now();
        while probe.observe(&look).await.unwrap().ending.is_none() {
            assert!(Instant::now() < deadline);
        }
        took += begun.elapsed();
    }
    collected.join().unwrap().unwrap();
    took
}

fn written() -> Vec<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let fd = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&fd, folder.path(), inotify::WatchFlags::MODIFY).unwrap();
    let mut file = File::create(folder.path().join("x")).unwrap();
    let round = |_| {
        let took = wait(&fd, PollFlags::IN, || std::io::Write::write_all(&mut file, b"x").unwrap());
        rustix::io::read(&fd, &mut [0; 4096]).unwrap();
        took
    };
    (0..ROUNDS).map(round).collect()
}

fn mounted() -> Vec<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let round = |_| {
        let mut mounts = File::open("/proc/self/mountinfo").unwrap();
        std::io::copy(&mut mounts, &mut std::io::sink()).unwrap();
        let happens = || mount("none", folder.path(), "tmpfs", MountFlags::empty(), None).unwrap();
        let took = wait(&mounts, PollFlags::PRI, happens);
        unmount(folder.path(), UnmountFlags::empty()).unwrap();
        took
    };
    (0..ROUNDS).map(round).collect()
}
