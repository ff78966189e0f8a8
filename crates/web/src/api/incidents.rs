//! Incidents, as programs get them.

use axum::body::Body;
use axum::http::Response;
use hinoban_supervisor::{Incident, Unkept};
use serde::Serialize;

use super::model::{At, Ended};

#[derive(Serialize)]
struct Listed<'a> {
    id: u64,
    service: &'a str,
    /// Filter word of what failed first.
    class: &'static str,
    text: &'a str,
    opened: At,
    /// Null: it goes on.
    closed: Option<At>,
    /// `recovered`, `unwatched`, `removed`, `changed`; null: it goes on, or nobody knows.
    closed_by: Option<&'static str>,
    /// How its process ended, where one did.
    cause: Option<Ended<'a>>,
    /// The service that it depends on and that failed already.
    attributed_to: Option<&'a str>,
    /// Services that depend on it, and that nobody hears of on their own.
    dependants: &'a [std::sync::Arc<str>],
    /// Steps that are kept, and steps that are not.
    steps: usize,
    left_out: u32,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    listed: Listed<'a>,
    /// In order. The steps left out are missing after the first `left_out_after`.
    timeline: Vec<Line<'a>>,
    left_out_after: usize,
}

#[derive(Serialize)]
struct Line<'a> {
    at: At,
    /// `seen`, `decided`, `done`, `outcome`.
    kind: &'static str,
    text: &'a str,
}

/// A list of them.
pub(crate) fn incidents(incidents: &[Incident], unkept: Option<&Unkept>) -> Response<Body> {
    #[derive(Serialize)]
    struct List<'a> {
        incidents: Vec<Listed<'a>>,
        /// Null: the history can be written.
        unkept: Option<Refuses<'a>>,
    }
    #[derive(Serialize)]
    struct Refuses<'a> {
        since: At,
        why: &'a str,
    }
    let unkept = unkept.map(|unkept| Refuses { since: At(unkept.since), why: &unkept.why });
    super::json(&List { incidents: incidents.iter().map(Listed::of).collect(), unkept })
}

/// One of them, with its timeline.
pub(crate) fn incident(incident: &Incident) -> Response<Body> {
    let timeline = incident
        .steps()
        .map(|step| Line { at: At(step.at), kind: step.kind.word(), text: &step.text })
        .collect();
    super::json(&Whole { listed: Listed::of(incident), timeline, left_out_after: incident.first.len() })
}

impl<'a> Listed<'a> {
    fn of(incident: &'a Incident) -> Self {
        Self {
            id: incident.id,
            service: &incident.service,
            class: incident.class.filter(),
            text: &incident.text,
            opened: At(incident.opened),
            closed: incident.closed.map(At),
            closed_by: incident.over.map(|over| over.word()),
            cause: incident.cause.as_ref().map(Ended::of),
            attributed_to: incident.attributed.as_deref(),
            dependants: &incident.dependants,
            steps: incident.steps().count(),
            left_out: incident.left_out,
        }
    }
}
