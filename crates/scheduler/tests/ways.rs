//! What depends on what lives and fails: who waits for it, who does not, and what is seen meanwhile.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Dialect, Expect, Kind, Operator, Patience, Prerequisite, Program, Rule,
    Service, Test, Then,
};
use hinoban_event::{Class, Doing, Fact};
use hinoban_reading::{Value, metrics};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, Remembered, ServiceView, Watching};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

fn process(name: &str, depends_on: &[&str]) -> Service {
    let mut service = Service::new(name, Kind::pidfile(format!("/run/{name}.pid")));
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.depends_on = depends_on.iter().map(|name| Prerequisite::from(*name)).collect();
    service.rules.push(Rule::existence());
    service
}

fn config(services: impl IntoIterator<Item = Service>) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    config.services = services.into_iter().map(Arc::new).collect();
    config
}

/// The world in which all of them live and are known to.
fn world(config: &Config) -> World {
    let mut world = World::new(config, Duration::ZERO);
    for service in &config.services {
        world.appear(&service.name);
    }
    world.run(S);
    assert_eq!(deeds(&world), [] as [String; 0]);
    world
}

fn deeds(world: &World) -> Vec<String> {
    let word = |act: &Act| match act {
        Act::Start => "start",
        Act::Stop => "stop",
        Act::Restart => "restart",
        _ => "exec",
    };
    world.deeds.iter().map(|deed| format!("{} {}", word(&deed.act), deed.service)).collect()
}

fn view(world: &World, name: &str) -> ServiceView {
    world.scheduler.view().into_iter().find(|view| &*view.name == name).unwrap()
}

/// A prerequisite that lives and fails its test.
fn tested() -> Config {
    let mut par = process("par", &[]);
    par.rules.push(Rule {
        when: Condition::Test {
            test: Test::Custom { probe: "answers".to_owned(), options: Default::default() },
            expect: Expect::Failed,
        },
        fail: Branch::once(Then::Restart),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    });
    config([par, process("child", &["par"])])
}

#[test]
fn a_stop_that_is_over_is_not_made_again_by_the_next_life() {
    let mut config = tested();
    let rule = &mut Arc::make_mut(&mut config.services[0]).rules[1];
    rule.fail = Branch::once(Then::Alert);
    let mut world = World::new(&config, Duration::ZERO);
    world.inline = true;
    world.of("par").tests_pass = false;
    world.appear("par");
    world.run(100 * S);
    // It waits for what fails, and is asked to stop because that is stopped.
    world.command("child", Doing::Start);
    world.run(S);
    world.command("par", Doing::Stop);
    world.run(S);
    world.of("par").tests_pass = true;
    world.command("child", Doing::Start);
    world.run(20 * S);
    assert!(world.lives("par") && world.lives("child"));
    let mut entered = std::collections::HashSet::new();
    for entry in &world.remembered {
        match entry {
            Remembered::Intent { intent, .. } => _ = entered.insert(*intent),
            Remembered::Done { intent, .. } => {
                assert!(entered.remove(intent), "{intent} is over, and not begun")
            }
            _ => {}
        }
    }
    assert!(entered.is_empty(), "open: {entered:?}");
    let before = world.deeds.len();
    world.crash(&config);
    world.run(100 * S);
    assert_eq!(deeds(&world)[before..], [] as [&str; 0]);
    assert!(world.lives("child"));
}

#[test]
fn what_is_taken_down_for_a_restart_is_up_after_it_whatever_still_fails() {
    for dialect in [Dialect::Toml, Dialect::Monit] {
        let mut config = tested();
        config.dialect = dialect;
        let mut world = world(&config);
        world.of("par").tests_pass = false;
        world.run(300 * S);
        let deeds = deeds(&world);
        let cycle = ["stop child", "stop par", "start par", "start child"];
        assert!(deeds.len() >= 4, "{dialect:?}: {deeds:?}");
        assert!(deeds.chunks(4).all(|part| part == cycle), "{dialect:?}: {deeds:?}");
        assert!(world.lives("child"), "{dialect:?}");
        assert_eq!(view(&world, "child").waits_for.len(), 1, "its looks rest as before");
    }
}

