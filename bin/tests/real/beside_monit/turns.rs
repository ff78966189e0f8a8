//! Services that are not looked at in each cycle, and limits on restarts: beside Monit.

use super::{MONIT, Pair, compare};
use crate::common::{World, wait_until};
use crate::servers::installed;

const TURNS: &str = "
check system here
check file each with path @/notes
  every 1 cycle
check file seldom with path @/notes
  every 1000 cycles
  if size < 1 kB then alert
check file never with path @/notes
  every \"0 0 31 2 *\"
check file off with path @/notes
  not every \"* * * * *\"
check file always with path @/notes
  not every \"0 0 31 2 *\"
check file behind with path @/notes
  depends on never
check file beside with path @/notes
  depends on always
";

#[test]
fn who_waits_for_a_turn_is_shown_alike() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    world.write("notes", "12345\n");
    let pair = Pair::start(&world, TURNS);
    pair.state("seldom", "Size failed");
    pair.state("never", "Waiting");
    pair.state("off", "Waiting");
    pair.state("always", "OK");
    pair.state("beside", "OK");
    pair.state("behind", "Initializing");
    pair.documents();
    for line in ["status", "summary", "report", "status never", "status seldom", "status behind"] {
        pair.says_alike(line);
    }
    pair.alike("/_report", compare::text);
}

/// What is started, and never is there. Each supervisor has its own.
const LIMITS: &str = "
check system here
check process gone with pidfile @/@@.gone.pid
  start program = \"/bin/true\" with timeout 1 second
  if 3 restarts within 5 cycles then timeout
check process ended with pidfile @/@@.ended.pid
  start program = \"/bin/true\" with timeout 1 second
  stop program = \"/bin/true\" with timeout 1 second
  if 2 restarts within 3 cycles then stop
check process watched with pidfile @/@@.watched.pid
  mode passive
  start program = \"/bin/true\" with timeout 1 second
  if 2 restarts within 4 cycles then exec \"/bin/sh -c 'echo reached >> @/@@.reached'\"
check file missing with path @/missing
  start program = \"/bin/true\" with timeout 1 second
  if 2 restarts within 4 cycles then alert
  if 4 restarts within 6 cycles then alert
check host lhost with address 127.0.0.1
  start program = \"/bin/true\" with timeout 1 second
  if failed port 1 then restart
  if 1 restart within 1 cycle then unmonitor
";

#[test]
fn limits_on_restarts_are_reached_at_the_same_time_and_told_in_the_same_words() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let pair = Pair::start(&world, LIMITS);
    pair.state("gone", "Not monitored");
    pair.state("ended", "Not monitored");
    pair.state("watched", "Does not exist | Timeout");
    pair.state("missing", "Does not exist | Timeout");
    pair.state("lhost", "Not monitored");
    // What each says of a limit, in order. Ours may add what to do next.
    let said = |service: &str| {
        ["theirs", "ours"].map(|who| {
            let log = std::fs::read_to_string(world.path(&format!("{who}.log"))).unwrap_or_default();
            let of_it = |line: &str| {
                let text = line.split_once(&format!("'{service}' "))?.1;
                text.starts_with("service restarted")
                    .then(|| text.split(" -- ").next().unwrap_or("").to_owned())
            };
            log.lines().filter_map(of_it).collect::<Vec<_>>()
        })
    };
    for (service, wanted) in [("gone", 1), ("ended", 1), ("lhost", 1), ("watched", 7), ("missing", 8)] {
        wait_until(&format!("limits of '{service}'"), || {
            said(service).iter().all(|lines| lines.len() >= wanted)
        });
        let [theirs, ours] = said(service);
        assert_eq!(theirs[..wanted], ours[..wanted], "{service}");
    }
    let ran =
        ["theirs", "ours"].map(|who| std::fs::read_to_string(world.path(&format!("{who}.reached"))).unwrap());
    assert_eq!(ran, ["reached\n", "reached\n"], "once for all the times that the limit is reached");

    // It is said what to do next, and it holds again after that.
    let status = world.ok("-c ours status gone");
    let next = "nobody looks at it any more; what happened: hinoban explain gone, and its own log; once it is mended: hinoban monitor gone";
    assert!(status.out.contains(next), "{}", status.out);
    for file in ["theirs", "ours"] {
        world.write(&format!("{file}.gone.pid"), &format!("{}\n", std::process::id()));
    }
    assert_eq!(pair.both("monitor gone").code, Some(0));
    pair.state("gone", "OK");
    let status = world.ok("-c ours status");
    assert!(!status.out.contains("not seen"), "{}", status.out);
}
