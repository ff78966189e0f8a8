//! The daemon is killed, or ended in order, in the middle of what reaches from one service to others: it is carried on.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::common::{World, alive, kill, pause, wait_until};

/// Starts service `$1`, which needs `$2`, and tells on whoever starts it twice or too soon.
const START: &str = r#"#!/bin/sh
cd @/ || exit 1
up() { [ -e $1.pid ] && grep -q '^State:.[RSD]' /proc/`cat $1.pid`/status 2>/dev/null; }
mkdir $1.busy 2>/dev/null || echo "start $1 beside something else" >> wrong
up $1 && echo "$1 runs already" >> wrong
[ -z "$2" ] || up $2 || echo "$1 is started without $2" >> wrong
sleep 0.2
sleep 1000 </dev/null >/dev/null 2>&1 &
echo $! > $1.pid
echo "start $1" >> deeds
rmdir $1.busy
"#;

/// Stops service `$1`, which is needed by `$2`.
const STOP: &str = r#"#!/bin/sh
cd @/ || exit 1
up() { [ -e $1.pid ] && grep -q '^State:.[RSD]' /proc/`cat $1.pid`/status 2>/dev/null; }
mkdir $1.busy 2>/dev/null || echo "stop $1 beside something else" >> wrong
[ -z "$2" ] || ! up $2 || echo "$1 is stopped under $2" >> wrong
sleep 0.2
[ ! -e slow.$1 ] || sleep 7
kill -KILL `cat $1.pid`
while up $1; do sleep 0.05; done
rm $1.pid
echo "stop $1" >> deeds
rmdir $1.busy
"#;

const SERVICES: [&str; 3] = ["db", "app", "web"];

fn world() -> World {
    let world = World::new();
    for (name, text) in [("start", START), ("stop", STOP)] {
        let script = world.write(name, text);
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    let mut text =
        "every = \"1s\"\n[files]\npidfile = \"@/pid\"\nidfile = \"@/id\"\nstatefile = \"@/state\"\n\
                    [log]\nfile = \"@/log\"\n"
            .to_owned();
    for (at, name) in SERVICES.iter().enumerate() {
        let needs = at.checked_sub(1).map_or("", |at| SERVICES[at]);
        let needed = SERVICES.get(at + 1).unwrap_or(&"");
        text += &format!(
            "[service.{name}]\npidfile = \"@/{name}.pid\"\nstart = [\"@/start\", \"{name}\", \"{needs}\"]\n\
             stop = [\"@/stop\", \"{name}\", \"{needed}\"]\n"
        );
        if !needs.is_empty() {
            text += &format!("depends-on = [\"{needs}\"]\n");
        }
    }
    world.write("rc.toml", &text);
    world.ok("-c rc.toml");
    world
}

fn pid(world: &World, name: &str) -> Option<i32> {
    world.read(&format!("{name}.pid")).trim().parse().ok()
}

/// Which of them live.
fn up(world: &World) -> Vec<&'static str> {
    SERVICES.into_iter().filter(|name| pid(world, name).is_some_and(alive)).collect()
}

fn deeds(world: &World) -> Vec<String> {
    world.read("deeds").lines().map(str::to_owned).collect()
}

/// Waits until these live, and no others, and all are watched or not accordingly, with nothing under way.
fn settle(world: &World, wanted: &[&str]) {
    wait_until(&format!("{wanted:?} to be up"), || {
        let said = world.run("-c rc.toml summary").out;
        let so = |name: &str| {
            let word = if wanted.contains(&name) { "OK" } else { "Not monitored" };
            said.lines().any(|line| line.contains(name) && line.contains(word) && !line.contains("pending"))
        };
        up(world) == wanted && SERVICES.iter().all(|name| so(name))
    });
    assert_eq!(world.read("wrong"), "");
}

