//! Rules about what changes, what matches, and what lasts; and what they run beside.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{
    Branch, Change, Condition, Config, Dialect, Kind, Operator, Pattern, Program, Rate, Rule, Service, Then,
};
use hinoban_event::{Class, Doing, Fact};
use hinoban_reading::{Metric, Unit, Value, metrics};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, Remembered, RuleState, Watching};

const S: Duration = Duration::from_secs(1);
const MIN: Duration = Duration::from_secs(60);
const VERSION: Metric = Metric::new("version", Unit::Text);

fn program(line: &str) -> Program {
    let words = line.split(' ').map(str::to_owned).collect();
    Program { words, uid: None, gid: None, timeout: 5 * S }
}

fn exec(line: &str) -> Then {
    Then::Exec { program: program(line).into(), repeat: None }
}

fn changed(metric: &Metric, expect: Change, fail: Branch) -> Rule {
    let when = Condition::Changed { metric: metric.name.to_string(), expect };
    Rule { when, fail, ok: Branch::once(Then::Nothing), place: Default::default() }
}

fn over(metric: &Metric, limit: i64, fail: Branch, ok: Branch) -> Rule {
    let (metric, operator, limit) = (metric.name.to_string(), Operator::Greater, Value::Int(limit));
    Rule { when: Condition::Compare { metric, operator, limit }, fail, ok, place: Default::default() }
}

fn alert() -> Branch {
    Branch::once(Then::Alert)
}

/// A service called `it`, looked at once in a minute.
fn config(dialect: Dialect, kind: Kind, rules: Vec<Rule>) -> Config {
    let mut config = Config::empty(dialect, "vm");
    config.every = Some(MIN);
    let mut service = Service::new("it", kind);
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.rules = rules;
    config.services = vec![service.into()];
    config
}

fn file() -> Kind {
    Kind::File { path: "/p".into() }
}

fn process() -> Kind {
    Kind::pidfile("/run/it.pid")
}

/// A world in which `it` is there, and was looked at for the first time.
fn world(config: &Config, size: i64) -> World {
    let mut world = World::new(config, Duration::ZERO);
    world.of("it").reads = vec![(metrics::SIZE, Value::Int(size))];
    world.of("it").wakes = false;
    world.appear("it");
    world.run(S);
    world
}

/// What the size is from now on, until after the next look.
fn grows(world: &mut World, size: i64) {
    world.of("it").reads = vec![(metrics::SIZE, Value::Int(size))];
    world.run(MIN);
}

/// What failed anew, in words.
fn told(world: &World) -> Vec<&str> {
    fn text(fact: &Fact) -> Option<&str> {
        match fact {
            Fact::Failed(failure) if failure.times == 1 => Some(&failure.text),
            _ => None,
        }
    }
    world.events.iter().filter_map(|event| text(&event.fact)).collect()
}

fn state(world: &World) -> RuleState {
    world.scheduler.view()[0].rules[0].state
}

#[test]
fn each_change_is_told_once_and_the_first_sight_is_none() {
    for dialect in [Dialect::Monit, Dialect::Toml] {
        let config = config(dialect, file(), vec![changed(&metrics::SIZE, Change::Changed, alert())]);
        let mut world = world(&config, 5);
        grows(&mut world, 5);
        assert!(told(&world).is_empty());
        grows(&mut world, 7);
        assert_eq!(world.scheduler.view()[0].failing, [Class::Size]);
        assert!(world.scheduler.view()[0].rules[0].changed);
        grows(&mut world, 9);
        grows(&mut world, 9);
        assert_eq!(state(&world), RuleState::Holds, "what has not changed for a cycle is well again");
        grows(&mut world, 7);
        let wanted = match dialect {
            Dialect::Monit => {
                ["size for /p changed to 7 B", "size for /p changed to 9 B", "size for /p changed to 7 B"]
            }
            Dialect::Toml => [
                "size changed from 5 B to 7 B",
                "size changed from 7 B to 9 B",
                "size changed from 9 B to 7 B",
            ],
        };
        assert_eq!(told(&world), wanted);
    }
}