#[test]
fn what_went_with_a_service_that_was_given_up_is_named_with_what_brings_it_back() {
    let mut db = process("db", &[]);
    let when = Condition::Restarts { count: 2, within: 5 };
    let fail = Branch::once(Then::Unmonitor);
    db.rules.insert(0, Rule { when, fail, ok: Branch::once(Then::Alert), place: Default::default() });
    let mut world = world(&config([process("app", &["db"]), db]));
    world.of("db").appears_after = None;
    world.kill("db");
    world.run(600 * S);
    assert_eq!(deeds(&world)[..2], ["stop app".to_owned(), "start db".to_owned()]);
    let why = |name: &str| {
        let view = view(&world, name);
        assert_eq!(view.watching, Watching::No, "{name}");
        view.gave_up.unwrap().to_string()
    };
    let end = "nor at those that depend on it: app; what happened: hinoban explain db, and its own log; once it is mended, \
               to bring back all of them: hinoban start app";
    assert!(why("db").ends_with(end), "{}", why("db"));
    assert!(why("app").ends_with("once it is mended: hinoban start app"), "{}", why("app"));
    let limit = |fact: &Fact| match fact {
        Fact::Failed(f) if f.class == hinoban_event::Class::Timeout => Some(f.dependants.clone()),
        _ => None,
    };
    assert_eq!(world.events.iter().find_map(|e| limit(&e.fact)).unwrap(), ["app".into()]);
    // And so it is.
    world.of("db").appears_after = Some(MS);
    world.command("app", Doing::Start);
    world.run(10 * S);
    assert!(["db", "app"].iter().all(|name| view(&world, name).watching == Watching::Yes));
    assert!(world.lives("app") && world.lives("db"));
}

/// What only tells of a reading: a database on a file system that is nearly full.
fn nearly_full(dialect: Dialect, then: Then) -> Config {
    let mut data = Service::new("data", Kind::filesystem("/srv"));
    let metric = metrics::SPACE_PERCENT.name.to_string();
    data.rules.push(Rule::existence());
    data.rules.push(Rule {
        when: Condition::Compare { metric, operator: Operator::Greater, limit: Value::Int(80) },
        fail: Branch::once(then),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    });
    let mut config = config([data, process("db", &["data"])]);
    config.dialect = dialect;
    config
}

#[test]
fn what_is_only_told_of_leaves_nothing_down() {
    for (dialect, then, rests) in [
        (Dialect::Toml, Then::Alert, false),
        (Dialect::Toml, Then::Restart, true),
        (Dialect::Monit, Then::Alert, true),
    ] {
        let mut world = world(&nearly_full(dialect, then.clone()));
        world.of("data").reads = vec![(metrics::SPACE_PERCENT, Value::Int(85))];
        world.run(120 * S);
        let before = world.deeds.len();
        world.kill("db");
        world.run(S);
        let case = format!("{dialect:?}, {then:?}");
        assert_eq!(world.deeds.len() == before, rests, "{case}: {:?}", deeds(&world));
        let db = view(&world, "db");
        let expected: &[Class] = if rests { &[Class::NonExist] } else { &[] };
        assert_eq!(db.failing, expected, "{case}: that it is gone is shown");
        assert_eq!(db.waits_for.len(), usize::from(rests), "{case}");
        assert_eq!(db.observation.unwrap().standing.is_up(), !rests, "{case}");
        let told = |fact: &Fact| matches!(fact, Fact::Failed(failure) if failure.class == Class::NonExist);
        let died = world.events.iter().filter(|event| &*event.service == "db" && told(&event.fact)).count();
        assert_eq!(died, usize::from(!rests), "{case}: what rests is not judged");
        world.of("data").reads = vec![(metrics::SPACE_PERCENT, Value::Int(5))];
        world.run(120 * S);
        assert!(world.lives("db"), "{case}");
        let ended = world.events.iter().find_map(|event| match &event.fact {
            Fact::Failed(failure) if failure.class == Class::NonExist => Some(failure.ending.is_some()),
            _ => None,
        });
        assert_eq!(ended, Some(true), "{case}: how it ended is known");
    }
}

#[test]
fn what_cannot_be_looked_at_is_waited_for_and_not_started_beside_itself() {
    let mut world = world(&config([process("par", &[]), process("child", &["par"])]));
    world.of("par").blind = true;
    world.run(60 * S);
    world.kill("child");
    world.run(120 * S);
    assert_eq!(deeds(&world), [] as [&str; 0]);
    world.command("child", Doing::Start);
    world.run(120 * S);
    assert_eq!(deeds(&world), [] as [&str; 0], "it may well live");
    world.of("par").blind = false;
    world.run(120 * S);
    assert_eq!(deeds(&world), ["start child"]);
}

