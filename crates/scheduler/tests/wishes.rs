//! What an operator asks for is done, whatever else happens meanwhile: the newest wish wins, and no crash, reload or end
//! loses one.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Dialect, Expect, Family, Kind, PortTest, Program, Protocol, Rule, Service,
    Test, Then,
};
use hinoban_event::{Doing, Fact};
use hinoban_reading::Now;
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, Effect, Input, Part, Remembered, Watching};

const S: Duration = Duration::from_secs(1);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

fn tested() -> Rule {
    let test = Test::Port(Box::new(PortTest {
        host: "localhost".into(),
        port: 80,
        family: Family::Any,
        protocol: Protocol::Default,
        tls: None,
        timeout: 5 * S,
        retry: 1,
        ..PortTest::new("", 0)
    }));
    let when = Condition::Test { test, expect: Expect::Failed };
    let alert = || Branch::once(Then::Alert);
    Rule { when, fail: alert(), ok: alert(), place: Default::default() }
}

fn config(change: impl FnOnce(&mut Service)) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    let mut service = Service::new("httpd", Kind::pidfile("/run/httpd.pid"));
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.rules.push(Rule::existence());
    change(&mut service);
    config.services = vec![service.into()];
    config
}

/// The world in which httpd lives and is known to.
fn world(config: &Config) -> World {
    let mut world = World::new(config, Duration::ZERO);
    world.appear("httpd");
    world.run(S);
    world
}

fn acts(world: &World) -> Vec<&Act> {
    world.deeds.iter().map(|d| &d.act).collect()
}

fn watching(world: &World) -> Watching {
    world.scheduler.view()[0].watching
}

fn now(world: &World) -> Now {
    Now { moment: world.now(), stamp: Default::default() }
}

/// Intents that were begun and not ended.
fn open(world: &World) -> Vec<u64> {
    let ended = |intent: &u64| {
        world.remembered.iter().any(|r| matches!(r, Remembered::Done { intent: i, .. } if i == intent))
    };
    let begun = world.remembered.iter().filter_map(|r| match r {
        Remembered::Intent { intent, .. } => Some(*intent),
        _ => None,
    });
    begun.filter(|intent| !ended(intent)).collect()
}

#[test]
fn a_wish_that_waits_for_something_else_outlives_a_crash() {
    let config = config(|_| {});
    for (wish, lives) in [(Doing::Stop, false), (Doing::Restart, true)] {
        let mut world = world(&config);
        world.of("httpd").start_takes = 3 * S;
        world.kill("httpd");
        world.run(S);
        world.command("httpd", wish.clone());
        let told = |f: &Fact| matches!(f, Fact::Commanded { doing, .. } if *doing == wish);
        assert!(world.events.iter().any(|e| told(&e.fact)), "it is told when it is accepted");
        world.crash(&config);
        world.run(20 * S);
        assert_eq!(world.lives("httpd"), lives);
        assert!(acts(&world).contains(&&Act::Stop), "{wish:?}: {:?}", acts(&world));
        assert_eq!((open(&world), world.doubled.len()), (vec![], 0));
    }
}

#[test]
fn a_wish_outlives_a_crash_whichever_program_of_what_it_waits_for_runs() {
    let config = config(|_| {});
    for after in [0, 500, 1500, 2500, 3500, 4500] {
        let mut world = world(&config);
        world.of("httpd").stop_takes = 2 * S;
        world.of("httpd").start_takes = 2 * S;
        world.command("httpd", Doing::Restart);
        world.run(Duration::from_millis(100));
        world.command("httpd", Doing::Stop);
        world.run(Duration::from_millis(after));
        world.crash(&config);
        world.run(60 * S);
        assert!(!world.lives("httpd"), "after {after} ms: {:?}", acts(&world));
        assert_eq!((watching(&world), open(&world), world.doubled.len()), (Watching::No, vec![], 0));
    }
}

#[test]
fn a_wish_whose_first_look_hangs_outlives_a_crash() {
    let config = config(|_| {});
    let mut world = world(&config);
    let service = world.scheduler.find("httpd").unwrap();
    let now = now(&world);
    let effects =
        world.scheduler.handle(now, Input::Command { service, doing: Doing::Stop, by: "operator".into() });
    let remembered = effects.iter().position(|e| {
        matches!(e, Effect::Remember(Remembered::Intent { doing: Doing::Stop, by: Some(_), .. }))
    });
    let looked = effects.iter().position(|e| matches!(e, Effect::Look { .. }));
    assert!(remembered.unwrap() < looked.unwrap(), "{effects:?}");
}

#[test]
fn whoever_ends_the_watching_during_a_restart_is_heard() {
    let config = config(|_| {});
    for crashes in [false, true] {
        let mut world = world(&config);
        world.of("httpd").start_takes = 3 * S;
        world.command("httpd", Doing::Restart);
        world.run(S);
        world.command("httpd", Doing::Unmonitor);
        if crashes {
            world.crash(&config);
        }
        world.run(60 * S);
        assert!(world.lives("httpd"), "the restart comes to its end");
        assert_eq!((watching(&world), open(&world)), (Watching::No, vec![]), "crash: {crashes}");
    }
}

