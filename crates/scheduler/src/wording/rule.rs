//! A rule in words, for pages and the status.

use hinoban_config::{Branch, Change, Condition, Expect, Kind, Rule, Test, Then};
use hinoban_reading::{Unit, Value, metrics};
use jiff::tz::TimeZone;

use super::change::Reading;
use super::compare::name_of;
use super::connection::{protocol, target, url_target};
use super::content::about_content;
use super::unit_of;

/// A rule: `if space usage > 90.0% for 3 cycles then alert`. No secret of a test is part of it.
pub(crate) fn rule(kind: &Kind, rule: &Rule) -> String {
    let when = condition(kind, &rule.when);
    let often = match often(&rule.fail) {
        often if often.is_empty() => often,
        often => format!(" {often}"),
    };
    let then: Vec<&str> = rule.fail.also.iter().chain([&rule.fail.then]).map(word).collect();
    format!("if {when}{often} then {}", then.join(", "))
}

fn word(then: &Then) -> &str {
    match then {
        Then::Nothing => "nothing",
        Then::Alert => "alert",
        Then::Start => "start",
        Then::Stop => "stop",
        Then::Restart => "restart",
        Then::Unmonitor => "unmonitor",
        Then::Exec { .. } => "exec",
        Then::Custom(name) => name,
        _ => "?",
    }
}

fn condition(kind: &Kind, when: &Condition) -> String {
    match when {
        Condition::Missing if matches!(kind, Kind::Network { .. }) => "link down".to_owned(),
        Condition::Exists if matches!(kind, Kind::Network { .. }) => "link up".to_owned(),
        Condition::Restarts { count, within } => format!("{count} restarts within {within} cycles"),
        Condition::Missing => "does not exist".to_owned(),
        Condition::Exists => "exists".to_owned(),
        Condition::WrongType => "of another type".to_owned(),
        Condition::Compare { metric, .. } if *metric == *metrics::RUN_ERROR.name => {
            "cannot be run".to_owned()
        }
        Condition::Compare { metric, operator, limit } => {
            let unit = unit_of(metric).unwrap_or(Unit::Count);
            // Nothing that is compared is told in local time.
            let limit = Reading { metric, unit, value: limit, zone: &TimeZone::UTC };
            format!("{} {} {limit}", name_of(metric), operator.sign())
        }
        Condition::Differs { metric } => format!("{} differs from the first", name_of(metric)),
        Condition::Changed { metric, expect: Change::Changed } => format!("{} changed", name_of(metric)),
        Condition::Changed { metric, .. } => format!("{} not changed", name_of(metric)),
        Condition::Content { metric, pattern, fails_on_match } => {
            let verb = if *fails_on_match { "matches" } else { "does not match" };
            format!("{} {verb} {}", about_content(metric), pattern.shown())
        }
        Condition::Matches { metric, pattern, fails_on_match } => {
            let verb = if *fails_on_match { "matches" } else { "does not match" };
            format!("{} {verb} '{}'", name_of(metric), pattern.text())
        }
        Condition::Test { test, expect } => {
            let word = if *expect == Expect::Failed { "failed" } else { "succeeded" };
            match test {
                Test::Port(port) => format!("{word} {} at {}", protocol(port), target(port)),
                Test::Url(url) => format!("{word} HTTP at {}", url_target(url.shown())),
                Test::Unix(unix) => {
                    format!("{word} {} at {}", unix.protocol.name(), unix.path.display())
                }
                Test::Ping(ping) => format!("{word} ping to {}", ping.host),
                Test::Custom { probe, .. } => format!("{word} {probe}"),
                _ => word.to_owned(),
            }
        }
        _ => "unknown".to_owned(),
    }
}

/// How often, or for how long: nothing for the first look, `for 3 cycles`, `2 times within 5 cycles`, `for 2 min`.
pub(crate) fn often(branch: &Branch) -> String {
    if let Some(time) = branch.lasting {
        return format!("for {}", Unit::Seconds.show(&Value::Real(time.as_secs_f64())));
    }
    match (branch.rate.count, branch.rate.within) {
        (1, 1) => String::new(),
        (count, within) if count == within => format!("for {count} cycles"),
        (count, within) => format!("{count} times within {within} cycles"),
    }
}
