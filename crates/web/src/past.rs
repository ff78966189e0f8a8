//! What was, in words: the list of incidents, and one of them, as the command line shows them.

use std::fmt::Write;

use hinoban_reading::Stamp;
use hinoban_supervisor::{Incident, Over, Unkept};
use jiff::tz::TimeZone;

use crate::page::{date, seconds};

/// Width of a name in a list; what is longer moves what follows.
const NAME: usize = 16;

/// A list of incidents, as a table.
pub(crate) fn list(incidents: &[Incident], now: Stamp, zone: &TimeZone) -> String {
    if incidents.is_empty() {
        return "Nothing has failed as far as is known.\n".to_owned();
    }
    // The number is wide after a history was damaged.
    let wide = incidents.iter().map(|incident| incident.id.to_string().len()).max().unwrap_or(0).max(6);
    let mut out =
        format!("{:>wide$}  {:<20}  {:<12}  {:<NAME$}  What failed\n", "ID", "Began", "Lasted", "Service");
    for incident in incidents {
        let began = when(incident.opened, zone);
        let service = plain(&incident.service);
        let text = summary(incident);
        // In its column there is room for the time alone.
        let (time, all) = (lasted(incident, now), ended(incident, now));
        let then =
            all.strip_prefix(&*time).filter(|rest| !rest.is_empty()).map(|rest| format!(" ({})", &rest[2..]));
        let _ = writeln!(
            out,
            "{:>wide$}  {began:<20}  {:<12}  {service:<NAME$}  {text}{}",
            incident.id,
            time,
            then.unwrap_or_default()
        );
    }
    out
}

/// That what fails may be missing, without a full stop.
pub(crate) fn unkept(unkept: &Unkept, zone: &TimeZone) -> String {
    format!(
        "The history cannot be written since {}: {}; what failed since may be missing",
        when(unkept.since, zone),
        plain(&unkept.why)
    )
}

/// One incident with its timeline.
pub(crate) fn one(incident: &Incident, now: Stamp, zone: &TimeZone) -> String {
    let mut out = format!("Incident {} of {}\n", incident.id, plain(&incident.service));
    let mut line = |label: &str, text: String| {
        let _ = writeln!(out, "  {label:<12}{}", plain(&text));
    };
    line("failed", incident.text.clone());
    line("began", when(incident.opened, zone));
    match incident.closed {
        Some(closed) => line("ended", format!("{}, after {}", when(closed, zone), ended(incident, now))),
        None => line("goes on", format!("since {}", span(incident.opened, now))),
    }
    if let Some(cause) = &incident.cause {
        line("cause", cause.to_string());
    }
    if let Some(other) = &incident.attributed {
        line("put down to", other.to_string());
    }
    if !incident.dependants.is_empty() {
        line("needed by", incident.dependants.join(", "));
    }
    out.push('\n');
    for (place, step) in incident.steps().enumerate() {
        if place == incident.first.len() && incident.left_out > 0 {
            let _ = writeln!(out, "  ({} more are not kept)", incident.left_out);
        }
        let after = format!("+{}", span(incident.opened, step.at));
        let (at, kind, text) = (when(step.at, zone), step.kind.word(), plain(&step.text));
        let _ = writeln!(out, "{at:<20}  {after:>12}  {kind:<8} {text}");
    }
    out
}

/// What failed, and how its process ended.
pub(crate) fn summary(incident: &Incident) -> String {
    let cause = incident.cause.as_ref().map(|cause| format!("; {cause}")).unwrap_or_default();
    plain(&format!("{}{cause}", incident.text))
}

/// How long it lasted, and how it ended where it did not end well: `9 s, then no longer watched`.
pub(crate) fn ended(incident: &Incident, now: Stamp) -> String {
    let lasted = lasted(incident, now);
    match incident.over {
        Some(Over::Unwatched) => format!("{lasted}, then no longer watched"),
        Some(Over::Removed) => format!("{lasted}, then no longer configured"),
        Some(Over::Changed) => format!("{lasted}, then its configuration changed"),
        _ => lasted,
    }
}

/// How long it lasted, or that it goes on.
pub(crate) fn lasted(incident: &Incident, now: Stamp) -> String {
    match incident.closed {
        Some(closed) => span(incident.opened, closed),
        None => format!("{}+", span(incident.opened, now)),
    }
}

fn span(from: Stamp, to: Stamp) -> String {
    let mut out = String::new();
    let _ = seconds(&mut out, to.since(from).as_secs_f64());
    out
}

fn when(stamp: Stamp, zone: &TimeZone) -> String {
    let mut out = String::new();
    let _ = date(&mut out, stamp, zone);
    out
}

/// Without what would move a terminal's cursor, on one line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