#[test]
fn whoever_wants_it_watched_during_a_stop_is_heard() {
    let config = config(|_| {});
    let mut world = world(&config);
    world.of("httpd").stop_takes = 3 * S;
    world.command("httpd", Doing::Stop);
    world.run(S);
    world.command("httpd", Doing::Monitor);
    world.run(120 * S);
    assert_ne!(watching(&world), Watching::No);
    assert!(world.lives("httpd"), "what is watched and gone is started");
}

#[test]
fn an_end_of_the_watching_makes_void_what_still_waited() {
    let config = config(|_| {});
    let mut world = world(&config);
    world.of("httpd").start_takes = 3 * S;
    world.kill("httpd");
    world.run(S);
    world.command("httpd", Doing::Stop);
    world.command("httpd", Doing::Unmonitor);
    world.run(60 * S);
    assert!(world.lives("httpd"));
    assert_eq!((acts(&world), watching(&world), open(&world)), (vec![&Act::Start], Watching::No, vec![]));
}

#[test]
fn a_service_that_a_reload_removes_in_the_middle_of_its_restart_is_started_again() {
    let config = config(|_| {});
    let mut none = config.clone();
    none.services.clear();
    let mut world = world(&config);
    world.of("httpd").stop_takes = 3 * S;
    world.of("httpd").lingers = 2 * S;
    world.command("httpd", Doing::Restart);
    world.run(S);
    assert_eq!(world.scheduler.reload(now(&world), &none).removed, ["httpd"]);
    assert!(world.scheduler.view().is_empty() && world.scheduler.find("httpd").is_none());
    world.run(20 * S);
    assert!(world.lives("httpd"));
    assert_eq!((acts(&world), open(&world)), (vec![&Act::Stop, &Act::Start], vec![]));
    let looks = world.scheduler.next_deadline();
    assert_eq!(looks, None, "and then it is left alone");
}

#[test]
fn before_the_end_a_restart_is_seen_through_and_nothing_new_begun() {
    let config = config(|_| {});
    let mut world = world(&config);
    world.of("httpd").stop_takes = 3 * S;
    world.command("httpd", Doing::Restart);
    world.run(S);
    world.command("httpd", Doing::Stop);
    world.scheduler.end();
    assert!(world.scheduler.under_way());
    let left = world.scheduler.halfway();
    assert!(left.len() == 2 && left[0].starts_with("httpd was stopped for a restart"), "{left:?}");
    assert!(left[1].starts_with("a stop of httpd was asked for"), "{left:?}");
    world.run(10 * S);
    assert!(!world.scheduler.under_way());
    assert!(world.lives("httpd"));
    assert_eq!(acts(&world), [&Act::Stop, &Act::Start]);
    world.kill("httpd");
    world.run(200 * S);
    assert_eq!(acts(&world).len(), 2, "whoever ends repairs nothing any more");
    // The next life does what still waited.
    world.crash(&config);
    world.run(20 * S);
    assert_eq!((watching(&world), open(&world)), (Watching::No, vec![]));
}

#[test]
fn a_reload_before_the_first_look_keeps_what_was_asked_for_in_an_earlier_life() {
    let mut config = config(|_| {});
    for name in ["aaa", "bbb"] {
        let mut other = (*config.services[0]).clone();
        other.name = name.to_owned();
        config.services.insert(0, other.into());
    }
    let mut world = World::new(&config, Duration::ZERO);
    ["aaa", "bbb", "httpd"].iter().for_each(|name| world.appear(name));
    world.run(S);
    world.of("httpd").start_takes = 3 * S;
    world.kill("httpd");
    world.run(S);
    world.command("httpd", Doing::Stop);
    world.run(Duration::from_millis(100));
    world.crash(&config);
    let mut fewer = config.clone();
    fewer.services.retain(|s| s.name == "httpd");
    let changed = Arc::make_mut(&mut fewer.services[0]);
    changed.groups.push("www".into());
    world.scheduler.reload(now(&world), &fewer);
    world.run(30 * S);
    assert!(!world.lives("httpd"));
    assert!(world.lives("aaa") && world.lives("bbb"));
}

#[test]
fn nobody_tests_what_is_not_watched() {
    let config = config(|s| s.rules.push(tested()));
    let mut world = world(&config);
    world.of("httpd").start_takes = 2 * S;
    world.command("httpd", Doing::Restart);
    world.run(S);
    world.command("httpd", Doing::Unmonitor);
    world.run(2 * S);
    assert!(world.lives("httpd"));
    let before = world.scheduler.view()[0].looked_at;
    let tests = |world: &World| world.scheduler.view()[0].tests[0].observation.clone();
    world.of("httpd").tests_pass = !world.of("httpd").tests_pass;
    let seen = tests(&world);
    world.run(120 * S);
    assert_eq!((tests(&world), world.scheduler.view()[0].looked_at), (seen, before));
}

