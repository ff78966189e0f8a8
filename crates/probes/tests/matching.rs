//! The process probe that goes by command lines, against real processes.
#![allow(clippy::unwrap_used)] // these may panic

use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, Wake};
use hinoban_probes::MatchingProcess;
use hinoban_probes::process::{identity_of, matching};
use hinoban_reading::{How, Observation, ReasonKind, Standing, metrics};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::time::{Instant, sleep};

/// A command line that nobody else has: a `sleep` of so many seconds and some.
fn unique() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{}.{}", 1000 + NUMBER.fetch_add(1, Ordering::Relaxed), std::process::id())
}

struct Killed(Child);

impl Killed {
    fn sleep(time: &str) -> Self {
        Self(Command::new("sleep").arg(time).spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.kill();
    }
}

fn probe(time: &str) -> MatchingProcess {
    let line = format!("sleep {time}");
    let wanted = line.clone();
    MatchingProcess::new(line, move |command: &str| command == wanted)
}

async fn look_as(probe: &mut MatchingProcess, cause: Cause) -> Observation {
    let look = Look::new(Instant::now().into_std() + Duration::from_secs(30), Duration::ZERO, cause);
    probe.observe(&look).await.unwrap()
}

/// Looks, as if something woke us, until the process has this pid.
async fn until_it_is(probe: &mut MatchingProcess, pid: u32) -> Observation {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = look_as(probe, Cause::Early).await;
        if seen.identity.is_some_and(|i| i.pid == pid) {
            return seen;
        }
        assert!(Instant::now() < end, "it was never found: {seen:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until one of the descriptors that wake the probe does.
fn wait_for_wake(probe: &MatchingProcess) {
    let wakes = probe.wakes();
    let fds = wakes.iter().filter_map(|wake| if let Wake::Fd(fd) = wake { Some(&**fd) } else { None });
    let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    let limit = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
    assert!(poll(&mut fds, Some(&limit)).unwrap() > 0, "nothing wakes it");
}

#[tokio::test]
async fn a_process_is_found_by_its_command_line_and_measured() {
    let time = unique();
    let mut probe = probe(&time);
    let seen = look_as(&mut probe, Cause::Due).await;
    assert!(matches!(&seen.standing, Standing::Absent(why) if why.kind == ReasonKind::NoMatch
        && why.text == format!("no process has a command line that matches 'sleep {time}'")));
    let child = Killed::sleep(&time);
    let seen = until_it_is(&mut probe, child.pid()).await;
    assert_eq!(seen.identity, identity_of(child.pid()));
    assert_eq!(seen.get(&metrics::PPID.name).unwrap().as_i64(), Some(i64::from(std::process::id())));
    assert!(seen.get(&metrics::MEMORY.name).is_some());
}

#[tokio::test]
async fn who_was_chosen_stays_until_he_ends_and_then_the_next_is_taken() {
    let time = unique();
    let mut first = Killed::sleep(&time);
    let mut probe = probe(&time);
    until_it_is(&mut probe, first.pid()).await;
    // Field 22 counts hundredths of a second, and the older one is to be known.
    sleep(Duration::from_millis(30)).await;
    let second = Killed::sleep(&time);
    sleep(Duration::from_millis(30)).await;
    let _third = Killed::sleep(&time);
    assert_eq!(look_as(&mut probe, Cause::Due).await.identity, identity_of(first.pid()));
    first.kill();
    wait_for_wake(&probe);
    let end = Instant::now() + Duration::from_secs(20);
    let (mut ending, mut next) = (None, None);
    while ending.is_none() || next.is_none() {
        assert!(Instant::now() < end, "{ending:?} {next:?}");
        let seen = look_as(&mut probe, Cause::Early).await;
        (ending, next) = (ending.or(seen.ending), seen.identity);
    }
    assert_eq!(next, identity_of(second.pid()));
    let ending = ending.unwrap();
    assert_eq!(ending.identity.pid, first.pid());
    assert!(matches!(ending.how, How::Signalled { signal: 9, .. } | How::Unknown { .. }), "{ending:?}");
}

#[tokio::test]
async fn who_is_started_after_a_death_is_found_without_waiting_for_a_turn() {
    let time = unique();
    let mut first = Killed::sleep(&time);
    let mut probe = probe(&time);
    until_it_is(&mut probe, first.pid()).await;
    first.kill();
    wait_for_wake(&probe);
    while look_as(&mut probe, Cause::Early).await.standing.is_up() {}
    let next = Killed::sleep(&time);
    loop {
        wait_for_wake(&probe); // of its own
        let seen = look_as(&mut probe, Cause::Early).await;
        if seen.standing.is_up() {
            assert_eq!(seen.identity, identity_of(next.pid()));
            break;
        }
    }
}

#[tokio::test]
async fn we_do_not_find_ourselves() {
    let own = std::fs::read("/proc/self/cmdline").unwrap();
    let own = String::from_utf8_lossy(own.split(|b| *b == 0).next().unwrap()).into_owned();
    let pid = std::process::id();
    assert!(matching(|line| line.starts_with(&own)).found.iter().all(|p| p.pid != pid), "{own}");
}

/// What ps(1) shows.
#[tokio::test]
async fn command_lines_are_those_of_ps() {
    let time = unique();
    let child = Killed::sleep(&time);
    let ps = Command::new("ps").args(["-o", "ppid=,args=", "-p", &child.pid().to_string()]).output();
    let Ok(ps) = ps else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "passed over: there is no ps");
        return;
    };
    let told = String::from_utf8(ps.stdout).unwrap();
    let (ppid, args) = told.trim().split_once(' ').unwrap();
    let found = matching(|line| line.ends_with(&time));
    assert_eq!(found.chosen, Some(child.pid()));
    assert_eq!((found.found[0].ppid.to_string().as_str(), found.found[0].command.as_str()), (ppid, args));
}

/// A process of this name that has left the session of who started it, as daemons do.
struct Daemon {
    pid: u32,
}

impl Daemon {
    /// `marked`: as if one of our own programs had started it.
    async fn start(name: &str, marked: bool) -> Self {
        let file = std::env::temp_dir().join(format!("hinoban-matching-{name}"));
        let script = format!(
            "bash -c 'echo $$ > {0}.new; mv {0}.new {0}; exec -a {name} sleep 1000' >/dev/null 2>&1 &",
            file.display()
        );
        let mut starter = Command::new("setsid");
        starter.args(["-f", "bash", "-c", &script]).env_remove("MONIT_SERVICE");
        if marked {
            starter.env("MONIT_SERVICE", "x");
        }
        assert!(starter.status().unwrap().success());
        let end = Instant::now() + Duration::from_secs(20);
        let pid = loop {
            if let Some(pid) = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()) {
                break pid;
            }
            assert!(Instant::now() < end, "no daemon");
            sleep(Duration::from_millis(2)).await;
        };
        std::fs::remove_file(file).unwrap();
        Self { pid }
    }

