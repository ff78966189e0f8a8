//! What is watched of files and other things that are no processes, and where their rules stand.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Dialect, Expect, Family, HttpTest, Kind, Operator, PortTest, Program,
    Protocol, Rate, Rule, Secret, Service, Test, Then, UrlTest,
};
use hinoban_event::{Class, Doing, Fact};
use hinoban_reading::{Metric, Value, metrics};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, RuleState, RuleView, Watching};

const S: Duration = Duration::from_secs(1);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

fn over(metric: &Metric, limit: i64) -> Rule {
    let (metric, operator) = (metric.name.clone().into_owned(), Operator::Greater);
    Rule {
        when: Condition::Compare { metric, operator, limit: Value::Int(limit) },
        fail: Branch::once(Then::Alert),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    }
}

fn world(kind: Kind, change: impl FnOnce(&mut Service)) -> World {
    let mut config = Config::empty(Dialect::Monit, "vm");
    config.every = Some(60 * S);
    let mut service = Service::new("it", kind);
    change(&mut service);
    config.services.insert(0, service.into());
    World::new(&config, Duration::ZERO)
}

/// A file with the rules that it has by itself, a start program, and a limit of its size.
fn file() -> World {
    world(Kind::File { path: "/p".into() }, |s| {
        s.start = Some(program("/bin/make"));
        s.rules = vec![Rule::existence(), Rule::wrong_type(), over(&metrics::SIZE, 10)];
    })
}

fn lines(world: &World) -> Vec<String> {
    let told = |f: &Fact| matches!(f, Fact::Failed(_) | Fact::Recovered(_));
    world.events.iter().filter(|e| told(&e.fact)).map(|e| e.description()).collect()
}

fn starts(world: &World) -> usize {
    world.deeds.iter().filter(|d| d.act == Act::Start).count()
}

fn rules(world: &World) -> Vec<RuleView> {
    world.scheduler.view().remove(0).rules
}

#[test]
fn a_missing_file_is_made_and_seen_without_waiting_for_a_process() {
    let mut world = file();
    world.of("it").wakes = false;
    world.run(S);
    assert_eq!(starts(&world), 1);
    // The program ends before the file is there: the next look sees it.
    assert_eq!(lines(&world), ["file doesn't exist -- it does not exist"]);
    world.run(60 * S);
    assert_eq!(lines(&world).last().unwrap(), "file exists");
    assert_eq!(starts(&world), 1);
}

#[test]
fn a_file_that_nothing_makes_has_its_program_run_once_in_a_cycle() {
    let mut world = file();
    world.of("it").appears_after = None;
    world.run(59 * S);
    assert_eq!(starts(&world), 1);
    world.run(41 * S);
    assert_eq!(starts(&world), 2);
    world.appear("it");
    world.run(S);
    world.kill("it");
    world.run(S);
    assert_eq!(starts(&world), 2, "it had its start in this cycle");
    assert_eq!(lines(&world).len(), 4, "but it is told at once");
    world.run(60 * S);
    assert_eq!(starts(&world), 3);
}

#[test]
fn what_is_of_another_type_exists_and_is_told_at_each_look() {
    let mut world = file();
    world.appear("it");
    world.of("it").other_type = true;
    world.of("it").reads = vec![(metrics::SIZE, Value::Int(4096))];
    world.run(61 * S);
    let failures = world.events.iter().filter_map(|e| match &e.fact {
        Fact::Failed(failure) => Some((failure.class, failure.text.as_str(), failure.then.clone())),
        _ => None,
    });
    let failures = failures.collect::<Vec<_>>();
    assert!(failures.len() >= 2);
    let wrong = (Class::Invalid, "is neither a regular file nor a socket", Doing::Restart);
    assert!(failures.iter().all(|failure| *failure == wrong), "{failures:?}");
    let [existence, kind, size] = rules(&world).try_into().unwrap();
    assert_eq!((existence.state, existence.last.as_str()), (RuleState::Holds, "file exists"));
    assert_eq!(kind.state, RuleState::Fails);
    assert_eq!(size.state, RuleState::Unknown, "what is no file has no size");
    assert_eq!(world.scheduler.view()[0].failing, [Class::Invalid]);

    world.of("it").other_type = false;
    world.run(60 * S);
    assert!(lines(&world).contains(&"is a regular file".to_owned()));
    assert_eq!(world.scheduler.view()[0].failing, [Class::Size]);
}

#[test]
fn a_file_has_neither_lived_nor_does_it_run() {
    let mut world = file();
    world.appear("it");
    world.run(S);
    world.kill("it");
    world.run(S);
    let failure = world.events.iter().find_map(|e| match &e.fact {
        Fact::Failed(failure) => Some(failure.clone()),
        _ => None,
    });
    assert_eq!(failure.unwrap().lived, None);
    world.command("it", Doing::Stop);
    world.run(S);
    assert!(!world.events.iter().any(|e| matches!(e.fact, Fact::Limited { .. })));
    assert_eq!(world.scheduler.view()[0].watching, Watching::No);
}