/// How often people would be told that it cannot be looked at: those told less those untold.
fn blind(effects: &[Effect]) -> (usize, usize) {
    let count = |wanted: fn(&Fact) -> bool| {
        effects.iter().filter(|e| matches!(e, Effect::Emit(event) if wanted(&event.fact))).count()
    };
    (count(|f| matches!(f, Fact::NotSeen { .. })), count(|f| matches!(f, Fact::Seen)))
}

#[test]
fn what_cannot_be_looked_at_is_told_again_when_it_is_watched_again() {
    let config = config(|_| {});
    let mut scheduler = hinoban_scheduler::Scheduler::new(&config, &Default::default(), Default::default());
    let service = scheduler.find("httpd").unwrap();
    let mut blind_look = |command: Option<Doing>| {
        let now = Now { moment: Default::default(), stamp: Default::default() };
        let mut effects = Vec::new();
        if let Some(doing) = command {
            effects.extend(scheduler.handle(now, Input::Command { service, doing, by: "operator".into() }));
        }
        effects.extend(scheduler.handle(now, Input::WakeAll));
        let looks: Vec<_> = effects
            .iter()
            .filter_map(|e| match e {
                Effect::Look { look, .. } => Some(*look),
                _ => None,
            })
            .collect();
        for look in looks {
            assert_eq!(look.part, Part::Subject);
            effects.extend(
                scheduler.handle(now, Input::Observed { look, result: Err("permission denied".into()) }),
            );
        }
        blind(&effects)
    };
    assert_eq!(blind_look(None), (1, 0));
    assert_eq!(blind_look(None), (0, 0), "told once");
    assert_eq!(blind_look(Some(Doing::Unmonitor)), (0, 0));
    assert_eq!(blind_look(Some(Doing::Monitor)), (1, 0), "it is news to whoever watches it again");
}

#[test]
fn a_test_that_could_not_look_and_is_taken_out_is_counted() {
    let old = config(|s| s.rules.push(tested()));
    let new = config(|_| {});
    let mut scheduler = hinoban_scheduler::Scheduler::new(&old, &Default::default(), Default::default());
    let now = Now::default();
    let mut inputs = vec![Input::Tick];
    while let Some(input) = inputs.pop() {
        for effect in scheduler.handle(now, input) {
            if let Effect::Look { look, .. } = effect {
                let mut up = hinoban_reading::Observation::up();
                up.identity = Some(hinoban_reading::Identity { pid: 7, start: 7 });
                let result = if look.part == Part::Subject { Ok(up) } else { Err("no descriptors".into()) };
                inputs.push(Input::Observed { look, result });
            }
        }
    }
    assert_eq!(scheduler.view()[0].tests[0].not_seen.as_deref(), Some("no descriptors"));
    assert_eq!(scheduler.reload(now, &new).unseen, [("httpd".to_owned(), 1)]);
}

#[test]
fn a_host_is_initializing_until_its_first_test_has_ended() {
    let mut config = config(|_| {});
    let mut host = Service::new("httpd", Kind::Host { address: "127.0.0.1".into() });
    host.rules.push(tested());
    config.services = vec![host.into()];
    let mut world = World::new(&config, Duration::ZERO);
    world.of("httpd").test_takes = 5 * S;
    world.run(4 * S);
    assert_eq!(watching(&world), Watching::Initializing);
    world.run(2 * S);
    assert_eq!(watching(&world), Watching::Yes);
}

#[test]
fn a_stop_without_a_program_is_not_said_to_be_done() {
    let config = config(|s| {
        s.stop = None;
        s.rules.push(tested());
        s.rules[1].fail = Branch::once(Then::Stop);
    });
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(120 * S);
    assert!(world.lives("httpd"));
    assert_eq!((acts(&world), watching(&world)), (vec![], Watching::No));
    assert!(
        world
            .events
            .iter()
            .any(|e| matches!(&e.fact, Fact::Limited { what } if what.contains("no stop program")))
    );
    assert!(!world.events.iter().any(|e| matches!(e.fact, Fact::Ended { .. })), "{:?}", world.events);
    let able = world.events.iter().find_map(|e| match &e.fact {
        Fact::Failed(failure) => Some(failure.able),
        _ => None,
    });
    assert_eq!(able, Some(false));
}

#[test]
fn a_restart_that_ran_no_program_is_not_counted() {
    let config = config(|s| {
        s.stop = None;
        s.rules.push(tested());
        s.rules[1].fail = Branch::once(Then::Restart);
    });
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(200 * S);
    assert_eq!((acts(&world), world.scheduler.view()[0].restarts), (vec![], 0));
    world.kill("httpd");
    world.run(S);
    assert_eq!((acts(&world), world.scheduler.view()[0].restarts), (vec![&Act::Start], 1));
}
