//! The same for programs: JSON, version 1. Names of members stay; members may be added.

mod history;
mod host;
mod incidents;
mod model;
mod rule;

use axum::body::Body;
use axum::http::{Response, header};
use axum::response::IntoResponse;
use hinoban_supervisor::{Explanation, Status, Vitals};
use serde::Serialize;

pub(crate) use history::{HISTORY, Wanted, kept, over_time};
pub(crate) use incidents::{incident, incidents};

use crate::monit::About;
use crate::reply::Refusal;

/// Where all of it lies.
pub(crate) const ROOT: &str = "/api/";
/// One service; a name may hold slashes.
pub(crate) const SERVICE: &str = "/api/v1/services/{*name}";
/// What there may be one day.
pub(crate) const REST: &str = "/api/{*rest}";

/// Everything that is known.
pub(crate) fn services(status: &Status, about: &About) -> Response<Body> {
    json(&model::Everything::of(status, about))
}

/// How the supervisor itself is.
pub(crate) fn host(vitals: &Vitals, about: &About) -> Response<Body> {
    json(&host::Host::of(vitals, about))
}

/// One service, by its name; upper and lower case are the same.
///
/// # Errors
/// If there is none.
pub(crate) fn service(status: &Status, name: &str) -> Result<Response<Body>, Refusal> {
    let name = name.to_lowercase();
    let view = status.services.iter().find(|view| view.name.to_lowercase() == name);
    view.map(|view| json(&model::Service::of(status, view))).ok_or_else(|| Refusal::nothing_called(&name))
}

/// What follows the path of a service for its explanation.
pub(crate) const EXPLAIN: &str = "/explain";

/// A service in words, as data.
pub(crate) fn explanation(explanation: &Explanation) -> Response<Body> {
    #[derive(Serialize)]
    struct Explained<'a> {
        service: &'a str,
        paragraphs: Vec<Paragraph<'a>>,
    }
    #[derive(Serialize)]
    struct Paragraph<'a> {
        about: hinoban_supervisor::About,
        heading: &'a str,
        sentences: &'a [String],
    }
    let paragraphs = explanation.paragraphs.iter().map(|paragraph| Paragraph {
        about: paragraph.about,
        heading: paragraph.about.heading(),
        sentences: &paragraph.sentences,
    });
    json(&Explained { service: &explanation.service, paragraphs: paragraphs.collect() })
}

/// A refusal, as programs read it.
pub(crate) fn refusal(refusal: &Refusal) -> Vec<u8> {
    #[derive(Serialize)]
    struct Refused<'a> {
        error: Error<'a>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        status: u16,
        text: &'a str,
    }
    bytes(&Refused { error: Error { status: refusal.status.as_u16(), text: &refusal.why } })
}

fn json(value: &impl Serialize) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/json")], bytes(value)).into_response()
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(2048);
    // Texts, numbers and lists cannot fail to be written to memory.
    let _ = serde_json::to_writer(&mut out, value);
    out.push(b'\n');
    out
}
