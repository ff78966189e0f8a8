//! How repairs are repeated when they do not help, as timetables on a simulated host.

#![allow(clippy::unwrap_used)]

mod budget;
mod remind;
mod survive;

use std::time::Duration;

use hinoban_config::{
    Branch, Budget, Condition, Config, Dialect, Expect, Family, Kind, OnReboot, Operator, Patience, PortTest,
    Program, Protocol, Rate, Rule, Service, Test, Then,
};
use hinoban_event::{Doing, Event, Fact};
use hinoban_reading::{Moment, Now, Stamp, Value, metrics};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, PatienceView, Remembered, Restored, Scheduler, ServiceView};

const S: Duration = Duration::from_secs(1);
const MIN: Duration = Duration::from_secs(60);
const H: Duration = Duration::from_secs(3600);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

/// A port that must answer, or the service is restarted.
fn tested(rate: Rate) -> Rule {
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
    Rule {
        when,
        fail: Branch::at(Then::Restart, rate),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    }
}

fn service(name: &str) -> Service {
    let mut service = Service::new(name, Kind::pidfile(format!("/run/{name}.pid")));
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.rules = vec![Rule::existence(), tested(Rate::ONCE)];
    service.patience = Some(Patience::default());
    service
}

fn config(services: impl IntoIterator<Item = Service>) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(30 * S);
    config.budget = None;
    config.services = services.into_iter().map(Into::into).collect();
    config
}

fn one(change: impl FnOnce(&mut Service)) -> Config {
    let mut service = service("httpd");
    change(&mut service);
    config([service])
}

/// The world in which all processes live and are known to.
fn world(config: &Config) -> World {
    let mut world = World::new(config, Duration::ZERO);
    for service in config.services.iter().filter(|s| matches!(s.kind, Kind::Process { .. })) {
        world.appear(&service.name);
    }
    world.run(S);
    world
}

fn view(world: &World, name: &str) -> ServiceView {
    world.scheduler.view().into_iter().find(|view| *view.name == *name).unwrap()
}

fn patience(world: &World, name: &str) -> PatienceView {
    view(world, name).patience.unwrap_or_default()
}

/// When the service was started, seconds and a tenth.
fn starts(world: &World, name: &str) -> Vec<f64> {
    let starts = world.deeds.iter().filter(|deed| deed.service == name && deed.act == Act::Start);
    starts.map(|deed| (deed.at.elapsed().as_secs_f64() * 10.0).round() / 10.0).collect()
}

fn pauses(starts: &[f64]) -> Vec<f64> {
    starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn gave_up(world: &World) -> Vec<(&Event, u32)> {
    let times = |event: &'_ Event| match event.fact {
        Fact::GaveUp { times, .. } => Some(times),
        _ => None,
    };
    world.events.iter().filter_map(|event| Some((event, times(event)?))).collect()
}

fn held(world: &World) -> Vec<String> {
    let why = |event: &Event| match &event.fact {
        Fact::Held { why, .. } => Some(format!("{}: {why}", event.service)),
        _ => None,
    };
    world.events.iter().filter_map(why).collect()
}

fn recovered(world: &World) -> Vec<Vec<String>> {
    let done = |event: &Event| match &event.fact {
        Fact::Recovered(recovery) => Some(recovery.done.clone()),
        _ => None,
    };
    world.events.iter().filter_map(done).collect()
}

#[test]
fn what_dies_at_once_is_started_at_once_and_then_with_growing_pauses_for_ever() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").unseen = true;
    world.kill("httpd");
    world.run(2 * H);
    let starts = starts(&world, "httpd");
    assert!(starts[0] < 1.1, "the first is made at once: {starts:?}");
    // Each start is given 2 s for its pidfile to be written anew, and a look then, until it is known that its process has
    // ended.
    let expected = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0];
    for (pause, expected) in pauses(&starts).into_iter().zip(expected) {
        let pause = pause - 2.6;
        assert!((pause - expected).abs() < expected * 0.1 + 0.6, "{pause} s, not {expected} s: {starts:?}");
    }
    assert!(starts.len() > 20, "what is gone is never given up");
    assert!(gave_up(&world).is_empty());
    assert_eq!(patience(&world, "httpd").repairs.helped, 0);
    assert!(patience(&world, "httpd").repairs.tried >= 20);
}

