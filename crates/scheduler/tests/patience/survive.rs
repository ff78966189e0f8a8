//! What repairs have come to, over a crash of ours, a boot and a reload.

use super::*;

#[test]
fn a_crash_of_ours_forgets_neither_the_count_nor_the_pause_nor_the_reminder() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(2 * MIN);
    let before = starts(&world, "httpd").len();
    assert!((2..5).contains(&before));
    world.crash(&config);
    world.run(10 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 5);
    assert_eq!(gave_up(&world).len(), 1);
    world.crash(&config);
    world.run(58 * MIN);
    assert_eq!((starts(&world, "httpd").len(), gave_up(&world).len()), (5, 2));
    let shown = patience(&world, "httpd").repairs;
    assert_eq!((shown.tried, shown.gave_up.unwrap().times), (5, 2));
}

#[test]
fn what_a_boot_has_ended_is_not_brought_back_by_a_crash() {
    let config = one(|service| service.on_reboot = OnReboot::NoStart);
    let mut world = world(&config);
    world.command("httpd", Doing::Monitor);
    world.of("httpd").tests_pass = false;
    world.run(10 * MIN);
    assert_eq!((starts(&world, "httpd").len(), gave_up(&world).len()), (5, 1));
    world.reboot(&config);
    world.run(MIN);
    world.appear("httpd");
    world.command("httpd", Doing::Monitor);
    world.crash(&config);
    world.run(10 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 10, "it has all its repairs again");
}

#[test]
fn a_crash_during_a_long_pause_does_not_shorten_it() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").unseen = true;
    world.kill("httpd");
    world.run(10 * MIN);
    let before = starts(&world, "httpd");
    world.crash(&config);
    world.run(4 * MIN);
    let after = starts(&world, "httpd");
    let pauses = pauses(&after);
    assert!(pauses[before.len() - 1] > 200.0, "{after:?}");
}

#[test]
fn a_reload_keeps_the_count_and_more_patience_is_used() {
    let mut config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    assert_eq!((starts(&world, "httpd").len(), gave_up(&world).len()), (5, 1));
    let mut changed = (*config.services[0]).clone();
    changed.groups.push("web".to_owned());
    config.services[0] = changed.clone().into();
    world.reload(&config);
    world.run(30 * MIN);
    assert_eq!(
        (starts(&world, "httpd").len(), gave_up(&world).len()),
        (5, 1),
        "that has nothing to do with it"
    );
    changed.patience = Some(Patience { give_up: Some(7), ..Patience::default() });
    config.services[0] = changed.clone().into();
    world.reload(&config);
    world.run(30 * MIN);
    assert_eq!((starts(&world, "httpd").len(), gave_up(&world).len()), (7, 2));
    // Another thing under the same name has had no repairs, in this life and after a crash.
    changed.kind = Kind::pidfile("/run/other.pid");
    config.services[0] = changed.into();
    world.reload(&config);
    world.crash(&config);
    world.run(15 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 14);
}

#[test]
fn what_a_reload_removes_is_forgotten_also_if_it_comes_back_while_it_is_started() {
    let (both, one) = (config([service("httpd"), service("other")]), config([service("other")]));
    let mut world = world(&both);
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    assert_eq!(gave_up(&world).len(), 1);
    world.of("httpd").start_takes = 5 * S;
    world.kill("httpd");
    world.run(S);
    world.reload(&one);
    world.run(S);
    world.reload(&both);
    assert_eq!(patience(&world, "httpd").repairs, Default::default());
    world.run(30 * MIN);
    assert_eq!((starts(&world, "httpd").len(), gave_up(&world).len()), (5 + 1 + 5, 2));
}
