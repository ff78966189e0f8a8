//! The pages that people see: an overview, and one for each service. They need no script.

mod facts;
mod overview;
mod rules;
mod seen;
mod service;
mod units;

use std::borrow::Cow;

use hinoban_event::Doing;
use hinoban_supervisor::{Kind, ServiceView, Status};

pub(crate) use overview::overview;
pub(crate) use service::service;
pub(crate) use units::Rfc3339;
use units::{Clock, Span, When};
pub(crate) use units::{date, seconds};

use crate::monit::About;
use crate::{assets, form};

/// Text between tags, as HTML shows it. Not for attributes: quotes stay, for `monit` as a command line prints the text
/// of an error page as it stands there.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            _ => out.push(c),
        }
    }
    out
}

/// What every page has around its content.
struct Frame<'a> {
    style: &'static str,
    icon: &'static str,
    banner: &'a str,
    uptime: Span,
    now: When<'a>,
    /// Seconds after which the page is loaded again; `None`: it stays.
    refresh: Option<u32>,
}

impl<'a> Frame<'a> {
    fn new(status: &Status, about: &'a About, clock: Clock<'a>, refresh: Option<u32>) -> Self {
        Self {
            style: &assets::STYLE.path,
            icon: &assets::ICON.path,
            banner: &about.banner,
            uptime: Span(status.now.since(status.since)),
            now: clock.now(),
            refresh,
        }
    }
}

/// The address of a service's page.
pub(crate) fn link(view: &ServiceView) -> String {
    link_to(&view.name)
}

/// Where the page of the service of this name is.
fn link_to(name: &str) -> String {
    let mut link = String::with_capacity(1 + name.len());
    link.push('/');
    form::encode_into(&mut link, name, "");
    link
}

/// What a service is, in a word or two.
fn kind(kind: &Kind) -> &str {
    match kind {
        Kind::Process { .. } => "Process",
        Kind::File { .. } => "File",
        Kind::Directory { .. } => "Directory",
        Kind::Fifo { .. } => "Named pipe",
        Kind::Program { .. } => "Program",
        Kind::Network { .. } => "Network",
        Kind::Filesystem { .. } => "File system",
        Kind::Host { .. } => "Host",
        Kind::System => "This machine",
        Kind::Custom { probe, .. } => probe,
        _ => "Service",
    }
}

/// What is done, with a capital, as people say it.
fn doing(doing: &Doing) -> Cow<'_, str> {
    match doing {
        Doing::Start => "Start".into(),
        Doing::Stop => "Stop".into(),
        Doing::Restart => "Restart".into(),
        Doing::Exec => "Program".into(),
        Doing::Monitor => "Monitoring".into(),
        Doing::Unmonitor => "End of monitoring".into(),
        other => other.word().into(),
    }
}