/// As a file that grows in each cycle does under Monit 5.33.
#[test]
fn of_counted_changes_monit_forgets_all_but_the_last() {
    let run = |dialect| {
        let rate = Rate { count: 3, within: 3 };
        let rule = changed(&metrics::SIZE, Change::Changed, Branch::at(exec("/bin/note"), rate));
        let mut world = world(&config(dialect, file(), vec![rule]), 0);
        let runs = |size| {
            let before = world.deeds.len();
            grows(&mut world, size);
            world.deeds.len() - before
        };
        (1..=8).map(runs).collect::<Vec<_>>()
    };
    assert_eq!(run(Dialect::Monit), [0, 0, 1, 0, 1, 0, 1, 0]);
    assert_eq!(run(Dialect::Toml), [0, 0, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn what_is_gone_has_not_changed_and_is_compared_with_its_last_value_when_it_is_back() {
    let rules = vec![changed(&metrics::SIZE, Change::Changed, alert())];
    let mut world = world(&config(Dialect::Toml, file(), rules), 5);
    world.kill("it");
    grows(&mut world, 6);
    assert!(told(&world).is_empty());
    world.appear("it");
    grows(&mut world, 7);
    assert_eq!(told(&world), ["size changed from 5 B to 7 B"]);
}

#[test]
fn a_process_that_somebody_else_restarts_is_told_and_one_that_we_restart_is_not() {
    for dialect in [Dialect::Monit, Dialect::Toml] {
        let rules = vec![Rule::existence(), changed(&metrics::PID, Change::Changed, alert())];
        let mut world = world(&config(dialect, process(), rules), 5);
        let pid = |world: &World| world.scheduler.view()[0].identity.unwrap().pid;
        let first = pid(&world);
        world.command("it", Doing::Restart);
        world.run(2 * MIN);
        let second = pid(&world);
        assert_ne!(first, second);
        world.kill("it");
        world.run(2 * MIN);
        let third = pid(&world);
        assert_ne!(second, third);
        let pids = |world: &World| {
            told(world).into_iter().filter(|t| t.contains("changed")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(pids(&world).is_empty(), "our own doing");
        world.kill("it");
        world.appear("it");
        world.run(MIN);
        let word = if dialect == Dialect::Monit { "process PID" } else { "pid" };
        assert_eq!(pids(&world), [format!("{word} changed from {third} to {}", pid(&world))]);
        assert_eq!(world.scheduler.view()[0].failing, [Class::Pid]);
    }
}

#[test]
fn a_change_that_a_look_before_its_turn_finds_is_told_at_once_and_its_end_at_the_next_turn() {
    let rules = vec![changed(&metrics::SIZE, Change::Changed, alert())];
    let mut world = world(&config(Dialect::Toml, file(), rules), 5);
    world.of("it").wakes = true;
    // A file that is written anew; the second look before the turn finds nothing new.
    world.of("it").reads = vec![(metrics::SIZE, Value::Int(6))];
    world.appear("it");
    world.run(S);
    assert_eq!(told(&world), ["size changed from 5 B to 6 B"]);
    world.appear("it");
    world.run(S);
    assert_eq!(state(&world), RuleState::Fails);
    world.of("it").reads = vec![(metrics::SIZE, Value::Int(8))];
    world.appear("it");
    world.run(S);
    assert_eq!(told(&world).len(), 2, "each change is news, also while it fails");
    world.run(2 * MIN);
    assert_eq!(state(&world), RuleState::Holds);
}

#[test]
fn a_counted_change_between_two_turns_is_not_lost() {
    let rate = Rate { count: 2, within: 2 };
    let rules = vec![changed(&metrics::SIZE, Change::Changed, Branch::at(Then::Alert, rate))];
    let mut world = world(&config(Dialect::Toml, file(), rules), 5);
    world.of("it").wakes = true;
    for size in [6, 7] {
        world.of("it").reads = vec![(metrics::SIZE, Value::Int(size))];
        world.appear("it");
        world.run(MIN);
    }
    assert_eq!(told(&world), ["size changed from 6 B to 7 B"]);
}

#[test]
fn a_change_while_nobody_looked_is_told_by_the_next_life_but_not_that_of_a_process() {
    let size = config(Dialect::Toml, file(), vec![changed(&metrics::SIZE, Change::Changed, alert())]);
    let mut world_ = world(&size, 5);
    grows(&mut world_, 6);
    grows(&mut world_, 6);
    let remembered = |world: &World| {
        let of = |r: &&Remembered| matches!(r, Remembered::Baseline { .. });
        world.remembered.iter().filter(of).count()
    };
    assert_eq!(remembered(&world_), 2, "the first sight and the change, and not each look");
    world_.of("it").reads = vec![(metrics::SIZE, Value::Int(9))];
    world_.crash(&size);
    world_.run(2 * S);
    assert_eq!(told(&world_), ["size changed from 5 B to 6 B", "size changed from 6 B to 9 B"]);
    grows(&mut world_, 9);
    assert_eq!(state(&world_), RuleState::Holds);

    let rules = vec![Rule::existence(), changed(&metrics::PID, Change::Changed, alert())];
    let pid = config(Dialect::Toml, process(), rules);
    let mut world = world(&pid, 5);
    world.kill("it");
    world.appear("it");
    world.crash(&pid);
    world.run(2 * MIN);
    assert!(told(&world).is_empty(), "{:?}", told(&world));
}

#[test]
fn what_is_not_as_at_first_fails_until_it_is_again_or_somebody_loads_the_configuration() {
    let sum = |world: &mut World, text: &str| {
        world.of("it").reads = vec![(metrics::CHECKSUM_SHA256, text.into())];
        world.run(MIN);
    };
    for dialect in [Dialect::Monit, Dialect::Toml] {
        let when = Condition::Differs { metric: metrics::CHECKSUM_SHA256.name.to_string() };
        let rule = Rule { when, fail: alert(), ok: alert(), place: Default::default() };
        let config = config(dialect, file(), vec![rule]);
        let mut world = world(&config, 5);
        assert_eq!(state(&world), RuleState::Unknown, "there is no checksum yet");
        sum(&mut world, "aa");
        assert_eq!(state(&world), RuleState::Holds);
        sum(&mut world, "bb");
        sum(&mut world, "bb");
        assert_eq!(world.scheduler.view()[0].failing, [Class::Checksum]);
        let words = match dialect {
            Dialect::Monit => "checksum failed, expected aa got bb",
            Dialect::Toml => "SHA-256 checksum is 'bb', and was 'aa' at first",
        };
        assert_eq!(told(&world), [words], "told once, though it goes on");

        // Only in our own dialect it outlives the supervisor: Monit takes what it finds when it starts.
        world.crash(&config);
        world.run(MIN);
        let is_failing = !world.scheduler.view()[0].failing.is_empty();
        assert_eq!(is_failing, dialect == Dialect::Toml);
        sum(&mut world, "aa");
        assert_eq!(world.scheduler.view()[0].failing.is_empty(), dialect == Dialect::Toml);

        sum(&mut world, "cc");
        assert_eq!(world.scheduler.view()[0].failing, [Class::Checksum]);
        world.reload(&config);
        world.run(MIN);
        assert_eq!(state(&world), RuleState::Holds, "who reloads takes what is there for right");
    }
}

/// Who reloads a control file takes the checksum that is there for right, as in Monit; our own files go on with the last one.
#[test]
fn a_changed_checksum_is_accepted_by_the_reload_of_a_control_file() {
    for dialect in [Dialect::Monit, Dialect::Toml] {
        let rule = changed(&metrics::CHECKSUM_MD5, Change::Changed, alert());
        let config = config(dialect, file(), vec![rule]);
        let mut world = world(&config, 5);
        world.of("it").reads = vec![(metrics::CHECKSUM_MD5, "aa".into())];
        world.run(MIN);
        world.of("it").reads = vec![(metrics::CHECKSUM_MD5, "bb".into())];
        world.reload(&config);
        world.run(MIN);
        assert_eq!(told(&world).len(), usize::from(dialect == Dialect::Toml), "{:?}", told(&world));
        world.of("it").reads = vec![(metrics::CHECKSUM_MD5, "cc".into())];
        world.run(MIN);
        assert_eq!(told(&world).len(), 1 + usize::from(dialect == Dialect::Toml), "{:?}", told(&world));
    }
}

#[test]
fn a_reload_keeps_what_was_seen_wherever_its_rule_goes() {
    let rule = changed(&metrics::SIZE, Change::Changed, alert());
    let before = config(Dialect::Toml, file(), vec![rule.clone()]);
    let mut world = world(&before, 5);
    let threads = over(&metrics::THREADS, 1, alert(), alert());
    world.reload(&config(Dialect::Toml, file(), vec![threads, rule]));
    world.run(S);
    grows(&mut world, 6);
    assert_eq!(told(&world), ["size changed from 5 B to 6 B"]);
}

#[test]
fn what_is_not_watched_for_a_while_is_compared_with_what_it_was_before() {
    let rules = vec![changed(&metrics::SIZE, Change::Changed, alert())];
    let mut world = world(&config(Dialect::Monit, file(), rules), 5);
    world.command("it", Doing::Unmonitor);
    grows(&mut world, 6);
    world.command("it", Doing::Monitor);
    world.run(S);
    assert_eq!(told(&world), ["size for /p changed to 6 B"], "as Monit tells it");
}

#[test]
fn what_depends_on_it_does_not_wait_for_a_change_to_be_over() {
    for dialect in [Dialect::Monit, Dialect::Toml] {
        let rules = vec![changed(&metrics::SIZE, Change::Changed, alert())];
        let mut config = config(dialect, file(), rules);
        let mut child = Service::new("child", process());
        child.depends_on = vec!["it".into()];
        child.start = Some(program("/bin/start"));
        child.rules = vec![Rule::existence()];
        config.services.push(child.into());
        let mut world = world(&config, 5);
        world.appear("child");
        world.run(MIN);
        grows(&mut world, 6);
        assert_eq!(state(&world), RuleState::Fails);
        world.kill("child");
        world.run(10 * S);
        assert!(world.lives("child"));
    }
}

#[test]
fn what_should_change_and_does_not_for_an_hour_is_told_and_the_first_change_ends_it() {
    let lasting = Branch { lasting: Some(60 * MIN), ..alert() };
    let mut rule = changed(&metrics::SIZE, Change::Unchanged, lasting);
    rule.ok = alert();
    let mut world = world(&config(Dialect::Toml, file(), vec![rule]), 5);
    world.of("it").wakes = true;
    world.run(30 * MIN);
    let RuleState::Lasting { time, of } = state(&world) else { panic!("{:?}", state(&world)) };
    assert!((28 * MIN..=30 * MIN).contains(&time) && of == 60 * MIN, "{time:?}");
    grows(&mut world, 6);
    world.run(60 * MIN);
    assert!(told(&world).is_empty(), "the hour begins anew with each change");
    world.run(2 * MIN);
    assert_eq!(told(&world), ["size has not changed: 6 B"]);
    // Seen before its turn.
    world.of("it").reads = vec![(metrics::SIZE, Value::Int(7))];
    world.appear("it");
    world.run(S);
    assert!(
        matches!(&world.events.last().unwrap().fact, Fact::Recovered(r) if r.text == "size changed from 6 B to 7 B")
    );
}

#[test]
fn a_text_is_held_against_a_pattern() {
    let matches = |pattern: &str, fails_on_match| Rule {
        when: Condition::Matches {
            metric: VERSION.name.to_string(),
            pattern: Pattern::new(pattern).unwrap(),
            fails_on_match,
        },
        fail: alert(),
        ok: alert(),
        place: Default::default(),
    };
    let kind = Kind::Custom { probe: "app".into(), options: Default::default() };
    let rules = vec![matches("rc[0-9]", true), matches("^2[.]", false)];
    let mut world = World::new(&config(Dialect::Toml, kind, rules), Duration::ZERO);
    let mut reads = |value: Value| {
        world.of("it").reads = vec![(VERSION, value)];
        world.appear("it");
        world.run(MIN);
        [0, 1].map(|rule| world.scheduler.view()[0].rules[rule].failed)
    };
    assert_eq!(reads("2.1".into()), [false, false]);
    assert_eq!(reads("3.0-rc1".into()), [true, true]);
    assert_eq!(reads(Value::Int(2)), [true, true], "a number says nothing");
    assert_eq!(reads("2.2".into()), [false, false]);
    let words = ["version '3.0-rc1' matches 'rc[0-9]'", "version '3.0-rc1' does not match '^2[.]'"];
    let mut told = told(&world);
    told.sort();
    assert_eq!(told, [words[1], words[0]]);
    assert_eq!(world.scheduler.view()[0].rules[0].class, Class::Content);
}

#[test]
fn a_security_attribute_is_the_same_in_capital_and_small_letters() {
    let when = Condition::Compare {
        metric: metrics::SECURITY.name.to_string(),
        operator: Operator::NotEqual,
        limit: "Docker-Default".into(),
    };
    let rule = Rule { when, fail: alert(), ok: alert(), place: Default::default() };
    let mut world = World::new(&config(Dialect::Monit, file(), vec![rule]), Duration::ZERO);
    let mut reads = |value: &str| {
        world.of("it").reads = vec![(metrics::SECURITY, value.into())];
        world.appear("it");
        world.run(MIN);
        world.scheduler.view()[0].rules[0].failed
    };
    assert_eq!(["docker-default", "unconfined", "DOCKER-DEFAULT"].map(&mut reads), [false, true, false]);
    assert_eq!(world.scheduler.view()[0].rules[0].class, Class::Invalid);
    assert_eq!(told(&world)[0], "Security attribute test failed for it -- current attribute is 'unconfined'");
}

#[test]
fn what_must_last_is_shown_counts_early_looks_and_begins_anew_with_another_life() {
    let lasting = |time| Branch { lasting: Some(time), ..alert() };
    let rule = over(&metrics::SIZE, 10, lasting(2 * MIN), lasting(90 * S));
    let config = config(Dialect::Toml, file(), vec![rule]);
    let mut world = world(&config, 20);
    world.run(40 * S);
    assert!(matches!(state(&world), RuleState::Lasting { of, .. } if of == 2 * MIN), "{:?}", state(&world));
    world.of("it").wakes = true;
    world.appear("it");
    world.run(S);
    let RuleState::Lasting { time, .. } = state(&world) else { panic!("{:?}", state(&world)) };
    assert!(time >= 40 * S, "{time:?}");
    // A look before its turn that finds all well begins it anew.
    world.of("it").reads = vec![(metrics::SIZE, Value::Int(2))];
    world.appear("it");
    world.run(S);
    assert_eq!(state(&world), RuleState::Holds);
    world.of("it").reads = vec![(metrics::SIZE, Value::Int(30))];
    world.run(2 * MIN);
    assert!(told(&world).is_empty());
    world.crash(&config);
    world.run(110 * S);
    assert!(told(&world).is_empty(), "another life has not seen it failing for so long");
    world.run(20 * S);
    assert_eq!(told(&world), ["size of 30 B matches resource limit [size > 10 B]"]);
    grows(&mut world, 1);
    assert!(matches!(state(&world), RuleState::Holding { of, .. } if of == 90 * S), "{:?}", state(&world));
    world.run(2 * MIN);
    assert_eq!(state(&world), RuleState::Holds);
    let doubts = world.events.iter().filter(|e| matches!(e.fact, Fact::Doubted(_))).count();
    assert_eq!(doubts, 3, "told when it begins, and not at each look");
}

#[test]
fn a_recovery_has_a_rate_and_a_program_of_its_own() {
    let fail = Branch::at(exec("/bin/page many"), Rate { count: 3, within: 3 });
    let ok = Branch::at(exec("/bin/page few"), Rate { count: 2, within: 2 });
    for dialect in [Dialect::Monit, Dialect::Toml] {
        let rule = over(&metrics::SIZE, 10, fail.clone(), ok.clone());
        let mut world = world(&config(dialect, file(), vec![rule]), 1);
        let runs = |size| {
            let before = world.deeds.len();
            grows(&mut world, size);
            world.deeds[before..].iter().map(|deed| deed.act.clone()).collect::<Vec<_>>()
        };
        let ran: Vec<_> = [20, 20, 20, 20, 20, 20, 1, 1, 1].into_iter().map(runs).collect();
        let none = Vec::new();
        let page = |recovery| vec![Act::Exec { rule: 0, recovery, nth: 0 }];
        let wanted = [&none, &none, &page(false), &none, &none, &none, &none, &page(true), &none];
        assert_eq!(ran.iter().collect::<Vec<_>>(), wanted, "F F F F F F S S S");
    }
}

fn list(dialect: Dialect) -> Config {
    let mut rule = Rule::existence();
    rule.fail.also = vec![exec("/bin/page"), Then::Custom("pager".into())];
    rule.ok = Branch { also: vec![exec("/bin/relief")], ..alert() };
    config(dialect, process(), vec![rule])
}

#[test]
fn what_runs_beside_leaves_first_in_its_order_and_once() {
    let mut world = world(&list(Dialect::Toml), 5);
    world.of("it").start_takes = 6 * S;
    let before = world.deeds.len();
    world.kill("it");
    world.run(3 * MIN);
    world.of("it").start_takes = S;
    world.run(5 * MIN);
    let acts: Vec<&Act> = world.deeds[before..].iter().map(|deed| &deed.act).collect();
    let failed = [&Act::Exec { rule: 0, recovery: false, nth: 1 }, &Act::Custom("pager".into()), &Act::Start];
    assert_eq!(acts[..3], failed);
    let again = acts[3..].iter().filter(|act| !matches!(act, Act::Start)).collect::<Vec<_>>();
    assert_eq!(again, [&&Act::Exec { rule: 0, recovery: true, nth: 1 }], "{acts:?}");
    assert_eq!(&*world.scheduler.view()[0].rules[0].text, "if does not exist then exec, pager, restart");
}

#[test]
fn after_a_crash_in_the_middle_of_a_list_all_of_it_has_run_once() {
    let config = Arc::new(list(Dialect::Toml));
    let page = |world: &World, nth| {
        let act = Act::Exec { rule: 0, recovery: false, nth };
        world.deeds.iter().filter(|deed| deed.act == act).count()
    };
    for effects in 0..12 {
        let mut world = world(&config, 5);
        world.of("it").wakes = true;
        world.kill("it");
        world.crash_within(&config, effects);
        world.run(10 * MIN);
        assert_eq!(page(&world, 1), 1, "a crash after {effects} effects");
        assert!(world.lives("it"));
        assert_eq!(world.scheduler.view()[0].watching, Watching::Yes);
    }
}