#[test]
fn who_is_down_and_waits_is_named_when_repairs_are_given_up() {
    let mut config = tested();
    let patience = Patience { give_up: Some(2), remind: 600 * S, ..Patience::default() };
    Arc::make_mut(&mut config.services[0]).patience = Some(patience);
    let mut world = world(&config);
    world.of("par").tests_pass = false;
    let gave_up = |world: &World| -> Vec<String> {
        let text = |fact: &Fact| match fact {
            Fact::GaveUp { text, .. } => Some(text.clone()),
            _ => None,
        };
        world.events.iter().filter_map(|event| text(&event.fact)).collect()
    };
    world.run(550 * S);
    assert_eq!(gave_up(&world).len(), 1, "{:?}", deeds(&world));
    assert!(!gave_up(&world)[0].contains("child"), "that one is up: {:?}", gave_up(&world));
    assert!(world.lives("child"));
    world.kill("child");
    world.run(700 * S);
    let reminder = gave_up(&world).pop().unwrap();
    assert!(reminder.contains("; down, and waiting for it: child; once it is mended"), "{reminder}");
    world.of("par").tests_pass = true;
    world.run(200 * S);
    assert!(world.lives("child"));
}

#[test]
fn a_start_is_confirmed_by_tests_that_pass_and_until_then_forgiven_for_its_time() {
    let mut config = tested();
    config.every = Some(5 * S);
    config.services.truncate(1);
    let restarted = |fails_after: Duration| {
        let mut config = config.clone();
        if fails_after.is_zero() {
            // One that passes is not all of them.
            let rules = &mut Arc::make_mut(&mut config.services[0]).rules;
            let Condition::Test { test, .. } = rules[1].when.clone() else { panic!() };
            let when = Condition::Test { test, expect: Expect::Succeeded };
            rules.push(Rule { when, fail: Branch::once(Then::Alert), ..rules[1].clone() });
        }
        let mut world = world(&config);
        world.run(4 * S);
        world.of("par").tests_pass = !fails_after.is_zero();
        world.kill("par");
        world.run(fails_after);
        world.of("par").tests_pass = false;
        world.run(60 * S);
        world.deeds.iter().find(|deed| deed.act == Act::Stop).unwrap().at.elapsed()
    };
    // It dies at 5 s, and its start has 10 s. The first look after that is that of 20 s.
    let (forgiven, confirmed) = (restarted(Duration::ZERO), restarted(2 * S));
    assert!((15 * S..21 * S).contains(&forgiven), "{forgiven:?}");
    assert!(
        (10 * S..11 * S).contains(&confirmed),
        "they passed, and so they are taken seriously: {confirmed:?}"
    );
}

#[test]
fn what_was_stopped_and_started_is_waited_for_until_it_was_seen() {
    let mut data = Service::new("data", Kind::File { path: "/srv/data".into() });
    (data.start, data.stop) = (Some(program("/bin/start")), Some(program("/bin/stop")));
    data.rules.push(Rule { fail: Branch::once(Then::Alert), ..Rule::existence() });
    let mut config = config([data, process("db", &["data"])]);
    config.every = Some(5 * S);
    let mut world = world(&config);
    (world.of("data").appears_after, world.of("data").look_takes) = (Some(2 * S), S / 10);
    world.run(10 * S);
    world.command("data", Doing::Restart);
    world.run(S);
    // It was there when it was last seen, but that was before its stop.
    assert_eq!(deeds(&world), ["stop db", "stop data", "start data"]);
    world.run(10 * S);
    assert_eq!(deeds(&world)[3..], ["start db"]);
    assert!(world.unready.is_empty());
}

#[test]
fn who_ends_the_watching_of_what_is_needed_ends_a_start_that_is_to_come() {
    let mut world = world(&tested());
    world.command("par", Doing::Unmonitor);
    world.kill("par");
    world.kill("child");
    world.run(S);
    world.of("child").look_takes = S;
    world.command("child", Doing::Start);
    world.run(S / 2);
    world.command("par", Doing::Unmonitor);
    world.run(300 * S);
    assert_eq!(deeds(&world), [] as [&str; 0], "his is the newer wish");
    assert!(["par", "child"].iter().all(|name| view(&world, name).watching == Watching::No));
    let trouble = |fact: &Fact| match fact {
        Fact::Ended { ok: false, report, .. } => report.trouble.clone(),
        _ => None,
    };
    let told: Vec<String> = world.events.iter().filter_map(|event| trouble(&event.fact)).collect();
    assert_eq!(
        told,
        ["par, which it depends on, is no longer watched; to start both: hinoban start child".to_owned()]
    );
    world.command("child", Doing::Start);
    world.run(10 * S);
    assert_eq!(deeds(&world), ["start par", "start child"], "and so it does");
}
