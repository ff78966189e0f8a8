//! What would happen if a rule failed now.

use hinoban_config::{Branch, Change, Condition, Expect, Kind, Mode, Rate, Rule, Test, Then};
use hinoban_event::Class;

use super::words::{list, many, span};
use super::{About, Paragraph, Scene};
use crate::view::RuleState;
use crate::{Watching, rules, sight, wording};

pub(super) fn say(scene: &Scene<'_>) -> Paragraph {
    if scene.view.watching == Watching::No {
        return Paragraph::new(About::Next, ["If it failed now, nobody would notice".to_owned()]);
    }
    let rules = scene.watched.service.rules.iter().enumerate();
    let mut said: Vec<String> = rules.filter_map(|(at, rule)| would(scene, at, rule)).collect();
    if said.is_empty() {
        return Paragraph::new(About::Next, ["Nothing, before something can be seen of it again".to_owned()]);
    }
    let names: Vec<_> = scene.view.waits_for.iter().map(|name| name.to_string()).collect();
    if scene.shut {
        // Whatever a rule asks for has to wait.
        said.clear();
    }
    if scene.watched.task.is_some() {
        said.insert(0, under_way(scene));
    } else if scene.shut {
        said.push(format!("Nothing, before {} can be relied on; then it is looked at at once", list(&names)));
    } else if !names.is_empty() {
        said.insert(
            0,
            format!("Its turns wait for that of {}; a death is noticed all the same", list(&names)),
        );
    }
    let repairs = scene.watched.service.rules.iter().any(|rule| {
        matches!(rule.fail.then, Then::Restart | Then::Stop)
            && scene.watched.able(&rule.fail.then)
            && scene.view.mode == Mode::Active
    });
    said.extend(patience(scene).filter(|_| !scene.shut));
    if repairs && !scene.view.dependants.is_empty() {
        let names: Vec<_> = scene.view.dependants.iter().map(|name| name.to_string()).collect();
        said.push(format!(
            "Before a stop or a restart of it those that depend on it are stopped, and after a restart they are started \
             again: {}",
            list(&names)
        ));
    }
    if scene.told.is_empty() {
        said.push("Nobody is told of anything: the configuration names no address for messages".to_owned());
    }
    Paragraph::new(About::Next, said)
}

/// How repairs are repeated that do not help.
fn patience(scene: &Scene<'_>) -> Option<String> {
    let patience = scene.watched.service.patience?;
    let repairs = |rule: &Rule| {
        matches!(rule.fail.then, Then::Start | Then::Restart) && scene.watched.able(&rule.fail.then)
    };
    let rules = &scene.watched.service.rules;
    if scene.view.mode == Mode::Passive || !rules.iter().any(repairs) {
        return None;
    }
    let gives_up = |most: Option<u32>| match most {
        Some(most) => format!("given up after {most} in a row in vain"),
        None => "never given up".to_owned(),
    };
    let gone = gives_up(patience.give_up_gone);
    let tested = rules.iter().any(|rule| repairs(rule) && !rule.is_existence());
    let (lives, budget) = match (tested, scene.scheduler.budget) {
        (false, _) => (String::new(), String::new()),
        (true, budget) => (
            format!("; what lives is {}", gives_up(patience.give_up)),
            budget.map_or(String::new(), |budget| {
                let (restarts, within) = (many(budget.restarts, "restart"), span(budget.within));
                format!(", and waits when there were {restarts} on this host within {within}")
            }),
        ),
    };
    Some(format!(
        "A repair that does not help is made again after a pause, which grows from {} to {}; what is gone is {gone}{lives}{budget}",
        span(patience.first),
        span(patience.longest)
    ))
}

/// The pause that the next repair has before it, if there is one.
fn pause(scene: &Scene<'_>) -> Option<String> {
    let (patience, trial) = (scene.watched.service.patience?, scene.watched.trial.as_deref()?);
    let until = trial.waits(&patience, &scene.watched.name, scene.now)?;
    Some(format!("not before {}, for it was repaired a moment ago,", scene.until(until)))
}

/// What follows what is being done.
fn under_way(scene: &Scene<'_>) -> String {
    let told =
        scene.told(Class::Exec).map(|told| format!("{told} would be told why, and ")).unwrap_or_default();
    let asked = scene.watched.task.as_ref().is_some_and(|task| task.because.by().is_some());
    match asked {
        true => format!("If what is being done to it failed, {told}nothing else would follow"),
        false => {
            format!("If what is being done to it failed, {told}it would be tried again while its rule fails")
        }
    }
}

fn would(scene: &Scene<'_>, at: usize, rule: &Rule) -> Option<String> {
    if scene.blind(at).is_some() {
        return None;
    }
    let view = &scene.view.rules[at];
    if view.failed && !view.changed {
        let then = consequence(scene, &rule.ok, &rule.when, true);
        return Some(format!("{}, {then}", mended(scene, at, rule)));
    }
    let then = consequence(scene, &rule.fail, &rule.when, false);
    Some(format!("{}, {then}", supposed(scene, at, rule)))
}

