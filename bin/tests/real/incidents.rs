//! What failed, as the command line tells it, also after the daemon was killed.

use crate::common::{TOML, World, alive, kill, wait_for, wait_until};

#[test]
fn a_killed_service_is_an_incident_with_its_cause_that_a_killed_daemon_still_knows() {
    let world = World::new();
    let kept = "  [[service.svc.check]]\n  when = \"total memory > 900 MB\"\n  then = \"alert\"\n";
    world.write("c.toml", &format!("{TOML}{kept}"));
    let nobody = world.run("-c c.toml incidents");
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.err.contains("daemon is not running"), "{nobody:?}");

    world.ok("-c c.toml");
    let first = world.pid("svc.pid");
    // That it was not there yet is the first one.
    let listed = |how_many: usize| {
        wait_for(&format!("{how_many} incidents"), || {
            let out = world.ok("-c c.toml incidents svc").out;
            (out.lines().count() == how_many + 1 && !out.contains('+')).then_some(out)
        })
    };
    listed(1);
    kill(first, "KILL");
    world.new_pid("svc.pid", first);
    let list = listed(2);
    assert!(list.lines().nth(1).unwrap().trim_start().starts_with("2 "), "{list}");
    let one = world.ok("-c c.toml incident 2").out;
    for part in ["failed ", "process is not running", "decided ", "done ", "start began: /bin/sh", "outcome "]
    {
        assert!(one.contains(part), "{part}\n{one}");
    }
    // Where the kernel can tell.
    if list.contains("killed by") {
        assert!(one.contains(&format!("cause       PID {first} was killed by signal 9 (SIGKILL)")), "{one}");
    }

    let daemon = world.pid("pid");
    kill(daemon, "KILL");
    wait_until("the daemon's end", || !alive(daemon));
    world.ok("-c c.toml");
    world.new_pid("pid", daemon);
    assert!(listed(2).contains("process is not running"));
    assert_eq!(world.ok("-c c.toml incident 2").out, one);
    let log = world.read("log");
    assert!(!log.contains("history"), "nothing to complain of: {log}");

    for (line, says) in [
        ("incident 77", "There is no incident 77"),
        ("incident svc", "hinoban incidents svc"),
        ("incident", "hinoban incident ID"),
        ("incidents nobody", "There is no service named \"nobody\""),
    ] {
        let refused = world.run(&format!("-c c.toml {line}"));
        assert_eq!(refused.code, Some(1), "{line}: {refused:?}");
        assert!(refused.err.contains(says), "{line}: {refused:?}");
    }
}

#[test]
fn a_history_that_is_switched_off_leaves_no_file_and_says_so() {
    let world = World::new();
    world.write("c.toml", &format!("history = false\n{TOML}"));
    world.ok("-c c.toml");
    world.pid("svc.pid");
    let refused = world.run("-c c.toml incidents");
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("No history is kept"), "{refused:?}");
    assert!(!world.path("state.history").exists());
}
