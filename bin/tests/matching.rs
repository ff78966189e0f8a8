//! A daemon whose service writes no pidfile: both languages find it by its command line, bring it back and tell of it.

mod common;

use common::{World, kill, wait_for};

const TOML: &str = r#"
every = "1h"
[files]
pidfile = "@/pid"
statefile = "@/state"
idfile = "@/id"
[log]
file = "@/log"
[service.svc]
matching = "^/bin/sleep 5000 @/mark"
start = "/bin/sh @/start"
  [[service.svc.check]]
  when = "file descriptors > 90%"
  [[service.svc.check]]
  when = "cgroup.oom.kills changed"
"#;

const MONITRC: &str = r#"
set daemon 3600
set pidfile @/pid
set statefile @/state
set idfile @/id
set log @/log
check process svc matching "^/bin/sleep 5000 @/mark"
    start program = "/bin/sh @/start"
    if failed uid 65534 then alert
    if filedescriptors > 90% then alert
"#;

/// The pid that the log names last.
fn running(world: &World, not: i32) -> i32 {
    wait_for("the service", || {
        let log = world.read("log");
        let pid = log.rsplit_once("process is running with pid ")?.1.lines().next()?.parse().ok()?;
        (pid != not).then_some(pid)
    })
}

/// It goes into the background, and leaves no trace but its command line.
const START: &str = "setsid sh @/svc > /dev/null 2>&1 &\n";

/// `sleep` takes no words of ours, so it is called by another name.
const SERVICE: &str = "exec bash -c 'exec -a \"/bin/sleep 5000 @/mark\" sleep 5000'\n";

fn comes_back(file: &str, text: &str) -> World {
    let world = World::new();
    world.write("start", START);
    world.write("svc", SERVICE);
    world.write(file, text);
    world.ok(&format!("-c {file}"));
    let first = running(&world, 0);
    kill(first, "KILL");
    // Nobody looks at its turn for an hour.
    let second = running(&world, first);
    let status = world.ok(&format!("-c {file} -B status svc")).out;
    assert!(status.contains(&format!("  pid                          {second}\n")), "{status}");
    assert!(status.contains("  filedescriptors              "), "{status}");
    world
}

#[test]
fn a_process_without_a_pidfile_is_brought_back_at_once() {
    let world = comes_back("c.toml", TOML);
    assert!(world.read("log").contains("SIGKILL"), "{}", world.read("log"));
}

#[test]
fn the_same_of_a_control_file_in_monits_words() {
    let world = comes_back("rc", MONITRC);
    // A second daemon has the first one look at everything now.
    world.ok("-c rc");
    world.logged("'svc' uid test failed for svc -- current uid is ", 1);
    assert!(world.read("log").contains("'svc' process is not running"), "{}", world.read("log"));
}

/// The name of the service stands in the command line of who asks for it, and in that of the shell that calls him.
#[test]
fn who_asks_for_a_start_is_not_found_in_its_place() {
    let world = World::new();
    world.write("start", START);
    world.write("svc", SERVICE);
    let text = TOML.replace("^/bin/sleep 5000 @/mark", "@/.*(svc|mark)");
    let stop = "[service.svc]\nstop = \"/usr/bin/pkill -f ^/bin/sleep.5000.@/mark\"";
    world.write("c.toml", &text.replace("[service.svc]", stop));
    world.ok("-c c.toml");
    running(&world, 0);
    let file = world.path("c.toml");
    let call = |what: &str| format!("{} -c {} {what} svc", env!("CARGO_BIN_EXE_hinoban"), file.display());
    let script = format!("{} && sleep 1 && {}; sleep 2", call("stop"), call("start"));
    assert!(std::process::Command::new("bash").args(["-c", &script]).status().unwrap().success());
    let log = world.read("log");
    assert_eq!(log.matches("'svc' start: ").count(), 2, "{log}");
}
