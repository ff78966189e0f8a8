//! What supervision means, on a simulated host: each test is a timetable.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Dialect, Expect, Family, HttpTest, Kind, Mode, PortTest, Program, Protocol,
    Rate, Rule, Service, Test, Then,
};
use hinoban_event::{Doing, Event, Fact, Report};
use hinoban_reading::{How, Moment, Now, Stamp};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{
    Act, Effect, Input, Remembered, Restored, Resumed, Scheduler, Unfinished, Verdict, Watching,
};
use proptest::prelude::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn program(line: &str, timeout: Duration) -> Program {
    let words = line.split(' ').map(str::to_owned).collect();
    Program { words, uid: None, gid: None, timeout }
}

fn http_rule() -> Rule {
    let test = Test::Port(Box::new(PortTest {
        host: "localhost".into(),
        port: 80,
        family: Family::Any,
        protocol: Protocol::Http(HttpTest::default().into()),
        tls: None,
        timeout: 5 * S,
        retry: 1,
        ..PortTest::new("", 0)
    }));
    Rule {
        when: Condition::Test { test, expect: Expect::Failed },
        fail: Branch::once(Then::Restart),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    }
}

fn httpd() -> Service {
    let mut service = Service::new("httpd", Kind::pidfile("/run/httpd.pid"));
    service.start = Some(program("/bin/start", 10 * S));
    service.stop = Some(program("/bin/stop", 10 * S));
    service.rules.push(Rule::existence());
    service
}

fn world(change: impl FnOnce(&mut Service)) -> World {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    let mut service = httpd();
    change(&mut service);
    config.services.insert(0, service.into());
    let mut world = World::new(&config, Duration::ZERO);
    world.appear("httpd");
    world.run(S);
    world
}

fn acts(world: &World) -> Vec<&Act> {
    world.deeds.iter().map(|d| &d.act).collect()
}

fn facts<'a, T>(world: &'a World, pick: impl Fn(&'a Fact) -> Option<T>) -> Vec<T> {
    world.events.iter().filter_map(|e: &Event| pick(&e.fact)).collect()
}

fn watching(world: &World) -> Watching {
    world.scheduler.view()[0].watching
}

#[test]
fn a_killed_process_is_back_within_milliseconds_and_its_death_is_explained() {
    let mut world = world(|_| {});
    world.kill("httpd");
    world.run(10 * MS);
    assert!(world.lives("httpd"));
    assert_eq!(acts(&world), [&Act::Start]);
    let failures = facts(&world, |f| if let Fact::Failed(f) = f { Some(f) } else { None });
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].ending.as_ref().unwrap().to_string(), "PID 101 was killed by signal 9 (SIGKILL)");
    let recoveries = facts(&world, |f| if let Fact::Recovered(r) = f { Some(r) } else { None });
    assert_eq!(recoveries.len(), 1);
    assert_eq!(recoveries[0].text, "process is running with pid 102");
    assert!(recoveries[0].done[0].starts_with("restarted in"), "{:?}", recoveries[0].done);
}

#[test]
fn what_is_dead_when_we_come_is_started() {
    let mut config = Config::empty(Dialect::Monit, "vm");
    config.every = Some(60 * S);
    config.services.insert(0, httpd().into());
    let mut world = World::new(&config, 5 * S);
    world.run(4 * S);
    assert_eq!(acts(&world), [] as [&Act; 0], "not before the first look is due");
    world.run(2 * S);
    assert_eq!(acts(&world), [&Act::Start]);
}

#[test]
fn without_a_wake_the_next_look_finds_it() {
    let mut world = world(|_| {});
    world.of("httpd").wakes = false;
    world.kill("httpd");
    world.run(58 * S);
    assert!(!world.lives("httpd"));
    world.run(2 * S);
    assert!(world.lives("httpd"));
}