/// Kills the daemon after this time, and starts it again.
fn die(world: &World, after: u64) {
    pause(Duration::from_millis(after));
    let daemon = world.pid("pid");
    kill(daemon, "KILL");
    wait_until("the daemon's end", || !alive(daemon));
    world.ok("-c rc.toml");
}

#[test]
fn a_restart_a_stop_and_a_start_are_carried_on_wherever_they_were() {
    let world = world();
    settle(&world, &SERVICES);
    assert_eq!(deeds(&world), ["start db", "start app", "start web"]);
    for after in [20, 250, 450, 700, 950, 1200] {
        let before = deeds(&world).len();
        world.ok("-c rc.toml restart db");
        die(&world, after);
        settle(&world, &SERVICES);
        let new = &deeds(&world)[before..];
        let wanted = ["stop web", "stop app", "stop db", "start db", "start app", "start web"];
        assert_eq!(new, wanted, "killed after {after} ms");
    }
    for after in [20, 250, 450] {
        world.ok("-c rc.toml stop db");
        die(&world, after);
        settle(&world, &[]);
        let before = deeds(&world).len();
        world.ok("-c rc.toml start web");
        die(&world, after);
        settle(&world, &SERVICES);
        assert_eq!(
            deeds(&world)[before..],
            ["start db", "start app", "start web"],
            "killed after {after} ms"
        );
    }
    world.ok("-c rc.toml quit");
}

/// Asks the daemon to end after this time; gives what it said when it had.
fn end(world: &World, after: u64) -> String {
    pause(Duration::from_millis(after));
    let daemon = world.pid("pid");
    kill(daemon, "TERM");
    wait_until("the daemon's end", || !alive(daemon));
    let log = world.read("log");
    log.lines()
        .rfind(|line| line.contains("' Hinoban ") && line.contains(" stopped"))
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn an_orderly_end_leaves_nothing_halfway_or_says_what_and_the_next_run_goes_on() {
    let world = world();
    settle(&world, &SERVICES);
    for after in [20, 250, 700, 1100] {
        let before = deeds(&world).len();
        world.ok("-c rc.toml restart db");
        let said = end(&world, after);
        let silent: Vec<_> = SERVICES
            .into_iter()
            .filter(|name| {
                !pid(&world, name).is_some_and(alive) && !said.contains(&format!("{name} was stopped"))
            })
            .collect();
        assert_eq!(silent, [] as [&str; 0], "ended after {after} ms: {said}");
        world.ok("-c rc.toml");
        settle(&world, &SERVICES);
        let wanted = ["stop web", "stop app", "stop db", "start db", "start app", "start web"];
        assert_eq!(deeds(&world)[before..], wanted, "ended after {after} ms");
    }
    for after in [20, 450] {
        world.ok("-c rc.toml stop db");
        end(&world, after);
        world.ok("-c rc.toml");
        settle(&world, &[]);
        let before = deeds(&world).len();
        world.ok("-c rc.toml start web");
        end(&world, after);
        world.ok("-c rc.toml");
        settle(&world, &SERVICES);
        assert_eq!(deeds(&world)[before..], ["start db", "start app", "start web"], "ended after {after} ms");
    }
    world.ok("-c rc.toml quit");
}

#[test]
fn an_end_that_cannot_wait_any_longer_names_all_that_is_down() {
    let world = world();
    settle(&world, &SERVICES);
    world.write("slow.db", "");
    let before = deeds(&world).len();
    world.ok("-c rc.toml restart db");
    wait_until("the others to be stopped", || deeds(&world).len() == before + 2);
    let said = end(&world, 0);
    for name in SERVICES {
        assert!(said.contains(&format!("{name} was stopped for a restart")), "{name}: {said}");
    }
    world.ok("-c rc.toml");
    settle(&world, &SERVICES);
    let wanted = ["stop web", "stop app", "stop db", "start db", "start app", "start web"];
    assert_eq!(deeds(&world)[before..], wanted);
    world.ok("-c rc.toml quit");
}
