//! Limits on restarts, on a simulated host and against a plain model of Monit's counting.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{Branch, Condition, Config, Dialect, Kind, Mode, Program, Rule, Service, Then};
use hinoban_event::{Class, Doing, Fact, Failure};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, RuleState, ServiceView, Watching};
use proptest::prelude::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

fn limit(count: u32, within: u32, then: Then) -> Rule {
    let when = Condition::Restarts { count, within };
    Rule { when, fail: Branch::once(then), ok: Branch::once(Then::Alert), place: Default::default() }
}

fn exec() -> Then {
    Then::Exec { program: program("/bin/page").into(), repeat: None }
}

fn config(rules: Vec<Rule>, change: impl FnOnce(&mut Service)) -> Config {
    let mut config = Config::empty(Dialect::Monit, "vm");
    config.every = Some(60 * S);
    let mut service = Service::new("httpd", Kind::pidfile("/run/httpd.pid"));
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.rules = rules;
    service.rules.push(Rule::existence());
    change(&mut service);
    config.services = vec![service.into()];
    config
}

/// A service whose start does nothing, up to the moment before its first look.
fn broken(config: &Config) -> World {
    let mut world = World::new(config, 30 * S);
    world.of("httpd").appears_after = None;
    world
}

fn view(world: &World) -> ServiceView {
    world.scheduler.view().remove(0)
}

/// Failures of limits: in which minute, and what was told.
fn told(world: &World) -> Vec<(i64, String)> {
    let failure = |fact: &Fact| match fact {
        Fact::Failed(f @ Failure { class: Class::Timeout, .. }) => Some(f.text.clone()),
        _ => None,
    };
    let start = 1_700_000_000;
    world.events.iter().filter_map(|e| Some(((e.at.secs() - start) / 60, failure(&e.fact)?))).collect()
}

fn recoveries(world: &World) -> Vec<String> {
    let of = |fact: &Fact| match fact {
        Fact::Recovered(r) if r.class == Class::Timeout => Some(r.text.clone()),
        _ => None,
    };
    world.events.iter().filter_map(|e| of(&e.fact)).collect()
}

fn starts(world: &World) -> usize {
    world.deeds.iter().filter(|deed| deed.act == Act::Start).count()
}

#[test]
fn what_does_not_come_up_is_given_up_and_what_to_do_next_is_said() {
    let config = config(vec![limit(3, 5, Then::Unmonitor)], |_| {});
    let mut world = broken(&config);
    world.run(600 * S);
    assert_eq!(starts(&world), 3);
    assert_eq!(told(&world), [(3, "service restarted 3 times within 3 cycles(s) - unmonitor".to_owned())]);
    let given_up = view(&world);
    assert_eq!(given_up.watching, Watching::No);
    let why = "service restarted 3 times within 3 cycles(s) - unmonitor -- nobody looks at it any more; what happened: \
               hinoban explain httpd, and its own log; once it is mended: hinoban monitor httpd";
    assert_eq!(given_up.gave_up.as_deref(), Some(why));
    // That is known to the next life too.
    world.crash(&config);
    world.run(600 * S);
    assert_eq!((starts(&world), view(&world).gave_up.as_deref()), (3, Some(why)));
    // Once it is mended, it has all its restarts again.
    world.command("httpd", Doing::Monitor);
    assert_eq!(view(&world).gave_up, None);
    world.run(179 * S);
    assert_eq!((starts(&world), view(&world).watching), (6, Watching::Yes));
    world.run(60 * S);
    assert_eq!((starts(&world), view(&world).watching), (6, Watching::No));
}

#[test]
fn the_count_survives_a_crash_of_ours() {
    let config = config(vec![limit(3, 5, Then::Unmonitor)], |_| {});
    let mut world = broken(&config);
    world.run(140 * S);
    assert_eq!(starts(&world), 2);
    world.crash(&config);
    world.run(600 * S);
    assert_eq!((starts(&world), view(&world).watching), (3, Watching::No));
}

#[test]
fn restarts_made_at_once_count_when_they_are_made() {
    let config = config(vec![limit(3, 5, Then::Unmonitor)], |_| {});
    let mut world = World::new(&config, Duration::ZERO);
    world.appear("httpd");
    world.run(S);
    for _ in 0..3 {
        world.kill("httpd");
        world.run(9 * S);
    }
    assert_eq!((starts(&world), view(&world).watching), (3, Watching::Yes), "the next look judges");
    let rule = &view(&world).rules[0];
    assert_eq!(rule.state, RuleState::Counting { seen: 3, of: 3 });
    world.run(60 * S);
    assert_eq!(view(&world).watching, Watching::No);
    assert_eq!(told(&world)[0].1, "service restarted 3 times within 1 cycles(s) - unmonitor");
}

#[test]
fn what_operators_ask_for_does_not_count() {
    let config = config(vec![limit(1, 5, Then::Unmonitor)], |_| {});
    let mut world = World::new(&config, Duration::ZERO);
    world.appear("httpd");
    world.run(S);
    for _ in 0..5 {
        world.command("httpd", Doing::Restart);
        world.run(60 * S);
    }
    assert_eq!((starts(&world), view(&world).watching), (5, Watching::Yes));
}

