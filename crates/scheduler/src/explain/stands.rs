//! What a service is, how it stands, and since when.

use hinoban_config::{Found, Kind, Link, Mode, Turns};
use hinoban_reading::Standing;

use super::words::{list, span, times};
use super::{About, Paragraph, Scene, why};
use crate::{Watching, wording};

pub(super) fn say(scene: &Scene<'_>) -> Paragraph {
    let view = &scene.view;
    let mut said = vec![what(scene), standing(scene)];
    // That something changed is told once, and no state.
    let failing = view.rules.iter().filter(|rule| rule.failed && !rule.changed).count();
    match (failing, view.rules.len()) {
        (0, _) => {}
        (1, 1) => said.push("Its one rule fails".to_owned()),
        (1, all) => said.push(format!("One of its {all} rules fails")),
        (some, all) => said.push(format!("{some} of its {all} rules fail")),
    }
    said.extend(looks(scene));
    if let Some(ending) = &view.ending {
        said.push(format!("How its process last ended: {ending}"));
    }
    if let Some(action) = &view.last_action {
        let by =
            action.by.as_ref().map_or("because of a rule".to_owned(), |by| format!("as asked for by {by}"));
        said.push(format!(
            "Last done to it, at {}, {by}: {}",
            scene.ago(action.at),
            wording::cut(&action.text)
        ));
    }
    if view.restarts > 0 {
        let often = times(view.restarts);
        said.push(format!("Rules have started or restarted it {often} since the supervisor began"));
    }
    if let Some(repairs) = view.patience.as_ref().map(|patience| &patience.repairs).filter(|it| it.tried > 0)
    {
        said.push(format!(
            "Of the repairs of which that is known, {} of {} helped",
            repairs.helped, repairs.tried
        ));
    }
    Paragraph::new(About::Standing, said)
}

fn what(scene: &Scene<'_>) -> String {
    let view = &scene.view;
    let is = match &view.kind {
        Kind::Process { found: Found::Pidfile(path) } => {
            format!("a process, found by the pidfile {}", path.display())
        }
        Kind::Process { found: Found::Matching(pattern) } => {
            format!("a process, found by its command line matching '{}'", pattern.text())
        }
        Kind::Directory { path } => format!("the directory {}", path.display()),
        Kind::Fifo { path } => format!("the named pipe {}", path.display()),
        Kind::Program { program, .. } => {
            format!("the program {}", program.words.first().map(String::as_str).unwrap_or_default())
        }
        Kind::Network { link: Link::Interface(name) } => format!("the network interface {name}"),
        Kind::Network { link: Link::Address(address) } => {
            format!("the network interface that has the address {address}")
        }
        Kind::File { path } => format!("the file {}", path.display()),
        Kind::Filesystem { path, holds: false } => format!("the file system {}", path.display()),
        Kind::Filesystem { path, holds: true } => format!("the file system that holds {}", path.display()),
        Kind::Host { address } => format!("the host {address}, tested from outside"),
        Kind::System => "this machine".to_owned(),
        Kind::Custom { probe, .. } => format!("something that '{probe}' looks at"),
        _ => "a service".to_owned(),
    };
    let mode = if view.mode == Mode::Passive { "; rules tell of it, and never repair it" } else { "" };
    let needs = match &view.depends_on[..] {
        [] => String::new(),
        names => format!("; it depends on {}", list(names)),
    };
    format!("It is {is}{mode}{needs}")
}

fn standing(scene: &Scene<'_>) -> String {
    let view = &scene.view;
    let since = view.since.map(|stamp| format!(" since {}", scene.at(stamp))).unwrap_or_default();
    let lasts =
        view.since.map(|stamp| format!(", for {}", span(scene.now.stamp.since(stamp)))).unwrap_or_default();
    match (view.watching, &view.not_seen, &view.observation) {
        (Watching::No, ..) => why::not_watched(scene),
        (_, Some(why), _) => format!("It could not be looked at, so nobody knows how it stands: {why}"),
        (Watching::Initializing, ..) => {
            "Nothing is known of it yet: no look has ended since it is watched".to_owned()
        }
        _ if !scene.watched.has_subject() => match view.failing.is_empty() {
            true => "All that it was asked it has answered well".to_owned(),
            false => "It does not answer as it should".to_owned(),
        },
        (_, _, Some(seen)) => match &seen.standing {
            Standing::Up => {
                // Nobody looks, so nobody knows.
                let is = match scene.shut && scene.watched.task.is_none() {
                    true => "When it was last looked at, it was up",
                    false => "It is up",
                };
                let pid = view.identity.map(|it| format!(" with pid {}", it.pid)).unwrap_or_default();
                format!("{is}{pid}{since}{lasts}")
            }
            Standing::Down(reason) | Standing::Absent(reason) => {
                format!("It is down{since}{lasts}: {}", reason.text)
            }
        },
        _ => "Nothing has been seen of it yet".to_owned(),
    }
}

fn looks(scene: &Scene<'_>) -> Option<String> {
    let view = &scene.view;
    if view.watching == Watching::No {
        return None;
    }
    let last = view.looked_at.map(|stamp| format!("The last look was at {}", scene.ago(stamp)));
    let cycle = span(view.every);
    let turns = match &view.turns {
        Turns::Each => format!("every {cycle}"),
        Turns::Nth(n) => format!("in each {n}th cycle of {cycle}"),
        Turns::At(cron) => format!("when the clock shows {cron} (minute, hour, day, month, weekday)"),
        Turns::Except(cron) => {
            format!("every {cycle}, but not when the clock shows {cron} (minute, hour, day, month, weekday)")
        }
    };
    let next = view.next_look.map(|stamp| scene.until_stamp(stamp));
    if scene.shut {
        let last = last.map(|last| format!("{last}; ")).unwrap_or_default();
        return Some(format!("{last}what it depends on comes first, and then it is looked at {turns}"));
    }
    Some(match (last, next) {
        (Some(last), Some(next)) => format!("{last}; it is looked at {turns}, next at {next}"),
        (None, Some(next)) => format!("It is looked at {turns}, for the first time at {next}"),
        (Some(last), None) => format!("{last}; it is looked at {turns}"),
        (None, None) => format!("It is looked at {turns}"),
    })
}
