//! How a service stands, in one word: for the page and for programs.

use hinoban_event::{Class, Doing};
use hinoban_reading::{ReasonKind, Stamp};
use hinoban_supervisor::{Kind, ServiceView, Watching};
use serde::Serialize;

/// How a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// It is there, and every rule holds.
    Up,
    /// It may be there, but a rule fails.
    Failing,
    /// It is not there.
    Down,
    /// It could not be looked at: nobody knows.
    NotSeen,
    /// Nobody has looked yet.
    Unknown,
    /// A rule has ended the watching: nobody looks, and nothing brings it back but an operator.
    GivenUp,
    /// It is not watched.
    NotMonitored,
}

impl State {
    pub(crate) const ALL: [State; 7] = [
        State::Down,
        State::GivenUp,
        State::Failing,
        State::NotSeen,
        State::Unknown,
        State::NotMonitored,
        State::Up,
    ];

    pub(crate) fn of(view: &ServiceView) -> Self {
        match view.watching {
            Watching::No if view.gave_up.is_some() => State::GivenUp,
            Watching::No => State::NotMonitored,
            Watching::Initializing => State::Unknown,
            Watching::Yes if view.not_seen.is_some() || view.failing.contains(&Class::Data) => State::NotSeen,
            Watching::Yes if view.failing.iter().any(|c| matches!(c, Class::NonExist | Class::Invalid)) => {
                State::Down
            }
            // That a link is down is a class of its own.
            Watching::Yes if is_link(view) && absent(view) && !wanted_absent(view) => State::Down,
            Watching::Yes if counted(view) => State::Failing,
            Watching::Yes if absent(view) && !wanted_absent(view) => State::Down,
            Watching::Yes => State::Up,
        }
    }

    /// Whether it is shown among what is wrong now.
    pub(crate) fn is_wrong(self) -> bool {
        matches!(self, State::Down | State::GivenUp | State::Failing | State::NotSeen)
    }

    /// In words, for people.
    pub(crate) fn text(self) -> &'static str {
        match self {
            State::Up => "Up",
            State::Failing => "Failing",
            State::Down => "Down",
            State::NotSeen => "Not seen",
            State::Unknown => "Not known yet",
            State::GivenUp => "Given up",
            State::NotMonitored => "Not monitored",
        }
    }

    /// As a class of style sheets.
    pub(crate) fn class(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Failing => "failing",
            State::Down => "down",
            State::NotSeen => "not-seen",
            State::Unknown => "unknown",
            State::GivenUp => "given-up",
            State::NotMonitored => "off",
        }
    }

    /// A sign that says the same without colour.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            State::Up => "●",
            State::Failing => "▲",
            State::Down => "■",
            State::NotSeen => "◆",
            State::Unknown => "◌",
            State::GivenUp => "⊘",
            State::NotMonitored => "○",
        }
    }
}

/// Something that fails says something about the service: actions and the supervisor's own troubles do not.
fn counted(view: &ServiceView) -> bool {
    view.failing.iter().any(|class| !matches!(class, Class::Action | Class::Instance))
}

fn absent(view: &ServiceView) -> bool {
    view.observation.as_ref().is_some_and(|seen| !seen.standing.is_up())
}

/// Under a rule that fails if it exists, it is well when it does not.
fn wanted_absent(view: &ServiceView) -> bool {
    view.rules.iter().any(|rule| rule.class == Class::Exist) || wants_no_link(view)
}

fn is_link(view: &ServiceView) -> bool {
    matches!(view.kind, Kind::Network { .. })
}

/// Whether it is a network interface that is to have no link.
pub(crate) fn wants_no_link(view: &ServiceView) -> bool {
    is_link(view) && view.rules.iter().any(|rule| rule.text.starts_with("if link up "))
}

/// Why it is not well.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Why<'a> {
    /// The kind, where the look gave one.
    pub(crate) kind: Option<ReasonKind>,
    pub(crate) text: &'a str,
    pub(crate) since: Option<Stamp>,
}

/// What is wrong with a service, the gravest first, or why it was given up; nothing, if it is well.
pub(crate) fn whys(view: &ServiceView) -> Vec<Why<'_>> {
    let state = State::of(view);
    if let (State::GivenUp, Some(text)) = (state, &view.gave_up) {
        return vec![Why { kind: None, text, since: None }];
    }
    if !state.is_wrong() {
        return Vec::new();
    }
    let mut whys = Vec::new();
    if let Some(text) = &view.not_seen {
        whys.push(Why { kind: None, text, since: None });
    } else if let Some(reason) = view.observation.as_ref().and_then(|seen| seen.standing.reason()) {
        whys.push(Why { kind: Some(reason.kind), text: &reason.text, since: view.since });
    }
    let gone = state == State::Down && !whys.is_empty();
    for (position, rule) in view.rules.iter().enumerate().filter(|(_, rule)| rule.failed) {
        let test = view.tests.iter().find(|test| test.rule == position);
        let reason = test.and_then(|t| t.observation.as_ref()).and_then(|seen| seen.standing.reason());
        // That it is gone is said already, and what its last test saw before is no news.
        if gone {
            continue;
        }
        let text = match test.and_then(|t| t.not_seen.as_deref()) {
            Some(not_seen) => not_seen,
            None if rule.last.is_empty() => reason.map_or(&*rule.text, |r| r.text.as_str()),
            None => &rule.last,
        };
        whys.push(Why { kind: reason.map(|r| r.kind), text, since: rule.since });
    }
    // Why it does not come back.
    if let Some(patience) = &view.patience {
        let given_up = patience.repairs.gave_up.as_deref();
        whys.extend(given_up.map(|g| Why { kind: None, text: &g.text, since: Some(g.since) }));
        whys.extend(patience.held.as_deref().map(|text| Why { kind: None, text, since: None }));
    }
    if let Some(failed) = view.last_action.as_ref().filter(|action| !action.ok) {
        whys.push(Why { kind: None, text: &failed.text, since: None });
    }
    if whys.is_empty() {
        // A class fails whose rule says nothing more.
        whys.extend(view.failing.iter().map(|class| Why {
            kind: None,
            text: class.failed(),
            since: view.since,
        }));
    }
    whys
}

/// Since when it stands as it does: a failing rule's time where it is up otherwise.
pub(crate) fn since(view: &ServiceView, state: State) -> Option<Stamp> {
    match state {
        State::Failing => {
            view.rules.iter().filter(|rule| rule.failed).filter_map(|rule| rule.since).min().or(view.since)
        }
        State::Down => view.since,
        // What has no look of its own, a host, stands by its rules.
        State::Up => view.since.or_else(|| view.rules.iter().filter_map(|rule| rule.since).max()),
        _ => None,
    }
}

/// What has been asked for or is being done, if people are to hear of it.
pub(crate) fn under_way(view: &ServiceView) -> Option<&Doing> {
    view.doing
        .as_ref()
        .or(view.pending.as_ref())
        .filter(|doing| !matches!(doing, Doing::Nothing | Doing::Alert))
}