#[test]
fn nothing_is_done_during_a_pause_and_once_after_it() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.kill("httpd");
    world.run(S / 10);
    assert_eq!(starts(&world, "httpd").len(), 1);
    world.kill("httpd");
    world.run(S * 8 / 10);
    assert_eq!(starts(&world, "httpd").len(), 1, "the pause is a second, give or take a tenth");
    let next = patience(&world, "httpd").next.unwrap();
    world.run(S * 3 / 10);
    assert_eq!(starts(&world, "httpd").len(), 2);
    let began = world.deeds.last().unwrap().at;
    let shown = Duration::from_micros(u64::try_from(next.micros()).unwrap() - 1_700_000_000_000_000);
    assert!(began.since(Moment::new(shown)) < S / 1000, "it was said when");
    assert_eq!(patience(&world, "httpd").next, None);
}

#[test]
fn what_lives_and_fails_is_given_up_after_five_restarts_in_vain_and_that_is_never_silent() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(10 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 5);
    let told = gave_up(&world);
    assert_eq!(told.len(), 1);
    let Fact::GaveUp { doing, text, times, .. } = &told[0].0.fact else { unreachable!() };
    assert_eq!((doing, *times), (&Doing::Restart, 1));
    assert!(text.ends_with(
        " -- restarted 5 times in vain; it is not restarted again until it is well, but looked at all the same; once it is \
         mended: hinoban restart httpd"
    ));
    let shown = patience(&world, "httpd");
    assert_eq!((shown.repairs.tried, shown.repairs.helped), (5, 0));
    assert_eq!(shown.repairs.gave_up.unwrap().text, *text);
    assert!(view(&world, "httpd").failing.contains(&hinoban_event::Class::Connection));
    // It is looked at, and nothing else; people are reminded after 1 h, 2 h, 4 h … and then each day.
    let begun = told[0].0.at;
    world.run(4 * 24 * H);
    assert_eq!(starts(&world, "httpd").len(), 5);
    let after: Vec<f64> = gave_up(&world)
        .iter()
        .map(|(event, _)| (event.at.since(begun).as_secs_f64() / 360.0).round() / 10.0)
        .collect();
    assert_eq!(after, [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 55.0, 79.0]);
    let counted: Vec<u32> = gave_up(&world).iter().map(|(_, times)| *times).collect();
    assert_eq!(counted, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(world.scheduler.view()[0].looked_at.unwrap().since(begun) > 95 * H);
}

#[test]
fn what_comes_back_by_itself_is_told_so_and_repaired_once_more_until_it_is_stable() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 5);
    world.of("httpd").tests_pass = true;
    world.run(MIN);
    let done = recovered(&world).pop().unwrap();
    assert_eq!(
        done[done.len() - 2..],
        [
            "gave up: 5 restarts did not help".to_owned(),
            "came back by itself, without another restart".to_owned()
        ]
    );
    assert_eq!(patience(&world, "httpd").repairs.gave_up, None);
    // Five minutes later it fails again: a service that hardly holds is not restarted five times again.
    world.run(4 * MIN);
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 6);
    assert_eq!(gave_up(&world).len(), 2, "and that is told again");
    // Well for long enough, it has all its repairs again.
    world.of("httpd").tests_pass = true;
    world.run(11 * MIN);
    assert_eq!(patience(&world, "httpd").repairs.in_row(), 0);
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 11);
}

