//! A connection may fail, or stand and answer too late, or with a certificate that ends too soon: people hear of each.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Dialect, Expect, Kind, Operator, PortTest, ResponseTime, Rule, Service, Test,
    Then,
};
use hinoban_event::{Class, Doing, Fact};
use hinoban_reading::{Moment, Now, Observation, Reason, ReasonKind, Stamp, Standing, metrics};
use hinoban_scheduler::{Effect, Input, Part, Remembered, Restored, Scheduler};

fn at(secs: u64) -> Now {
    Now { moment: Moment::new(Duration::from_secs(secs)), stamp: Stamp::from_micros(secs as i64 * 1_000_000) }
}

fn config() -> Config {
    let limit = Duration::from_millis(500);
    let test = Test::Port(Box::new(PortTest {
        response_time: Some(ResponseTime { operator: Operator::Less, limit }),
        certificate_days: Some(30),
        ..PortTest::new("h", 443)
    }));
    let mut config = Config::empty(Dialect::Monit, "vm");
    config.every = Some(Duration::from_secs(10));
    let mut service = Service::new("web", Kind::Host { address: "h".into() });
    service.rules.push(Rule {
        when: Condition::Test { test, expect: Expect::Failed },
        fail: Branch::once(Then::Alert),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    });
    config.services = vec![service.into()];
    config
}

fn answer(seconds: f64, days: i64) -> Observation {
    Observation::up().with(&metrics::RESPONSE_TIME, seconds).with(&metrics::CERTIFICATE_DAYS, days)
}

fn refused() -> Observation {
    Observation::new(Standing::Down(Reason::new(ReasonKind::Refused, "Connection refused")))
}

struct Host {
    scheduler: Scheduler,
    now: u64,
    /// What stands in the journal.
    stands: Vec<Class>,
}

impl Host {
    fn new(restored: &Restored) -> Self {
        Self { scheduler: Scheduler::new(&config(), restored, Moment::ZERO), now: 0, stands: Vec::new() }
    }

    /// One look at its turn that finds this: failures as `(true, class)`, the ends of some that people hear of as `(false, class)`.
    fn sees(&mut self, seen: &Observation) -> Vec<(bool, Class)> {
        let mut effects = self.scheduler.handle(at(self.now), Input::Tick);
        let mut told = Vec::new();
        while !effects.is_empty() {
            let effect = effects.remove(0);
            match effect {
                Effect::Look { look, .. } => {
                    let result =
                        Ok(if look.part == Part::Subject { Observation::up() } else { seen.clone() });
                    effects.extend(self.scheduler.handle(at(self.now), Input::Observed { look, result }));
                }
                Effect::Remember(Remembered::Failed { class, .. }) => self.stands.push(class),
                Effect::Remember(Remembered::Recovered { class, .. }) => self.stands.retain(|c| *c != class),
                Effect::Emit(event) => match event.fact {
                    Fact::Failed(failure) if failure.times == 1 => told.push((true, failure.class)),
                    Fact::Recovered(recovery) if recovery.then != Doing::Nothing => {
                        told.push((false, recovery.class));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        self.now += 10;
        told
    }
}

#[test]
fn what_is_slow_and_then_gone_is_told_twice() {
    let mut host = Host::new(&Restored::default());
    assert_eq!(host.sees(&answer(0.1, 90)), []);
    assert_eq!(host.sees(&answer(0.6, 90)), [(true, Class::Speed)]);
    assert_eq!(host.sees(&answer(0.7, 90)), []);
    assert_eq!(
        host.sees(&refused()),
        [(true, Class::Connection)],
        "an outage is news, however slow it was before"
    );
    assert_eq!(host.sees(&refused()), []);
    assert_eq!(host.stands, [Class::Connection]);
    // It stands again, and its certificate has grown old meanwhile.
    assert_eq!(host.sees(&answer(0.1, 20)), [(false, Class::Connection), (true, Class::Timestamp)]);
    assert_eq!(host.stands, [Class::Timestamp]);
    assert_eq!(host.sees(&answer(0.1, 90)), [(false, Class::Timestamp)]);
    assert!(host.stands.is_empty());
}

#[test]
fn an_earlier_life_left_a_certificate_that_ends() {
    let failing = vec![("web".into(), 0, Class::Timestamp, Stamp::from_micros(1))];
    let restored = Restored { failing, ..Restored::default() };
    let mut host = Host::new(&restored);
    assert_eq!(host.sees(&answer(0.1, 20)), [], "it is known");
    assert_eq!(host.scheduler.view()[0].rules[0].class, Class::Timestamp);
    assert_eq!(host.sees(&answer(0.1, 90)), [(false, Class::Timestamp)]);
}
