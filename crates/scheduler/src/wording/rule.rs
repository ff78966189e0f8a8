//! A rule in words, for pages and the status.

use hinoban_config::{Condition, Expect, Rate, Rule, Test, Then};
use hinoban_reading::Unit;

use super::compare::name_of;
use super::connection::{protocol, target, url_target};
use super::unit_of;

/// A rule: `if space usage > 90.0% for 3 cycles then alert`. No secret of a test is part of it.
pub(crate) fn rule(rule: &Rule) -> String {
    let when = condition(&rule.when);
    let rate = match rate(rule.fail.rate) {
        rate if rate.is_empty() => rate,
        rate => format!(" {rate}"),
    };
    let then = match &rule.fail.then {
        Then::Nothing => "nothing",
        Then::Alert => "alert",
        Then::Start => "start",
        Then::Stop => "stop",
        Then::Restart => "restart",
        Then::Unmonitor => "unmonitor",
        Then::Exec { .. } => "exec",
        Then::Custom(name) => name,
        _ => "?",
    };
    format!("if {when}{rate} then {then}")
}

fn condition(when: &Condition) -> String {
    match when {
        Condition::Restarts { count, within } => format!("{count} restarts within {within} cycles"),
        Condition::Missing => "does not exist".to_owned(),
        Condition::Exists => "exists".to_owned(),
        Condition::WrongType => "not a regular file".to_owned(),
        Condition::Compare { metric, operator, limit } => {
            let unit = unit_of(metric).unwrap_or(Unit::Count);
            format!("{} {} {}", name_of(metric), operator.sign(), unit.show(limit))
        }
        Condition::Test { test, expect } => {
            let word = if *expect == Expect::Failed { "failed" } else { "succeeded" };
            match test {
                Test::Port(port) => format!("{word} {} at {}", protocol(port), target(port)),
                Test::Url(url) => format!("{word} HTTP at {}", url_target(url.shown())),
                Test::Custom { probe, .. } => format!("{word} {probe}"),
                _ => word.to_owned(),
            }
        }
        _ => "unknown".to_owned(),
    }
}

/// A rate: nothing for the first look, `for 3 cycles`, `2 times within 5 cycles`.
pub(crate) fn rate(rate: Rate) -> String {
    match (rate.count, rate.within) {
        (1, 1) => String::new(),
        (count, within) if count == within => format!("for {count} cycles"),
        (count, within) => format!("{count} times within {within} cycles"),
    }
}
