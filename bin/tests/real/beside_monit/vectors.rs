//! What happens when something is started, stopped or restarted and cannot be, or is not watched: a Monit and we, side by
//! side, and where we differ on purpose.
//!
//! | vector | what both do | compared in |
//! |---|---|---|
//! | R1, R2 | an exec runs once for a failure, or at looks 1, 2, 4, 6 with `repeat every 2 cycles` | `rates` |
//! | R3, R5 | rates of both branches; `for 3 cycles` of a change | `rates` |
//! | R4 | Monit recovers at the first good look after `3 times within 5 cycles`; we when as many held as were asked for | `rates` |
//! | R6 | a test that fails `for 2 cycles` restarts, and then at each failing look | `rates` |
//! | R8 | something of another type is in the place of a file: its start program runs in each cycle | here |
//! | R9 | a start program exits with an error and nothing appears: failed at the time-out, tried again in the next cycle | here |
//! | R10 | a start program of a file exits with an error: the start counts as done | here |
//! | R11 | a start program hangs: it is killed at the time-out, and run again in the next cycle | here |
//! | R13 | what is needed does not start: its dependant waits, and comes up with it | `dependencies` |
//! | R14 | a limit counts restarts that a passive service was spared | `turns` |
//! | R15 | `stop` of what is not watched: Monit runs nothing; we stop it | here |
//! | – | `restart` of what runs and is not watched: Monit only watches it again; we restart it | here |
//! | – | `restart` without a stop program: nothing is run, and it goes on running; we say so, Monit says "done" | here |
//! | – | `stop` without a stop program: it goes on running, and is watched no more | here |
//! | R23 | reminders | `rates` |
//! | R24 | what others need dies: they are stopped first, and started after it | `dependencies` |
//! | – | a file changes that others depend on: they are stopped, and started at once, not a cycle later | here |
//! | – | `-g GROUP` with what depends on each other | here |

use std::fs;

use super::{MONIT, Pair};
use crate::common::{World, alive, kill, pause, wait_until};
use crate::servers::installed;

const BOTH: [&str; 2] = ["theirs", "ours"];

/// What was done to this service, by each.
fn deeds(world: &World, service: &str) -> [Vec<String>; 2] {
    BOTH.map(|who| {
        let text = fs::read_to_string(world.path(&format!("{who}.deeds"))).unwrap_or_default();
        let of_it = |line: &&str| line.ends_with(&format!(" {service}"));
        text.lines().filter(of_it).map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    })
}

/// How often each has logged this.
fn logged(world: &World, text: &str) -> [usize; 2] {
    BOTH.map(|who| world.read(&format!("{who}.log")).matches(text).count())
}

/// Two cycles go by.
fn cycles() {
    pause(std::time::Duration::from_millis(2500));
}

const BROKEN: &str = "
check system here
check file r8 with path @/folder
  start program = \"/bin/sh -c 'echo start r8 >> @/@@.deeds'\"
check process r9 with pidfile @/@@.r9.pid
  start program = \"/bin/sh -c 'echo start r9 >> @/@@.deeds; exit 3'\" with timeout 2 seconds
check file r10 with path @/nowhere
  start program = \"/bin/sh -c 'echo start r10 >> @/@@.deeds; exit 3'\" with timeout 2 seconds
check process r11 with pidfile @/@@.r11.pid
  start program = \"/bin/sh -c 'echo start r11 >> @/@@.deeds; echo $$ >> @/@@.hanging; exec sleep 1000'\"
    with timeout 2 seconds
";

#[test]
fn what_does_not_start_is_tried_again_in_each_cycle() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    fs::create_dir(world.path("folder")).unwrap();
    let pair = Pair::start(&world, BROKEN);
    for service in ["r8", "r9", "r10", "r11"] {
        wait_until(&format!("three starts of {service}"), || {
            deeds(&world, service).iter().all(|deeds| deeds.len() >= 3)
        });
        assert!(deeds(&world, service).iter().flatten().all(|deed| deed == "start"), "{service}");
    }
    wait_until("both to tell that r9 and r11 failed to start", || {
        ["'r9' failed to start (exit status 3", "'r11' failed to start ("]
            .iter()
            .all(|line| logged(&world, line).iter().all(|times| *times >= 1))
    });
    for service in ["r8", "r10"] {
        assert_eq!(logged(&world, &format!("'{service}' failed to start")), [0, 0]);
    }
    pair.state("r8", "Invalid type");
    pair.state("r10", "Does not exist");
    // What hangs does not stay.
    for who in BOTH {
        let first = world.read(&format!("{who}.hanging")).lines().next().unwrap_or_default().to_owned();
        wait_until(&format!("the end of {who}'s {first}"), || first.parse().is_ok_and(|pid| !alive(pid)));
    }
    assert_eq!(pair.both("quit").code, Some(0));
}

/// A daemon that is started and stopped, and writes down that it was.
const DAEMON: &str = "
check process NAME with pidfile @/@@.NAME.pid
  start program = \"/bin/sh -c 'echo start NAME >> @/@@.deeds; sleep 1000 & echo $! > @/@@.NAME.pid'\"
";

const STOP: &str = "  stop program = \"/bin/sh -c 'echo stop NAME >> @/@@.deeds; kill `cat @/@@.NAME.pid`; rm @/@@.NAME.pid'\"\n";

fn daemon(name: &str, more: &str) -> String {
    (DAEMON.to_owned() + STOP + more).replace("NAME", name)
}

