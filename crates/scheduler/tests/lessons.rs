//! What years of made-up troubles have shown to go wrong, each in its shortest form.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Dialect, Expect, Kind, Operator, Patience, Program, Rate, Rule, Service, Test,
    Then,
};
use hinoban_event::{Doing, Fact};
use hinoban_reading::{Value, metrics};
use hinoban_scheduler::sim::World;

const S: Duration = Duration::from_secs(1);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

fn over(then: Then) -> Rule {
    let (metric, limit) = (metrics::THREADS.name.to_string(), Value::Int(5));
    let when = Condition::Compare { metric, operator: Operator::Greater, limit };
    Rule { when, fail: Branch::once(then), ok: Branch::once(Then::Alert), place: Default::default() }
}

fn process(name: &str) -> Service {
    let mut service = Service::new(name, Kind::pidfile(format!("/run/{name}.pid")));
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.rules.push(Rule::existence());
    service
}

fn config(services: Vec<Service>) -> Config {
    let mut config = Config::empty(Dialect::Monit, "vm");
    config.every = Some(30 * S);
    config.services = services.into_iter().map(Into::into).collect();
    config
}

#[test]
fn a_rule_that_starts_what_lives_finds_nothing_to_do_and_says_so_once_in_a_cycle() {
    let mut service = process("httpd");
    service.rules.push(over(Then::Start));
    let mut world = World::new(&config(vec![service]), Duration::ZERO);
    world.appear("httpd");
    world.of("httpd").reads = vec![(metrics::THREADS, Value::Int(50))];
    world.run(100 * S);
    let failed = world.events.iter().filter(|e| matches!(e.fact, Fact::Failed(_))).count();
    assert_eq!((failed, world.deeds.len()), (4, 0), "one for each look");
}

#[test]
fn a_clock_that_was_set_back_before_a_crash_does_not_make_a_repair_wait_for_it() {
    let mut service = process("httpd");
    service.patience = Some(Patience::default());
    let config = config(vec![service]);
    let mut world = World::new(&config, Duration::ZERO);
    world.run(10 * S);
    world.set_clock(-3600);
    world.crash(&config);
    world.run(10 * S);
    world.kill("httpd");
    world.run(20 * S);
    assert!(world.lives("httpd"), "{:?}", world.deeds);
}

#[test]
fn what_a_boot_has_switched_on_stays_on_when_the_supervisor_is_killed_later() {
    let config = config(vec![process("httpd")]);
    let mut world = World::new(&config, Duration::ZERO);
    world.run(10 * S);
    world.command("httpd", Doing::Unmonitor);
    world.reboot(&config);
    world.run(10 * S);
    world.crash(&config);
    world.run(40 * S);
    world.kill("httpd");
    world.run(40 * S);
    assert!(world.lives("httpd"));
}

#[test]
fn an_end_that_waits_for_a_program_does_not_spin_over_a_look_that_is_not_made_any_more() {
    let mut web = process("web");
    let (test, expect) =
        (Test::Custom { probe: "ask".to_owned(), options: Default::default() }, Expect::Failed);
    let alert = || Branch::once(Then::Alert);
    web.rules.push(Rule {
        when: Condition::Test { test, expect },
        fail: alert(),
        ok: alert(),
        place: Default::default(),
    });
    let mut world = World::new(&config(vec![web, process("db")]), Duration::ZERO);
    world.run(10 * S);
    world.kill("web");
    world.run(S / 20);
    world.of("db").start_takes = 8 * S;
    world.kill("db");
    world.run(S / 100);
    world.scheduler.end();
    let at = |world: &mut World| world.scheduler.next_deadline().filter(|at| *at <= world.now());
    world.run(S);
    assert!(world.scheduler.under_way());
    assert_eq!(at(&mut world), None);
}

#[test]
fn a_start_that_waits_for_what_is_up_does_not_take_the_turns_of_its_looks() {
    let mut db = process("db");
    db.rules[0].fail.then = Then::Alert;
    db.rules[0].ok.rate = Rate { count: 2, within: 2 };
    let mut web = process("web");
    web.depends_on = vec!["db".into()];
    let mut world = World::new(&config(vec![db, web]), Duration::ZERO);
    // It is told to be gone, and comes back.
    world.run(10 * S);
    world.command("web", Doing::Start);
    world.run(200 * S);
    assert!(world.lives("db") && world.lives("web"), "{:?}", world.deeds);
}