#[test]
fn a_second_death_soon_after_is_repaired_at_once_too() {
    let mut world = world(|_| {});
    for _ in 0..3 {
        world.kill("httpd");
        world.run(10 * MS);
        assert!(world.lives("httpd"));
        world.run(9 * S);
    }
}

#[test]
fn a_crash_loop_is_started_with_growing_pauses_and_at_each_due_look() {
    let mut world = world(|_| {});
    for _ in 0..590 {
        world.kill("httpd");
        world.run(100 * MS);
    }
    let starts = acts(&world).len();
    assert!((5..=9).contains(&starts), "0, 1, 2, 4 … s apart within one minute: {starts}");
    world.run(60 * S);
    assert!(world.lives("httpd"));
    world.run(120 * S);
    world.kill("httpd");
    world.run(10 * MS);
    assert!(world.lives("httpd"), "what has lived for a while is started at once again");
}

#[test]
fn the_first_death_in_a_cycle_is_repaired_at_once_however_many_there_were() {
    let mut world = world(|s| s.every = Some(S));
    for _ in 0..10 {
        world.run(1300 * MS);
        world.kill("httpd");
        world.run(10 * MS);
        assert!(world.lives("httpd"));
    }
}

#[test]
fn whoever_restarts_it_by_hand_is_not_raced() {
    let mut world = world(|_| {});
    world.end("httpd", How::Exited { status: 0 });
    world.run(S);
    world.appear("httpd");
    world.run(30 * S);
    assert_eq!(acts(&world), [] as [&Act; 0]);
    let failures = facts(&world, |f| if let Fact::Failed(f) = f { Some(f) } else { None });
    assert!(failures.is_empty(), "and nobody is told");
    world.end("httpd", How::Signalled { signal: 15, core: false });
    world.run(1900 * MS);
    assert_eq!(acts(&world), [] as [&Act; 0]);
    world.run(200 * MS);
    assert_eq!(acts(&world), [&Act::Start], "but whoever does not gets help");
}

#[test]
fn a_crash_gets_no_grace() {
    let mut world = world(|_| {});
    world.end("httpd", How::Exited { status: 1 });
    world.run(10 * MS);
    assert!(world.lives("httpd"));
}

#[test]
fn what_was_begun_before_a_restart_of_the_supervisor_is_waited_for() {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    config.services.insert(0, httpd().into());
    let mut scheduler = Scheduler::new(&config, &Restored::default(), Moment::ZERO);
    let at = |ms: u64| Now {
        moment: Moment::new(Duration::from_millis(ms)),
        stamp: Stamp::from_micros(1_000_000_000 + ms as i64 * 1000),
    };
    let unfinished = Unfinished {
        intent: 7,
        service: "httpd".into(),
        doing: Doing::Start,
        whole: Some(Doing::Restart),
        at: Stamp::from_micros(997_000_000),
        by: None,
        part_of: None,
        started: true,
    };
    let Resumed::Waits { service: id, left, .. } = scheduler.resume(at(0), &unfinished) else { panic!() };
    assert_eq!(left, 7 * S, "of ten seconds three are gone");
    let looks = |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Look { .. })).count();
    assert_eq!(scheduler.find("httpd"), Some(id));
    let effects = scheduler.handle(at(0), Input::Tick);
    assert!(!effects.iter().any(|e| matches!(e, Effect::Act { .. })), "no second start: {effects:?}");
    let report = Report::default();
    let effects = scheduler.handle(at(500), Input::ActionDone { intent: 7, report, verdict: Verdict::Ran });
    assert_eq!(looks(&effects), 1, "whether it is there now");
}

#[test]
fn a_stop_that_a_crash_cut_short_is_asked_for_again() {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.services.insert(0, httpd().into());
    let mut world = World::new(&config, Duration::ZERO);
    world.appear("httpd");
    let unfinished = Unfinished {
        intent: 7,
        service: "httpd".into(),
        doing: Doing::Stop,
        whole: Some(Doing::Stop),
        at: Stamp::default(),
        by: Some("admin".into()),
        part_of: None,
        started: false,
    };
    assert_eq!(world.scheduler.resume(Now::default(), &unfinished), Resumed::AskedAgain);
    world.run(300 * S);
    assert!(!world.lives("httpd"));
    assert_eq!(acts(&world), [&Act::Stop]);
    assert_eq!(watching(&world), Watching::No);
}

