//! When services are looked at that are not looked at in each cycle, on a simulated host whose clock begins on Tuesday,
//! 14 November 2023, at 22:13:20 UTC.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{Config, Cron, Dialect, Kind, Program, Rule, Service, Turns};
use hinoban_event::Doing;
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, ServiceView, Watching};

const S: Duration = Duration::from_secs(1);

/// From the beginning to 23:00.
const TO_ELEVEN: Duration = Duration::from_secs(46 * 60 + 40);

fn world(turns: Turns) -> World {
    let mut config = Config::empty(Dialect::Monit, "vm");
    config.every = Some(10 * S);
    let mut service = Service::new("httpd", Kind::pidfile("/run/httpd.pid"));
    service.start = Some(Program { words: vec!["/bin/start".into()], uid: None, gid: None, timeout: 10 * S });
    service.rules.push(Rule::existence());
    service.turns = turns;
    config.services = vec![service.into()];
    World::new(&config, Duration::ZERO)
}

fn pattern(text: &str) -> Cron {
    Cron::parse(text).unwrap().0
}

fn view(world: &World) -> ServiceView {
    world.scheduler.view().remove(0)
}

/// Seconds from the beginning at which it was looked at.
fn looks(world: &mut World, time: u64) -> Vec<i64> {
    let mut looks: Vec<i64> = Vec::new();
    for _ in 0..time {
        world.run(S);
        let at = view(world).looked_at.map(|at| at.secs() - 1_700_000_000);
        looks.extend(at.filter(|at| looks.last() != Some(at)));
    }
    looks
}

#[test]
fn each_third_cycle_is_the_first_the_fourth_and_so_on() {
    let mut world = world(Turns::Nth(3));
    world.appear("httpd");
    assert_eq!(looks(&mut world, 95), [0, 30, 60, 90]);
    world.run(10 * S);
    let waits = view(&world);
    assert_eq!((waits.watching, waits.waiting, waits.passed_over), (Watching::Yes, true, 1));
    assert_eq!(waits.next_look.unwrap().secs() - 1_700_000_000, 120);
}

#[test]
fn a_death_is_repaired_at_once_between_its_cycles_too() {
    let mut world = world(Turns::Nth(100));
    world.appear("httpd");
    world.run(25 * S);
    world.kill("httpd");
    world.run(S);
    assert!(world.lives("httpd"));
}

#[test]
fn what_nobody_has_looked_at_yet_waits() {
    let mut world = world(Turns::At(pattern("0 23 * * *")));
    world.run(60 * S);
    let waits = view(&world);
    assert_eq!((waits.watching, waits.waiting, waits.observation), (Watching::Initializing, true, None));
    assert_eq!(waits.next_look.unwrap().secs() - 1_700_000_000, TO_ELEVEN.as_secs() as i64);
    assert!(world.scheduler.settled(), "who looks once only does not wait for it");
    world.run(TO_ELEVEN - 61 * S);
    assert!(!world.lives("httpd"));
    world.run(2 * S);
    assert!(world.lives("httpd"));
    assert!(!view(&world).waiting);
    world.run(10 * S);
    assert!(view(&world).waiting, "once in its minute");
}

#[test]
fn outside_its_minutes_a_service_is_left_alone_and_its_death_found_when_they_come() {
    let mut world = world(Turns::At(pattern("* 22 * * *")));
    world.appear("httpd");
    world.run(65 * S);
    world.kill("httpd");
    world.run(S);
    assert!(world.lives("httpd"), "in its minutes a death is seen at once");
    world.run(TO_ELEVEN);
    world.kill("httpd");
    world.run(Duration::from_secs(22 * 3600));
    assert!(!world.lives("httpd"));
    world.run(Duration::from_secs(3600));
    assert!(world.lives("httpd"));
    assert_eq!(world.deeds.len(), 2);
}

#[test]
fn in_its_quiet_hours_nothing_is_looked_at_and_what_is_found_after_them_is_repaired() {
    let mut world = world(Turns::Except(pattern("* 22 * * *")));
    world.appear("httpd");
    world.run(60 * S);
    world.kill("httpd");
    world.run(TO_ELEVEN - 61 * S);
    assert_eq!((world.lives("httpd"), view(&world).waiting), (false, true));
    world.run(12 * S);
    assert_eq!((world.lives("httpd"), view(&world).waiting), (true, false));
}

#[test]
fn operators_are_obeyed_at_any_time() {
    let mut world = world(Turns::Except(pattern("* * * * *")));
    world.run(60 * S);
    world.command("httpd", Doing::Start);
    world.run(S);
    assert!(world.lives("httpd"));
    let acts: Vec<&Act> = world.deeds.iter().map(|deed| &deed.act).collect();
    assert_eq!(acts, [&Act::Start]);
}
