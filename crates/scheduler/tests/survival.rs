//! What survives a crash of the supervisor, and a change of its configuration.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Branch, Condition, Config, Dialect, Kind, Operator, Program, Rule, Service, Then};
use hinoban_event::{Class, Doing, Fact};
use hinoban_reading::{Now, Value, metrics};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, Remembered, Resumed, Unfinished, Watching};
use proptest::prelude::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

fn over(limit: i64) -> Rule {
    let (metric, limit) = (metrics::THREADS.name.to_string(), Value::Int(limit));
    let alert = || Branch::once(Then::Alert);
    let when = Condition::Compare { metric, operator: Operator::Greater, limit };
    Rule { when, fail: alert(), ok: alert(), place: Default::default() }
}

fn config() -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    let mut service = Service::new("httpd", Kind::pidfile("/run/httpd.pid"));
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.rules.push(Rule::existence());
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

#[test]
fn a_start_whose_process_is_still_to_come_is_not_begun_twice() {
    let config = config();
    let mut world = world(&config);
    world.of("httpd").appears_after = Some(2 * S);
    world.kill("httpd");
    // The start program has ended; its daemon has not written its pidfile yet.
    world.run(S);
    world.crash(&config);
    world.run(5 * S);
    assert!(world.lives("httpd"));
    assert_eq!((acts(&world), world.doubled.len()), (vec![&Act::Start], 0));
}

#[test]
fn what_an_operator_stopped_stays_so_if_it_was_still_ending() {
    let config = config();
    let mut world = world(&config);
    world.of("httpd").lingers = 3 * S;
    world.command("httpd", Doing::Stop);
    // The stop program has ended; the process has not.
    world.run(S);
    world.crash(&config);
    world.run(300 * S);
    assert!(!world.lives("httpd"));
    assert_eq!((acts(&world), watching(&world)), (vec![&Act::Stop], Watching::No));
}

#[test]
fn a_restart_goes_on_between_its_stop_and_its_start() {
    let config = config();
    let mut world = world(&config);
    world.of("httpd").lingers = 3 * S;
    world.command("httpd", Doing::Unmonitor);
    world.command("httpd", Doing::Restart);
    world.run(S);
    world.crash(&config);
    world.run(10 * S);
    assert!(world.lives("httpd"), "nobody else would start it");
    assert_eq!((acts(&world), watching(&world)), (vec![&Act::Stop, &Act::Start], Watching::Yes));
    // At each moment one of both was known.
    let order: Vec<_> = world
        .remembered
        .iter()
        .filter_map(|r| match r {
            Remembered::Intent { intent, .. } => Some((*intent, true)),
            Remembered::Done { intent, .. } => Some((*intent, false)),
            _ => None,
        })
        .collect();
    assert_eq!(order, [(1, true), (2, true), (1, false), (3, true), (2, false), (3, false)]);
}

#[test]
fn what_an_operator_asked_for_is_asked_for_again_until_it_is_begun() {
    let config = config();
    let mut world = World::new(&config, Duration::ZERO);
    let unfinished = Unfinished {
        intent: 7,
        service: "httpd".into(),
        doing: Doing::Start,
        whole: Some(Doing::Start),
        at: Default::default(),
        by: Some("admin".into()),
        part_of: None,
        started: false,
    };
    assert_eq!(world.scheduler.resume(now(&world), &unfinished), Resumed::AskedAgain);
    world.run(S);
    assert!(world.lives("httpd"));
    // Not before something stands in its place.
    let at = |wanted: &Remembered| world.remembered.iter().position(|r| r == wanted).unwrap();
    let begun = world.remembered.iter().position(|r| matches!(r, Remembered::Intent { .. })).unwrap();
    assert!(begun < at(&Remembered::Done { intent: 7, ok: false }));
}

#[test]
fn a_service_that_is_removed_and_added_during_its_start_is_started_once() {
    let config = config();
    let mut none = config.clone();
    none.services.clear();
    let mut world = world(&config);
    for (start_takes, appears_after) in [(3 * S, MS), (MS, 3 * S)] {
        world.deeds.clear();
        world.of("httpd").start_takes = start_takes;
        world.of("httpd").appears_after = Some(appears_after);
        world.kill("httpd");
        world.run(S);
        assert_eq!(world.scheduler.reload(now(&world), &none).removed, ["httpd"]);
        world.run(S);
        assert_eq!(world.scheduler.reload(now(&world), &config).added, ["httpd"]);
        world.run(5 * S);
        assert!(world.lives("httpd"));
        assert_eq!((acts(&world), world.doubled.len()), (vec![&Act::Start], 0));
        assert!(world.scheduler.view()[0].doing.is_none());
    }
}

