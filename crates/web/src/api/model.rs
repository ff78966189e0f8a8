//! What programs get. Times are RFC 3339 in UTC, durations seconds; what is not known is null, never left out.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use hinoban_event::{Class, Doing};
use hinoban_reading::{
    Ending, How, Killer, Observation, OutOfMemory, Reached, Reading, ReasonKind, Stamp, Standing, Unit, Value,
};
use hinoban_supervisor::{
    Found, GivenUp, Kind, LastAction, Link, Mode, OnReboot, PatienceView, Programs, ServiceView, Status,
    TestView, Turns, Watching,
};
use serde::{Serialize, Serializer};

use super::rule::Ruled;
use crate::monit::About;
use crate::page::Rfc3339;
use crate::standing::{self, State};

/// Everything that is known, at one moment.
#[derive(Serialize)]
pub(super) struct Everything<'a> {
    /// Name of the host, as alerts call it.
    host: &'a str,
    /// Program and version.
    version: &'a str,
    /// 32 hexadecimal digits.
    id: &'a str,
    now: At,
    /// When this configuration was taken on.
    since: At,
    /// Time between looks; 0: each service is looked at once only.
    every_seconds: f64,
    counts: Counts,
    services: Vec<Service<'a>>,
}

/// How many services stand how.
#[derive(Serialize, Default)]
struct Counts {
    total: usize,
    up: usize,
    failing: usize,
    down: usize,
    not_seen: usize,
    unknown: usize,
    given_up: usize,
    not_monitored: usize,
}

/// One service.
#[derive(Serialize)]
pub(super) struct Service<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// What is looked at: a pidfile, a path, an address, the name of a registered kind.
    target: Option<Cow<'a, str>>,
    groups: &'a [String],
    /// What it depends on itself, and what depends on it itself.
    depends_on: &'a [Arc<str>],
    dependants: &'a [Arc<str>],
    /// What it waits for until it is looked at or started.
    waits_for: &'a [Arc<str>],
    mode: &'static str,
    on_reboot: &'static str,
    every_seconds: f64,
    /// It is looked at in each so many-th cycle only.
    every_cycles: Option<u32>,
    /// It is looked at when this pattern names the minute …
    at: Option<&'a str>,
    /// … or when this one does not.
    not_at: Option<&'a str>,
    /// Whether the last cycle was not its turn.
    waiting: bool,
    monitored: bool,
    /// Why a rule has ended the monitoring.
    gave_up: Option<&'a str>,
    state: State,
    /// The same, for people.
    state_text: &'static str,
    /// Since when it stands so.
    since: Option<At>,
    reason: Option<Reason<'a>>,
    /// Filter words of the classes that fail.
    failing: Vec<&'static str>,
    last_look: Option<At>,
    /// When it is looked at next, if nothing happens before.
    next_look: Option<At>,
    /// What has been asked for and is not done.
    pending: Option<&'a str>,
    /// What is being done.
    doing: Option<&'a str>,
    doing_since: Option<At>,
    last_action: Option<Acted<'a>>,
    process: Option<Process>,
    ending: Option<Ended<'a>>,
    readings: Vec<Measured<'a>>,
    tests: Vec<Tested<'a>>,
    rules: Vec<Ruled<'a>>,
    restarts: u32,
    /// What repairs by rules have come to; null: there has been none that patience holds for.
    repairs: Option<Repaired<'a>>,
    programs: &'a Programs,
    /// What cannot be seen here, and what would help.
    limits: &'a [String],
}

/// What repairs have come to.
#[derive(Serialize)]
struct Repaired<'a> {
    /// Without a stable run between them.
    in_row: u32,
    /// When the last one was begun.
    last: Option<At>,
    /// How often they helped, of so many times of which that is known.
    helped: u32,
    tried: u32,
    /// When the next one is made, if it is still needed then.
    next: Option<At>,
    /// Why the host does not bear it now.
    held: Option<&'a str>,
    gave_up: Option<GaveUp<'a>>,
}

/// Repairs were given up.
#[derive(Serialize)]
struct GaveUp<'a> {
    since: At,
    text: &'a str,
    /// How often people have been told.
    told: u32,
}

/// Why it is not well.
#[derive(Serialize)]
struct Reason<'a> {
    kind: Option<ReasonKind>,
    text: &'a str,
}

/// A process, told from others that had or will have its id.
#[derive(Serialize)]
struct Process {
    pid: u32,
    /// Field 22 of `/proc/PID/stat`.
    start_ticks: u64,
}

/// How a process ended.
#[derive(Serialize)]
pub(super) struct Ended<'a> {
    pid: u32,
    start_ticks: u64,
    how: &'static str,
    status: Option<u8>,
    signal: Option<u8>,
    core_dumped: Option<bool>,
    /// Who told, and how sure that is.
    source: &'static str,
    confidence: &'static str,
    /// Who killed it: `memory`, `other`, or nobody knows.
    killer: Option<&'static str>,
    out_of_memory: Option<Starved<'a>>,
    text: Shown<'a>,
}