    fn kill(&self) {
        let pid = rustix::process::Pid::from_raw(self.pid as i32).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A name that nobody else has, and a probe of whose command line has it anywhere.
fn anywhere() -> (String, MatchingProcess) {
    let name = format!("svc{}", unique().replace('.', "x"));
    let wanted = name.clone();
    (name.clone(), MatchingProcess::new(name, move |line: &str| line.contains(&wanted)))
}

/// Its shell has the name of the service in its command line, and is there a little longer.
#[tokio::test]
async fn who_killed_a_service_is_not_taken_for_it() {
    let (name, mut probe) = anywhere();
    let daemon = Daemon::start(&name, false).await;
    until_it_is(&mut probe, daemon.pid).await;
    let script = format!("kill -9 {}; sleep 0.2; : {name}", daemon.pid);
    let mut killer = Killed(Command::new("bash").args(["-c", &script]).spawn().unwrap());
    wait_for_wake(&probe);
    let seen = look_as(&mut probe, Cause::Early).await;
    assert!(!seen.standing.is_up(), "{seen:?}");
    assert!(seen.ending.is_none_or(|ending| ending.identity.pid == daemon.pid));
    killer.0.wait().unwrap();
}

#[tokio::test]
async fn who_stays_is_the_service_though_it_was_there_before_the_end() {
    let (name, mut probe) = anywhere();
    let first = Daemon::start(&name, false).await;
    until_it_is(&mut probe, first.pid).await;
    let second = Daemon::start(&name, false).await;
    // What another probe has just read of all is taken for half a second.
    sleep(Duration::from_millis(600)).await;
    first.kill();
    wait_for_wake(&probe);
    let seen = look_as(&mut probe, Cause::Early).await;
    assert_eq!(seen.identity.map(|i| i.pid), Some(second.pid), "no restart beside it: {seen:?}");
}

/// Its command line matches, and it ends when its work is done.
#[tokio::test]
async fn the_program_that_starts_a_service_is_not_the_service() {
    let (name, mut probe) = anywhere();
    assert!(!look_as(&mut probe, Cause::Early).await.standing.is_up());
    let mut starter =
        Killed(Command::new("bash").args(["-c", &format!("sleep 0.5; : {name}")]).spawn().unwrap());
    for cause in [Cause::Early, Cause::Due] {
        let seen = look_as(&mut probe, cause).await;
        assert!(!seen.standing.is_up(), "{seen:?}");
    }
    starter.kill();
    let daemon = Daemon::start(&name, true).await;
    until_it_is(&mut probe, daemon.pid).await;
}

#[tokio::test]
async fn whoever_takes_a_name_long_after_its_start_is_found_without_a_turn() {
    let (name, _) = anywhere();
    let wanted = format!("{name} 1000");
    let mut probe = MatchingProcess::new("late", move |line: &str| line == wanted);
    let script = format!("sleep 4; exec -a {name} sleep 1000");
    let mut late = Killed(Command::new("bash").args(["-c", &script]).spawn().unwrap());
    until_it_is(&mut probe, late.pid()).await;
    late.kill();
}

/// Under a parent that collects nobody, as the first process of some containers.
#[tokio::test]
async fn a_zombie_is_not_found_again() {
    let time = unique();
    let mut first = Killed::sleep(&time);
    let mut probe = probe(&time);
    until_it_is(&mut probe, first.pid()).await;
    first.0.kill().unwrap();
    wait_for_wake(&probe);
    let mut told = 0;
    for _ in 0..30 {
        let seen = look_as(&mut probe, Cause::Early).await;
        assert!(!seen.standing.is_up());
        told += u32::from(seen.ending.is_some());
    }
    assert!(told <= 1, "one end was told {told} times");
    let next = Killed::sleep(&time);
    until_it_is(&mut probe, next.pid()).await;
}

#[tokio::test]
async fn what_comes_and_goes_all_the_time_wakes_nobody_all_the_time() {
    let time = unique();
    let mut probe = probe(&time);
    let mut all: Vec<Killed> = (0..12).map(|_| Killed::sleep(&time)).collect();
    for _ in 0..10 {
        let end = Instant::now() + Duration::from_secs(20);
        let pid = loop {
            // What another probe has read of all may be older than they.
            if let Some(found) = look_as(&mut probe, Cause::Due).await.identity {
                break found.pid;
            }
            assert!(Instant::now() < end, "none is found");
        };
        all.iter_mut().find(|one| one.pid() == pid).unwrap().kill();
        all.retain(|one| one.pid() != pid);
    }
    let wakes = probe.wakes();
    let [Wake::Fd(only)] = &wakes[..] else { panic!("{wakes:?}") };
    let mut fds = [PollFd::new(&**only, PollFlags::IN)];
    let soon = rustix::event::Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
    assert_eq!(poll(&mut fds, Some(&soon)).unwrap(), 0, "its end wakes us");
    let late = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(poll(&mut fds, Some(&late)).unwrap(), 1, "it is never looked for again");
}