#[test]
fn a_failure_follows_its_rule_through_a_reload() {
    let mut config = config();
    Arc::make_mut(&mut config.services[0]).rules.push(over(5));
    let mut world = world(&config);
    world.of("httpd").reads = vec![(metrics::THREADS, Value::Int(9))];
    world.run(60 * S);
    let fails = |world: &World| -> Vec<bool> {
        world.scheduler.view()[0].rules.iter().map(|rule| rule.failed).collect()
    };
    assert_eq!(fails(&world), [false, true]);
    // One before it, and another limit for what it was: the same rule is elsewhere, the new one has not failed.
    let mut new = config.clone();
    Arc::make_mut(&mut new.services[0]).rules.insert(1, over(100));
    let report = world.scheduler.reload(now(&world), &new);
    assert_eq!(report.changed, ["httpd"]);
    assert_eq!(report.failures, [("httpd".to_owned(), 1, Class::Resource, Some(2))]);
    assert_eq!((fails(&world), watching(&world)), (vec![false, false, true], Watching::Yes));
    world.run(60 * S);
    let told = |world: &World| {
        world.events.iter().filter(|e| matches!(&e.fact, Fact::Failed(f) if f.times == 1)).count()
    };
    assert_eq!(told(&world), 1, "it is the same failure");
    // Taken out, it ends.
    let mut without = new.clone();
    Arc::make_mut(&mut without.services[0]).rules.truncate(2);
    let report = world.scheduler.reload(now(&world), &without);
    assert_eq!(report.failures, [("httpd".to_owned(), 2, Class::Resource, None)]);
    assert_eq!(fails(&world), [false, false]);
}

#[test]
fn a_reload_that_has_it_watch_something_else_begins_anew() {
    let mut config = config();
    Arc::make_mut(&mut config.services[0]).rules.push(over(5));
    let mut world = world(&config);
    world.of("httpd").reads = vec![(metrics::THREADS, Value::Int(9))];
    world.run(60 * S);
    let kind = Kind::pidfile("/run/other.pid");
    Arc::make_mut(&mut config.services[0]).kind = kind;
    let report = world.scheduler.reload(now(&world), &config);
    assert_eq!(
        (report.other, report.failures),
        (vec!["httpd".to_owned()], vec![("httpd".to_owned(), 1, Class::Resource, None)])
    );
    assert_eq!(watching(&world), Watching::Initializing);
}

#[derive(Debug, Clone)]
enum Turn {
    Kill,
    Crash,
    Start(Duration),
    Appears(Duration),
    Lingers(Duration),
    Ask(Doing),
}

fn turn() -> impl Strategy<Value = Turn> {
    let short = || (1u64..4_000).prop_map(Duration::from_millis);
    prop_oneof![
        3 => Just(Turn::Kill),
        4 => Just(Turn::Crash),
        1 => short().prop_map(Turn::Start),
        1 => short().prop_map(Turn::Appears),
        1 => short().prop_map(Turn::Lingers),
        2 => prop_oneof![
            Just(Doing::Start), Just(Doing::Stop), Just(Doing::Monitor), Just(Doing::Unmonitor), Just(Doing::Restart)
        ].prop_map(Turn::Ask),
    ]
}

proptest! {
    /// However often it crashes, at whatever moment: nothing is started twice, what was asked for comes to be and stays,
    /// and every intent ends.
    #[test]
    fn nothing_is_doubled_or_forgotten(turns in proptest::collection::vec((turn(), 1u64..3_000), 0..40)) {
        let config = config();
        let mut world = world(&config);
        let (mut watched, mut stopped) = (true, false);
        for (turn, pause) in turns {
            let view = &world.scheduler.view()[0];
            let busy = view.doing.is_some() || view.pending.is_some();
            match turn {
                Turn::Kill => world.kill("httpd"),
                Turn::Crash => world.crash(&config),
                Turn::Start(takes) => world.of("httpd").start_takes = takes,
                Turn::Appears(after) => world.of("httpd").appears_after = Some(after),
                Turn::Lingers(time) => world.of("httpd").lingers = time,
                Turn::Ask(doing) => {
                    world.command("httpd", doing.clone());
                    (watched, stopped) = match doing {
                        Doing::Stop => (false, true),
                        // What waited is void then, and a start that runs comes to its end.
                        Doing::Unmonitor => (false, stopped && !busy),
                        _ => (true, false),
                    };
                }
            }
            world.run(Duration::from_millis(pause));
        }
        world.run(400 * S);
        prop_assert!(world.doubled.is_empty(), "{:?}", acts(&world));
        prop_assert_eq!(watching(&world) != Watching::No, watched);
        if watched {
            prop_assert!(world.lives("httpd"));
        } else if stopped {
            prop_assert!(!world.lives("httpd"));
        }
        let intents = world.remembered.iter().filter(|r| matches!(r, Remembered::Intent { .. })).count();
        let done = world.remembered.iter().filter(|r| matches!(r, Remembered::Done { .. })).count();
        prop_assert_eq!(intents, done);
    }
}