#[test]
fn a_reload_in_the_middle_of_a_start_does_not_lose_the_service() {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.services.insert(0, httpd().into());
    let mut world = World::new(&config, Duration::ZERO);
    world.of("httpd").appears_after = Some(5 * S);
    world.run(2 * S);
    std::sync::Arc::make_mut(&mut config.services[0]).groups.push("www".into());
    let now = Now { moment: world.now(), stamp: Default::default() };
    world.scheduler.reload(now, &config);
    world.of("httpd").appears_after = Some(2 * MS);
    world.run(30 * S);
    assert!(world.scheduler.view()[0].doing.is_none(), "the start has come to its end");
    world.kill("httpd");
    world.run(10 * MS);
    assert!(world.lives("httpd"));
}

#[test]
fn a_start_that_hangs_is_ended_at_its_time_and_tried_again_at_the_next_look() {
    let mut world = world(|_| {});
    world.of("httpd").start_takes = 100 * S;
    world.kill("httpd");
    world.run(20 * S);
    let failed =
        facts(&world, |f| if let Fact::Ended { doing, ok: false, .. } = f { Some(doing) } else { None });
    assert_eq!(failed, [&Doing::Start]);
    assert_eq!(acts(&world), [&Act::Start]);
    world.of("httpd").start_takes = MS;
    world.run(60 * S);
    assert!(world.lives("httpd"));
}

#[test]
fn a_pidfile_that_comes_late_is_waited_for() {
    let mut world = world(|_| {});
    world.of("httpd").appears_after = Some(8 * S);
    world.kill("httpd");
    world.run(9 * S);
    let ended =
        facts(&world, |f| if let Fact::Ended { doing, ok, .. } = f { Some((doing, *ok)) } else { None });
    assert_eq!(ended, [(&Doing::Restart, true)]);
}

#[test]
fn a_process_that_never_appears_is_reported_with_its_reason() {
    let mut world = world(|_| {});
    world.of("httpd").appears_after = None;
    world.kill("httpd");
    world.run(15 * S);
    let troubles = facts(&world, |f| match f {
        Fact::Ended { ok: false, report, .. } => report.trouble.clone(),
        _ => None,
    });
    assert_eq!(troubles, ["its process did not appear within 10 s: it is gone"]);
}

#[test]
fn what_the_operator_stopped_stays_stopped() {
    let mut world = world(|_| {});
    world.command("httpd", Doing::Stop);
    world.run(S);
    assert!(!world.lives("httpd"));
    assert_eq!(watching(&world), Watching::No);
    assert!(world.remembered.contains(&Remembered::Monitoring {
        service: "httpd".into(),
        on: false,
        why: None
    }));
    world.run(600 * S);
    assert_eq!(acts(&world), [&Act::Stop], "nothing restarts it");
    world.command("httpd", Doing::Start);
    world.run(S);
    assert!(world.lives("httpd"));
    assert_eq!(watching(&world), Watching::Yes);
}

#[test]
fn a_failed_test_stops_and_starts_and_the_next_passing_test_ends_it() {
    let mut world = world(|s| s.rules.push(http_rule()));
    world.of("httpd").tests_pass = false;
    world.run(60 * S);
    assert_eq!(acts(&world), [&Act::Stop, &Act::Start]);
    world.of("httpd").tests_pass = true;
    world.run(9 * S);
    let recovered = facts(&world, |f| if let Fact::Recovered(r) = f { Some(&r.text) } else { None });
    assert_eq!(recovered.len(), 1, "told soon after, not a cycle later");
}

