//! Who is reminded when, and what is no repair in a row.

use super::*;

#[test]
fn a_clock_that_was_set_forward_brings_one_reminder_early_and_not_one_with_each_crash() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(2 * H);
    let told = gave_up(&world).len();
    world.set_clock(40 * 3600);
    let at = world.now();
    for _ in 0..5 {
        world.crash(&config);
        world.run(5 * MIN);
    }
    assert_eq!(gave_up(&world).len(), told + 1, "{:?}", gave_up(&world));
    // The next comes when it is time, and a crash before it changes nothing about that.
    let times = gave_up(&world).last().map(|(_, times)| *times).unwrap();
    let left = H * (1 << (times - 1)) - world.now().since(at);
    world.run(left - 10 * MIN);
    world.crash(&config);
    assert_eq!(gave_up(&world).len(), told + 1);
    world.run(11 * MIN);
    assert_eq!(gave_up(&world).len(), told + 2);
}

#[test]
fn a_restart_on_recovery_is_no_repair_in_a_row() {
    let config = one(|service| {
        service.rules[1].fail = Branch::once(Then::Alert);
        service.rules[1].ok = Branch::once(Then::Restart);
    });
    let mut world = world(&config);
    for _ in 0..8 {
        world.of("httpd").tests_pass = false;
        world.run(60 * S);
        world.of("httpd").tests_pass = true;
        world.run(60 * S);
    }
    let restarts = world.deeds.iter().filter(|deed| deed.act == Act::Stop).count();
    assert_eq!(restarts, 8, "each time it has recovered");
    let repairs = world.remembered.iter().filter(|entry| matches!(entry, Remembered::Repairs { .. })).count();
    assert_eq!((repairs, gave_up(&world).len()), (0, 0));
}
