//! When what a rule asks for is done: beside Monit, cycle by cycle.

use std::os::unix::fs::PermissionsExt;

use super::{MONIT, Pair};
use crate::common::{World, free_port, kill, wait_until};
use crate::servers::installed;
use crate::servers::sink::Sink;

/// The cycle in which each program ran is in a file named after the daemon and the rule. The last service tells cycles.
const RATES: &str = "
check system here
check file plain with path @/grown
  if size > 3 B then exec \"RAN.plain\"
check file again with path @/grown
  if size > 3 B then exec \"RAN.again\" repeat every 2 cycles
check file both with path @/grown
  if size > 3 B for 3 cycles then exec \"RAN.both\" else if succeeded for 2 cycles then exec \"RAN.well\"
check file of with path @/short
  if size > 3 B 3 times within 5 cycles then exec \"RAN.of\"
    else if succeeded 2 times within 3 cycles then exec \"RAN.phantom\"
check file growing with path @/growing
  if changed size then exec \"RAN.growing\"
check file third with path @/growing
  if changed size for 3 cycles then exec \"RAN.third\"
check file mode with path @/growing
  if changed permission then exec \"RAN.mode\"
check process p with pidfile @/p.pid
  if changed pid then exec \"RAN.process\"
  if changed ppid then exec \"RAN.parent\"
check host lhost with address 127.0.0.1
  start program = \"RAN.start\"
  if failed port CLOSED type tcp for 2 cycles then restart
check file folder with path @/folder
  start program = \"RAN.folder\"
check file tick with path @/nowhere
  if does not exist then alert
";