#[test]
fn what_cannot_be_stopped_is_not_started_twice_and_is_tried_again() {
    let mut world = world(|s| s.rules.push(http_rule()));
    world.of("httpd").tests_pass = false;
    world.of("httpd").stops = false;
    world.run(75 * S);
    assert_eq!(acts(&world), [&Act::Stop]);
    let troubles = facts(&world, |f| match f {
        Fact::Ended { ok: false, report, .. } => report.trouble.clone(),
        _ => None,
    });
    assert_eq!(troubles, ["could not be stopped: PID 101 is still running"]);
    world.run(60 * S);
    assert_eq!(acts(&world), [&Act::Stop, &Act::Stop]);
}

#[test]
fn the_new_one_starts_only_when_the_old_one_is_gone_even_if_its_pidfile_went_before() {
    let mut world = world(|_| {});
    world.of("httpd").lingers = 3 * S;
    world.command("httpd", Doing::Restart);
    world.run(2 * S);
    assert_eq!(acts(&world), [&Act::Stop], "it still holds its port");
    world.run(2 * S);
    assert_eq!(acts(&world), [&Act::Stop, &Act::Start]);
    let apart = world.deeds[1].at.since(world.deeds[0].at);
    assert!(apart < 3 * S + 10 * MS, "at once when it is gone: {apart:?}");
}

#[test]
fn a_failure_ends_with_the_watching() {
    let mut world = world(|s| s.mode = Mode::Passive);
    world.kill("httpd");
    world.run(S);
    assert!(world.remembered.iter().any(|r| matches!(r, Remembered::Failed { .. })));
    world.command("httpd", Doing::Unmonitor);
    assert!(
        world.remembered.iter().any(|r| matches!(r, Remembered::Recovered { .. })),
        "or a later life would tell of a recovery"
    );
    world.appear("httpd");
    world.command("httpd", Doing::Monitor);
    world.run(100 * S);
    let recoveries = facts(&world, |f| if let Fact::Recovered(r) = f { Some(r) } else { None });
    assert!(recoveries.is_empty());
}

#[test]
fn a_passive_service_is_told_about_but_not_repaired() {
    let mut world = world(|s| s.mode = Mode::Passive);
    world.kill("httpd");
    world.run(200 * S);
    assert_eq!(acts(&world), [] as [&Act; 0]);
    let then = facts(&world, |f| if let Fact::Failed(f) = f { Some(&f.then) } else { None });
    assert_eq!(then.first(), Some(&&Doing::Alert));
}

#[test]
fn an_early_look_is_no_sample_for_a_rule_that_counts() {
    let mut world = world(|s| s.rules[0].fail.rate = Rate { count: 2, within: 2 });
    world.kill("httpd");
    world.run(58 * S);
    assert_eq!(acts(&world), [] as [&Act; 0], "one early look, no due one yet");
    world.run(60 * S);
    assert_eq!(acts(&world), [] as [&Act; 0], "one due look");
    world.run(60 * S);
    assert_eq!(acts(&world), [&Act::Start], "two due looks");
}

#[test]
fn a_test_that_hangs_shifts_nobody_elses_look() {
    let mut config = Config::empty(Dialect::Monit, "vm");
    config.every = Some(S);
    let mut slow = Service::new("slow", Kind::Host { address: "127.0.0.1".into() });
    slow.rules.push(http_rule());
    config.services = vec![slow.into(), httpd().into()];
    let mut world = World::new(&config, Duration::ZERO);
    world.of("slow").test_takes = 5 * S;
    world.appear("httpd");
    world.run(3 * S);
    world.kill("httpd");
    world.run(10 * MS);
    assert!(world.lives("httpd"));
}

