//! What a service manager hears of the daemon, and the unit that the documentation gives it.

#![allow(clippy::unwrap_used)] // helpers of tests may fail them

mod common;

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{CONTROL_FILE, HINOBAN, PATIENCE, World, kill};

/// The manager's ear.
struct Ear(UnixDatagram);

impl Ear {
    fn new(world: &World) -> Self {
        let socket = UnixDatagram::bind(world.path("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The next message that is not about the watchdog or the status alone.
    fn turn(&self) -> String {
        loop {
            let text = self.next();
            if ["READY=", "RELOADING=", "STOPPING="].iter().any(|word| text.contains(word)) {
                return text;
            }
        }
    }

    fn next(&self) -> String {
        let mut space = [0; 4096];
        let n = self.0.recv(&mut space).expect("something to be heard");
        String::from_utf8(space[..n].to_vec()).unwrap()
    }
}

#[test]
fn a_manager_hears_of_the_start_of_life_of_a_reload_and_of_the_end() {
    let world = World::new();
    let ear = Ear::new(&world);
    world.write("rc", &CONTROL_FILE.replace("'sleep 1000 ", "'env > @/env; sleep 1000 "));
    let mut command = world.command("-I -c rc");
    command.env("NOTIFY_SOCKET", world.path("notify")).env("WATCHDOG_USEC", "400000");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let daemon = child.id() as i32;

    assert_eq!(ear.next(), "READY=1");
    // It is: the commands work, and the first look has been taken.
    let status = world.ok("-B -c rc summary").out;
    assert!(status.contains(" svc "), "{status}");
    world.logged("'svc' start: ", 1);
    assert!(ear.next().starts_with("WATCHDOG=1\nSTATUS=Watching 2 of 2; "));
    assert!(ear.next().contains("WATCHDOG=1"), "again and again");

    kill(daemon, "HUP");
    let begun = ear.turn();
    let since = begun.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("a reload");
    assert!(since.parse::<u64>().is_ok_and(|micros| micros > 0), "{begun}");
    assert_eq!(ear.turn(), "READY=1");
    // One that is refused is over, too.
    world.write("rc", "nonsense");
    kill(daemon, "HUP");
    assert!(ear.turn().contains("RELOADING=1"));
    assert_eq!(ear.turn(), "READY=1");

    kill(daemon, "TERM");
    assert!(ear.turn().contains("STOPPING=1"));
    assert!(child.wait().unwrap().success());
    let environment = world.read("env");
    assert!(environment.contains("MONIT_SERVICE=svc"), "{environment}");
    assert!(!environment.contains("NOTIFY_SOCKET") && !environment.contains("WATCHDOG"), "{environment}");
}

#[test]
fn a_manager_that_is_gone_or_deaf_keeps_nobody_from_watching() {
    let world = World::new();
    let ear = Ear::new(&world);
    world.write("rc", CONTROL_FILE);
    let mut command = world.command("-I -c rc");
    command.env("NOTIFY_SOCKET", world.path("notify")).env("WATCHDOG_USEC", "2000");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let first = world.new_pid("svc.pid", 0);
    world.logged("'svc' process is running", 1);
    // A thousand messages a second fill any queue that nobody reads.
    common::pause(Duration::from_secs(1));
    kill(first, "KILL");
    let second = world.new_pid("svc.pid", first);
    world.logged(&format!("'svc' process is running with pid {second}"), 1);
    drop(ear);
    kill(child.id() as i32, "TERM");
    assert!(child.wait().unwrap().success());

    let mut command = world.command("-I -c rc");
    command.env("NOTIFY_SOCKET", world.path("notify"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    world.logged("cannot tell the service manager at ", 1);
    world.logged(" started\n", 2);
    kill(child.id() as i32, "TERM");
    assert!(child.wait().unwrap().success());
}

/// The unit in the documentation.
fn unit() -> String {
    let text = include_str!("../../docs/ADMINISTRATORS.md");
    let blocks = text.split("```ini\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.into_iter().find(|block| block.contains("ExecStart=")).expect("a unit").to_owned()
}

#[test]
fn the_unit_in_the_documentation_says_what_supervision_needs() {
    let unit = unit();
    for (n, line) in unit.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let well =
            line.starts_with(['[', '#']) || line.split_once('=').is_some_and(|(key, _)| !key.is_empty());
        assert!(well, "line {}: {line}", n + 1);
    }
    for line in [
        "Type=notify",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
        // Or the services that we started end with us, or with one of them that needs too much memory.
        "KillMode=process",
        "OOMPolicy=continue",
    ] {
        assert!(unit.lines().any(|have| have == line), "{line}");
    }
    assert!(unit.contains("\nWatchdogSec="));
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let analyze = "/usr/bin/systemd-analyze";
    if !std::path::Path::new(analyze).exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{analyze} is missing");
        println!("passed over: there is no systemd-analyze");
        return;
    }
    let world = World::new();
    let file = world.write("hinoban.service", &unit().replace("/usr/local/bin/hinoban", HINOBAN));
    let done = Command::new(analyze).arg("verify").arg("--man=no").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && !said.contains("hinoban"), "{said}");
}
