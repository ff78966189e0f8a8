//! The page of one service: how it stands, what can be done, and everything that is known.

use std::borrow::Cow;

use askama::Template;
use hinoban_supervisor::{
    About as Question, Explanation, Incident, Paragraph, ServiceView, Status, Watching,
};

use super::facts::{Fact, facts};
use super::overview::{Why, whys};
use super::rules::{Rule, rules};
use super::seen::{self, rows};
use super::{Clock, Frame, When, doing, link, link_to};
use crate::monit::About;
use crate::past;
use crate::standing::{self, State};

/// Seconds after which a page is loaded again while something is being done.
const WHILE_UNDER_WAY: u32 = 2;

#[derive(Template)]
#[template(path = "service.html")]
struct Service<'a> {
    frame: Frame<'a>,
    host: &'a str,
    name: &'a str,
    link: String,
    state: State,
    since: Option<When<'a>>,
    whys: Vec<Why<'a>>,
    doing: Option<Cow<'a, str>>,
    doing_word: &'a str,
    /// Of the form; `None`: who looks may not act.
    token: Option<&'a str>,
    buttons: Vec<Button<'a>>,
    has_programs: bool,
    /// What neither the rules nor the facts say: what is waited for, why nothing is done, what would happen next.
    explained: Vec<&'a Paragraph>,
    rules: Vec<Rule<'a>>,
    readings: Vec<seen::Row<'a>>,
    /// Whether nobody has looked since.
    stale: bool,
    facts: Vec<Fact<'a>>,
    /// Others that it has to do with: how, and their names with where their pages are.
    ties: Vec<(&'static str, Vec<(&'a str, String)>)>,
    /// What failed lately, the newest first.
    failures: Vec<Failure<'a>>,
}

/// Something that failed.
struct Failure<'a> {
    id: u64,
    began: When<'a>,
    lasted: String,
    text: String,
}

/// Something that can be asked for.
struct Button<'a> {
    word: &'static str,
    label: &'static str,
    enabled: bool,
    /// What follows from it, or why it makes no sense now.
    note: Cow<'a, str>,
}

/// One service: what is known of it, `why` it stands so and, if `token` is given, what can be done to it.
pub(crate) fn service(
    status: &Status,
    about: &About,
    view: &ServiceView,
    why: Option<&Explanation>,
    failures: &[Incident],
    token: Option<&str>,
) -> String {
    let elsewhere = |paragraph: &&Paragraph| matches!(paragraph.about, Question::Standing | Question::Rules);
    let state = State::of(view);
    let under_way = standing::under_way(view);
    let clock = Clock::new(status.now, &about.zone);
    let whys = whys(clock, view);
    let failure = |incident: &Incident| Failure {
        id: incident.id,
        began: clock.at(incident.opened),
        lasted: past::ended(incident, status.now),
        text: past::summary(incident),
    };
    let page = Service {
        frame: Frame::new(status, about, clock, under_way.map(|_| WHILE_UNDER_WAY)),
        host: &status.host,
        name: &view.name,
        link: link(view),
        state,
        // Said once: beside the state, or beside what is wrong.
        since: standing::since(view, state)
            .filter(|_| whys.iter().all(|why| why.since.is_none()))
            .map(|stamp| clock.at(stamp)),
        whys,
        doing: under_way.map(doing),
        doing_word: under_way.map_or("", |doing| doing.word()),
        token,
        buttons: buttons(view, state),
        has_programs: has_programs(view),
        explained: why.iter().flat_map(|why| &why.paragraphs).filter(|p| !elsewhere(p)).collect(),
        rules: rules(clock, view),
        stale: matches!(state, State::NotMonitored | State::GivenUp | State::NotSeen),
        readings: view.observation.as_ref().map(|seen| rows(seen, &about.zone)).unwrap_or_default(),
        facts: facts(status, clock, view),
        ties: ties(view),
        failures: failures.iter().map(failure).collect(),
    };
    let mut out = String::with_capacity(8192);
    // Nothing that is written to a text fails.
    let _ = page.render_into(&mut out);
    out
}

/// What it depends on, and what depends on it.
fn ties(view: &ServiceView) -> Vec<(&'static str, Vec<(&str, String)>)> {
    let ties =
        [("Waiting for", &view.waits_for), ("Depends on", &view.depends_on), ("Needed by", &view.dependants)];
    ties.into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(label, names)| (label, names.iter().map(|name| (&**name, link_to(name))).collect()))
        .collect()
}

/// What can be asked for, and what follows. What makes no sense now is shown, with the reason, but cannot be pressed.
fn buttons(view: &ServiceView, state: State) -> Vec<Button<'_>> {
    let programs = &view.programs;
    let watched = view.watching != Watching::No;
    // Of a service that is not watched nobody knows.
    let up = watched && matches!(state, State::Up | State::Failing) && view.identity.is_some();
    let down = watched && state == State::Down;
    let (start, stop, restart) = (&programs.start, &programs.stop, &programs.restart);
    let needed = view.dependants.join(", ");
    let (first, around) = match needed.is_empty() {
        true => (String::new(), String::new()),
        false => (
            format!(", after those that depend on it have been stopped: {needed}"),
            format!(" Those that depend on it are stopped before and started after it: {needed}."),
        ),
    };
    let yes = |note: String| (true, Cow::Owned(note));
    let no = |note: &'static str| (false, Cow::Borrowed(note));
    let starting = match start {
        None => no("It has no start program."),
        Some(_) if up => no("It is up."),
        Some(program) if watched => yes(format!("Runs {program}.")),
        Some(program) => yes(format!("Runs {program}, and watches it again.")),
    };
    let stopping = match stop {
        None => no("It has no stop program. To leave it alone, end the monitoring."),
        Some(_) if down => yes("It is down already. It is no longer watched until you start it.".to_owned()),
        Some(program) => yes(format!("Runs {program}{first}. It is no longer watched until you start it.")),
    };
    let restarting = match (restart, stop, start) {
        (Some(program), ..) => yes(format!("Runs {program}.{around}")),
        (None, _, Some(start)) if down => yes(format!("Runs {start}: there is nothing to stop.{around}")),
        (None, Some(stop), Some(start)) => yes(format!("Runs {stop}, then {start}.{around}")),
        _ if !around.is_empty() && view.identity.is_none() => yes(around.trim_start().to_owned()),
        (None, None, Some(_)) => no("It has no stop program: its process would go on."),
        (None, Some(_), None) => no("It has no start program: it would only be stopped."),
        (None, None, None) => no("It has no program for that."),
    };
    let mut buttons = Vec::with_capacity(4);
    if has_programs(view) {
        buttons.extend([
            ("start", "Start", starting),
            ("stop", "Stop", stopping),
            ("restart", "Restart", restarting),
        ]);
    }
    buttons.push(match watched {
        true => (
            "unmonitor",
            "Unmonitor",
            yes("Nobody looks at it or repairs it until you monitor it again.".to_owned()),
        ),
        false => {
            ("monitor", "Monitor", yes("It is looked at again, and repaired as its rules say.".to_owned()))
        }
    });
    let button = |(word, label, (enabled, note))| Button { word, label, enabled, note };
    buttons.into_iter().map(button).collect()
}

fn has_programs(view: &ServiceView) -> bool {
    let programs = &view.programs;
    let programs = [&programs.start, &programs.stop, &programs.restart];
    programs.into_iter().any(Option::is_some) || !view.dependants.is_empty()
}
