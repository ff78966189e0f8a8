//! What is being done, and what is waited for.

use hinoban_event::{Because, Doing};

use super::words::{list, span};
use super::{About, Paragraph, Scene};
use crate::kill::Kill;
use crate::task::{Step, Task};
use crate::{Act, Watching, sight};

pub(super) fn say(scene: &Scene<'_>) -> Paragraph {
    let watched = scene.watched;
    let mut said = Vec::new();
    if let Some(task) = &watched.task {
        said.push(begun(scene, task));
        said.extend(step(scene, task));
        if let Some(Kill::At(at)) = task.kill {
            said.push(format!("If its process still lives at {}, it is killed", scene.until(at)));
        }
    }
    if let Some(wish) = &watched.pending {
        said.push(format!(
            "A {} was asked for by {}, and follows as soon as that is over",
            wish.doing.word(),
            wish.by
        ));
    }
    if let Some((on, _)) = watched.switched {
        let word = if on { "watched" } else { "watched no more" };
        said.push(format!("Somebody wants it {word} when that is over"));
    }
    if watched.watching != Watching::No && watched.task.is_none() {
        said.extend(idle(scene));
    }
    let errands = scene.scheduler.errands.values().map(|errand| errand.shown());
    let mut errands: Vec<&str> =
        errands.filter(|(service, _)| **service == *watched.name).map(|(_, program)| program).collect();
    errands.sort_unstable();
    said.extend(errands.into_iter().map(|program| format!("{program} is running because of a rule")));
    if said.is_empty() && watched.watching != Watching::No {
        said.push("Nothing is being done to it, and nothing but its next look is waited for".to_owned());
    }
    Paragraph::new(About::Waiting, said)
}

fn begun(scene: &Scene<'_>, task: &Task) -> String {
    let because = match &task.because {
        Because::Rule { text } => format!("because of a rule: {text}"),
        Because::Command { by } => format!("as asked for by {by}"),
        Because::Dependency { service, by: None } => format!("because of {service}"),
        Because::Dependency { service, by: Some(by) } => {
            format!("because of {service}, as asked for by {by}")
        }
        _ => String::new(),
    };
    let since = scene.ago(scene.stamp(task.begun));
    format!("It is being {} since {since}, {because}", participle(&task.doing))
}

fn step(scene: &Scene<'_>, task: &Task) -> Option<String> {
    let programs = &scene.view.programs;
    let program = |act: &Act| {
        let (word, path) = match act {
            Act::Stop => ("stop", &programs.stop),
            Act::Restart => ("restart", &programs.restart),
            _ => ("start", &programs.start),
        };
        format!("Its {word} program{}", path.as_ref().map(|path| format!(" {path}")).unwrap_or_default())
    };
    let limit = |act: &Act| {
        let service = &scene.watched.service;
        let program = match act {
            Act::Stop => &service.stop,
            Act::Restart => &service.restart,
            _ => &service.start,
        };
        program
            .as_ref()
            .map(|program| format!(", which has {} for all it does", span(program.timeout)))
            .unwrap_or_default()
    };
    let until = || task.until().map(|at| scene.until(at)).unwrap_or_default();
    Some(match &task.step {
        Step::Peek => "First it is looked at".to_owned(),
        Step::Clearing => {
            let below: Vec<_> = scene.view.dependants.iter().map(|name| name.to_string()).collect();
            format!("First those that depend on it are to be out of the way: {}", list(&below))
        }
        Step::Held { retry, .. } => {
            let again = retry.map(|at| format!("; what it needs is started again at {}", scene.until(at)));
            format!("It waits for what it depends on: {}{}", needs(scene)?, again.unwrap_or_default())
        }
        Step::Running { act, .. } => format!("{} is running{}", program(act), limit(act)),
        Step::AwaitUp(_) => format!("The program has ended; its process has until {} to appear", until()),
        Step::AwaitDown(_) => format!("The program has ended; its process has until {} to go", until()),
    })
}

/// What is waited for while nothing is being done.
fn idle(scene: &Scene<'_>) -> Vec<String> {
    let (watched, now) = (scene.watched, scene.now.moment);
    let mut said = Vec::new();
    if let Some(needs) = needs(scene) {
        said.push(format!("Until what it depends on is well, it is neither looked at nor repaired: {needs}"));
    }
    if let Some(patience) = &scene.view.patience
        && let Some(next) = patience.next
    {
        let next = scene.until_stamp(next);
        said.push(match &patience.held {
            Some(why) => format!("A repair is held back until {next}, if it is still needed then: {why}"),
            None => format!("The next repair has a pause before it, which ends at {next}"),
        });
    }
    if let Some(until) = watched.grace.filter(|until| now < *until) {
        said.push(format!(
            "Its process ended in order, so somebody may just be restarting it: until {} he has time to",
            scene.until(until)
        ));
    }
    if let Some(confirm) = watched.confirm.as_ref().filter(|confirm| now < confirm.until) {
        said.push(format!(
            "It was just started: its tests are made in quick succession until they pass, and none has to before {}",
            scene.until(confirm.until)
        ));
    }
    if scene.view.waiting
        && let Some(next) = scene.view.next_look
    {
        said.push(format!(
            "The last cycle was not its turn; the next one that is begins at {}",
            scene.until_stamp(next)
        ));
    }
    said
}

/// What it depends on and is not ready, and why not.
fn needs(scene: &Scene<'_>) -> Option<String> {
    let why = |name: &std::sync::Arc<str>| -> String {
        let scheduler = scene.scheduler;
        let at = scheduler.find(name).and_then(|id| scheduler.position(id));
        let why = at.map_or("is not there".to_owned(), |at| {
            let parent = &scheduler.services[at];
            match &parent.task {
                _ if parent.watching == Watching::No => "is not watched",
                Some(task) if task.doing == Doing::Stop => "is being stopped",
                Some(task) if task.doing == Doing::Restart => "is being restarted",
                Some(_) => "is being started",
                None if let Some((rule, _)) = parent.failures().next() => {
                    let seen = sight::sight(parent, rule, scheduler.tongue()).unwrap_or_default();
                    return format!("fails ({})", seen.text);
                }
                None if parent.watching == Watching::Initializing => "has not been looked at yet",
                None if !parent.is_up() => "is down",
                None => "was not looked at, for it was not its turn",
            }
            .to_owned()
        });
        format!("{name} {why}")
    };
    let parents: Vec<String> = scene.view.waits_for.iter().map(why).collect();
    (!parents.is_empty()).then(|| list(&parents))
}

fn participle(doing: &Doing) -> &'static str {
    match doing {
        Doing::Start => "started",
        Doing::Stop => "stopped",
        Doing::Restart => "restarted",
        _ => "dealt with",
    }
}
