//! What each rule last saw, and how far it is from failing.

use hinoban_config::{Condition, Operator, Rate};
use hinoban_reading::{Unit, metrics};

use super::words::{many, span};
use super::{About, Paragraph, Scene};
use crate::view::{RuleState, RuleView};
use crate::{Watching, sight};

pub(super) fn say(scene: &Scene<'_>) -> Paragraph {
    if scene.view.watching == Watching::No {
        return Paragraph::new(About::Rules, []);
    }
    let rules = scene.view.rules.iter().enumerate();
    Paragraph::new(
        About::Rules,
        rules.map(|(r, rule)| format!("{} \u{2014} {}", rule.text, one(scene, r, rule))),
    )
}

fn one(scene: &Scene<'_>, r: usize, rule: &RuleView) -> String {
    if let Condition::Restarts { count, within } = scene.watched.service.rules[r].when {
        return limit(scene, rule, count, within);
    }
    if let Some(why) = scene.blind(r) {
        return format!("cannot be judged, for nothing can be seen: {why}");
    }
    let seen = seen(scene, r, rule);
    let seen = if seen.is_empty() { seen } else { format!(": {seen}") };
    format!("{}{seen}{}", stands(scene, r, rule), counted(scene, r, rule))
}

/// Where it stands, in a few words.
fn stands(scene: &Scene<'_>, r: usize, rule: &RuleView) -> String {
    let since = rule.since.map(|stamp| format!(" since {}", scene.at(stamp))).unwrap_or_default();
    let lasts = rule.since.map(|stamp| format!(", for {}", span(scene.now.stamp.since(stamp))));
    let lasts = lasts.unwrap_or_default();
    let bad = sight::fails(scene.watched, r) == Some(true);
    let confirm = scene.watched.confirm.as_ref().filter(|confirm| scene.now.moment < confirm.until);
    match rule.state {
        RuleState::Unknown if !bad => "nothing has been seen yet that it could be judged by".to_owned(),
        RuleState::Unknown | RuleState::Holds if bad => match confirm
            .filter(|_| scene.watched.test(r).is_some())
        {
            Some(confirm) => {
                format!("is forgiven until {}, for the service was just started", scene.until(confirm.until))
            }
            None => "is not judged yet".to_owned(),
        },
        _ if rule.changed => format!(
            "the last change that it told of was seen at {}",
            rule.since.map_or_else(String::new, |at| scene.ago(at))
        ),
        RuleState::Holds => format!("holds{since}"),
        RuleState::Counting { .. } | RuleState::Lasting { .. } => "does not fail yet".to_owned(),
        RuleState::Recovering { .. } | RuleState::Holding { .. } => {
            format!("fails{since}{lasts}, and may soon hold again")
        }
        _ => {
            let often = scene.watched.records[r].as_ref().map_or(1, |record| record.times);
            format!("fails{since}{lasts}, at {}", many(often, "look"))
        }
    }
}

/// What was seen.
fn seen(scene: &Scene<'_>, r: usize, rule: &RuleView) -> String {
    let Condition::Compare { metric, operator, limit } = &scene.watched.service.rules[r].when else {
        return rule.last.clone();
    };
    let unit = sight::unit(scene.watched, metric).unwrap_or(Unit::Count);
    let Some(value) = rule.limit.as_ref().and_then(|limit| limit.value.as_ref()) else {
        return match &scene.watched.subject.seen {
            Some(seen) if seen.standing.is_up() => "the last look had no such reading".to_owned(),
            _ => String::new(),
        };
    };
    if *metric == *metrics::PERMISSION.name {
        return rule.last.clone();
    }
    let (value, limit) = (unit.show(value), unit.show(limit));
    match operator {
        Operator::Greater | Operator::GreaterOrEqual => format!("{value} of {limit}"),
        _ => format!("{value}, and {} {limit} is a failure", operator.sign()),
    }
}

/// How far it is from failing, or from holding again, where that takes more than one look.
fn counted(scene: &Scene<'_>, r: usize, rule: &RuleView) -> String {
    let written = &scene.watched.service.rules[r];
    let (seen, rate) = match rule.state {
        RuleState::Lasting { time, of } => {
            return format!("; so for {} of the {} that it takes", span(time), span(of));
        }
        RuleState::Holding { time, of } => {
            return format!("; so for {} of the {} that it takes", span(time), span(of));
        }
        RuleState::Holds if let Some(of) = written.fail.lasting => return format!("; 0 s of {}", span(of)),
        RuleState::Holds => (0, written.fail.rate),
        RuleState::Counting { seen, .. } => (seen, written.fail.rate),
        RuleState::Recovering { seen, .. } => (seen, written.ok.rate),
        _ => return String::new(),
    };
    match (rate == Rate::ONCE, rate.count == rate.within) {
        (true, _) => String::new(),
        (_, true) => format!("; {seen} of {} looks in a row", rate.count),
        (_, false) => format!("; {seen} of the last {} looks, and it takes {}", rate.within, rate.count),
    }
}

fn limit(scene: &Scene<'_>, rule: &RuleView, count: u32, within: u32) -> String {
    let tally = scene.watched.tally;
    let so_far = format!("{} of {count} restarts, in cycle {} of {within}", tally.restarts, tally.cycles);
    match (rule.failed, tally.restarts) {
        (true, _) => format!("is reached: {so_far}"),
        (false, 0) => "nothing is counted, for no rule has restarted it of late".to_owned(),
        (false, _) => so_far,
    }
}