#[test]
fn a_rule_is_seen_to_count_to_fail_and_to_recover() {
    let mut world = world(Kind::File { path: "/p".into() }, |s| {
        let mut rule = over(&metrics::SIZE, 10);
        rule.fail.rate = Rate { count: 2, within: 3 };
        rule.ok.rate = Rate { count: 2, within: 2 };
        s.rules = vec![Rule::existence(), rule];
    });
    world.appear("it");
    let now = rules(&world).remove(1);
    assert_eq!((now.state, now.since, now.last.as_str()), (RuleState::Unknown, None, ""));
    let mut states = Vec::new();
    for size in [5, 22, 22, 5, 5] {
        world.of("it").reads = vec![(metrics::SIZE, Value::Int(size))];
        world.run(60 * S);
        states.push(rules(&world).remove(1));
    }
    let found: Vec<_> = states.iter().map(|rule| rule.state).collect();
    let [counting, recovering] =
        [RuleState::Counting { seen: 1, of: 2 }, RuleState::Recovering { seen: 1, of: 2 }];
    assert_eq!(found, [RuleState::Holds, counting, RuleState::Fails, recovering, RuleState::Holds]);
    assert_eq!(states[2].last, "size test failed for /p -- current size is 22 B");
    assert_eq!(states[2].since, states[3].since);
    assert_eq!(&*states[2].text, "if size > 10 B 2 times within 3 cycles then alert");
    let limit = states[2].limit.clone().unwrap();
    assert_eq!((limit.value, limit.operator, limit.limit), (Some(Value::Int(22)), ">", Value::Int(10)));
    let failed = world.events.iter().find_map(|e| match &e.fact {
        Fact::Failed(failure) => failure.compared.clone(),
        _ => None,
    });
    assert_eq!(failed.unwrap().limit, Value::Int(10), "whoever is told can read both numbers");
}

#[test]
fn a_reading_that_is_not_there_says_nothing() {
    let mut world = world(Kind::System, |s| s.rules = vec![over(&metrics::CPU, 90)]);
    world.run(S);
    assert_eq!(rules(&world)[0].state, RuleState::Unknown);
    world.of("it").reads = vec![(metrics::CPU, Value::Real(95.0))];
    world.run(60 * S);
    assert_eq!(rules(&world)[0].state, RuleState::Fails);
    world.of("it").reads.clear();
    world.run(60 * S);
    assert_eq!(rules(&world)[0].state, RuleState::Fails, "neither well nor failing again");
    assert_eq!(lines(&world), ["cpu usage of 95.0% matches resource limit [cpu usage > 90.0%]"]);
}

#[test]
fn sizes_and_uptimes_are_classes_of_their_own_and_the_rest_are_resources() {
    let mut world = world(Kind::System, |s| {
        s.rules = vec![over(&metrics::SIZE, 1), over(&metrics::UPTIME, 1), over(&metrics::SPACE_PERCENT, 1)];
    });
    world.of("it").reads =
        [metrics::SIZE, metrics::UPTIME, metrics::SPACE_PERCENT].map(|m| (m, Value::Int(9))).into();
    world.run(S);
    let classes: Vec<_> = rules(&world).iter().map(|rule| rule.class).collect();
    assert_eq!(classes, [Class::Size, Class::Uptime, Class::Resource]);
    assert_eq!(world.scheduler.view()[0].failing, [Class::Resource, Class::Size, Class::Uptime]);
}

#[test]
fn what_was_done_and_when_the_next_look_comes_is_known() {
    let mut world = file();
    world.run(30 * S);
    let view = world.scheduler.view().remove(0);
    let action = view.last_action.unwrap();
    assert_eq!((action.doing, action.ok, action.by), (Doing::Restart, true, None));
    assert!(action.text.starts_with("restarted in"), "{}", action.text);
    let wait = view.next_look.unwrap().since(action.at);
    assert!(wait > 59 * S && wait <= 60 * S, "{wait:?}");
    world.command("it", Doing::Unmonitor);
    assert_eq!(world.scheduler.view()[0].next_look, None);
}

#[test]
fn no_secret_is_shown() {
    let secret = || Secret::new("geheim");
    let http = HttpTest {
        headers: vec![("Authorization".into(), "Bearer geheim".into())],
        login: Some(("me".into(), secret())),
        ..HttpTest::default()
    };
    let port = PortTest {
        host: "localhost".into(),
        port: 80,
        family: Family::Any,
        protocol: Protocol::Http(http.into()),
        tls: None,
        timeout: S,
        retry: 1,
        ..PortTest::new("", 0)
    };
    let url = UrlTest {
        url: "https://me:geheim@example.com/a@b".into(),
        masked: None,
        status: None,
        tls: Default::default(),
        timeout: S,
        retry: 1,
        ..UrlTest::new("")
    };
    let custom =
        Test::Custom { probe: "queue".into(), options: [("password".to_owned(), "geheim".into())].into() };
    let world = world(Kind::Host { address: "localhost".into() }, |s| {
        let mut start = program("/bin/start");
        start.words.push("--password=geheim".into());
        s.start = Some(start.clone());
        for test in [Test::Port(Box::new(port)), Test::Url(Box::new(url)), custom] {
            let mut rule =
                Rule { when: Condition::Test { test, expect: Expect::Failed }, ..Rule::existence() };
            rule.fail.then = Then::Exec { program: start.clone().into(), repeat: None };
            s.rules.push(rule);
        }
    });
    let view = world.scheduler.view().remove(0);
    assert!(!format!("{view:?}").contains("geheim"), "{view:?}");
    assert!(matches!(&view.tests[1].test, Test::Url(url) if url.url == "https://example.com/a@b"));
}
