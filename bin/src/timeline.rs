//! What a rehearsal came to, as a table of times, and a summary.

use std::collections::BTreeMap;
use std::time::Duration;

use hinoban::config::Config;
use hinoban::event::{Because, Class, Doing, Event, Fact};
use hinoban::incident::Incidents;
use hinoban::scheduler::Act;
use hinoban::scheduler::sim::{Left, Mishap, Rehearsed};

use crate::fold::{Line, Row, folded};

/// One thing that fails.
#[derive(Debug)]
pub(crate) struct Subject {
    /// The service's name.
    pub(crate) service: String,
    /// How.
    pub(crate) mishap: Mishap,
    /// The same in words.
    pub(crate) words: String,
}

/// A rehearsal, to be shown.
pub(crate) struct Timeline<'a> {
    pub(crate) config: &'a Config,
    pub(crate) subjects: &'a [Subject],
    pub(crate) lasts: Duration,
    pub(crate) rehearsed: &'a Rehearsed,
}

/// What was counted.
#[derive(Debug, Default)]
struct Tally {
    started: u32,
    in_vain: u32,
    mails: BTreeMap<String, u32>,
    gave_up: Option<Duration>,
    unwatched: Option<Duration>,
    /// Failures that go on: when each began, and whether it is down.
    failing: BTreeMap<(usize, bool), Duration>,
    down: Duration,
    bad: Duration,
}

