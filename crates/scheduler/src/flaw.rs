//! What may be wrong with an answer that was good: it came too late, or with a certificate that ends too soon.

use hinoban_config::{Condition, ResponseTime, Test};
use hinoban_event::Class;
use hinoban_reading::{ReasonKind, Value, metrics};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Flaw {
    /// It took so many seconds, which is not as this says.
    Time(f64, ResponseTime),
    /// The first certificate of the chain to end does so in so many days, and may not before so many.
    Certificate(i64, u32),
}

/// The first thing that is wrong with the answer of a test that passed. `read` gives a reading of its look.
pub(crate) fn of(test: &Test, read: impl Fn(&str) -> Option<Value>) -> Option<Flaw> {
    let (time, days) = match test {
        Test::Port(port) => (port.response_time, port.certificate_days),
        Test::Unix(unix) => (unix.response_time, None),
        Test::Ping(ping) => (ping.response_time, None),
        Test::Url(url) => (None, url.certificate_days),
        _ => (None, None),
    };
    if let Some(wanted) = time
        && let Some(took) = read(&metrics::RESPONSE_TIME.name).and_then(|value| value.as_f64())
        && !wanted.operator.holds(took, wanted.limit.as_secs_f64())
    {
        return Some(Flaw::Time(took, wanted));
    }
    let least = days?;
    let left = read(&metrics::CERTIFICATE_DAYS.name)?.as_i64()?;
    (left < i64::from(least)).then_some(Flaw::Certificate(left, least))
}

/// Whether a rule may fail of a flaw of this class.
pub(crate) fn may_be(when: &Condition, class: Class) -> bool {
    let Condition::Test { test, .. } = when else { return false };
    let (time, days) = match test {
        Test::Port(port) => (port.response_time.is_some(), port.certificate_days.is_some()),
        Test::Unix(unix) => (unix.response_time.is_some(), false),
        Test::Ping(ping) => (ping.response_time.is_some(), false),
        Test::Url(url) => (false, url.certificate_days.is_some()),
        _ => (false, false),
    };
    time && class == Class::Speed || days && class == Class::Timestamp
}

impl Flaw {
    /// The class of its events, as in Monit.
    pub(crate) fn class(self) -> Class {
        match self {
            Flaw::Time(..) => Class::Speed,
            Flaw::Certificate(..) => Class::Timestamp,
        }
    }

    pub(crate) fn reason(self) -> ReasonKind {
        match self {
            Flaw::Time(..) => ReasonKind::Slow,
            Flaw::Certificate(..) => ReasonKind::CertificateEnds,
        }
    }

    /// In the words of Monit, which are good in both languages.
    pub(crate) fn text(self) -> String {
        match self {
            Flaw::Time(took, ResponseTime { operator, limit }) => {
                let sign = operator.sign();
                let (took, limit) = (shown(took), shown(limit.as_secs_f64()));
                format!("response time {took} doesn't match limit [time {sign} {limit}]")
            }
            Flaw::Certificate(left, least) => {
                format!("certificate expiry in {left} days matches check limit [valid > {least} days]")
            }
        }
    }
}

/// `0.088 ms`, `100 ms`, `1.500 s`, `1.500 m`: as Monit writes a time.
fn shown(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1.0 => (s * 1000.0, "ms"),
        s if s < 60.0 => (s, "s"),
        s if s < 3600.0 => (s / 60.0, "m"),
        s => (s / 3600.0, "h"),
    };
    if value.fract() == 0.0 { format!("{value:.0} {unit}") } else { format!("{value:.3} {unit}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hinoban_config::{Operator, PingTest, PortTest};

    use super::*;

    #[test]
    fn the_condition_says_what_must_hold() {
        let limit = |operator, ms| ResponseTime { operator, limit: Duration::from_millis(ms) };
        let ping = |time| Test::Ping(Box::new(PingTest { response_time: Some(time), ..PingTest::new("h") }));
        let read = |_: &str| Some(Value::Real(0.088e-3));
        assert_eq!(of(&ping(limit(Operator::Less, 50)), read), None);
        let slow = of(&ping(limit(Operator::Greater, 1000)), read).unwrap();
        assert_eq!(slow.text(), "response time 0.088 ms doesn't match limit [time > 1 s]");
        assert_eq!(slow.reason(), ReasonKind::Slow);
        // What was not measured is not slow.
        assert_eq!(of(&ping(limit(Operator::Greater, 1000)), |_| None), None);
    }

    #[test]
    fn a_certificate_ends_too_soon_one_day_before_its_limit() {
        let port = PortTest { certificate_days: Some(30), ..PortTest::new("h", 443) };
        let test = Test::Port(Box::new(port));
        assert_eq!(of(&test, |_| Some(Value::Int(30))), None);
        let flaw = of(&test, |_| Some(Value::Int(29))).unwrap();
        assert_eq!(flaw.text(), "certificate expiry in 29 days matches check limit [valid > 30 days]");
    }
}
