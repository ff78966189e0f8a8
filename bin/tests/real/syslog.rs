//! The log in the hands of a real syslog daemon.

use crate::common::{World, kill, wait_for, wait_until};
use crate::servers::installed;
use crate::servers::rsyslog::{RSYSLOGD, Rsyslog};

const CONTROL_FILE: &str = "
set daemon 1
set log syslog facility log_daemon
set pidfile @/pid
set idfile @/id
set statefile @/state
check process svc with pidfile @/svc.pid
  start program = \"/bin/sh -c 'sleep 1000 & echo $! > @/svc.pid'\"
  stop program = \"/bin/sh -c 'kill `cat @/svc.pid`; rm @/svc.pid'\"
";

#[test]
fn lines_arrive_with_their_facility_and_none_is_lost_while_the_daemon_is_away() {
    if !installed(&[RSYSLOGD]) {
        return;
    }
    let world = World::new();
    let Some(mut rsyslog) = Rsyslog::new(&world) else { return };
    rsyslog.start();
    world.write("rc", CONTROL_FILE);
    world.ok("-c rc");
    let daemon = world.pid("pid");
    let first = world.new_pid("svc.pid", 0);
    let line = |text: &str| wait_for(text, || rsyslog.lines(daemon).into_iter().find(|l| l.contains(text)));
    let start = line("'svc' start: ");
    assert!(start.starts_with("daemon.info hinoban["), "{start}");
    assert!(line("'svc' process is not running").starts_with("daemon.err hinoban["));
    line(&format!("'svc' process is running with pid {first}"));

    // It is away, and everything goes on; what happens meanwhile is told afterwards.
    rsyslog.crash();
    kill(first, "KILL");
    let second = world.new_pid("svc.pid", first);
    wait_until("the service to be well", || {
        world.ok("-B -c rc status svc").out.contains("\n  status                       OK\n")
    });
    rsyslog.start();
    kill(second, "KILL");
    let third = world.new_pid("svc.pid", second);
    let line = |text: &str| wait_for(text, || rsyslog.lines(daemon).into_iter().find(|l| l.contains(text)));
    line(&format!("'svc' process is running with pid {third}"));
    line(&format!("PID {second} was killed by signal 9 (SIGKILL)"));
    let lines = rsyslog.lines(daemon);
    let at = |text: &str| {
        lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text} in {lines:#?}"))
    };
    let told = [
        at(&format!("process is running with pid {first}")),
        at(&format!("PID {first} was killed by signal 9 (SIGKILL)")),
        at(&format!("process is running with pid {second}")),
        at(&format!("PID {second} was killed by signal 9 (SIGKILL)")),
        at(&format!("process is running with pid {third}")),
    ];
    assert!(told.is_sorted(), "{lines:#?}");
    world.ok("-c rc quit");
    wait_until("the last line", || rsyslog.lines(daemon).last().is_some_and(|l| l.ends_with(" stopped")));
}