#[test]
fn what_is_not_watched_or_has_no_program_is_dealt_with_as_the_table_says() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let without_stop = DAEMON.replace("NAME", "lasting");
    let text = ["check system here\n", &daemon("quiet", ""), &daemon("again", ""), &without_stop].concat();
    let pair = Pair::start(&world, &text);
    let (well, off) = ("OK", "Not monitored");
    for name in ["quiet", "again", "lasting"] {
        pair.state(name, well);
        assert_eq!(deeds(&world, name), [["start"], ["start"]]);
    }
    let pids = |name: &str| BOTH.map(|who| world.pid(&format!("{who}.{name}.pid")));

    // R15: whoever asks for a stop wants it stopped.
    let quiet = pids("quiet");
    pair.both("unmonitor quiet");
    pair.state("quiet", off);
    pair.both("stop quiet");
    wait_until("our stop", || deeds(&world, "quiet")[1] == ["start", "stop"]);
    cycles();
    assert_eq!(deeds(&world, "quiet"), [vec!["start"], vec!["start", "stop"]]);
    assert_eq!(quiet.map(alive), [true, false]);
    pair.state("quiet", off);

    // Whoever asks for a restart wants it restarted.
    let again = pids("again");
    pair.both("unmonitor again");
    pair.state("again", off);
    pair.both("restart again");
    pair.state("again", well);
    cycles();
    assert_eq!(deeds(&world, "again"), [vec!["start"], vec!["start", "stop", "start"]]);
    assert_eq!(again.map(alive), [true, false]);

    let lasting = pids("lasting");
    pair.both("restart lasting");
    wait_until("both to say what came of it", || {
        let said = ["'lasting' restart action done", "'lasting' failed to restart"];
        [logged(&world, said[0])[0], logged(&world, said[1])[1]] == [1, 1]
    });
    pair.state("lasting", well);
    pair.both("stop lasting");
    pair.state("lasting", off);
    cycles();
    assert_eq!(deeds(&world, "lasting"), [["start"], ["start"]]);
    assert_eq!(lasting.map(alive), [true, true]);
    assert_eq!(pair.both("quit").code, Some(0));
}

#[test]
fn a_group_is_stopped_and_started_in_order_and_reaches_who_depends_on_it() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let text = [
        "check system here\n",
        &daemon("web", "  depends on app\n  group front\n"),
        &daemon("app", "  depends on db\n  group front\n  group middle\n"),
        &daemon("db", "  group back\n"),
        &daemon("cron", "  group back\n"),
    ];
    let pair = Pair::start(&world, &text.concat());
    let states = |word: &str, names: &[&str]| names.iter().for_each(|name| pair.state(name, word));
    let (well, off) = ("OK", "Not monitored");
    // What depends on each other, in order; `cron` is nobody's business.
    let chain = |before: usize| {
        BOTH.map(|who| {
            let text = world.read(&format!("{who}.deeds"));
            let lines = text.lines().filter(|line| !line.ends_with("cron")).skip(before).map(str::to_owned);
            lines.collect::<Vec<_>>()
        })
    };
    let mut before = 0;
    let mut done = |wanted: &[&str]| {
        wait_until(&format!("{wanted:?}, not {:?} (Monit, we)", chain(before)), || {
            chain(before).iter().all(|deeds| deeds.len() >= wanted.len())
        });
        assert_eq!(chain(before), [wanted, wanted], "Monit, we");
        before += wanted.len();
    };
    done(&["start db", "start app", "start web"]);
    states(well, &["db", "app", "web", "cron"]);

    pair.both("-g front stop");
    done(&["stop web", "stop app"]);
    states(off, &["app", "web"]);
    states(well, &["db", "cron"]);
    pair.both("-g front start");
    done(&["start app", "start web"]);
    states(well, &["db", "app", "web", "cron"]);

    // Who is not in the group goes along with what it needs, and is not brought back by it.
    pair.both("-g back stop");
    done(&["stop web", "stop app", "stop db"]);
    states(off, &["db", "app", "web", "cron"]);
    pair.both("-g middle start");
    done(&["start db", "start app"]);
    states(well, &["db", "app"]);
    states(off, &["web", "cron"]);
    pair.both("-g front start");
    done(&["start web"]);
    states(well, &["web"]);

    pair.both("-g middle restart");
    done(&["stop web", "stop app", "start app", "start web"]);
    states(well, &["db", "app", "web"]);
    pair.both("-g middle unmonitor");
    states(off, &["app", "web", "cron"]);
    states(well, &["db"]);
    pair.both("-g front monitor");
    states(well, &["db", "app", "web"]);
    done(&[]);
    assert_eq!(pair.both("quit").code, Some(0));
}

#[test]
fn what_depends_on_a_file_that_changes_is_back_within_the_cycle() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    world.write("conf", "1");
    let conf = "check file conf with path @/conf\n  if changed size then restart\n";
    let text = ["check system here\n", conf, &daemon("httpd", "  depends on conf\n")].concat();
    let pair = Pair::start_every(&world, &text, 1000);
    let cycle = || BOTH.iter().for_each(|who| kill(world.pid(&format!("{who}.pid")), "USR1"));
    let done = |wanted: &[&str]| {
        wait_until(&format!("{wanted:?}, not {:?} (Monit, we)", deeds(&world, "httpd")), || {
            deeds(&world, "httpd").iter().all(|deeds| deeds == wanted)
        });
    };
    done(&["start"]);
    // Monit sees with its next cycle that it runs.
    wait_until("both to have seen it", || {
        cycle();
        pause(std::time::Duration::from_millis(500));
        logged(&world, "'httpd' process is running with pid").iter().all(|times| *times == 1)
    });
    world.write("conf", "22222");
    cycle();
    done(&["start", "stop", "start"]);
    assert_eq!(logged(&world, "'conf' size has not changed"), [0, 0], "that was not the next cycle");
    assert_eq!(pair.both("quit").code, Some(0));
}
