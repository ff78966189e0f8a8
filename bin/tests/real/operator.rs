//! What an operator does to a watched server.

use std::time::Duration;

use crate::common::{World, alive, kill, pause, wait_until};
use crate::servers::installed;
use crate::servers::nginx::{NGINX, Nginx, control_file};

#[test]
fn what_is_stopped_stays_stopped_over_a_restart_until_it_is_started() {
    if !installed(&[NGINX]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    world.write("rc", &control_file(&nginx));
    world.ok("-c rc");
    let first = nginx.pid();
    nginx.answers();
    world.ok("-c rc stop httpd");
    wait_until("nginx' end", || !alive(first) && nginx.ask().is_none());
    world.logged("'httpd' stop action done", 1);
    world.ok("-c rc quit");
    world.ok("-c rc");
    // Some cycles go by.
    pause(Duration::from_secs(3));
    assert!(nginx.ask().is_none(), "{}", world.read("log"));
    assert_eq!(nginx.called("start"), 1);
    let summary = world.ok("-B -c rc summary httpd").out;
    assert!(
        summary.lines().any(|l| l.split_whitespace().eq(["httpd", "Not", "monitored", "Process"])),
        "{summary}"
    );
    world.ok("-c rc start httpd");
    let second = nginx.back(first);
    kill(second, "KILL");
    nginx.back(second);
}

#[test]
fn a_second_daemon_and_a_broken_file_change_nothing() {
    if !installed(&[NGINX]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    let text = control_file(&nginx);
    world.write("rc", &text);
    world.ok("-c rc");
    let (daemon, first) = (world.pid("pid"), nginx.pid());
    assert_eq!(world.ok("-c rc").out, format!("Monit daemon with PID {daemon} awakened\n"));
    assert_eq!(world.ok("-I -c rc").out, format!("Monit daemon with PID {daemon} awakened\n"));

    world.write("rc", &text.replace("then restart", "then restat"));
    kill(daemon, "HUP");
    world.logged("'restat'", 1);
    world.logged("going on with the configuration of before", 1);
    kill(first, "KILL");
    let second = nginx.back(first);
    assert_eq!((world.pid("pid"), alive(daemon)), (daemon, true));
    // Mended, it is taken on, and what runs is left alone.
    world.write("rc", &text);
    world.ok("-c rc reload");
    world.logged("reloaded", 1);
    assert_eq!((world.pid("pid"), nginx.pid()), (daemon, second));
    assert_eq!(nginx.called("stop"), 0);
}