#[test]
fn a_reload_keeps_the_state_of_what_did_not_change() {
    let mut config = Config::empty(Dialect::Toml, "vm");
    let mut other = httpd();
    other.name = "other".into();
    config.services = vec![httpd().into(), other.into()];
    let mut world = World::new(&config, Duration::ZERO);
    world.appear("httpd");
    world.appear("other");
    world.run(S);
    world.command("httpd", Doing::Unmonitor);
    world.run(S);
    let before = world.scheduler.find("httpd");
    let mut new = config.clone();
    std::sync::Arc::make_mut(&mut new.services[1]).groups.push("www".into());
    let now = Now { moment: world.now(), stamp: Default::default() };
    let report = world.scheduler.reload(now, &new);
    assert_eq!(report.changed, ["other"]);
    assert_eq!(world.scheduler.find("httpd"), before);
    assert_eq!(watching(&world), Watching::No);
}

#[derive(Debug, Clone)]
enum Fault {
    Kill,
    Start(Duration),
    Appears(Option<Duration>),
    Stops(bool),
    Tests(bool),
    Command(Doing),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::Kill),
        1 => (0u64..20_000).prop_map(|ms| Fault::Start(Duration::from_millis(ms))),
        1 => proptest::option::of((0u64..20_000).prop_map(Duration::from_millis)).prop_map(Fault::Appears),
        1 => any::<bool>().prop_map(Fault::Stops),
        2 => any::<bool>().prop_map(Fault::Tests),
        1 => prop_oneof![
            Just(Doing::Start), Just(Doing::Stop), Just(Doing::Restart), Just(Doing::Monitor), Just(Doing::Unmonitor)
        ].prop_map(Fault::Command),
    ]
}

proptest! {
    /// Whatever happens: never two things at a time (the world itself sees to that), every intent ends, and once the
    /// faults are over a watched service lives again within a few cycles.
    #[test]
    fn after_any_faults_a_watched_service_comes_back(faults in proptest::collection::vec((fault(), 0u64..90_000), 0..40)) {
        let mut world = world(|s| s.rules.push(http_rule()));
        for (fault, pause) in faults {
            match fault {
                Fault::Kill => world.kill("httpd"),
                Fault::Start(takes) => world.of("httpd").start_takes = takes,
                Fault::Appears(after) => world.of("httpd").appears_after = after,
                Fault::Stops(stops) => world.of("httpd").stops = stops,
                Fault::Tests(pass) => world.of("httpd").tests_pass = pass,
                Fault::Command(doing) => world.command("httpd", doing),
            }
            world.run(Duration::from_millis(pause));
        }
        *world.of("httpd") = Default::default();
        world.run(400 * S);
        let view = &world.scheduler.view()[0];
        prop_assert!(view.doing.is_none() && view.pending.is_none());
        if view.watching == Watching::No {
            let before = world.deeds.len();
            world.run(400 * S);
            prop_assert_eq!(world.deeds.len(), before, "nothing is done to what is not watched");
        } else {
            prop_assert!(world.lives("httpd"));
            prop_assert!(view.failing.is_empty(), "{:?}", view.failing);
        }
        let intents = world.remembered.iter().filter(|r| matches!(r, Remembered::Intent { .. })).count();
        let done = world.remembered.iter().filter(|r| matches!(r, Remembered::Done { .. })).count();
        prop_assert_eq!(intents, done);
    }
}

#[test]
fn what_ended_before_anybody_saw_it_is_started_again_long_before_the_time_of_its_start_is_over() {
    let mut world = world(|httpd| httpd.start = Some(program("/bin/start", 60 * S)));
    world.run(S);
    world.of("httpd").unseen = true;
    world.kill("httpd");
    world.run(20 * S);
    let starts = world.deeds.iter().filter(|deed| deed.act == Act::Start).count();
    assert!((4..8).contains(&starts), "{:#?}", world.deeds);
    let trouble = world.events.iter().find_map(|event| match &event.fact {
        Fact::Ended { ok: false, report, .. } => report.trouble.clone(),
        _ => None,
    });
    assert_eq!(trouble.as_deref(), Some("its process 102 ended right after its start"));
    world.of("httpd").unseen = false;
    world.run(20 * S);
    assert!(world.lives("httpd"));
}
