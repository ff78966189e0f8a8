//! What outlives its stop is killed, where the configuration says so.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Config, Dialect, Kind, Program, Rule, Service};
use hinoban_event::{Doing, Fact};
use hinoban_scheduler::Act;
use hinoban_scheduler::sim::World;

const S: Duration = Duration::from_secs(1);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 30 * S }
}

fn service(name: &str, change: impl FnOnce(&mut Service)) -> Arc<Service> {
    let mut service = Service::new(name, Kind::pidfile(format!("/run/{name}.pid")));
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.kill_after = Some(10 * S);
    service.rules = vec![Rule::existence()];
    change(&mut service);
    service.into()
}

/// A world in which all of them run, and none heeds its stop.
fn world(services: Vec<Arc<Service>>) -> (World, Config) {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    config.services = services;
    let mut world = World::new(&config, Duration::ZERO);
    for service in &config.services {
        world.of(&service.name).stops = false;
        world.appear(&service.name);
    }
    world.run(120 * S);
    (world, config)
}

/// What was done, and how long after `since`: a letter and seconds for each.
fn done(world: &World, since: Duration) -> Vec<String> {
    let word = |act: &Act| match act {
        Act::Start => "start",
        Act::Stop => "stop",
        Act::Kill(_) => "kill",
        Act::End(_) => "end",
        _ => "?",
    };
    let deeds = world.deeds.iter().filter(|deed| deed.at.elapsed() >= since);
    deeds.map(|d| format!("{} {} {}", d.service, word(&d.act), (d.at.elapsed() - since).as_secs())).collect()
}

fn told(world: &World) -> Vec<String> {
    let fact = |fact: &Fact| if let Fact::Limited { what } = fact { Some(what.clone()) } else { None };
    world.events.iter().filter_map(|event| fact(&event.fact)).collect()
}

#[test]
fn a_stop_that_is_not_heeded_ends_with_a_kill_and_a_restart_goes_on_with_its_start() {
    for wakes in [true, false] {
        let (mut world, _) = world(vec![service("db", |_| {})]);
        world.of("db").wakes = wakes;
        let since = world.now().elapsed();
        let pid = world.scheduler.view()[0].identity.unwrap().pid;
        world.command("db", Doing::Restart);
        world.run(60 * S);
        assert_eq!(done(&world, since)[..2], ["db stop 0", "db kill 10"]);
        assert!(done(&world, since)[2].starts_with("db start 1"), "{:?}", done(&world, since));
        assert_eq!(done(&world, since).len(), 3);
        assert!(world.lives("db") && world.doubled.is_empty());
        assert_eq!(
            told(&world),
            [format!("process {pid} did not end within 10 s of its stop and was killed")]
        );
        let ok = world
            .events
            .iter()
            .any(|e| matches!(e.fact, Fact::Ended { doing: Doing::Restart, ok: true, .. }));
        assert!(ok, "the restart reached its aim");
    }
}

#[test]
fn a_stop_program_that_hangs_does_not_keep_the_kill_waiting() {
    let (mut world, _) = world(vec![service("db", |_| {})]);
    world.of("db").stop_takes = 600 * S;
    let since = world.now().elapsed();
    world.command("db", Doing::Stop);
    world.run(11 * S);
    assert_eq!(done(&world, since), ["db stop 0", "db kill 10", "db end 10"]);
    assert!(!world.lives("db"));
    let view = &world.scheduler.view()[0];
    assert_eq!(view.last_action.as_ref().map(|last| (&last.doing, last.ok)), Some((&Doing::Stop, true)));
}

#[test]
fn what_heeds_its_stop_in_time_is_not_killed() {
    let (mut world, _) = world(vec![service("db", |_| {})]);
    let since = world.now().elapsed();
    world.of("db").stops = true;
    world.of("db").stop_takes = 9 * S;
    world.command("db", Doing::Restart);
    world.run(60 * S);
    assert_eq!(done(&world, since), ["db stop 0", "db start 9"]);
    assert!(told(&world).is_empty());
}

#[test]
fn the_process_is_killed_also_when_its_pidfile_has_gone_before_it() {
    let (mut world, _) = world(vec![service("db", |_| {})]);
    let since = world.now().elapsed();
    world.of("db").stops = true;
    world.of("db").lingers = 3600 * S;
    world.command("db", Doing::Restart);
    world.run(60 * S);
    let [stop, kill, start] = &done(&world, since)[..] else { panic!("{:?}", done(&world, since)) };
    assert_eq!([stop, kill], ["db stop 0", "db kill 10"]);
    assert!(start.starts_with("db start 1"));
}

#[test]
fn without_the_setting_nothing_is_ever_killed() {
    let (mut world, _) = world(vec![service("db", |s| s.kill_after = None)]);
    let since = world.now().elapsed();
    world.command("db", Doing::Restart);
    world.run(60 * S);
    assert_eq!(done(&world, since), ["db stop 0"]);
    assert!(world.lives("db"));
}

