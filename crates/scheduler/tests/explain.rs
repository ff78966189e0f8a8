//! What is said to somebody who asks why a service stands as it does: situations on a simulated host whose clock begins
//! on Tuesday, 14 November 2023, at 22:13:20 UTC.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{
    Branch, Change, Condition, Config, Cron, Dialect, Events, Expect, Family, HttpTest, Kind, Mode, Operator,
    Patience, PortTest, Program, Protocol, Rate, Recipient, Rule, Service, Test, Then, Turns,
};
use hinoban_event::Doing;
use hinoban_reading::{How, Metric, Now, Stamp, Value, metrics};
use hinoban_scheduler::sim::World;

const S: Duration = Duration::from_secs(1);
const TOLD: &str = "admin@example.com";

fn program(line: &str) -> Program {
    let words = line.split(' ').map(str::to_owned).collect();
    Program { words, uid: None, gid: None, timeout: 30 * S }
}

fn rule(when: Condition, rate: (u8, u8), then: Then) -> Rule {
    let rate = Rate { count: rate.0, within: rate.1 };
    Rule { when, fail: Branch::at(then, rate), ok: Branch::once(Then::Alert), place: Default::default() }
}

fn over(metric: Metric, limit: i64, rate: (u8, u8), then: Then) -> Rule {
    let (metric, limit) = (metric.name.into_owned(), Value::Int(limit));
    rule(Condition::Compare { metric, operator: Operator::Greater, limit }, rate, then)
}

fn http(rate: (u8, u8), then: Then) -> Rule {
    let request = Some("/health?token=SECRET".to_owned());
    let masked = Some("/health?token=***".to_owned());
    let login = Some(("u".to_owned(), hinoban_config::Secret::new("SECRET")));
    let test = Test::Port(Box::new(PortTest {
        host: "localhost".into(),
        port: 80,
        family: Family::Any,
        protocol: Protocol::Http(HttpTest { request, masked, login, ..HttpTest::default() }.into()),
        tls: None,
        timeout: 5 * S,
        retry: 1,
        ..PortTest::new("", 0)
    }));
    rule(Condition::Test { test, expect: Expect::Failed }, rate, then)
}

fn process(name: &str) -> Service {
    let mut service = Service::new(name, Kind::pidfile(format!("/run/{name}.pid")));
    service.start = Some(program(&format!("/usr/sbin/{name} --password SECRET")));
    service.stop = Some(program(&format!("/usr/sbin/{name} -s quit SECRET")));
    service.rules.push(Rule::existence());
    service
}

/// A host with these services, all up since half an hour, and repaired with patience.
fn world(mut services: Vec<Service>) -> World {
    services.iter_mut().for_each(|service| service.patience = Some(Patience::default()));
    world_of(Dialect::Toml, services)
}

fn world_of(dialect: Dialect, services: Vec<Service>) -> World {
    let mut config = Config::empty(dialect, "vm");
    config.every = Some(30 * S);
    config.services = services.iter().cloned().map(Into::into).collect();
    let mut world = World::new(&config, Duration::ZERO);
    for service in services.iter().filter(|service| !matches!(service.kind, Kind::Host { .. })) {
        world.appear(&service.name);
    }
    world.run(1800 * S + Duration::from_secs(4));
    world
}

fn told(world: &World, service: &str, told: &[&str]) -> String {
    let told: Vec<Recipient> = told.iter().map(|to| Recipient::new(*to)).collect();
    heard(world, service, &told)
}

fn heard(world: &World, service: &str, told: &[Recipient]) -> String {
    let stamp = Stamp::from_micros(1_700_000_000_000_000 + world.now().elapsed().as_micros() as i64);
    let now = Now { moment: world.now(), stamp };
    let id = world.scheduler.find(service).unwrap();
    let text = world.scheduler.explain(now, id, told).unwrap().to_string();
    assert!(!text.contains("SECRET"), "{text}");
    text
}

fn explain(world: &World, service: &str) -> String {
    told(world, service, &[TOLD])
}

fn cpu(service: &mut Service, rate: (u8, u8), then: Then) {
    service.rules.push(over(metrics::CPU, 80, rate, then));
}