/// ` at 3 looks in a row`, ` at 2 more looks`, ` at 3 of 5 looks`, ` for 2 min`; nothing for one look.
fn rated(branch: &Branch, seen: u32) -> String {
    if let Some(time) = branch.lasting {
        return format!(" for {}", span(time));
    }
    let (rate, count) = (branch.rate, u32::from(branch.rate.count));
    match (rate == Rate::ONCE, rate.count == rate.within, seen) {
        (true, ..) => String::new(),
        (_, true, 0) => format!(" at {} in a row", many(count, "look")),
        (_, false, 0) => format!(" at {count} of {} looks", rate.within),
        (.., seen) => format!(" at {}", many(count.saturating_sub(seen).max(1), "more look")),
    }
}

/// The first half of the sentence about a rule that holds.
fn supposed(scene: &Scene<'_>, at: usize, rule: &Rule) -> String {
    let seen = match scene.view.rules[at].state {
        RuleState::Counting { seen, .. } => seen,
        _ => 0,
    };
    let rate = rated(&rule.fail, seen);
    let now = if rate.is_empty() { " now" } else { &rate };
    let gone = sight::fails(scene.watched, at) == Some(true) && scene.view.watching == Watching::Yes;
    match (&rule.when, &scene.watched.service.kind) {
        (Condition::Missing, _) if gone => "If it stays as it is".to_owned(),
        (Condition::Missing, Kind::Process { .. }) => format!("If it died{now}"),
        (Condition::Missing, Kind::File { .. } | Kind::Directory { .. } | Kind::Fifo { .. }) => {
            format!("If it were missing{now}")
        }
        (Condition::Missing, Kind::Filesystem { .. }) => format!("If it were not mounted{now}"),
        (Condition::Missing, _) => format!("If it were down{now}"),
        (Condition::Exists, _) => format!("If it existed{now}"),
        (Condition::WrongType, _) => format!("If something of another type stood in its place{now}"),
        (Condition::Restarts { count, within }, _) => {
            let tally = scene.watched.tally;
            let word = if tally.restarts > 0 { "more restart" } else { "restart" };
            let left = many(count.saturating_sub(tally.restarts).max(1), word);
            let cycles = many(within.saturating_sub(tally.cycles).max(1), "cycle");
            format!("After {left} by rules within {cycles}")
        }
        (Condition::Content { metric, pattern, fails_on_match }, _) => {
            let verb = if *fails_on_match { "matches" } else { "does not match" };
            let shown = pattern.shown();
            match crate::content::is_output(metric) {
                true => format!("If it printed{now} what {verb} {shown}"),
                false if rate.is_empty() => format!("If a line were written that {verb} {shown}"),
                false => {
                    format!(
                        "If lines were written{rate} that {}",
                        verb.replace("matches", "match").replace("does", "do")
                    ) + &format!(" {shown}")
                }
            }
        }
        (Condition::Differs { metric }, _) => {
            format!("If {} were seen{now} to be another than at first", wording::name_of(metric))
        }
        (Condition::Changed { metric, expect: Change::Changed }, _) => {
            format!("If {} changed{now}", wording::name_of(metric))
        }
        (Condition::Changed { metric, expect: Change::Unchanged }, _) => {
            format!(
                "If {} stayed as it is{}",
                wording::name_of(metric),
                if rate.is_empty() { " until the next look" } else { &rate }
            )
        }
        (Condition::Test { test, expect }, _) => {
            let word = if *expect == Expect::Failed { "failed" } else { "succeeded" };
            format!("If the test {} {word}{now}", target(test, plain(scene, at)))
        }
        _ => format!("If it were seen{now} that {}", plain(scene, at)),
    }
}

/// The first half of the sentence about a rule that fails.
fn mended(scene: &Scene<'_>, at: usize, rule: &Rule) -> String {
    let rate = rated(&rule.ok, 0);
    match &rule.when {
        Condition::Missing => format!("Once it is back{rate}"),
        Condition::Exists => format!("Once it is gone{rate}"),
        Condition::WrongType => format!("Once there is what belongs there{rate}"),
        Condition::Changed { metric, .. } => format!("Once {} changes again{rate}", wording::name_of(metric)),
        Condition::Content { .. } => format!("Once a look finds no more of it{rate}"),
        Condition::Differs { metric } => {
            format!(
                "Once {} is again what it was at first{rate}, or is taken for right by `hinoban reload`",
                wording::name_of(metric)
            )
        }
        Condition::Restarts { .. } => "Once it is well and no longer restarted again and again".to_owned(),
        Condition::Test { test, expect } => {
            let word = if *expect == Expect::Failed { "succeeds" } else { "fails" };
            format!("Once the test {} {word}{rate}", target(test, plain(scene, at)))
        }
        _ => format!("Once it is seen{rate} that {} is no longer so", plain(scene, at)),
    }
}