#[test]
fn restarts_that_a_passive_service_is_spared_count_all_the_same() {
    let config = config(vec![limit(2, 4, exec())], |s| s.mode = Mode::Passive);
    let mut world = broken(&config);
    world.run(600 * S);
    let acts: Vec<&Act> = world.deeds.iter().map(|deed| &deed.act).collect();
    assert_eq!(acts, [&Act::Exec { rule: 0, recovery: false, nth: 0 }], "once, however often it is reached");
    assert_eq!(told(&world)[0], (2, "service restarted 2 times within 2 cycles(s) - exec".to_owned()));
}

#[test]
fn a_limit_holds_again_when_its_window_is_over_and_the_service_is_well() {
    let config = config(vec![limit(2, 4, Then::Alert)], |_| {});
    let mut world = broken(&config);
    world.run(170 * S);
    assert_eq!(view(&world).failing, [Class::NonExist, Class::Timeout]);
    world.of("httpd").appears_after = Some(MS);
    world.run(60 * S);
    assert!(world.lives("httpd"));
    assert_eq!(recoveries(&world), [] as [&str; 0], "it may be reached again with the next look");
    world.run(180 * S);
    assert_eq!(
        recoveries(&world),
        ["process is running after previous restart timeout (manually recovered?)"]
    );
    assert_eq!(view(&world).failing, []);
}

#[test]
fn a_stop_by_a_limit_ends_the_watching() {
    let config = config(vec![limit(2, 3, Then::Stop)], |_| {});
    let mut world = broken(&config);
    world.run(600 * S);
    let given_up = view(&world);
    assert_eq!((starts(&world), given_up.watching), (2, Watching::No));
    assert!(given_up.gave_up.as_deref().unwrap().ends_with("once it is mended: hinoban start httpd"));
}

#[test]
fn a_changed_rule_keeps_the_count_and_a_service_without_limits_has_none() {
    let before = config(vec![limit(3, 5, Then::Unmonitor)], |_| {});
    let mut world = broken(&before);
    world.run(140 * S);
    let after = config(vec![limit(3, 6, Then::Unmonitor)], |_| {});
    let now = hinoban_reading::Now { moment: world.now(), stamp: Default::default() };
    world.scheduler.reload(now, &after);
    world.run(S);
    assert_eq!(
        (starts(&world), view(&world).rules[0].last.as_str()),
        (3, "service restarted 3 times within 2 cycles(s) - unmonitor")
    );
}

proptest! {
    /// Each due look: count the cycle; fire; close the window; restart. Real Monit 5.33 was seen to do just that.
    #[test]
    fn limits_are_reached_when_monit_reaches_them(
        limits in proptest::collection::vec((1u32..6, 0u32..6), 1..3), early in proptest::collection::vec(0u32..2, 40),
    ) {
        let limits: Vec<(u32, u32)> = limits.into_iter().map(|(count, more)| (count, count + more)).collect();
        let rules = limits.iter().map(|(count, within)| limit(*count, *within, Then::Alert)).collect();
        let mut world = World::new(&config(rules, |_| {}), 30 * S);
        world.of("httpd").wakes = false;
        let window = limits.iter().map(|limit| limit.1).max().unwrap();
        let (mut restarts, mut cycles, mut expected) = (0u32, 0u32, Vec::new());
        for (cycle, dies) in (0..).zip(early) {
            world.run(60 * S);
            cycles += u32::from(restarts > 0);
            for (count, within) in limits.iter().rev() {
                if restarts >= *count && cycles <= *within {
                    expected.push((cycle, format!("service restarted {restarts} times within {cycles} cycles(s) - alert")));
                }
            }
            if cycles > window {
                (restarts, cycles) = (0, 0);
            }
            // What was dead at this look has been started by it.
            let now = world.now();
            restarts += world.deeds.iter().filter(|deed| now.since(deed.at) < 60 * S).count() as u32;
            if dies > 0 {
                world.kill("httpd");
            }
        }
        prop_assert_eq!(told(&world), expected);
    }
}

#[test]
fn a_host_that_a_rule_restarts_is_looked_at_by_its_tests_alone() {
    use hinoban_config::{Expect, Family, PortTest, Protocol, Test};
    let test = Test::Port(Box::new(PortTest {
        host: "db".into(),
        port: 1,
        family: Family::Any,
        protocol: Protocol::Default,
        tls: None,
        timeout: 5 * S,
        retry: 1,
        ..PortTest::new("", 0)
    }));
    let failed = Rule {
        when: Condition::Test { test, expect: Expect::Failed },
        fail: Branch::once(Then::Restart),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    };
    let config = config(vec![limit(3, 3, Then::Unmonitor)], |s| {
        s.kind = Kind::Host { address: "db".into() };
        s.stop = None;
        s.rules = vec![failed, s.rules[0].clone()];
    });
    let mut world = broken(&config);
    world.of("httpd").tests_pass = false;
    world.run(600 * S);
    assert_eq!((starts(&world), view(&world).watching), (3, Watching::No));
    assert_eq!(view(&world).observation, None, "a host has no look of its own");
}