#[test]
fn a_dependant_that_does_not_heed_its_stop_is_killed_before_the_one_it_depends_on_is_stopped() {
    let web = service("web", |s| {
        s.depends_on = vec!["db".into()];
        s.kill_after = Some(5 * S);
    });
    let (mut world, _) = world(vec![service("db", |_| {}), web]);
    world.of("db").stops = true;
    let since = world.now().elapsed();
    world.command("db", Doing::Restart);
    world.run(60 * S);
    let done = done(&world, since);
    assert_eq!(done[..3], ["web stop 0", "web kill 5", "db stop 5"]);
    assert_eq!(done.len(), 5, "{done:?}");
    assert!(world.lives("db") && world.lives("web"));
}

#[test]
fn after_a_crash_the_stop_has_its_whole_time_again_and_a_process_that_ended_meanwhile_is_left_alone() {
    for dies in [false, true] {
        let (mut world, config) = world(vec![service("db", |_| {})]);
        world.of("db").stop_takes = 28 * S;
        world.command("db", Doing::Restart);
        world.run(6 * S);
        if dies {
            world.kill("db");
        }
        let since = world.now().elapsed();
        world.crash(&config);
        world.run(100 * S);
        let done = done(&world, since);
        let kills = done.iter().filter(|deed| deed.contains("kill")).count();
        assert_eq!(kills, usize::from(!dies), "{done:?}");
        assert!(dies || done[0] == "db kill 10", "{done:?}");
        assert!(world.lives("db") && world.doubled.is_empty(), "{done:?}");
    }
}

#[test]
fn a_stop_program_that_hangs_does_not_keep_the_start_waiting_nor_touch_what_was_started() {
    for wakes in [true, false] {
        let (mut world, _) = world(vec![service("db", |_| {})]);
        world.of("db").wakes = wakes;
        // In the end it would take down whatever stands in the pidfile.
        world.of("db").stops = true;
        world.of("db").stop_takes = 25 * S;
        let since = world.now().elapsed();
        world.command("db", Doing::Restart);
        world.run(12 * S);
        let done = done(&world, since);
        assert_eq!(done[..3], ["db stop 0", "db kill 10", "db end 10"]);
        assert!(done.len() == 4 && done[3].starts_with("db start 1"), "{done:?}");
        world.run(120 * S);
        assert!(world.lives("db") && world.doubled.is_empty() && world.scheduler.settled());
        assert_eq!(told(&world).len(), 1, "{:?}", told(&world));
        let failed = world.events.iter().any(|e| matches!(e.fact, Fact::Ended { ok: false, .. }));
        assert!(!failed);
    }
}

#[test]
fn a_reload_that_takes_the_kill_away_kills_nobody_and_one_that_gives_more_time_gives_it() {
    for (after, killed) in [(None, None), (Some(20 * S), Some(20)), (Some(5 * S), Some(6))] {
        let (mut world, mut config) = world(vec![service("db", |_| {})]);
        let since = world.now().elapsed();
        world.command("db", Doing::Stop);
        world.run(6 * S);
        config.services = vec![service("db", |s| s.kill_after = after)];
        world.reload(&config);
        world.run(120 * S);
        let kills: Vec<String> =
            done(&world, since).into_iter().filter(|deed| deed.contains("kill")).collect();
        assert_eq!(kills, Vec::from_iter(killed.map(|at| format!("db kill {at}"))), "{after:?}");
    }
    let (mut world, mut config) = world(vec![service("db", |s| s.kill_after = None)]);
    let since = world.now().elapsed();
    world.command("db", Doing::Stop);
    world.run(6 * S);
    config.services = vec![service("db", |_| {})];
    world.reload(&config);
    world.run(20 * S);
    assert_eq!(done(&world, since), ["db stop 0", "db kill 16"], "an end was asked for while it went on");
}

#[test]
fn a_reload_right_after_a_kill_ends_the_stop_program_all_the_same_and_the_start_follows() {
    let (mut world, mut config) = world(vec![service("db", |_| {})]);
    (world.of("db").stop_takes, world.of("db").wakes) = (600 * S, false);
    let since = world.now().elapsed();
    world.command("db", Doing::Restart);
    while !world.deeds.iter().any(|deed| matches!(deed.act, Act::Kill(_))) {
        world.run(S / 10_000);
    }
    config.services = vec![service("db", |s| s.kill_after = Some(3 * S))];
    world.reload(&config);
    world.run(60 * S);
    assert_eq!(done(&world, since), ["db stop 0", "db kill 10", "db end 10", "db start 10"]);
    assert!(world.lives("db") && world.doubled.is_empty());
}
