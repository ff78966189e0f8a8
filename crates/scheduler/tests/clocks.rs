//! Clocks that leap: everything is looked at soon, and not all of it at once.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Cron, Dialect, Expect, Kind, Program, Rule, Service, Test, Then, Turns,
};
use hinoban_event::Fact;
use hinoban_reading::{Moment, Now, Observation, Reason, ReasonKind, Stamp, Standing};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, Effect, Input, Restored, Scheduler, ServiceId};

const S: Duration = Duration::from_secs(1);
const H: Duration = Duration::from_secs(3600);
const PERIOD: Duration = Duration::from_secs(60);
const SERVICES: usize = 1_000;

/// 2023-11-14T22:13:20Z.
const BEGAN: i64 = 1_700_000_000_000_000;

fn config(services: usize, change: impl Fn(usize, &mut Service)) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(PERIOD);
    let service = |n: usize| {
        let mut service = Service::new(format!("s{n}"), Kind::File { path: format!("/s{n}").into() });
        service.rules.push(Rule::existence());
        change(n, &mut service);
        service.into()
    };
    config.services = (0..services).map(service).collect();
    config
}

/// A host whose clocks go as told. Every look ends at once, and finds what it looks at.
struct Host {
    scheduler: Scheduler,
    now: Duration,
    /// What the wall clock is ahead of what it was, in seconds.
    skew: i64,
    looks: Vec<(Duration, ServiceId)>,
}

impl Host {
    fn new(config: &Config) -> Self {
        let scheduler = Scheduler::new(config, &Restored::default(), Moment::ZERO);
        Self { scheduler, now: Duration::ZERO, skew: 0, looks: Vec::new() }
    }