#[test]
fn all_is_well() {
    let mut nginx = process("nginx");
    cpu(&mut nginx, (3, 3), Then::Alert);
    nginx.rules.push(http((1, 1), Then::Restart));
    let mut world = world(vec![nginx]);
    world.of("nginx").reads = vec![(metrics::CPU, Value::Real(12.0))];
    world.run(60 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
    let nobody = told(&world, "nginx", &[]);
    assert!(nobody.contains("Nobody is told of anything") && !nobody.contains("be told"), "{nobody}");
}

#[test]
fn who_does_not_want_to_hear_of_it_is_not_named() {
    let mut nginx = process("nginx");
    cpu(&mut nginx, (1, 1), Then::Alert);
    let world = world(vec![nginx]);
    let of = |address: &str, events: &str| {
        let events = Events::named(events).unwrap();
        Recipient { events, ..Recipient::new(address) }
    };
    let text =
        heard(&world, "nginx", &[of("night@example.com", "nonexist"), of("load@example.com", "resource")])
            .replace("\n    ", " ");
    assert!(text.contains("load@example.com would be told, and nothing else done"), "{text}");
    assert!(text.contains("and night@example.com be told"), "{text}");
    assert!(!text.contains("load@example.com and") && !text.contains("and load@example.com"), "{text}");
}

#[test]
fn nearly_failing() {
    let mut nginx = process("nginx");
    cpu(&mut nginx, (3, 3), Then::Restart);
    nginx
        .rules
        .push(http((3, 5), Then::Exec { program: program("/bin/page SECRET").into(), repeat: Some(10) }));
    let mut world = world(vec![nginx]);
    world.of("nginx").reads = vec![(metrics::CPU, Value::Real(93.5))];
    world.of("nginx").tests_pass = false;
    world.run(60 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn being_started() {
    let mut world = world(vec![process("nginx")]);
    world.of("nginx").appears_after = Some(20 * S);
    world.kill("nginx");
    world.run(5 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn just_started_and_still_forgiven() {
    let mut nginx = process("nginx");
    nginx.rules.push(http((1, 1), Then::Restart));
    let mut world = world(vec![nginx]);
    world.of("nginx").tests_pass = false;
    world.run(30 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn dead_and_only_watched() {
    let mut nginx = process("nginx");
    nginx.mode = Mode::Passive;
    let mut world = world(vec![nginx]);
    world.kill("nginx");
    world.run(40 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn missing_and_nothing_could_bring_it_back() {
    let mut notes = Service::new("notes", Kind::File { path: "/srv/notes".into() });
    notes.rules.push(Rule::existence());
    notes.rules.push(rule(Condition::WrongType, (1, 1), Then::Alert));
    let mut world = world(vec![notes]);
    world.end("notes", How::Exited { status: 0 });
    world.run(300 * S);
    insta::assert_snapshot!(explain(&world, "notes"));
}

#[test]
fn a_host_that_does_not_answer() {
    let mut host = Service::new("gateway", Kind::Host { address: "10.0.0.1".into() });
    host.rules.push(http((1, 1), Then::Alert));
    let mut world = world(vec![host]);
    world.of("gateway").tests_pass = false;
    world.run(300 * S);
    insta::assert_snapshot!(explain(&world, "gateway"));
}

#[test]
fn ended_in_order_a_moment_ago() {
    let mut world = world(vec![process("nginx")]);
    world.end("nginx", How::Exited { status: 0 });
    world.run(S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn stopped_by_somebody() {
    let mut world = world(vec![process("nginx")]);
    world.command("nginx", Doing::Stop);
    world.run(60 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn unmonitored_by_somebody() {
    let mut nginx = process("my nginx");
    nginx.start = None;
    let mut world = world(vec![nginx]);
    world.command("my nginx", Doing::Unmonitor);
    world.run(60 * S);
    insta::assert_snapshot!(explain(&world, "my nginx"));
}

#[test]
fn given_up_by_a_limit() {
    let mut nginx = process("nginx");
    let when = Condition::Restarts { count: 3, within: 10 };
    nginx.rules.push(rule(when, (1, 1), Then::Unmonitor));
    let mut world = world_of(Dialect::Monit, vec![nginx]);
    world.of("nginx").appears_after = None;
    world.kill("nginx");
    world.run(95 * S);
    insta::assert_snapshot!("on_the_way_to_a_limit", explain(&world, "nginx"));
    world.run(300 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn waiting_for_what_it_needs() {
    let mut db = process("db");
    db.mode = Mode::Passive;
    let mut app = process("app");
    app.depends_on.push("db".into());
    let mut world = world(vec![db, app]);
    world.kill("db");
    world.run(40 * S);
    insta::assert_snapshot!(explain(&world, "app"));
    insta::assert_snapshot!("what_others_need_is_down", explain(&world, "db"));
    world.kill("app");
    world.run(S);
    insta::assert_snapshot!("dead_and_waiting_for_what_it_needs", explain(&world, "app"));
    world.appear("app");
    world.run(S);
    world.of("db").appears_after = None;
    world.command("app", Doing::Start);
    world.run(2 * S);
    insta::assert_snapshot!("asked_for_and_waiting_for_what_it_needs", explain(&world, "app"));
}

#[test]
fn not_its_turn() {
    let mut backup = process("backup");
    backup.turns = Turns::At(Cron::parse("* 1-3 * * *").unwrap().0);
    let world = world(vec![backup]);
    insta::assert_snapshot!(explain(&world, "backup"));
}

#[test]
fn nothing_can_be_seen() {
    let mut world = world(vec![process("nginx")]);
    world.of("nginx").blind = true;
    world.run(60 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn the_machine_itself() {
    let mut system = Service::system("vm");
    system.rules.push(over(metrics::LOAD_5, 4, (5, 8), Then::Alert));
    let mut world = world(vec![system]);
    world.of("vm").reads = vec![(metrics::LOAD_5, Value::Real(1.25))];
    world.run(60 * S);
    insta::assert_snapshot!(explain(&world, "vm"));
}

#[test]
fn repaired_in_vain_and_pausing() {
    let mut world = world(vec![process("nginx")]);
    world.of("nginx").broken = true;
    world.kill("nginx");
    world.run(12 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn given_up_after_repairs_in_vain() {
    let mut nginx = process("nginx");
    nginx.rules.push(http((1, 1), Then::Restart));
    let mut world = world(vec![nginx]);
    world.of("nginx").tests_pass = false;
    world.run(900 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn held_back_while_many_fail_together() {
    let names = ["a", "b", "c", "d", "e"];
    let service = |name: &&str| {
        let mut service = process(name);
        service.rules.push(http((1, 1), Then::Restart));
        service
    };
    let mut world = world(names.iter().map(service).collect());
    names.iter().for_each(|name| world.of(name).tests_pass = false);
    world.run(28 * S);
    insta::assert_snapshot!(explain(&world, "e"));
}

#[test]
fn failing_for_a_part_of_the_time_that_it_takes() {
    let mut nginx = process("nginx");
    cpu(&mut nginx, (1, 1), Then::Restart);
    nginx.rules[1].fail.lasting = Some(120 * S);
    let mut world = world(vec![nginx]);
    world.of("nginx").reads = vec![(metrics::CPU, Value::Real(93.5))];
    world.run(70 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}

#[test]
fn changes_and_a_program_that_a_rule_runs() {
    let mut conf = Service::new("conf", Kind::File { path: "/etc/nginx.conf".into() });
    conf.rules.push(Rule::existence());
    let changed = |metric: Metric, expect, then| {
        rule(Condition::Changed { metric: metric.name.into_owned(), expect }, (1, 1), then)
    };
    let check = Then::Exec { program: program("/usr/bin/check SECRET").into(), repeat: None };
    conf.rules.push(changed(metrics::SIZE, Change::Changed, check));
    conf.rules.push(changed(metrics::LINKS, Change::Unchanged, Then::Alert));
    let mut world = world(vec![conf]);
    let reads = |size: i64| vec![(metrics::SIZE, Value::Int(size)), (metrics::LINKS, Value::Int(1))];
    world.of("conf").reads = reads(1000);
    world.run(60 * S);
    world.of("conf").start_takes = 20 * S;
    world.of("conf").reads = reads(2000);
    world.run(30 * S);
    insta::assert_snapshot!(explain(&world, "conf"));
}

#[test]
fn being_stopped_and_soon_killed() {
    let mut nginx = process("nginx");
    nginx.kill_after = Some(10 * S);
    cpu(&mut nginx, (1, 1), Then::Restart);
    let mut world = world(vec![nginx]);
    world.of("nginx").stops = false;
    world.command("nginx", Doing::Stop);
    world.run(5 * S);
    insta::assert_snapshot!(explain(&world, "nginx"));
}
