//! The overview: what is wrong now, then everything.

use std::borrow::Cow;

use askama::Template;
use hinoban_supervisor::{ServiceView, Status};

use super::{Clock, Frame, When, doing, kind, link, seen};
use crate::monit::About;
use crate::standing::{self, State};

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    frame: Frame<'a>,
    title: Cow<'a, str>,
    host: &'a str,
    total: usize,
    unknown: usize,
    counts: Vec<Count>,
    wrong: Vec<Wrong<'a>>,
    rows: Vec<Row<'a>>,
}

/// How many services stand so.
struct Count {
    state: State,
    number: usize,
}

/// Something that is wrong.
struct Wrong<'a> {
    name: &'a str,
    link: String,
    state: State,
    doing: Option<Cow<'a, str>>,
    whys: Vec<Why<'a>>,
}

/// Why it is not well.
pub(super) struct Why<'a> {
    pub(super) text: &'a str,
    pub(super) since: Option<When<'a>>,
}

/// One service of all.
struct Row<'a> {
    name: &'a str,
    link: String,
    kind: &'a str,
    groups: &'a [String],
    state: State,
    doing: Option<Cow<'a, str>>,
    seen: Cow<'a, str>,
    since: Option<When<'a>>,
}

/// All services. `refresh`: after how many seconds the page is loaded again.
pub(crate) fn overview(status: &Status, about: &About, refresh: Option<u32>) -> String {
    let clock = Clock::new(status.now, &about.zone);
    let states: Vec<State> = status.services.iter().map(State::of).collect();
    let number = |state| states.iter().filter(|s| **s == state).count();
    let counts = State::ALL.map(|state| Count { state, number: number(state) });
    let mut wrong = Vec::new();
    for state in State::ALL.into_iter().filter(|state| state.is_wrong()) {
        let of = status.services.iter().zip(&states).filter(|(_, s)| **s == state);
        wrong.extend(of.map(|(view, _)| fault(clock, view, state)));
    }
    let rows = status.services.iter().zip(&states).map(|(view, state)| row(clock, view, *state));
    let page = Overview {
        frame: Frame::new(status, about, clock, refresh),
        title: match wrong.len() {
            0 => Cow::Borrowed(&*status.host),
            // A tab shows how it stands while another one is read.
            n => format!("({n}) {}", status.host).into(),
        },
        host: &status.host,
        total: states.len(),
        unknown: number(State::Unknown),
        counts: counts.into_iter().filter(|count| count.number > 0).collect(),
        wrong,
        rows: rows.collect(),
    };
    let mut out = String::with_capacity(4096 + 640 * page.total);
    // Nothing that is written to a text fails.
    let _ = page.render_into(&mut out);
    out
}

fn fault<'a>(clock: Clock<'a>, view: &'a ServiceView, state: State) -> Wrong<'a> {
    Wrong {
        name: &view.name,
        link: link(view),
        state,
        doing: standing::under_way(view).map(doing),
        whys: whys(clock, view),
    }
}

/// Why a service is not well, each with its time.
pub(super) fn whys<'a>(clock: Clock<'a>, view: &'a ServiceView) -> Vec<Why<'a>> {
    let whys = standing::whys(view).into_iter();
    whys.map(|why| Why { text: why.text, since: why.since.map(|stamp| clock.at(stamp)) }).collect()
}

fn row<'a>(clock: Clock<'a>, view: &'a ServiceView, state: State) -> Row<'a> {
    // Why it is not well stands above; here, what there is to see all the same.
    let seen = match state {
        State::NotMonitored | State::GivenUp => "".into(),
        _ => Cow::Owned(seen::line(view, clock.zone)),
    };
    let seen = match standing::whys(view).first() {
        Some(why) if seen.is_empty() => why.text.into(),
        _ => seen,
    };
    let since = standing::since(view, state);
    Row {
        name: &view.name,
        link: link(view),
        kind: kind(&view.kind),
        groups: &view.groups,
        state,
        doing: standing::under_way(view).map(doing),
        seen,
        since: since.map(|stamp| clock.at(stamp)),
    }
}
