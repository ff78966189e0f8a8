//! Every command of Monit's own command line, given to a Monit and to us.

use super::{MONIT, Pair, monit};
use crate::common::{World, wait_until};
use crate::servers::installed;

/// A daemon that is started and stopped. Each supervisor has its own.
const DAEMON: &str = "
check process NAME with pidfile @/@@.NAME.pid
  start program = \"/bin/sh -c 'sleep 1000 & echo $! > @/@@.NAME.pid'\"
  stop program = \"/bin/sh -c 'kill `cat @/@@.NAME.pid`; rm @/@@.NAME.pid'\"
";

#[test]
fn every_command_comes_to_the_same() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let daemon = |name: &str, more: &str| DAEMON.replace("NAME", name) + more;
    let group = "  group Pair\n";
    let text = ["check system here\n", &daemon("one", group), &daemon("two", group), &daemon("three", "")];
    let pair = Pair::start(&world, &text.concat());
    let all = ["one", "two", "three"];
    let states =
        |wanted: [&str; 3]| all.into_iter().zip(wanted).for_each(|(name, word)| pair.state(name, word));
    let pids = |name: &str| ["theirs", "ours"].map(|who| world.pid(&format!("{who}.{name}.pid")));
    let gone = |name: &str| {
        ["theirs", "ours"].map(|who| world.path(&format!("{who}.{name}.pid"))).iter().all(|p| !p.exists())
    };
    let others = |name: &str, before: [i32; 2]| {
        for (who, old) in ["theirs", "ours"].into_iter().zip(before) {
            world.new_pid(&format!("{who}.{name}.pid"), old);
        }
    };
    let accepted = |line: &str| {
        let done = pair.both(line);
        assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{line}: {done:?}");
    };
    let (well, off) = ("OK", "Not monitored");
    states([well; 3]);

    accepted("stop one");
    states([off, well, well]);
    wait_until("the end of one", || gone("one"));
    accepted("start one");
    states([well; 3]);
    let before = pids("one");
    accepted("restart ONE");
    others("one", before);
    states([well; 3]);
    accepted("unmonitor t.*");
    states([well, off, off]);
    accepted("monitor all");
    states([well; 3]);
    let kept = pids("three");
    accepted("-g pair stop");
    states([off, off, well]);
    wait_until("the end of the group", || gone("one") && gone("two"));
    accepted("-g PAIR start");
    states([well; 3]);
    let before = [pids("one"), pids("two")];
    accepted("-g Pair restart");
    others("one", before[0]);
    others("two", before[1]);
    states([well; 3]);
    accepted("-g pair unmonitor");
    states([off, off, well]);
    accepted("-g pair monitor");
    states([well; 3]);
    assert_eq!(pids("three"), kept, "who is not in the group is left alone");
    accepted("stop all");
    pair.state("here", off);
    states([off; 3]);
    wait_until("the end of all", || all.into_iter().all(gone));
    accepted("start all");
    pair.state("here", well);
    states([well; 3]);
    accepted("restart all");
    pair.says_alike("report");

    for line in [
        "start",
        "restart nosuch",
        "stop on",
        "unmonitor (",
        "-g nosuch start",
        "-g nosuch status",
        "-g nosuch summary",
        "status nosuch",
        "summary nosuch",
        "report bogus",
        "bogus",
    ] {
        let refused = pair.both(line);
        assert_eq!(refused.code, Some(1), "{line}: {refused:?}");
        assert!(!refused.err.is_empty(), "{line}");
    }
    // Monit's own oddity: what is asked for is done, and yet the exit code is 1.
    assert_eq!(monit(&world, "ours", "validate").code, monit(&world, "theirs", "validate").code);
    for line in ["reload", "quit"] {
        assert_eq!(pair.both(line).code, Some(0));
    }
    wait_until("the end of both", || {
        ["theirs.pid", "ours.pid"].iter().all(|file| !world.path(file).exists())
    });
    for line in ["status", "summary", "report", "start one", "quit"] {
        pair.both(line);
    }
}
