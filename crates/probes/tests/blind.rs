//! A probe without a pidfd: what it still sees, and what it says about it. A program of its own, for its limit on open
//! files is lowered.
#![allow(clippy::unwrap_used)]

use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, Wake};
use hinoban_probes::PidfileProcess;
use hinoban_reading::{How, Observation, ReasonKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::Instant;

fn look(probe: &mut PidfileProcess) -> Observation {
    let look = Look::new(Instant::now().into_std() + Duration::from_secs(5), Duration::ZERO, Cause::Due);
    let mut observing = probe.observe(&look);
    match observing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("a look at a local pidfile waited"),
    }
}

/// Ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn without_a_pidfd_the_interval_remains_and_the_probe_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let pidfile = dir.path().join("x.pid");
    let mut daemon = Ends(Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap());
    std::fs::write(&pidfile, daemon.0.id().to_string()).unwrap();
    // The last descriptors are left to others: with this limit, all that are not open yet.
    let before = getrlimit(Resource::Nofile);
    let listed = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let open = listed - 1; // the listing itself is closed again
    setrlimit(Resource::Nofile, Rlimit { current: Some(open + 16), maximum: before.maximum }).unwrap();

    let mut probe = PidfileProcess::new(pidfile);
    let seen = look(&mut probe);
    assert!(seen.standing.is_up(), "it is seen all the same: {seen:?}");
    assert!(!probe.wakes().iter().any(|w| matches!(w, Wake::Fd(_))));
    // Without root there is more that cannot be seen.
    let limits = probe.limits();
    assert!(
        limits[0].contains("only at the next look") && limits[0].contains("file descriptor"),
        "{limits:?}"
    );

    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    let seen = look(&mut probe);
    assert_eq!(seen.standing.reason().map(|r| r.kind), Some(ReasonKind::ProcessGone));
    let ending = seen.ending.expect("that it could not be known is said as well");
    assert!(matches!(ending.how, How::Unknown { .. }), "{ending:?}");

    setrlimit(Resource::Nofile, before).unwrap();
}