#[test]
fn a_start_that_works_does_not_begin_the_count_anew_and_a_stable_run_does() {
    let config = one(|_| {});
    let mut world = world(&config);
    // It lives for five minutes each time, twice as long as no pause.
    for n in 1..=6 {
        world.kill("httpd");
        world.run(5 * MIN);
        assert_eq!(starts(&world, "httpd").len(), n);
        assert_eq!(
            patience(&world, "httpd").repairs.in_row() as usize,
            n,
            "it was well, but not for long enough"
        );
    }
    world.run(5 * MIN + 2 * S);
    let shown = patience(&world, "httpd").repairs;
    assert_eq!((shown.in_row(), shown.tried, shown.helped), (0, 6, 1), "the last one helped");
    world.kill("httpd");
    world.run(S);
    assert_eq!(starts(&world, "httpd").len(), 7, "at once again");
}

#[test]
fn what_is_done_to_it_for_another_one_is_no_part_of_a_stable_run() {
    let mut site = service("site");
    site.kind = Kind::Host { address: "localhost".into() };
    // One test fails that is only told of, and so what depends on it waits.
    let restart = tested(Rate::ONCE);
    let Condition::Test { test, .. } = restart.when.clone() else { unreachable!() };
    let when = Condition::Test { test, expect: Expect::Succeeded };
    site.rules = vec![Rule { when, fail: Branch::once(Then::Alert), ..restart.clone() }, restart];
    let mut app = service("app");
    (app.depends_on, app.rules) = (vec!["site".into()], Vec::new());
    let mut world = world(&config([site, app]));
    world.of("site").tests_pass = false;
    world.run(40 * S);
    world.of("site").tests_pass = true;
    world.run(8 * MIN);
    assert_eq!((starts(&world, "site").len(), patience(&world, "site").repairs.in_row()), (1, 1));
    world.command("app", Doing::Start);
    world.run(5 * MIN);
    assert_eq!(starts(&world, "site").len(), 2, "it is started because of that");
    assert_eq!(patience(&world, "site").repairs.in_row(), 1, "it was well for five minutes since");
    world.run(6 * MIN);
    assert_eq!(patience(&world, "site").repairs.in_row(), 0);
}

#[test]
fn an_operator_is_never_held_and_begins_anew() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    assert_eq!((starts(&world, "httpd").len(), gave_up(&world).len()), (5, 1));
    world.of("httpd").tests_pass = true;
    world.command("httpd", Doing::Restart);
    world.run(MIN);
    assert_eq!(starts(&world, "httpd").len(), 6);
    let done = recovered(&world).pop().unwrap();
    assert_eq!(done[done.len() - 2], "gave up: 5 restarts did not help");
    assert!(done.last().unwrap().ends_with(", asked for by operator"), "{done:?}");
    let shown = patience(&world, "httpd").repairs;
    assert_eq!((shown.in_row(), shown.gave_up, shown.tried), (0, None, 5));
    world.of("httpd").tests_pass = false;
    world.run(10 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 11, "it has all its repairs again");
}

#[test]
fn a_dependants_part_in_a_restart_counts_as_one_of_the_lead() {
    let mut web = service("web");
    web.depends_on = vec!["db".into()];
    let mut config = config([service("db"), web]);
    config.budget = Some(Budget { restarts: 2, within: H });
    let mut world = world(&config);
    world.run(MIN);
    for _ in 0..2 {
        world.of("db").tests_pass = false;
        world.run(30 * S);
        world.of("db").tests_pass = true;
        world.run(15 * MIN);
    }
    assert_eq!((starts(&world, "db").len(), starts(&world, "web").len()), (2, 2));
    assert!(held(&world).is_empty());
    assert_eq!(patience(&world, "web").repairs.tried, 0);
    assert_eq!(patience(&world, "db").repairs.tried, 2);
}

