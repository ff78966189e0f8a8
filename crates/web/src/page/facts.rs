//! What a service is: as it was configured, without its secrets.

use std::borrow::Cow;

use hinoban_supervisor::{Found, Kind, Link, Mode, OnReboot, ServiceView, Status, Turns};

use super::{Clock, kind, units};

/// A label and what stands beside it.
pub(super) type Fact<'a> = (&'static str, Cow<'a, str>);

pub(super) fn facts<'a>(status: &'a Status, clock: Clock<'a>, view: &'a ServiceView) -> Vec<Fact<'a>> {
    let mut facts: Vec<Fact<'a>> = vec![("Kind", kind(&view.kind).into())];
    let path = |path: &'a std::path::Path| path.to_string_lossy();
    match &view.kind {
        Kind::Process { found: Found::Pidfile(of) } => facts.push(("Pidfile", path(of))),
        Kind::Process { found: Found::Matching(pattern) } => facts.push(("Matching", pattern.text().into())),
        // Its arguments may hold secrets.
        Kind::Program { program, .. } => {
            facts.extend(program.words.first().map(|path| ("Program", path.into())));
        }
        Kind::Network { link: Link::Interface(name) } => facts.push(("Interface", name.into())),
        Kind::Network { link: Link::Address(address) } => facts.push(("Address", address.to_string().into())),
        Kind::File { path: of }
        | Kind::Directory { path: of }
        | Kind::Fifo { path: of }
        | Kind::Filesystem { path: of, .. } => facts.push(("Path", path(of))),
        Kind::Host { address } => facts.push(("Address", address.into())),
        _ => (),
    }
    if !view.groups.is_empty() {
        facts.push(("Groups", view.groups.join(", ").into()));
    }
    let mut every = String::new();
    // Nothing that is written to a text fails.
    let _ = units::seconds(&mut every, view.every.as_secs_f64());
    let every = match &view.turns {
        _ if view.every.is_zero() => "once only".to_owned(),
        Turns::Each => every,
        Turns::Nth(n) => format!("{n} cycles of {every}"),
        Turns::At(cron) => {
            format!("{cron} (minute, hour, day, month, day of the week), in cycles of {every}")
        }
        Turns::Except(cron) => {
            format!("{every}, but not at {cron} (minute, hour, day, month, day of the week)")
        }
    };
    facts.push(("Looked at every", every.into()));
    let when = |stamp| clock.at(stamp);
    let last = view.looked_at.map(when);
    facts.push(("Last look", last.map_or("none yet".into(), |w| format!("{w}, {} ago", w.ago()).into())));
    if view.waiting {
        facts.push(("Waiting", "the last cycle was not its turn".into()));
    }
    facts.extend(view.next_look.map(|stamp| ("Next look", when(stamp).to_string().into())));
    let mode = match view.mode {
        Mode::Active => "active: rules repair it",
        Mode::Passive => "passive: rules only tell",
    };
    facts.push(("Mode", mode.into()));
    let boot = match view.on_reboot {
        OnReboot::Start => "watched",
        OnReboot::NoStart => "not watched",
        OnReboot::LastState => "as before",
    };
    facts.push(("After a boot", boot.into()));
    let programs = &view.programs;
    for (label, program) in [
        ("Start program", &programs.start),
        ("Stop program", &programs.stop),
        ("Restart program", &programs.restart),
    ] {
        facts.extend(program.as_deref().map(|path| (label, path.into())));
    }
    if let Some(action) = &view.last_action {
        let by = action.by.as_ref().map_or("a rule", |by| by);
        facts.push(("Last action", format!("{} at {}, for {by}", action.text, when(action.at)).into()));
    }
    if view.restarts > 0 {
        facts.push(("Restarted by rules", times(view.restarts).into()));
    }
    if let Some(patience) = &view.patience {
        let repairs = &patience.repairs;
        facts.extend(patience.next.map(|stamp| ("Next repair", when(stamp).to_string().into())));
        if repairs.in_row() > 0 {
            facts.push(("Repairs in a row", repairs.in_row().to_string().into()));
        }
        if repairs.tried > 0 {
            facts.push(("Repairs helped", format!("{} of {} times", repairs.helped, repairs.tried).into()));
        }
    }
    if let Some(ending) = &view.ending {
        facts.push(("Last ending", ending.to_string().into()));
        facts.push(("Ending known from", ending.known_from().into()));
    }
    facts.extend(status.limits_of(&view.name).iter().map(|what| ("Not visible here", what.into())));
    facts
}

fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}
