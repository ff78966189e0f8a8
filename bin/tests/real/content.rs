//! What is written into files: nothing of it is lost, whatever becomes of the file and of the daemon.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use crate::common::{World, kill, pause, wait_until};

const CONFIGURATION: &str = "
every = \"1s\"
[files]
pidfile = \"@/pid\"
idfile = \"@/id\"
statefile = \"@/state\"
[log]
file = \"@/log\"
[service.app]
file = \"@/app.log\"
line-limit = \"1 MiB\"
ignore = [\"DEBUG\", { not = \"[0-9]\" }]
  [[service.app.check]]
  when = \"content matches 'ERROR|FATAL'\"
  [[service.app.check]]
  when = \"content matches patterns in '@/patterns'\"
";

fn append(world: &World, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(world.path("app.log")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Starts the daemon, and waits until it has looked at the log.
fn start(world: &World) {
    world.ok("-c c.toml");
    wait_until("a look", || world.run("-c c.toml status app").out.contains("content match"));
}

/// The numbers of the lines that were told, and how many were told in all.
fn told(world: &World) -> (BTreeSet<u32>, usize) {
    let log = world.read("log");
    let numbers: Vec<u32> =
        log.split("ERROR <").skip(1).filter_map(|n| n.split('>').next()?.parse().ok()).collect();
    (numbers.iter().copied().collect(), numbers.len())
}

#[test]
fn no_line_is_lost_while_the_log_is_rotated_and_cut_and_the_daemon_is_killed() {
    let world = World::new();
    world.write("patterns", "^panic: \n\nout of [a-z]+\n");
    world.write("c.toml", CONFIGURATION);
    append(&world, "ERROR <0> of long ago\n");
    start(&world);
    let mut written = 0;
    for round in 0..12 {
        let lines = |from: u32| {
            (from..from + 40)
                .map(|n| format!("ERROR <{n}> in round {round}\nDEBUG ERROR <999999>\n"))
                .collect::<String>()
        };
        if round % 4 == 2 {
            // Of a log that is renamed twice between two of our lives only the newest is found.
            wait_until("what was renamed to be told", || told(&world).0.len() == written as usize);
        }
        append(&world, &lines(written + 1));
        written += 40;
        match round % 4 {
            0 => {}
            1 => std::fs::rename(world.path("app.log"), world.path("app.log.1")).unwrap(),
            2 => kill(world.pid("pid"), "KILL"),
            _ => {
                wait_until("what is cut away to be told", || told(&world).0.len() == written as usize);
                // As logrotate's copytruncate does it.
                std::fs::copy(world.path("app.log"), world.path("app.log.1")).unwrap();
                OpenOptions::new().write(true).truncate(true).open(world.path("app.log")).unwrap();
            }
        }
        append(&world, &lines(written + 1));
        written += 40;
        if round % 4 == 2 {
            pause(Duration::from_millis(200));
            std::fs::rename(world.path("app.log"), world.path("app.log.1")).unwrap();
            append(&world, &format!("ERROR <{}> in a new file\n", written + 1));
            written += 1;
            start(&world);
        }
        pause(Duration::from_millis(300));
    }
    wait_until("all lines to be told", || told(&world).0.len() == written as usize);
    let (numbers, times) = told(&world);
    assert_eq!(numbers, (1..=written).collect(), "neither what was there before nor what is ignored");
    // Only a crash may tell a line twice, and there were three.
    assert!(times <= 2 * written as usize, "{times} of {written}");

    append(&world, "panic: at 7\nit ran out of memory 8\n");
    world.logged("'app' 2 lines match a pattern in ", 1);
    assert!(world.read("log").contains("it ran out of memory 8"));
    assert!(world.ok("-c c.toml status app").err.is_empty());
}

#[test]
fn a_line_is_told_at_once_and_a_log_full_of_errors_once_or_twice_in_a_cycle() {
    let world = World::new();
    world.write("patterns", "never");
    world.write("c.toml", &CONFIGURATION.replace("every = \"1s\"", "every = \"1h\""));
    append(&world, "");
    start(&world);
    append(&world, "ERROR <1>\n");
    world.logged("ERROR <1>", 1);
    for n in 2..3000 {
        append(&world, &format!("ERROR <{n}>\n"));
    }
    pause(Duration::from_millis(700));
    assert_eq!(told(&world).0.len(), 1, "the turn is an hour away");
    kill(world.pid("pid"), "KILL");
    pause(Duration::from_millis(200));
    start(&world);
    wait_until("what was not told to be told", || told(&world).0.len() == 2999);
}