#[test]
fn a_limit_counts_what_was_made_and_not_what_a_pause_kept_from_being_made() {
    let config = one(|service| {
        let when = Condition::Restarts { count: 4, within: 20 };
        let limit = Rule { when, fail: Branch::once(Then::Unmonitor), ..tested(Rate::ONCE) };
        service.rules.insert(0, limit);
        service.patience = Some(Patience { first: MIN, ..Patience::default() });
    });
    let mut world = world(&config);
    world.of("httpd").unseen = true;
    world.kill("httpd");
    world.run(6 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 3, "at once, after a minute, after two more");
    assert_eq!(view(&world, "httpd").gave_up, None);
    world.run(6 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 4);
    assert!(view(&world, "httpd").gave_up.is_some(), "the limit that was set is the end of it");
}

#[test]
fn who_has_no_patience_is_repaired_at_each_failing_look_as_before() {
    let config = one(|service| service.patience = None);
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(10 * MIN);
    assert!(starts(&world, "httpd").len() > 12);
    assert!(gave_up(&world).is_empty());
    assert_eq!(view(&world, "httpd").patience, None);
}

#[test]
fn what_was_given_up_starts_anew_when_it_is_no_longer_watched_and_watched_again() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    world.command("httpd", Doing::Unmonitor);
    world.run(2 * H);
    assert_eq!(gave_up(&world).len(), 1, "nobody is reminded of what nobody watches");
    world.command("httpd", Doing::Monitor);
    world.run(10 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 10);
}

#[test]
fn what_was_given_up_and_dies_is_started_and_stays_given_up() {
    let config = one(|_| {});
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    world.kill("httpd");
    world.run(10 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 6, "it was gone, and is there again");
    assert!(world.lives("httpd"));
    assert_eq!(gave_up(&world).len(), 1);
    assert!(patience(&world, "httpd").repairs.gave_up.is_some());
}

#[test]
fn a_dependant_that_was_given_up_and_goes_with_a_restart_is_told_so() {
    let mut web = service("web");
    web.depends_on = vec!["db".into()];
    let config = config([service("db"), web]);
    let mut world = world(&config);
    world.of("web").tests_pass = false;
    world.run(30 * MIN);
    assert_eq!(starts(&world, "web").len(), 5);
    world.of("web").tests_pass = true;
    world.command("db", Doing::Restart);
    world.run(MIN);
    let done = recovered(&world).pop().unwrap();
    assert!(done.last().unwrap().ends_with(", because of db"), "{done:?}");
}

/// A scheduler that knows what was remembered in another world. Its clock begins with it, as that of each process does.
fn anew(config: &Config, world: &World) -> Scheduler {
    let mut repairs = std::collections::HashMap::new();
    let mut failing = Vec::new();
    for entry in &world.remembered {
        match entry {
            Remembered::Repairs { service, repairs: all } => {
                repairs.insert(service.clone(), all.clone());
            }
            Remembered::Failed { service, rule, class, since, .. } => {
                failing.push((service.clone(), *rule, *class, *since));
            }
            _ => {}
        }
    }
    let restored = Restored { repairs, failing, ..Restored::default() };
    Scheduler::new(config, &restored, Moment::ZERO)
}

#[test]
fn what_was_given_up_while_it_lived_and_then_is_gone_and_stays_so_is_told_anew() {
    let config =
        one(|service| service.patience = Some(Patience { give_up_gone: Some(3), ..Patience::default() }));
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    assert_eq!(gave_up(&world).len(), 1);
    world.of("httpd").appears_after = None;
    world.kill("httpd");
    world.run(20 * MIN);
    let told = gave_up(&world);
    assert_eq!(told.iter().map(|(_, times)| *times).collect::<Vec<_>>(), [1, 1]);
    let Fact::GaveUp { text, .. } = &told[1].0.fact else { panic!() };
    assert!(text.contains(" times in vain"), "{text}");
    assert_eq!(starts(&world, "httpd").len(), 5 + 3);
    // A crash knows of which it was.
    world.crash(&config);
    world.run(20 * MIN);
    assert_eq!((gave_up(&world).len(), starts(&world, "httpd").len()), (2, 8));
}