/// Cycles in which both are to have run what is named so, and those in which we are.
const RAN: [(&str, &[u32], &[u32]); 13] = [
    ("plain", &[1], &[1]),
    ("again", &[1, 2, 4, 6], &[1, 2, 4, 6]),
    ("both", &[3], &[3]),
    ("well", &[8], &[8]),
    ("of", &[3], &[3]),
    // Right after a failure Monit takes seven of the eight looks before it for good ones.
    ("phantom", &[4], &[5]),
    ("growing", &[1, 2, 3, 4, 5, 6, 7], &[1, 2, 3, 4, 5, 6, 7]),
    ("third", &[3, 5, 7], &[3, 5, 7]),
    ("mode", &[5], &[5]),
    ("process", &[4, 6], &[4, 6]),
    ("parent", &[], &[]),
    ("start", &[1, 2, 3, 4, 5, 6, 7, 8], &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("folder", &[0, 1, 2, 3, 4, 5, 6, 7, 8], &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
];

#[test]
fn what_a_rule_asks_for_is_done_in_the_same_cycles() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let script = world.write("ran", "#!/bin/sh\ncat @/now >> @/$1\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut sleepers: Vec<_> = (0..3)
        .map(|_| std::process::Command::new("sleep").arg("1000").env("HOME", world.dir()).spawn().unwrap())
        .collect();
    // As long as a process is there Monit takes no notice of another one in its pidfile.
    let mut takes_over = |at: usize| {
        world.write("p.pid", &format!("{}\n", sleepers[at].id()));
        if let Some(before) = at.checked_sub(1) {
            sleepers[before].kill().unwrap();
            sleepers[before].wait().unwrap();
        }
    };
    world.write("now", "0\n");
    world.write("grown", "x");
    world.write("short", "x");
    world.write("growing", "");
    std::fs::create_dir(world.path("folder")).unwrap();
    takes_over(0);
    let text = RATES.replace("RAN.", "@/ran @@.").replace("CLOSED", &free_port().to_string());
    let _pair = Pair::start_every(&world, &text, 1000);
    cycle_is_over(&world, 0);

    for now in 1..=8u32 {
        world.write("now", &format!("{now}\n"));
        world.write("grown", if now <= 6 { "xxxxx" } else { "x" });
        world.write("short", if now <= 3 { "xxxxx" } else { "x" });
        if now <= 7 {
            // Not written anew: nobody is woken, and the mode stays.
            let path = world.path("growing");
            std::fs::write(path, "x".repeat(now as usize)).unwrap();
        }
        match now {
            4 => takes_over(1),
            5 => std::fs::set_permissions(world.path("growing"), std::fs::Permissions::from_mode(0o640))
                .unwrap(),
            6 => takes_over(2),
            _ => {}
        }
        for who in ["theirs", "ours"] {
            kill(world.pid(&format!("{who}.pid")), "USR1");
        }
        cycle_is_over(&world, now);
    }

    // And both say the same of it. Only we know how a process ended.
    let said = |who: &str, service: &str| -> Vec<String> {
        let log = world.read(&format!("{who}.log")).replace(&format!("{who}."), "@@.");
        let of_it = |line: &str| line.split_once(&format!("'{service}' ")).map(|(_, text)| text.to_owned());
        let texts = log.lines().filter_map(of_it).filter(|text| !text.contains("killed by signal"));
        texts.map(|text| text.split(" -- ").next().unwrap_or("").to_owned()).collect()
    };
    for service in ["plain", "again", "both", "growing", "third", "mode", "p"] {
        assert_eq!(said("ours", service), said("theirs", service), "{service}");
    }
    sleepers[2].kill().unwrap();
    sleepers[2].wait().unwrap();
}

/// Waits until both have looked at everything so often, and run what they are to run by then.
fn cycle_is_over(world: &World, now: u32) {
    for (who, ours) in [("theirs", false), ("ours", true)] {
        wait_until(&format!("cycle {now} of {who}"), || {
            let log = world.read(&format!("{who}.log"));
            log.lines().filter(|line| line.contains("'tick' ")).count() > now as usize
        });
        for (name, theirs, our) in RAN {
            let cycles = if ours { our } else { theirs };
            let wanted: String =
                cycles.iter().filter(|cycle| **cycle <= now).map(|cycle| format!("{cycle}\n")).collect();
            let mut ran = String::new();
            for _ in 0..200 {
                ran = world.read(&format!("{who}.{name}"));
                if ran == wanted {
                    break;
                }
                crate::common::pause(std::time::Duration::from_millis(50));
            }
            assert_eq!(ran, wanted, "{name} of {who} in cycle {now}");
        }
    }
    settle();
}

/// Monit goes to sleep: what wakes it before is forgotten.
fn settle() {
    crate::common::pause(std::time::Duration::from_millis(1200));
}

const REMINDED: &str = "
set mailserver 127.0.0.1 port PORT
set alert admin@example.com with reminder on 2 cycles
check system here
check file @@file with path @/grown
  if size > 3 B then alert
check file tick with path @/nowhere
  if does not exist then alert
";

#[test]
fn reminders_come_with_the_same_cycles() {
    if !installed(&[MONIT]) {
        return;
    }
    let (world, sink) = (World::new(), Sink::start());
    world.write("grown", "x");
    let _pair = Pair::start_every(&world, &REMINDED.replace("PORT", &sink.port.to_string()), 1000);
    let mails = |who: &str| sink.count(&["Size failed", &format!("{who}file")]);
    let cycle = |now: usize, wanted: usize| {
        for who in ["theirs", "ours"] {
            wait_until(&format!("cycle {now} of {who}"), || {
                let log = world.read(&format!("{who}.log"));
                log.lines().filter(|line| line.contains("'tick' ")).count() > now
            });
            wait_until(&format!("{wanted} mails of {who} by cycle {now}, not {:?}", sink.all()), || {
                mails(who) >= wanted
            });
            assert_eq!(mails(who), wanted, "{who} in cycle {now}");
        }
        settle();
    };
    cycle(0, 0);
    world.write("grown", "xxxxx");
    for (now, wanted) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
        for who in ["theirs", "ours"] {
            kill(world.pid(&format!("{who}.pid")), "USR1");
        }
        cycle(now, wanted);
    }
}