impl Timeline<'_> {
    /// All of it, for a terminal. `incidents` says who is told of what.
    pub(crate) fn text(&self, incidents: &mut Incidents) -> String {
        let (rows, tallies) = self.rows(incidents);
        let mut out = self.head();
        let width = rows.iter().map(|row| row.service.chars().count()).max().unwrap_or_default();
        let mut last = None;
        for line in folded(&rows) {
            match line {
                Line::Row(row) => {
                    let at = offset(row.at);
                    let shown = if last == Some(at.clone()) { String::new() } else { at.clone() };
                    out += &format!("{shown:>12}  {:width$}  {:<8}  {}\n", row.service, row.sort, row.text);
                    last = Some(at);
                }
                Line::Again { times, every, until } => {
                    let every = match every {
                        (least, most) if most.saturating_sub(least) <= least / 20 => span(least),
                        (least, most) => format!("{} to {}", span(least), span(most)),
                    };
                    out += &format!(
                        "{:>12}  … the same {times} more times, every {every}, until {}\n",
                        "",
                        offset(until)
                    );
                    last = None;
                }
            }
        }
        if rows.is_empty() {
            out += "        Nothing happens: no rule fails by that.\n";
        }
        out + "\n" + &self.summary(&tallies)
    }

    fn head(&self) -> String {
        let mut out = String::from(
            "A rehearsal: nothing is executed, and nobody is told. All is well; then, at 0 s:\n",
        );
        for subject in self.subjects {
            let back = match (&subject.mishap, self.back(&subject.service)) {
                (Mishap::Gone, false) => "from then on it would help",
                (Mishap::Gone, true) => "then it is back",
                (Mishap::Silent, _) => "then it answers",
                (Mishap::Reads { .. }, _) => "then it is as it should be",
            };
            out += &format!("  {}, for {}; {back}.\n", subject.words, span(self.lasts));
        }
        out + "\n"
    }

    /// Whether a service is back without anybody's doing.
    fn back(&self, name: &str) -> bool {
        use hinoban::config::Kind;
        let service = self.config.services.iter().find(|service| service.name == name);
        service.is_some_and(|s| {
            matches!(
                s.kind,
                Kind::File { .. }
                    | Kind::Directory { .. }
                    | Kind::Fifo { .. }
                    | Kind::Filesystem { .. }
                    | Kind::Host { .. }
            )
        })
    }

    /// What happened, in order, and what of it is counted, by service.
    fn rows(&self, incidents: &mut Incidents) -> (Vec<Row>, BTreeMap<String, Tally>) {
        let (mut rows, mut tallies) = (Vec::new(), BTreeMap::<String, Tally>::new());
        // Registered actions are no command of anybody: nothing tells that they begin.
        let mut quiet =
            self.rehearsed.deeds.iter().filter(|(_, deed)| matches!(deed.act, Act::Custom(_) | Act::Kill(_)));
        let mut next = quiet.next();
        for event in &self.rehearsed.events {
            let at = event.at.since(self.rehearsed.begun);
            while let Some((when, deed)) = next.filter(|(when, _)| *when <= at) {
                let text = match &deed.act {
                    Act::Kill(identity) => format!("SIGKILL to {identity}"),
                    _ => deed.errand(self.config).unwrap_or_default(),
                };
                rows.push(Row { at: *when, service: deed.service.clone(), sort: "does", text });
                next = quiet.next();
            }
            let tally = tallies.entry(event.service.to_string()).or_default();
            count(tally, event, at);
            if let Some((sort, text)) = told(event) {
                rows.push(Row { at, service: event.service.to_string(), sort, text: one_line(&text) });
            }
            for delivery in incidents.handle(event) {
                for to in &delivery.to {
                    *tally.mails.entry(to.clone()).or_default() += 1;
                }
                let text = format!("{}: {}", delivery.to.join(", "), delivery.subject);
                rows.push(Row { at, service: event.service.to_string(), sort: "tells", text });
            }
        }
        let end = self.rehearsed.took;
        for tally in tallies.values_mut() {
            for ((_, down), since) in std::mem::take(&mut tally.failing) {
                tally.lasted(down, end.saturating_sub(since));
            }
        }
        (rows, tallies)
    }

    fn summary(&self, tallies: &BTreeMap<String, Tally>) -> String {
        let mut out = String::new();
        out += &match (self.rehearsed.well, self.rehearsed.left.is_empty()) {
            (Some(at), _) => format!("All is well again after {}.\n", span(at)),
            (None, _) => format!("After {} not all is well:\n", span(self.rehearsed.took)),
        };
        for (service, left) in &self.rehearsed.left {
            let how = match left {
                Left::Unwatched => "is not watched any more",
                Left::Failing => "fails",
                Left::UnderWay => "is being started or stopped",
            };
            out += &format!("  {service} {how}.\n");
        }
        for (service, tally) in tallies {
            let mut parts = Vec::new();
            if tally.started > 0 {
                let vain = match tally.in_vain {
                    0 => String::new(),
                    n if n == tally.started => ", in vain".to_owned(),
                    n => format!(", {n} of them in vain"),
                };
                parts.push(format!("started or restarted {}{vain}", times(tally.started)));
            }
            if !tally.down.is_zero() {
                parts.push(format!("down for {}", span(tally.down)));
            }
            if !tally.bad.is_zero() {
                parts.push(format!("failing for {}", span(tally.bad)));
            }
            parts.extend(tally.gave_up.map(|at| format!("given up at {}", offset(at))));
            parts.extend(tally.unwatched.map(|at| format!("watched no more from {} on", offset(at))));
            if !parts.is_empty() {
                out += &format!("  {service}: {}.\n", parts.join("; "));
            }
        }
        let mut mails: BTreeMap<&str, u32> = BTreeMap::new();
        for (to, n) in tallies.values().flat_map(|tally| &tally.mails) {
            *mails.entry(to).or_default() += n;
        }
        let mails: Vec<String> = mails
            .into_iter()
            .map(|(to, n)| format!("{n} message{} to {to}", if n == 1 { "" } else { "s" }))
            .collect();
        out += &match mails.is_empty() {
            false => format!("  {}.\n", mails.join("; ")),
            true if self.config.alerts.is_empty()
                && self.config.services.iter().all(|s| s.alerts.is_empty()) =>
            {
                "  Nobody is told: the configuration names no address for messages.\n".to_owned()
            }
            true => "  Nobody is told.\n".to_owned(),
        };
        if !mails.is_empty() && self.config.mail.servers.is_empty() {
            out += "  None of them would leave: the configuration names no mail server.\n";
        }
        out
    }
}

