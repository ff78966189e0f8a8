//! As process 1 of a container: a pid namespace of its own, with whatever lives there.

use std::process::{Child, Command, Stdio};

use crate::common::{CONTROL_FILE, HINOBAN, World, kill, wait_for, wait_until};
use crate::servers::{installed, passed_over};

/// The daemon as process 1; unshare(1) waits for it outside.
struct Container {
    outside: Child,
    /// Process 1, by its number outside.
    first: i32,
}

/// Whether there can be such a thing here.
fn possible() -> bool {
    if !installed(&["/usr/bin/unshare", "/usr/bin/nsenter"]) {
        return false;
    }
    let tried = unshare().arg("true").stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success()) || passed_over("pid namespaces are not permitted")
}

fn unshare() -> Command {
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--pid", "--fork", "--mount-proc"]);
    command
}

impl Container {
    fn new(world: &World) -> Self {
        let mut command = unshare();
        command.arg(HINOBAN).args(["-c", "rc"]).current_dir(world.dir()).env("HOME", world.dir());
        let outside =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let children = format!("/proc/{0}/task/{0}/children", outside.id());
        let first = wait_for("process 1", || {
            std::fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse().ok()
        });
        Self { outside, first }
    }

    /// Runs a shell script in there.
    fn run(&self, script: &str) {
        let mut command = Command::new("/usr/bin/nsenter");
        command.args(["-t", &self.first.to_string(), "-p", "-m", "/bin/sh", "-c", script]);
        assert!(command.stdin(Stdio::null()).status().unwrap().success(), "{script}");
    }

    /// Children of process 1 in states that begin with one of these letters.
    fn children(&self, states: &[char]) -> usize {
        let found = std::fs::read_dir("/proc").unwrap().flatten();
        let stats = found.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        let is_child = |stat: &String| {
            let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            let parent = rest.split(' ').nth(1).and_then(|pid| pid.parse().ok());
            rest.starts_with(states) && parent == Some(self.first)
        };
        stats.filter(is_child).count()
    }

    /// Sends this signal to process 1. How it ended.
    fn end(mut self, signal: &str) -> Option<i32> {
        kill(self.first, signal);
        let ended = wait_for("the end of process 1", || self.outside.try_wait().unwrap());
        ended.code()
    }
}

#[test]
fn as_process_1_it_collects_orphans_and_still_knows_how_its_own_children_ended() {
    if !possible() {
        return;
    }
    let world = World::new();
    let failing = "check process bad with pidfile @/bad.pid
  start program = \"/bin/sh -c 'echo no luck; exit 3'\" with timeout 1 seconds
";
    world.write("rc", &format!("{CONTROL_FILE}{failing}"));
    let container = Container::new(&world);
    world.logged("process 1 stays in the foreground", 1);
    world.logged("'svc' process is running with pid ", 1);
    let first = world.read("svc.pid");
    // Twenty that end while nobody but process 1 is left to notice, and one that is watched.
    container.run("for i in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c 'sleep 0.1 & sleep 0.2 & :' &); done");
    container.run(&format!("kill -9 {first}"));
    world.logged(&format!("PID {} was killed by signal 9 (SIGKILL)", first.trim()), 1);
    world.logged("'svc' process is running with pid ", 2);
    world.logged("'bad' failed to start (exit status 3; ", 3);
    // Start programs come and go all the time; orphans that nobody collects would stay.
    wait_until("all orphans to be collected", || container.children(&['S', 'R', 'D']) < 3);
    wait_until("no zombie", || container.children(&['Z']) == 0);
    let log = world.read("log");
    assert!(!log.contains("another part of this program"), "a child was taken from its waiter: {log}");
    let summary = Command::new("/usr/bin/nsenter")
        .args(["-t", &container.first.to_string(), "-p", "-m", HINOBAN, "-B", "-c"])
        .arg(world.path("rc"))
        .arg("summary")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&summary.stdout).contains(" svc "), "{summary:?}");
    assert_eq!(container.end("TERM"), Some(0));
    world.logged("Monit daemon with pid [1] stopped", 1);
}

#[test]
fn whatever_a_container_is_ended_by_process_1_ends_in_order() {
    if !possible() {
        return;
    }
    for signal in ["INT", "QUIT"] {
        let world = World::new();
        world.write("rc", CONTROL_FILE);
        let container = Container::new(&world);
        world.logged("'svc' process is running with pid ", 1);
        assert_eq!(container.end(signal), Some(0), "SIG{signal}");
        world.logged("Monit daemon with pid [1] stopped", 1);
        assert!(!world.path("pid").exists());
    }
}
