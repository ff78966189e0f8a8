//! Services that depend on each other: what is started and stopped, and in which order, by a Monit and by us.

use std::fs;

use super::{MONIT, Pair, compare};
use crate::common::{World, wait_until};
use crate::servers::installed;

/// A daemon that is started and stopped, and writes down that it was. It does not start while there is a file `broken.NAME`.
const DAEMON: &str = "
check process NAME with pidfile @/@@.NAME.pid
  start program = \"/bin/sh -c 'echo start NAME >> @/@@.deeds; test -e @/broken.NAME && exit 1; sleep 1000 & echo $! > @/@@.NAME.pid'\"
    with timeout 3 seconds
  stop program = \"/bin/sh -c 'echo stop NAME >> @/@@.deeds; kill `cat @/@@.NAME.pid`; rm @/@@.NAME.pid'\"
";

const ALL: [&str; 4] = ["fs", "db", "app", "web"];

/// What was done since the last time, by each.
struct Deeds<'a> {
    pair: &'a Pair<'a>,
    before: [usize; 2],
}

impl Deeds<'_> {
    fn since(&self) -> [Vec<String>; 2] {
        let read =
            |who: &str| fs::read_to_string(self.pair.world.path(&format!("{who}.deeds"))).unwrap_or_default();
        let lines = |who: &str, before: usize| read(who).lines().skip(before).map(str::to_owned).collect();
        [lines("theirs", self.before[0]), lines("ours", self.before[1])]
    }

    /// Waits until both have done this, and nothing else.
    fn are(&mut self, wanted: &[&str]) {
        wait_until(&format!("{wanted:?}, not {:?} (Monit, we)", self.since()), || {
            self.since().iter().all(|deeds| deeds.len() >= wanted.len())
        });
        let new = self.since();
        assert_eq!(new, [wanted, wanted], "Monit, we");
        self.pass();
    }

    fn pass(&mut self) {
        let new = self.since();
        self.before = [self.before[0] + new[0].len(), self.before[1] + new[1].len()];
    }
}

#[test]
fn what_depends_on_what_is_started_and_stopped_in_the_same_order() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let daemon = |name: &str, more: &str| DAEMON.replace("NAME", name) + more;
    let text = [
        "check system here\n",
        &daemon("web", "  depends on app\n"),
        &daemon("db", "  depends FS\n"),
        &daemon("app", "  depends on db\n"),
        &daemon("fs", ""),
    ];
    let pair = Pair::start(&world, &text.concat());
    let mut deeds = Deeds { pair: &pair, before: [0, 0] };
    let states = |word: &str, names: &[&str]| names.iter().for_each(|name| pair.state(name, word));
    let (well, off) = ("OK", "Not monitored");

    deeds.are(&["start fs", "start db", "start app", "start web"]);
    states(well, &ALL);
    // Each has processes of its own.
    let but_pids = |theirs: &str, ours: &str| {
        let differences = compare::xml(theirs, ours);
        differences.into_iter().filter(|differs| !differs.contains("/pid:")).collect()
    };
    pair.alike("/_status?format=xml", but_pids);
    pair.alike("/_summary", compare::text);

    for who in ["theirs", "ours"] {
        let pid = world.pid(&format!("{who}.db.pid"));
        assert!(
            std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success()
        );
    }
    deeds.are(&["stop web", "stop app", "start db", "start app", "start web"]);
    states(well, &ALL);

    pair.both("stop db");
    deeds.are(&["stop web", "stop app", "stop db"]);
    states(off, &ALL[1..]);
    states(well, &["fs"]);
    pair.both("start web");
    deeds.are(&["start db", "start app", "start web"]);
    states(well, &ALL);

    pair.both("restart db");
    deeds.are(&["stop web", "stop app", "stop db", "start db", "start app", "start web"]);
    states(well, &ALL);

    pair.both("unmonitor web");
    pair.state("web", off);
    pair.both("restart db");
    deeds.are(&["stop app", "stop db", "start db", "start app"]);
    states(well, &ALL[..3]);
    pair.both("monitor web");
    states(well, &ALL);

    pair.both("unmonitor db");
    states(off, &ALL[1..]);
    pair.both("monitor app");
    states(well, &ALL[..3]);
    pair.both("monitor web");
    states(well, &ALL);

    pair.both("stop all");
    deeds.are(&["stop web", "stop app", "stop db", "stop fs"]);
    states(off, &ALL);
    pair.both("start all");
    deeds.are(&["start fs", "start db", "start app", "start web"]);
    states(well, &ALL);

    // What needs what does not come up is not started before it does.
    pair.both("stop db");
    deeds.are(&["stop web", "stop app", "stop db"]);
    states(off, &ALL[1..]);
    world.write("broken.db", "");
    pair.both("start web");
    wait_until("both to have tried twice", || deeds.since().iter().all(|deeds| deeds.len() >= 2));
    assert!(deeds.since().iter().flatten().all(|deed| deed == "start db"), "{:?}", deeds.since());
    fs::remove_file(world.path("broken.db")).unwrap();
    states(well, &ALL);
    let ended =
        |deeds: &Vec<String>| deeds.ends_with(&["start db".into(), "start app".into(), "start web".into()]);
    assert!(deeds.since().iter().all(ended), "{:?}", deeds.since());
    assert_eq!(pair.both("quit").code, Some(0));
}

#[test]
fn what_a_restart_takes_down_is_up_again_while_the_test_goes_on_failing() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let daemon = |name: &str, more: &str| DAEMON.replace("NAME", name) + more;
    let text = [
        daemon("child", "  depends on par\n"),
        // Nobody listens there.
        daemon("par", "  if failed host 127.0.0.1 port 1 type tcp then restart\n"),
    ];
    let pair = Pair::start(&world, &text.concat());
    let mut deeds = Deeds { pair: &pair, before: [0, 0] };
    deeds.are(&["start par", "start child"]);
    let round = ["stop child", "stop par", "start par", "start child"];
    wait_until("both to have restarted them twice", || deeds.since().iter().all(|deeds| deeds.len() >= 8));
    for (deeds, who) in deeds.since().iter().zip(["Monit", "we"]) {
        assert_eq!(deeds[..8], [round, round].concat(), "{who}");
    }
    assert_eq!(pair.both("quit").code, Some(0));
}
