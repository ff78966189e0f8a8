//! `hinoban shadow` beside a real Monit: nothing is done, and who was first is told.

use std::process::Stdio;

use crate::beside_monit::{MONIT, monit};
use crate::common::{World, alive, finished, kill, wait_until};
use crate::servers::installed;

const FILE: &str = "
set daemon 2
set log @/log
set pidfile @/pid
set idfile @/id
set statefile @/state
set httpd unixsocket @/s and allow admin:monit
check process svc with pidfile @/svc.pid
  start program = \"/bin/sh -c 'sleep 1000 & echo $! > @/svc.pid'\"
check program job with path /bin/true
  if status != 0 then alert
";

#[test]
fn what_monit_repairs_is_only_watched() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    world.write("rc", FILE);
    assert_eq!(monit(&world, "rc", "").code, Some(0));
    wait_until("all to be well", || monit(&world, "rc", "report up").out == "3\n");
    let first = world.pid("svc.pid");
    let files = world.files();
    let mut command = world.command("-c rc shadow --for 30m");
    let out = std::fs::File::create(world.path("out")).unwrap();
    let mut shadow = command.stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("its beginning", || world.read("out").contains("job is left out"));
    // It has seen the process when it says when that dies.
    crate::common::pause(std::time::Duration::from_secs(3));
    kill(first, "KILL");
    let second = world.new_pid("svc.pid", first);
    wait_until("both to have told", || {
        let out = world.read("out");
        out.contains("process is not running: would restart it") && out.contains("started it again: pid")
    });
    kill(shadow.id() as i32, "INT");
    assert!(shadow.wait().unwrap().success());
    let out = world.read("out");
    assert!(out.contains(&format!("pid {first} became {second}")), "{out}");
    let line = out.lines().find(|line| line.starts_with("svc ")).unwrap();
    assert!(line.contains(" s") && line.split_whitespace().nth(1) == Some("1"), "{out}");
    assert!(out.contains("s ahead of Monit on average"), "{out}");
    assert!(alive(second));
    let mut later = world.files();
    later.retain(|name| name != "out");
    assert_eq!(later, files, "it leaves nothing behind");
    assert_eq!(monit(&world, "rc", "quit").code, Some(0));
}

#[test]
fn without_a_monit_there_is_nothing_to_watch_beside() {
    let world = World::new();
    world.write("rc", FILE);
    let done = finished(world.command("-c rc shadow").output().unwrap());
    assert_eq!(done.code, Some(1));
    assert!(done.err.starts_with("Monit does not answer ("), "{done:?}");
    world.write("c.toml", crate::common::TOML);
    let done = world.run("-c c.toml shadow");
    assert!(done.err.starts_with("shadow watches beside a Monit"), "{done:?}");
    let done = world.run("-c rc status --for 5m");
    assert!(done.err.starts_with("Options --fail and --for go with"), "{done:?}");
}
