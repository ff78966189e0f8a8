//! What was done and told, in the words of the scenarios, and how it differs from what was expected.

use std::time::Duration;

use hinoban_config::{Service, Then};
use hinoban_event::{Because, Doing, Event, Fact};
use hinoban_scheduler::Act;

use crate::clock::{self, When};
use crate::script::Script;

/// What came of a scenario.
#[derive(Debug)]
pub(crate) struct Timetable {
    pub(crate) lines: Vec<(Duration, String)>,
    pub(crate) finally: Vec<String>,
}

impl Timetable {
    /// What is not as the scenario says, as lines to be taken away (`-`) and added (`+`); `None`: nothing.
    pub(crate) fn differences(&self, script: &Script) -> Option<String> {
        let expected = &script.expected;
        let same = |a: usize, b: usize| {
            let ((when, text), (time, line)) = (&expected[a], &self.lines[b]);
            when.holds(*time) && text == line
        };
        let mut said = String::new();
        let mut differ = false;
        for (expectation, line) in aligned(expected.len(), self.lines.len(), same) {
            differ |= expectation.is_none() || line.is_none();
            let (mark, line) = match (expectation, line) {
                (_, Some(at)) => {
                    let (time, line) = &self.lines[at];
                    (
                        if expectation.is_some() { ' ' } else { '+' },
                        format!("at {}: {line}", clock::show(*time)),
                    )
                }
                (at, None) => {
                    let (when, line) = &expected[at.unwrap_or_default()];
                    ('-', format!("{}: {line}", written(*when)))
                }
            };
            said += &format!("\n  {mark} {line}");
        }
        if self.finally != script.finally {
            differ = true;
            said += "\nat the end:";
            for line in &self.finally {
                said += &format!("\n  {} {line}", if script.finally.contains(line) { ' ' } else { '+' });
            }
            for line in script.finally.iter().filter(|line| !self.finally.contains(line)) {
                said += &format!("\n  - {line}");
            }
        }
        differ.then(|| format!("expected:{said}"))
    }
}

fn written(when: When) -> String {
    match when.first == when.last {
        true => format!("at {}", clock::show(when.first)),
        false => format!("between {} and {}", clock::show(when.first), clock::show(when.last)),
    }
}

/// Pairs as many of the ones with the others as can be, without changing the order of either.
fn aligned(
    ones: usize,
    others: usize,
    same: impl Fn(usize, usize) -> bool,
) -> Vec<(Option<usize>, Option<usize>)> {
    let mut longest = vec![vec![0u32; others + 1]; ones + 1];
    for a in (0..ones).rev() {
        for b in (0..others).rev() {
            longest[a][b] = match same(a, b) {
                true => longest[a + 1][b + 1] + 1,
                false => longest[a + 1][b].max(longest[a][b + 1]),
            };
        }
    }
    let (mut a, mut b, mut pairs) = (0, 0, Vec::new());
    while a < ones || b < others {
        if a < ones && b < others && same(a, b) {
            pairs.push((Some(a), Some(b)));
            (a, b) = (a + 1, b + 1);
        } else if b == others || a < ones && longest[a + 1][b] >= longest[a][b + 1] {
            pairs.push((Some(a), None));
            a += 1;
        } else {
            pairs.push((None, Some(b)));
            b += 1;
        }
    }
    pairs
}

/// What is done, in words.
pub(crate) fn deed(name: &str, service: Option<&Service>, act: &Act) -> String {
    match act {
        Act::Start => format!("start {name}"),
        Act::Stop => format!("stop {name}"),
        Act::Restart => format!("restart {name}"),
        Act::Kill(_) => format!("kill {name}"),
        Act::End(_) => format!("end the stop program of {name}"),
        Act::Custom(action) => format!("do {action} for {name}"),
        Act::Exec { rule, recovery, nth } => {
            let branch =
                service.and_then(|s| s.rules.get(*rule)).map(|r| if *recovery { &r.ok } else { &r.fail });
            let then = branch.and_then(|b| if *nth == 0 { Some(&b.then) } else { b.also.get(nth - 1) });
            match then {
                Some(Then::Exec { program, .. }) => format!("run {} for {name}", program.line()),
                other => format!("run {other:?} for {name}"),
            }
        }
    }
}

/// What is told, in words. What is told with each failing look, and what deeds show, is passed over.
pub(crate) fn told(event: &Event) -> Option<String> {
    let name = &event.service;
    Some(match &event.fact {
        Fact::Failed(failure) if failure.times > 1 => return None,
        Fact::Failed(failure) => {
            let with = match failure.dependants.join(", ") {
                names if names.is_empty() => names,
                names => format!(", and with it: {names}"),
            };
            format!("{name} fails: {}{with}", failure.class.failed())
        }
        Fact::Doubted(failure) => format!("{name} is doubted: {}", failure.class.failed()),
        Fact::Recovered(recovery) => format!("{name} is well: {}", recovery.class.succeeded()),
        Fact::NotSeen { .. } => format!("{name} cannot be looked at"),
        Fact::Seen => format!("{name} can be looked at"),
        Fact::EndingLearned(ending) => format!("{name} {ending}"),
        Fact::Began { .. } => return None,
        Fact::Ended { doing, because, ok, .. } => {
            let because = match because {
                Because::Dependency { service, .. } => format!(", because of {service}"),
                _ => String::new(),
            };
            match ok {
                true => format!("{name} {}{because}", done(doing)),
                false => format!("{name} could not be {}{because}", done(doing).trim_start_matches("is ")),
            }
        }
        Fact::Commanded { doing, by } => format!("{by} wants {} of {name}", doing.word()),
        Fact::Monitoring { on } => format!("{name} is {}", if *on { "watched" } else { "watched no more" }),
        Fact::Held { doing, .. } => format!("the {} of {name} is put off", doing.word()),
        Fact::GaveUp { doing, times: 1, .. } => format!("the {} of {name} is given up", doing.word()),
        Fact::GaveUp { doing, times, .. } => {
            format!("the {} of {name} is still given up ({times})", doing.word())
        }
        Fact::Limited { what } => format!("{name}: {what}"),
        other => format!("{name}: {other:?}"),
    })
}

fn done(doing: &Doing) -> &'static str {
    match doing {
        Doing::Start => "is started",
        Doing::Stop => "is stopped",
        Doing::Restart => "is restarted",
        _ => "has had what it wanted",
    }
}

/// Events and deeds in one order: of one moment, events first. `skews` says how many seconds the
/// wall clock is ahead, from which event on.
pub(crate) fn joined(
    events: &[Event],
    deeds: Vec<(Duration, String)>,
    skews: &[(usize, i64)],
) -> Vec<(Duration, String)> {
    const BEGINNING: i64 = 1_700_000_000_000_000;
    let mut lines: Vec<(Duration, u8, String)> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let skew = skews.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, skew)| *skew);
        let time = Duration::from_micros((event.at.micros() - BEGINNING - skew * 1_000_000) as u64);
        let Some(line) = told(event) else { continue };
        lines.push((time, 0, line));
    }
    lines.extend(deeds.into_iter().map(|(time, line)| (time, 1, line)));
    lines.sort_by_key(|(time, order, _)| (*time, *order));
    lines.into_iter().map(|(time, _, line)| (time, line)).collect()
}