/// What is tested, out of the words of the rule.
fn target<'a>(test: &'a Test, words: &'a str) -> &'a str {
    match test {
        Test::Custom { probe, .. } => probe,
        _ => words.split_once(' ').map_or("", |(_, rest)| rest),
    }
}

/// What a rule asks, without what follows from it and how often it must be so.
fn plain<'a>(scene: &'a Scene<'_>, at: usize) -> &'a str {
    let text = &*scene.view.rules[at].text;
    let text = text.strip_prefix("if ").unwrap_or(text);
    let text = text.rsplit_once(" then ").map_or(text, |(when, _)| when);
    let rate = &scene.view.rules[at].rate;
    text.strip_suffix(rate.as_str()).unwrap_or(text).trim_end()
}

/// The second half of the sentence.
fn consequence(scene: &Scene<'_>, branch: &Branch, when: &Condition, recovery: bool) -> String {
    let programs = &scene.view.programs;
    let run = |path: &Option<String>| path.clone().unwrap_or_default();
    let active = scene.view.mode == Mode::Active;
    let able = scene.watched.able(&branch.then);
    let gone = matches!(when, Condition::Missing);
    let class = rules::class_in(&scene.watched.service.kind, when);
    let lives = !gone && !matches!(when, Condition::Restarts { .. });
    let when = if recovery { None } else { pause(scene) }.unwrap_or_else(|| "at once".to_owned());
    let started = || format!("it would be started {when} by {}", run(&programs.start));
    let done = match &branch.then {
        Then::Nothing => return "nothing would be done, and nobody told".to_owned(),
        Then::Alert => None,
        Then::Start | Then::Restart | Then::Stop if !active => {
            Some("nothing would be done, for it is passive".to_owned())
        }
        Then::Start | Then::Restart if !able => {
            Some(format!("a {} would be asked for, but there is no program for it", rules_word(&branch.then)))
        }
        Then::Start if scene.watched.is_process() && lives => {
            Some("nothing would be done, for a start does nothing to what is up; a restart would".to_owned())
        }
        Then::Start => Some(started()),
        Then::Restart if programs.restart.is_some() => {
            Some(format!("it would be restarted {when} by {}", run(&programs.restart)))
        }
        Then::Restart if gone && programs.start.is_some() => Some(started()),
        Then::Restart => match (&programs.stop, &programs.start) {
            (Some(stop), Some(start)) => {
                let kill =
                    scene.watched.service.kill_after.map(|after| {
                        format!(" (and killed if its process still lived {} later)", span(after))
                    });
                let kill = kill.unwrap_or_default();
                let when = if when == "at once" { String::new() } else { format!("{when} ") };
                Some(format!("it would be stopped {when}by {stop}{kill} and started again by {start}"))
            }
            (None, Some(_)) => Some(format!("{}, if nothing is in its place any more", started())),
            (Some(stop), None) => {
                Some(format!("it would be stopped by {stop}, and nobody would start it again"))
            }
            (None, None) => Some("those that depend on it would be restarted".to_owned()),
        },
        Then::Stop => Some(match &programs.stop {
            Some(stop) => format!("it would be stopped by {stop}, and watched no more"),
            None => "it would be watched no more, for there is no program that stops it".to_owned(),
        }),
        Then::Unmonitor => Some("it would be watched no more".to_owned()),
        Then::Exec { program, .. } => {
            Some(format!("{} would be run", program.words.first().map_or("", String::as_str)))
        }
        Then::Custom(name) => Some(format!("'{name}' would be done")),
        _ => None,
    };
    let also: Vec<String> = branch.also.iter().filter_map(also).collect();
    let done = match (done, also.is_empty()) {
        (done, true) => done,
        (None, false) => Some(format!("{} would be run", list(&also))),
        (Some(done), false) => Some(format!("{} would be run, then {done}", list(&also))),
    };
    let grace =
        match (gone && !recovery && active && able && scene.watched.is_up(), &scene.watched.service.kind) {
            (true, Kind::Process { .. }) if !matches!(branch.then, Then::Alert) => {
                " (2 s later if it had ended in order, for then somebody may be restarting it)"
            }
            _ => "",
        };
    match (done, scene.told(class)) {
        (Some(done), Some(told)) => format!("{done}{grace}, and {told} be told"),
        (Some(done), None) => format!("{done}{grace}"),
        (None, Some(told)) => format!("{told} would be told, and nothing else done"),
        (None, None) => "nothing would be done but to log it".to_owned(),
    }
}

fn also(then: &Then) -> Option<String> {
    match then {
        Then::Exec { program, .. } => program.words.first().cloned(),
        Then::Custom(name) => Some(format!("'{name}'")),
        _ => None,
    }
}

fn rules_word(then: &Then) -> &'static str {
    if *then == Then::Start { "start" } else { "restart" }
}