    fn feed(&mut self, input: Input) {
        let stamp = Stamp::from_micros(BEGAN + self.skew * 1_000_000 + self.now.as_micros() as i64);
        let now = Now { moment: Moment::new(self.now), stamp };
        for effect in self.scheduler.handle(now, input) {
            if let Effect::Look { look, early } = effect {
                if !early {
                    self.looks.push((self.now, look.service));
                }
                self.feed(Input::Observed { look, result: Ok(Observation::up()) });
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.scheduler.next_deadline().filter(|at| at.elapsed() <= end) {
            self.now = self.now.max(at.elapsed());
            self.feed(Input::Tick);
        }
        self.now = end;
    }

    /// The looks since, of how many services and the most in any hundredth of a period.
    fn spread(&self, since: Duration) -> (usize, usize) {
        let looks: Vec<_> = self.looks.iter().filter(|(at, _)| *at >= since).collect();
        let mut each: BTreeMap<ServiceId, usize> = BTreeMap::new();
        looks.iter().for_each(|(_, id)| *each.entry(*id).or_default() += 1);
        assert!(each.values().all(|looks| *looks == 1), "each is looked at once");
        let within =
            |from: Duration| looks.iter().filter(|(at, _)| *at >= from && *at - from < PERIOD / 100).count();
        (each.len(), looks.iter().map(|(at, _)| within(*at)).max().unwrap_or(0))
    }
}

#[test]
fn after_an_hours_leap_of_the_wall_clock_each_is_looked_at_once_within_a_period_and_never_many_at_once() {
    for by in [3600, -3600] {
        let mut host = Host::new(&config(SERVICES, |_, _| {}));
        host.run(10 * PERIOD + S);
        host.skew = by;
        let since = host.now;
        host.feed(Input::ClockJumped);
        host.run(PERIOD - S / 1000);
        let (looked, most) = host.spread(since);
        assert_eq!(looked, SERVICES, "{by} s");
        assert!(most <= 12, "{by} s: {most} looks within a hundredth of a period");
        // They stay apart.
        let since = host.now;
        host.run(PERIOD);
        assert!(host.spread(since).1 <= 12);
    }
}

#[test]
fn who_sets_the_clock_again_and_again_puts_no_look_off_for_more_than_a_period() {
    let mut host = Host::new(&config(100, |_, _| {}));
    host.run(2 * PERIOD + S);
    for n in 1..=200 {
        host.run(PERIOD / 5);
        host.skew = 20 * n;
        host.feed(Input::ClockJumped);
    }
    let mut last: BTreeMap<ServiceId, Duration> = BTreeMap::new();
    for (at, id) in host.looks.iter().chain(&(0..100).map(|n| (host.now, ServiceId(n))).collect::<Vec<_>>()) {
        let before = last.insert(*id, *at).unwrap_or(*at);
        assert!(*at - before <= 2 * PERIOD, "{id:?}: {before:?} to {at:?}");
    }
    // Nor are they made all the time because of that.
    let each = host.looks.len() / 100;
    assert!(each <= 3 * 42, "{each} looks in 42 periods");
}

#[test]
fn a_host_that_slept_for_hours_looks_at_everything_within_a_period_and_not_at_once() {
    let mut host = Host::new(&config(SERVICES, |_, _| {}));
    host.run(10 * PERIOD + S);
    host.now += 5 * H;
    let since = host.now;
    host.feed(Input::Tick);
    host.run(PERIOD - S / 1000);
    let (looked, most) = host.spread(since);
    assert_eq!(looked, SERVICES);
    assert!(most <= 12, "{most} looks within a hundredth of a period");
}

#[test]
fn who_is_always_late_is_not_put_off_again_and_again() {
    // Each call comes two periods after it was wanted, as on a host that is far too busy.
    let mut host = Host::new(&config(10, |_, service| service.every = Some(S)));
    for _ in 0..100 {
        host.run(S / 10);
        host.now += 2 * S;
        host.feed(Input::Tick);
    }
    assert!(host.looks.len() >= 500, "{} looks", host.looks.len());
}

#[test]
fn services_with_periods_of_their_own_are_spread_over_those() {
    let mut host =
        Host::new(&config(100, |n, service| service.every = Some(S * if n % 2 == 0 { 10 } else { 600 })));
    host.run(701 * S);
    let since = host.now;
    host.feed(Input::ClockJumped);
    host.run(10 * S - S / 1000);
    let of = |host: &Host, odd: bool| {
        let looks = host.looks.iter().filter(|(at, _)| *at >= since);
        looks.filter(|(_, id)| (id.0 % 2 == 1) == odd).count()
    };
    assert_eq!(of(&host, false), 50);
    assert!(of(&host, true) < 5);
    host.run(589 * S);
    assert_eq!(of(&host, true), 50);
}

#[test]
fn the_calendar_goes_by_the_wall_clock_as_it_is_now() {
    // Named at noon; it is 22:13, and somebody sets the clock to 12:13 of the next day: noon has passed meanwhile.
    let noon = |_: usize, service: &mut Service| {
        service.turns = Turns::At(Cron::parse("0 12 * * *").unwrap().0);
    };
    let mut host = Host::new(&config(1, noon));
    host.run(10 * PERIOD);
    assert!(host.looks.is_empty());
    host.skew = 14 * 3600;
    host.feed(Input::ClockJumped);
    host.run(PERIOD);
    assert_eq!(host.looks.len(), 1);
    // Set back to the evening before, noon comes once more, and only then.
    host.skew = 0;
    host.feed(Input::ClockJumped);
    host.run(13 * H);
    assert_eq!(host.looks.len(), 1);
    host.run(H);
    assert_eq!(host.looks.len(), 2);
}

#[test]
fn nothing_has_been_so_since_a_time_that_is_yet_to_come() {
    let mut host = Host::new(&config(1, |_, _| {}));
    host.run(S);
    let gone = Observation::new(Standing::Absent(Reason::new(ReasonKind::FileAbsent, "it does not exist")));
    host.now += PERIOD;
    let now = Now { moment: Moment::new(host.now), stamp: Stamp::from_micros(BEGAN + 61_000_000) };
    for effect in host.scheduler.handle(now, Input::Tick) {
        if let Effect::Look { look, .. } = effect {
            host.scheduler.handle(now, Input::Observed { look, result: Ok(gone.clone()) });
        }
    }
    host.skew = -3600;
    host.feed(Input::ClockJumped);
    let view = host.scheduler.view().remove(0);
    let now = BEGAN + 61_000_000 - 3_600_000_000;
    assert_eq!(view.since.unwrap().micros(), now);
    assert!(view.looked_at.unwrap().micros() <= now);
}

/// A look whose turn it is, and which is made again because what the service depends on fell meanwhile, is one cycle.
#[test]
fn a_turn_that_is_made_up_for_counts_once_in_a_limit() {
    let program = || Some(Program { words: vec!["/bin/x".into()], uid: None, gid: None, timeout: 10 * S });
    let mut config = Config::empty(Dialect::Monit, "vm");
    config.every = Some(PERIOD);
    let process = |name: &str| {
        let mut service = Service::new(name, Kind::pidfile(format!("/run/{name}")));
        (service.start, service.stop) = (program(), program());
        service.rules = vec![Rule::existence()];
        service
    };
    let mut web = process("web");
    web.depends_on = vec!["db".into()];
    let when = Condition::Restarts { count: 9, within: 20 };
    web.rules.insert(0, Rule { when, fail: Branch::once(Then::Unmonitor), ..Rule::existence() });
    let test = Test::Custom { probe: "answers".into(), options: Default::default() };
    let when = Condition::Test { test, expect: Expect::Failed };
    web.rules.push(Rule { when, fail: Branch::once(Then::Alert), ..Rule::existence() });
    // A restart would take web along, and end its look.
    let mut db = process("db");
    db.rules[0].fail = Branch::once(Then::Start);
    config.services = vec![db.into(), web.into()];
    let counted = |falls: bool| {
        let mut world = World::new(&config, Duration::ZERO);
        world.of("db").start_takes = 2 * S;
        world.of("web").test_takes = S;
        world.appear("db");
        world.appear("web");
        world.run(S);
        // One restart opens the window.
        world.kill("web");
        world.run(PERIOD - S);
        for _ in 0..4 {
            // db falls while a test of web is under way, and is back after its end.
            world.run(S / 2);
            if falls {
                world.kill("db");
            }
            world.run(PERIOD - S / 2);
        }
        let db = world.deeds.iter().filter(|deed| deed.service == "db" && deed.act == Act::Start).count();
        assert_eq!(db, if falls { 4 } else { 0 });
        assert!(!world.events.iter().any(|e| matches!(e.fact, Fact::Monitoring { on: false })));
        let last = world.remembered.iter().rev().find_map(|entry| match entry {
            hinoban_scheduler::Remembered::Restarts { service, cycles, .. } if service == "web" => {
                Some(*cycles)
            }
            _ => None,
        });
        last.unwrap()
    };
    assert_eq!(counted(true), counted(false));
}
