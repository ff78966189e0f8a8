//! What rules of our own files say beyond those of control files: on the real daemon.

use crate::common::{World, alive, kill, pause, wait_until};

const HEAD: &str = "
every = \"1s\"
[files]
pidfile = \"@/pid\"
idfile = \"@/id\"
statefile = \"@/state\"
[log]
file = \"@/log\"
";

/// A daemon that is deaf to SIGTERM, and has a child that is not.
const DEAF: &str = "#!/bin/sh
trap '' TERM
echo $$ > @/db.pid
while :; do sleep 0.1; done
";

fn executable(world: &World, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = world.write(name, text);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn what_does_not_heed_its_stop_is_killed_and_a_restart_goes_on() {
    let world = World::new();
    executable(&world, "db", DEAF);
    let service = "
[service.db]
pidfile = \"@/db.pid\"
start = [\"/bin/sh\", \"-c\", \"@/db < /dev/null > /dev/null 2>&1 &\"]
stop = { run = [\"/bin/sh\", \"-c\", \"kill `cat @/db.pid`\"], timeout = \"60s\", kill-after = \"2s\" }
";
    world.write("c.toml", &format!("{HEAD}{service}"));
    world.ok("-c c.toml");
    let first = world.new_pid("db.pid", 0);
    wait_until("it to be well", || world.ok("-c c.toml status db").out.contains("OK"));
    world.ok("-c c.toml restart db");
    let second = world.new_pid("db.pid", first);
    wait_until("the old one to be gone", || !alive(first));
    world.logged(&format!("process {first} did not end within 2 s of its stop and was killed"), 1);
    world.logged("'db' restart action done", 1);
    assert!(alive(second));
    assert_eq!(world.read("log").matches("was killed").count(), 1, "{}", world.read("log"));
}

#[test]
fn what_changes_while_the_daemon_is_away_is_told_when_it_is_back_and_a_list_runs_in_its_order() {
    let world = World::new();
    world.write("data", "12345");
    executable(&world, "note", "#!/bin/sh\necho \"$1 $MONIT_EVENT\" >> @/notes\n");
    let service = "
[service.data]
file = \"@/data\"
  [[service.data.check]]
  when = \"size changed\"
  then = [{ exec = \"@/note first\" }, { exec = \"@/note second\" }, \"unmonitor\"]
";
    world.write("c.toml", &format!("{HEAD}{service}"));
    world.ok("-c c.toml");
    wait_until("a first look", || world.ok("-c c.toml status data").out.contains("OK"));
    wait_until("what was seen to be written down", || world.read("state").contains("\"baseline\""));
    kill(world.pid("pid"), "KILL");
    pause(std::time::Duration::from_millis(200));
    world.write("data", "1234567");
    world.ok("-c c.toml");
    world.logged("size changed from 5 B to 7 B", 1);
    let notes = || {
        let mut notes: Vec<String> = world.read("notes").lines().map(str::to_owned).collect();
        notes.sort();
        notes
    };
    wait_until("both programs", || notes() == ["first Size changed", "second Size changed"]);
    wait_until("the end of the watching", || world.ok("-c c.toml status data").out.contains("Not monitored"));
    let log = world.read("log");
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text} in {log}"));
    assert!(place("note first") < place("note second"));
    assert!(place("note second") < place("monitoring disabled"));
}

#[test]
fn a_process_that_somebody_restarts_is_told_of_and_one_that_we_restart_is_not() {
    let world = World::new();
    let service = "
[service.web]
pidfile = \"@/web.pid\"
start = [\"/bin/sh\", \"-c\", \"sleep 1000 < /dev/null > /dev/null 2>&1 & echo $! > @/web.pid\"]
stop = [\"/bin/sh\", \"-c\", \"kill `cat @/web.pid`\"]
  [[service.web.check]]
  when = \"pid changed\"
  [[service.web.check]]
  when = \"ppid changed\"
";
    world.write("c.toml", &format!("{HEAD}{service}"));
    world.ok("-c c.toml");
    let first = world.new_pid("web.pid", 0);
    wait_until("it to be well", || world.ok("-c c.toml status web").out.contains("OK"));
    world.ok("-c c.toml restart web");
    let second = world.new_pid("web.pid", first);
    world.logged("'web' restart action done", 1);
    // Two cycles.
    pause(std::time::Duration::from_millis(2500));
    assert!(!world.read("log").contains("changed from"), "{}", world.read("log"));
    let mut other = std::process::Command::new("sleep").arg("1000").env("HOME", world.dir()).spawn().unwrap();
    world.write("web.pid", &format!("{}\n", other.id()));
    world.logged(&format!("pid changed from {second} to {}", other.id()), 1);
    world.logged("ppid changed from ", 1);
    other.kill().unwrap();
    other.wait().unwrap();
}