/// That memory ran out.
#[derive(Serialize)]
struct Starved<'a> {
    /// What was used up: `group`, `host`, `nodes`, `unknown`.
    reached: &'static str,
    group: Option<&'a str>,
    limit_bytes: Option<u64>,
    used_bytes: Option<u64>,
    source: &'static str,
    confidence: &'static str,
}

/// A reading.
#[derive(Serialize)]
struct Measured<'a> {
    name: &'a str,
    unit: Unit,
    value: Option<&'a Value>,
}

/// A test.
#[derive(Serialize)]
struct Tested<'a> {
    /// Position of its rule among the rules.
    rule: usize,
    /// `up`, `down`, `absent`; null: no result yet, or it could not be looked at.
    standing: Option<&'static str>,
    reason: Option<Reason<'a>>,
    not_seen: Option<&'a str>,
    readings: Vec<Measured<'a>>,
}

/// Something that was done.
#[derive(Serialize)]
struct Acted<'a> {
    doing: &'a str,
    ok: bool,
    at: At,
    took_seconds: f64,
    /// Who asked for it; null: a rule.
    by: Option<&'a str>,
    text: &'a str,
}

impl<'a> Everything<'a> {
    pub(super) fn of(status: &'a Status, about: &'a About) -> Self {
        let mut counts = Counts { total: status.services.len(), ..Counts::default() };
        for view in &status.services {
            *match State::of(view) {
                State::Up => &mut counts.up,
                State::Failing => &mut counts.failing,
                State::Down => &mut counts.down,
                State::NotSeen => &mut counts.not_seen,
                State::Unknown => &mut counts.unknown,
                State::GivenUp => &mut counts.given_up,
                State::NotMonitored => &mut counts.not_monitored,
            } += 1;
        }
        Self {
            host: &status.host,
            version: &about.banner,
            id: &about.id,
            now: At(status.now),
            since: At(status.since),
            every_seconds: status.every.as_secs_f64(),
            counts,
            services: status.services.iter().map(|view| Service::of(status, view)).collect(),
        }
    }
}

impl<'a> Service<'a> {
    pub(super) fn of(status: &'a Status, view: &'a ServiceView) -> Self {
        let state = State::of(view);
        let (kind, target) = kind(&view.kind);
        let counts = |class: &&Class| !matches!(class, Class::Action | Class::Instance);
        Self {
            name: &view.name,
            kind,
            target,
            groups: &view.groups,
            depends_on: &view.depends_on,
            dependants: &view.dependants,
            waits_for: &view.waits_for,
            mode: match view.mode {
                Mode::Active => "active",
                Mode::Passive => "passive",
            },
            on_reboot: match view.on_reboot {
                OnReboot::Start => "start",
                OnReboot::NoStart => "no-start",
                OnReboot::LastState => "last-state",
            },
            every_seconds: view.every.as_secs_f64(),
            every_cycles: match view.turns {
                Turns::Nth(n) => Some(n),
                _ => None,
            },
            at: match &view.turns {
                Turns::At(cron) => Some(cron.text()),
                _ => None,
            },
            not_at: match &view.turns {
                Turns::Except(cron) => Some(cron.text()),
                _ => None,
            },
            waiting: view.waiting,
            monitored: view.watching != Watching::No,
            gave_up: view.gave_up.as_deref(),
            state,
            state_text: state.text(),
            since: standing::since(view, state).map(At),
            reason: standing::whys(view).first().map(|why| Reason { kind: why.kind, text: why.text }),
            failing: view.failing.iter().filter(counts).map(|class| class.filter()).collect(),
            last_look: view.looked_at.map(At),
            next_look: view.next_look.map(At),
            pending: view.pending.as_ref().map(Doing::word),
            doing: view.doing.as_ref().map(Doing::word),
            doing_since: view.doing_since.map(At),
            last_action: view.last_action.as_ref().map(Acted::of),
            process: view.identity.map(|i| Process { pid: i.pid, start_ticks: i.start }),
            ending: view.ending.as_ref().map(Ended::of),
            readings: view.observation.as_ref().map(readings).unwrap_or_default(),
            tests: view.tests.iter().map(Tested::of).collect(),
            rules: view.rules.iter().map(Ruled::of).collect(),
            restarts: view.restarts,
            repairs: view.patience.as_ref().map(Repaired::of),
            programs: &view.programs,
            limits: status.limits_of(&view.name),
        }
    }
}