impl Tally {
    fn lasted(&mut self, down: bool, time: Duration) {
        let longest = if down { &mut self.down } else { &mut self.bad };
        *longest = time.max(*longest);
    }
}

fn count(tally: &mut Tally, event: &Event, at: Duration) {
    let is_down = |class: Class| matches!(class, Class::NonExist | Class::Invalid);
    match &event.fact {
        Fact::Failed(failure) => {
            tally.failing.entry((failure.rule, is_down(failure.class))).or_insert(at);
        }
        Fact::Recovered(recovery) => {
            let down = is_down(recovery.class);
            if let Some(since) = tally.failing.remove(&(recovery.rule, down)) {
                tally.lasted(down, at.saturating_sub(since));
            }
        }
        Fact::Began { doing: Doing::Start | Doing::Restart, .. } => tally.started += 1,
        Fact::Ended { doing: Doing::Start | Doing::Restart, ok: false, .. } => tally.in_vain += 1,
        Fact::GaveUp { .. } => {
            tally.gave_up.get_or_insert(at);
        }
        Fact::Monitoring { on: false } => {
            tally.unwatched.get_or_insert(at);
            tally.failing.retain(|(_, down), _| *down);
        }
        Fact::Monitoring { on: true } => tally.unwatched = None,
        _ => {}
    }
}

/// A word for what sort of thing happened, and what it was; `None`: it is no news.
fn told(event: &Event) -> Option<(&'static str, String)> {
    let said = event.description();
    Some(match &event.fact {
        // What is seen again is told when something follows from it.
        Fact::Failed(failure) if failure.times > 1 => return None,
        Fact::Failed(failure) => {
            let then = match failure.then {
                Doing::Alert | Doing::Nothing => String::new(),
                ref doing if failure.able => format!(" → {}", doing.word()),
                ref doing => format!(" → {}, but there is no program for it", doing.word()),
            };
            ("fails", format!("{said}{then}"))
        }
        Fact::Doubted(_) => ("doubts", format!("{said} (not often enough yet)")),
        Fact::Recovered(_) => ("well", said),
        Fact::Began { .. } => ("does", said),
        Fact::Ended { ok: true, doing, because, report } => {
            let with = match because {
                Because::Dependency { service, .. } => format!(", with {service}"),
                _ => String::new(),
            };
            ("done", format!("{} after {}{with}", doing.word(), span(report.took)))
        }
        Fact::Ended { ok: false, .. } => ("failed", said.trim_end_matches(" -- no output").to_owned()),
        Fact::Monitoring { on: false } => ("ends", "it is watched no more".to_owned()),
        Fact::Monitoring { on: true } => ("begins", "it is watched".to_owned()),
        Fact::Held { .. } => ("waits", said),
        Fact::GaveUp { text, times: 0 | 1, .. } => ("gives up", text.clone()),
        Fact::GaveUp { text, .. } => ("reminds", text.clone()),
        Fact::EndingLearned(_) => return None,
        _ => ("notes", said),
    })
}

fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Time since the failure: milliseconds within the first seconds, then as people say it.
fn offset(time: Duration) -> String {
    match time {
        _ if time < Duration::from_secs(10) => format!("{}.{:03} s", time.as_secs(), time.subsec_millis()),
        _ if time < Duration::from_secs(60) => format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100),
        _ => span(time),
    }
}

/// A time in at most two units, cut off.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let two = |many: u64, unit: &str, few: u64, smaller: &str| match few {
        0 => format!("{many} {unit}"),
        few => format!("{many} {unit} {few} {smaller}"),
    };
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
    }
}

fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}
