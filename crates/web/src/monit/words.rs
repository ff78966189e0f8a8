//! Codes and words for a service: its type, how it is watched, what fails, what is pending.

use hinoban_event::{Class, Doing};
use hinoban_supervisor::{Kind, Mode, OnReboot, RuleView, ServiceView, Watching};

use super::{About, Tone};
use crate::standing;

/// Number of the type. A kind that an embedder registered is shown as a remote host without ports: of all types the
/// one that promises readers nothing.
pub(crate) fn type_code(kind: &Kind) -> u8 {
    match kind {
        Kind::Filesystem { .. } => 0,
        Kind::Directory { .. } => 1,
        Kind::File { .. } => 2,
        Kind::Process { .. } => 3,
        Kind::System => 5,
        Kind::Fifo { .. } => 6,
        Kind::Program { .. } => 7,
        Kind::Network { .. } => 8,
        _ => 4,
    }
}

pub(crate) fn type_name(kind: &Kind) -> &'static str {
    match type_code(kind) {
        0 => "Filesystem",
        1 => "Directory",
        2 => "File",
        3 => "Process",
        5 => "System",
        6 => "Fifo",
        7 => "Program",
        8 => "Network",
        _ => "Remote Host",
    }
}

/// Position of the type in a summary.
pub(crate) fn type_rank(kind: &Kind) -> u8 {
    match type_code(kind) {
        5 => 0,
        3 => 1,
        2 => 2,
        6 => 3,
        1 => 4,
        0 => 5,
        8 => 7,
        7 => 8,
        _ => 6,
    }
}

/// Whether a class is part of the status: those of the supervisor itself and of finished actions are not.
fn counts(class: Class) -> bool {
    !matches!(class, Class::Instance | Class::Action)
}

pub(crate) fn status_bits(view: &ServiceView) -> u32 {
    view.failing.iter().filter(|class| counts(**class)).fold(0, |bits, class| bits | class.bit())
}

/// The classes in which something changed, since watching began: Monit takes such a bit back only when something of that
/// class fails.
pub(crate) fn hint_bits(view: &ServiceView) -> u32 {
    let bits = |rules: &dyn Fn(&RuleView) -> bool| {
        let those = view.rules.iter().filter(|rule| rules(rule) && counts(rule.class));
        those.fold(0, |bits, rule| bits | rule.class.bit())
    };
    bits(&|rule| rule.changed) & !bits(&|rule| rule.failed && !rule.changed)
}

/// What a class that fails is called.
fn title(view: &ServiceView, class: Class) -> &'static str {
    match hint_bits(view) & class.bit() {
        // Of a link that is not to be there, being up is the failure.
        0 if class == Class::Link && standing::wants_no_link(view) => class.succeeded(),
        0 => class.failed(),
        _ => class.changed(),
    }
}

pub(crate) fn monitor(view: &ServiceView) -> u8 {
    let waiting = if view.waiting { 4 } else { 0 };
    match view.watching {
        Watching::No => 0,
        Watching::Yes => 1 + waiting,
        Watching::Initializing => 2 + waiting,
    }
}

/// Whether what was measured is shown.
pub(crate) fn shows_data(view: &ServiceView) -> bool {
    let hidden = Class::NonExist.bit() | Class::Data.bit();
    view.watching == Watching::Yes && status_bits(view) & hidden == 0
}

/// Whether a rule has ended the watching, and that is to be said.
pub(crate) fn given_up(view: &ServiceView, about: &About) -> bool {
    !about.as_monit && view.watching == Watching::No && view.gave_up.is_some()
}

/// The words for how it stands, each with its tone; joined by ` | `.
pub(crate) fn status_words(view: &ServiceView, about: &About) -> Vec<(Tone, &'static str)> {
    match view.watching {
        Watching::No if given_up(view, about) => vec![(Tone::Bad, "Given up")],
        Watching::No => vec![(Tone::Careful, "Not monitored")],
        Watching::Initializing if view.waiting => vec![(Tone::Waiting, "Waiting")],
        Watching::Initializing => vec![(Tone::New, "Initializing")],
        Watching::Yes => {
            // In the order that Monit lists them in, whatever the view's.
            let fails = |class: &Class| counts(*class) && view.failing.contains(class);
            let words: Vec<_> =
                Class::ALL.into_iter().filter(fails).map(|class| (Tone::Bad, title(view, class))).collect();
            if words.is_empty() { vec![(Tone::Good, "OK")] } else { words }
        }
    }
}

/// The whole status in one tone: words, and what is pending.
pub(crate) fn state(view: &ServiceView, about: &About) -> (Tone, String) {
    let words = status_words(view, about);
    let tone = words.first().map_or(Tone::Good, |(tone, _)| *tone);
    let text = words.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(" | ");
    (tone, text + &pending_words(view))
}

pub(crate) fn monitoring_words(view: &ServiceView) -> (Tone, &'static str) {
    match view.watching {
        Watching::No => (Tone::Careful, "Not monitored"),
        _ if view.waiting => (Tone::Waiting, "Waiting"),
        Watching::Initializing => (Tone::New, "Initializing"),
        Watching::Yes => (Tone::Plain, "Monitored"),
    }
}

/// What is pending: from the moment it is accepted until it has been done.
fn pending(view: &ServiceView) -> Option<&Doing> {
    view.pending.as_ref().or(view.doing.as_ref())
}

pub(crate) fn pending_words(view: &ServiceView) -> String {
    match pending(view).map(|doing| (code(doing), doing.word())) {
        Some((1.., word)) => format!(" - {word} pending"),
        _ => String::new(),
    }
}

pub(crate) fn pending_code(view: &ServiceView) -> u8 {
    pending(view).map_or(0, code)
}

/// What Monit does not show as pending (programs, alerts) is 0.
fn code(doing: &Doing) -> u8 {
    match doing {
        Doing::Restart => 2,
        Doing::Stop => 3,
        Doing::Unmonitor => 5,
        Doing::Start => 6,
        Doing::Monitor => 7,
        _ => 0,
    }
}

pub(crate) fn mode(mode: Mode) -> (u8, &'static str) {
    match mode {
        Mode::Active => (0, "active"),
        Mode::Passive => (1, "passive"),
    }
}

pub(crate) fn on_reboot(on_reboot: OnReboot) -> (u8, &'static str) {
    match on_reboot {
        OnReboot::Start => (0, "start"),
        OnReboot::NoStart => (1, "nostart"),
        OnReboot::LastState => (2, "laststate"),
    }
}