fn kind(kind: &Kind) -> (&'static str, Option<Cow<'_, str>>) {
    let path = |path| Some(Path::to_string_lossy(path));
    match kind {
        Kind::Process { found: Found::Pidfile(of) } => ("process", path(of)),
        Kind::Process { found: Found::Matching(pattern) } => ("process", Some(pattern.text().into())),
        Kind::Directory { path: of } => ("directory", path(of)),
        Kind::Fifo { path: of } => ("fifo", path(of)),
        // Its arguments may hold secrets.
        Kind::Program { program, .. } => ("program", program.words.first().map(Into::into)),
        Kind::Network { link: Link::Interface(name) } => ("network", Some(name.into())),
        Kind::Network { link: Link::Address(address) } => ("network", Some(address.to_string().into())),
        Kind::File { path: of } => ("file", path(of)),
        Kind::Filesystem { path: of, .. } => ("filesystem", path(of)),
        Kind::Host { address } => ("host", Some(address.into())),
        Kind::System => ("system", None),
        Kind::Custom { probe, .. } => ("custom", Some(probe.into())),
        _ => ("other", None),
    }
}

fn readings(seen: &Observation) -> Vec<Measured<'_>> {
    seen.readings.iter().map(Measured::of).collect()
}

/// JSON has no word for what is no number.
pub(super) fn sayable(value: &Value) -> Option<&Value> {
    Some(value).filter(|v| v.as_f64().is_none_or(f64::is_finite))
}

impl<'a> Measured<'a> {
    fn of(reading: &'a Reading) -> Self {
        Self { name: &reading.name, unit: reading.unit, value: sayable(&reading.value) }
    }
}

impl<'a> Tested<'a> {
    fn of(test: &'a TestView) -> Self {
        let seen = test.observation.as_ref().filter(|_| test.not_seen.is_none());
        let reason = seen.and_then(|seen| seen.standing.reason());
        Self {
            rule: test.rule,
            standing: seen.map(|seen| match seen.standing {
                Standing::Up => "up",
                Standing::Down(_) => "down",
                Standing::Absent(_) => "absent",
            }),
            reason: reason.map(|reason| Reason { kind: Some(reason.kind), text: &reason.text }),
            not_seen: test.not_seen.as_deref(),
            readings: seen.map(readings).unwrap_or_default(),
        }
    }
}

impl<'a> Acted<'a> {
    fn of(action: &'a LastAction) -> Self {
        Self {
            doing: action.doing.word(),
            ok: action.ok,
            at: At(action.at),
            took_seconds: action.took.as_secs_f64(),
            by: action.by.as_deref(),
            text: &action.text,
        }
    }
}

impl<'a> Ended<'a> {
    pub(super) fn of(ending: &'a Ending) -> Self {
        let (how, status, signal, core_dumped) = match ending.how {
            How::Exited { status } => ("exited", Some(status), None, None),
            How::Signalled { signal, core } => ("signalled", None, Some(signal), Some(core)),
            _ => ("unknown", None, None, None),
        };
        let (pid, start_ticks) = (ending.identity.pid, ending.identity.start);
        let (killer, out_of_memory) = match ending.killer.as_deref() {
            Some(Killer::Memory(memory)) => (Some("memory"), Some(Starved::of(memory))),
            Some(_) => (Some("other"), None),
            None => (None, None),
        };
        let (source, confidence) = (ending.source.word(), ending.confidence.word());
        Self {
            pid,
            start_ticks,
            how,
            status,
            signal,
            core_dumped,
            source,
            confidence,
            killer,
            out_of_memory,
            text: Shown(ending),
        }
    }
}

impl<'a> Starved<'a> {
    fn of(memory: &'a OutOfMemory) -> Self {
        let (reached, group, limit_bytes) = match &memory.reached {
            Reached::Group { path, limit } => ("group", Some(path.as_str()), *limit),
            Reached::SomeGroup => ("group", None, None),
            Reached::Host => ("host", None, None),
            Reached::Nodes => ("nodes", None, None),
            _ => ("unknown", None, None),
        };
        let (source, confidence) = (memory.source.word(), memory.confidence.word());
        Self { reached, group, limit_bytes, used_bytes: memory.used, source, confidence }
    }
}

impl<'a> Repaired<'a> {
    fn of(view: &'a PatienceView) -> Self {
        let repairs = &view.repairs;
        let made = repairs.in_row() > 0 || repairs.tried > 0;
        let gave_up = |g: &'a GivenUp| GaveUp { since: At(g.since), text: &g.text, told: g.times };
        Self {
            in_row: repairs.in_row(),
            last: made.then_some(At(repairs.at)),
            helped: repairs.helped,
            tried: repairs.tried,
            next: view.next.map(At),
            held: view.held.as_deref(),
            gave_up: repairs.gave_up.as_deref().map(gave_up),
        }
    }
}

/// A point in time.
pub(super) struct At(pub(super) Stamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Rfc3339(self.0))
    }
}

/// An ending in words.
struct Shown<'a>(&'a Ending);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}
