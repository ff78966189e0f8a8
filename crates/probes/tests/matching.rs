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
    let mut seen = until_it_is(&mut probe, second.pid()).await;
    for _ in 0..20 {
        if let Some(ending) = seen.ending {
            assert_eq!(ending.identity.pid, first.pid());
            assert!(
                matches!(ending.how, How::Signalled { signal: 9, .. } | How::Unknown { .. }),
                "{ending:?}"
            );
            return;
        }
        seen = look_as(&mut probe, Cause::Early).await;
    }
    panic!("how it ended was never told");
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
