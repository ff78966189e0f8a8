//! Programs that look, when the daemon ends or is killed while one of them runs.

use std::os::unix::fs::PermissionsExt;

use crate::common::{World, alive, kill, wait_until};

const CONFIGURATION: &str = "
every = '1s'
[files]
pidfile = '@/pid'
idfile = '@/id'
statefile = '@/state'
[log]
file = '@/log'
[service.slow]
program = { run = '@/slow --password secret', timeout = '10m' }
";

/// A daemon that runs one that takes long; its number.
fn running(world: &World) -> i32 {
    let script = world
        .write("slow", "#!/bin/sh\necho $$ > @/slow.new\nmv @/slow.new @/slow.pid\nsleep 1000 &\nwait\n");
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.write("hinoban.toml", CONFIGURATION);
    world.ok("-c hinoban.toml");
    wait_until("it to run", || world.path("slow.pid").exists());
    world.pid("slow.pid")
}

#[test]
fn a_program_that_looks_ends_with_the_daemon() {
    let world = World::new();
    let program = running(&world);
    // Whoever may look may not read its arguments.
    let explained = world.ok("-c hinoban.toml explain slow").out;
    assert!(explained.contains("/slow") && !explained.contains("secret"), "{explained}");
    world.ok("-c hinoban.toml quit");
    wait_until("it to be gone", || !alive(program));
}

#[test]
fn a_program_that_looks_is_asked_to_end_when_the_daemon_is_killed_and_is_run_anew_after_that() {
    let world = World::new();
    let program = running(&world);
    let daemon = world.pid("pid");
    kill(daemon, "KILL");
    // The program hears of it before all of the daemon is gone, and what is not gone would be woken.
    wait_until("both to be gone", || !alive(program) && !alive(daemon));
    std::fs::remove_file(world.path("slow.pid")).unwrap();
    world.ok("-c hinoban.toml");
    wait_until("another to run", || world.path("slow.pid").exists());
    assert_ne!(world.pid("slow.pid"), program);
}