#[test]
fn what_was_given_up_while_it_was_gone_and_comes_back_failing_is_repaired_and_told_anew() {
    let config =
        one(|service| service.patience = Some(Patience { give_up_gone: Some(2), ..Patience::default() }));
    let mut world = world(&config);
    (world.of("httpd").appears_after, world.of("httpd").tests_pass) = (None, false);
    world.kill("httpd");
    world.run(20 * MIN);
    assert_eq!((starts(&world, "httpd").len(), gave_up(&world).len()), (2, 1));
    world.of("httpd").appears_after = Some(S);
    world.appear("httpd");
    world.run(20 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 2 + 5, "while it was gone says nothing of how it lives");
    let told = gave_up(&world);
    assert_eq!(told.iter().map(|(_, times)| *times).collect::<Vec<_>>(), [1, 1]);
    let Fact::GaveUp { text, .. } = &told[1].0.fact else { panic!() };
    assert!(text.contains("restarted 5 times in vain"), "{text}");
    world.kill("httpd");
    world.run(20 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 8, "it had come back, and so it is started once more");
    assert_eq!(gave_up(&world).len(), 2);
}

#[test]
fn a_start_of_what_is_up_is_no_repair_and_is_not_told_as_one() {
    let config = one(|service| service.rules[1].fail.then = Then::Start);
    let mut world = world(&config);
    let before = world.events.len();
    world.of("httpd").tests_pass = false;
    world.run(30 * MIN);
    assert!(world.deeds.is_empty() && gave_up(&world).is_empty());
    assert_eq!(patience(&world, "httpd").repairs, Default::default());
    for event in &world.events[before..] {
        match &event.fact {
            Fact::Failed(failure) => assert_eq!(failure.then, Doing::Alert),
            fact => panic!("{fact:?}"),
        }
    }
    assert_eq!(view(&world, "httpd").last_action, None);
    let id = world.scheduler.find("httpd").unwrap();
    let now = Now { moment: world.now(), stamp: Stamp::default() };
    let why = world.scheduler.explain(now, id, &[]).unwrap().to_string().replace("\n    ", " ");
    assert!(why.contains("a start does nothing to what is up"), "{why}");
    world.kill("httpd");
    world.run(S);
    assert_eq!(starts(&world, "httpd").len(), 1, "what is gone is started");
}

#[test]
fn what_must_last_for_two_minutes_is_repaired_after_two_also_where_looks_are_rarer() {
    for test in [true, false] {
        let mut config = one(|service| {
            service.rules[1].fail.lasting = Some(2 * MIN);
            if !test {
                service.rules[1].when = Condition::Compare {
                    metric: metrics::THREADS.name.to_string(),
                    operator: Operator::Greater,
                    limit: Value::Int(5),
                };
            }
        });
        config.every = Some(5 * MIN);
        let mut world = world(&config);
        world.of("httpd").tests_pass = false;
        world.of("httpd").reads = vec![(metrics::THREADS, Value::Int(50))];
        world.run(12 * MIN);
        let starts = starts(&world, "httpd");
        assert!((starts[0] - 420.0).abs() < 1.0, "seen after five minutes, and two later: {starts:?}");
    }
}

#[test]
fn what_must_hold_for_two_minutes_has_recovered_after_two_also_where_looks_are_rarer() {
    let mut config = one(|service| {
        (service.rules[1].fail.then, service.rules[1].ok.lasting) = (Then::Alert, Some(2 * MIN));
    });
    config.every = Some(5 * MIN);
    let mut world = world(&config);
    world.of("httpd").tests_pass = false;
    world.run(6 * MIN);
    world.of("httpd").tests_pass = true;
    world.run(10 * MIN);
    let recovered = |event: &Event| match event.fact {
        Fact::Recovered(_) => Some((event.at.micros() - 1_700_000_000_000_000) / 1_000_000),
        _ => None,
    };
    let recovered: Vec<i64> = world.events.iter().filter_map(recovered).collect();
    assert_eq!(recovered, [720], "seen after ten minutes, and two later");
}
