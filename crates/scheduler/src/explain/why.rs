//! Why nothing is done about what fails.

use hinoban_config::{Mode, Then};
use hinoban_event::Doing;

use super::words::{list, many};
use super::{About, Paragraph, Scene};
use crate::{Watching, wording};

pub(super) fn say(scene: &Scene<'_>) -> Paragraph {
    let watched = scene.watched;
    if watched.task.is_some() {
        return Paragraph::new(About::Why, []);
    }
    if scene.view.watching == Watching::No {
        return Paragraph::new(
            About::Why,
            [format!("Nobody looks at it, and no rule is judged. {}", resume(scene))],
        );
    }
    let mut said: Vec<String> = Vec::new();
    let stand = watched.failures().filter(|(rule, _)| !scene.view.rules[*rule].changed);
    for (rule, _) in stand {
        let why = why(scene, rule);
        if !said.contains(&why) {
            said.push(why);
        }
    }
    Paragraph::new(About::Why, said)
}

/// Who has ended the watching, and why, as far as that is known.
pub(super) fn not_watched(scene: &Scene<'_>) -> String {
    let view = &scene.view;
    if let Some(why) = &view.gave_up {
        // Whoever reads this need not be told where to read it.
        let elsewhere =
            why.replacen(&wording::happened(&view.name), "what happened: below, and its own log", 1);
        return format!("It is not watched, for a rule has ended that: {elsewhere}");
    }
    let by =
        view.last_action.as_ref().filter(|action| matches!(action.doing, Doing::Stop | Doing::Unmonitor));
    if let Some(action) = by
        && let Some(by) = &action.by
    {
        let what = if action.doing == Doing::Stop { "stopped it" } else { "ended that" };
        return format!("It is not watched: {by} {what} at {}", scene.ago(action.at));
    }
    use hinoban_config::OnReboot;
    match view.on_reboot {
        OnReboot::NoStart => {
            "It is not watched: after a boot it is not, and nobody has asked for it since".to_owned()
        }
        _ => "It is not watched: somebody has stopped it or ended the watching, before the supervisor began or \
              together with something that it depends on"
            .to_owned(),
    }
}

fn resume(scene: &Scene<'_>) -> String {
    let monitor = scene.command("monitor");
    match scene.view.programs.start {
        Some(_) => format!("{} starts and watches it, {monitor} only watches it", scene.command("start")),
        None => format!("{monitor} has it watched again"),
    }
}

fn why(scene: &Scene<'_>, rule: usize) -> String {
    let watched = scene.watched;
    let then = &watched.service.rules[rule].fail.then;
    let text = &scene.view.rules[rule].text;
    let repair = match then {
        Then::Nothing => {
            return format!("{text} \u{2014} that is what the rule asks for, and nobody is told either");
        }
        Then::Alert => return format!("{text} \u{2014} the rule asks only that people be told"),
        Then::Exec { repeat, .. } => {
            let program = scene.view.rules[rule].program.clone().unwrap_or_default();
            let again = match repeat {
                Some(n) => format!("again at each {n}th look that fails"),
                None => "once for as long as it fails".to_owned(),
            };
            return format!("{text} \u{2014} the rule runs {program}, {again}; nothing else is asked for");
        }
        Then::Custom(name) => {
            return format!("{text} \u{2014} the rule asks for '{name}', once for as long as it fails");
        }
        Then::Start => "start",
        Then::Stop => "stop",
        _ => "restart",
    };
    if watched.service.mode == Mode::Passive {
        return format!(
            "{text} \u{2014} it is passive, so nobody repairs it; without that a {repair} would be made"
        );
    }
    if scene.scheduler.ending {
        return format!("{text} \u{2014} the supervisor is about to end, and begins nothing new");
    }
    if !watched.able(then) {
        return format!("{text} \u{2014} there is no program for a {repair}; give it a `start` program");
    }
    if watched.finds_up(then) {
        return format!("{text} \u{2014} it is up, and a start does nothing to what is up; a restart would");
    }
    if !scene.view.waits_for.is_empty() {
        let names: Vec<_> = scene.view.waits_for.iter().map(|name| name.to_string()).collect();
        return format!("{text} \u{2014} what it depends on comes first: {}", list(&names));
    }
    if let Some(patience) = &scene.view.patience {
        let row = patience.repairs.in_row();
        if let Some(given_up) = &patience.repairs.gave_up {
            return format!(
                "{text} \u{2014} repairs have been given up at {}: {}",
                scene.ago(given_up.since),
                given_up.text
            );
        }
        match (&patience.held, patience.next) {
            (Some(why), Some(next)) => {
                return format!(
                    "{text} \u{2014} a {repair} is held back until {}: {why}",
                    scene.until_stamp(next)
                );
            }
            (None, Some(next)) => {
                return format!(
                    "{text} \u{2014} {} in a row did not help, so the next one has a pause before it, until {}",
                    many(row, "repair"),
                    scene.until_stamp(next)
                );
            }
            _ => {}
        }
    }
    let next = scene.view.next_look.map(|stamp| scene.until_stamp(stamp));
    let next = next.unwrap_or_else(|| "the next look".to_owned());
    match watched.held_until(scene.now.moment) {
        Some(until) if watched.is_process() => format!(
            "{text} \u{2014} it has died soon after its start again and again; the next {repair} is made at {}",
            scene.until(until)
        ),
        _ => format!(
            "{text} \u{2014} a {repair} is made when a look finds it so again, which is due at {next}"
        ),
    }
}
