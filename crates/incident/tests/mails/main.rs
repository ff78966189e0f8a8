//! Who gets which mail, and how each reads.

#![allow(clippy::unwrap_used)] // a helper of a test may fail it

mod audience;
mod form;
mod readers;

use std::time::Duration;

use hinoban_config::{Config, Dialect, Place, Recipient};
use hinoban_event::{Because, Class, Comparison, Doing, Event, Fact, Failure, Recovery, Report};
use hinoban_incident::{Delivery, Incidents, Options};
use hinoban_reading::{Ending, How, Identity, Metric, ReasonKind, Source, Stamp, Value, metrics};
use jiff::tz::TimeZone;

/// Mon, 23 Nov 2026 10:32:53 UTC, 19:32:53 in Tokyo.
const START: i64 = 1_795_429_973_250_000;

fn recipient(address: &str, reminder: Option<u32>) -> Recipient {
    Recipient { address: address.into(), reminder, place: Place::default(), ..Recipient::new("") }
}

fn options(dialect: Dialect, recipients: Vec<Recipient>, zone: TimeZone) -> Options {
    Options { recipients, ..Options::of(&Config::empty(dialect, "web1"), "web1", zone) }
}

fn incidents(dialect: Dialect, recipients: Vec<Recipient>) -> Incidents {
    let zone = TimeZone::fixed(jiff::tz::offset(9));
    Incidents::new(options(dialect, recipients, zone))
}

/// The event, so many seconds after [`START`].
fn event(seconds: f64, service: &str, fact: Fact) -> Event {
    let at = Stamp::from_micros(START + (seconds * 1e6) as i64);
    Event { id: 42, at, service: service.into(), fact }
}

fn killed() -> Ending {
    let how = How::Signalled { signal: 9, core: false };
    let identity = Identity { pid: 4711, start: 1 };
    Ending::certain(identity, how, Source::Pidfd)
}

/// httpd's process is gone.
fn gone(times: u32) -> Failure {
    Failure {
        rule: 0,
        class: Class::NonExist,
        changed: false,
        reason: Some(ReasonKind::ProcessGone),
        text: "process is not running".into(),
        detail: None,
        then: Doing::Restart,
        able: true,
        since: Stamp::from_micros(START),
        times,
        ending: Some(killed()),
        lived: Some(Duration::from_secs(273_600)),
        compared: None,
        dependants: Vec::new(),
    }
}

/// Restarts did not help, for the n-th time told.
fn gave_up(times: u32) -> Fact {
    let text = "Connection refused -- restarted 5 times in vain; it is not restarted again until it is well, but looked at \
                all the same; once it is mended: hinoban restart shop";
    Fact::GaveUp { doing: Doing::Restart, text: text.into(), since: Stamp::from_micros(START), times }
}

/// The host does not bear another restart.
fn held() -> Fact {
    let why = "3 restarts within 1 min on this host (api, shop, web), and that is what it is to bear; something that they \
               share may be at fault; what lives and still fails is restarted when that time is over";
    Fact::Held { doing: Doing::Restart, why: why.into() }
}

/// A failure of something that is no process.
fn quiet() -> Failure {
    Failure { ending: None, lived: None, ..gone(1) }
}

fn compared(metric: &Metric, value: f64, operator: &'static str, limit: f64) -> Comparison {
    let (value, limit) = (Value::Real(value), Value::Real(limit));
    Comparison { metric: metric.name.clone(), unit: metric.unit, value, operator: operator.into(), limit }
}

fn back() -> Recovery {
    Recovery {
        rule: 0,
        class: Class::NonExist,
        text: "process is running with pid 4802".into(),
        then: Doing::Alert,
        since: Stamp::from_micros(START),
        done: vec!["restarted in 312 ms".into()],
        ending: Some(killed()),
        compared: None,
    }
}

/// A start that ended with status 3.
fn start_failed(output: &str) -> Fact {
    let report = Report {
        exit: Some(How::Exited { status: 3 }),
        output: output.into(),
        took: Duration::from_millis(2_040),
        trouble: None,
    };
    let because = Because::Rule { text: "process is not running".into() };
    Fact::Ended { doing: Doing::Start, because, ok: false, report }
}

fn ended(doing: Doing, because: Because, ok: bool) -> Fact {
    let report = Report { took: Duration::from_millis(312), ..Report::default() };
    Fact::Ended { doing, because, ok, report }
}

fn by_command() -> Because {
    Because::Command { by: "admin from 127.0.0.1".into() }
}
