//! What happened: facts in the past tense, serialisable.
//!
//! An [`Event`] is never a wish: commands are another type, and nothing that decides about services reads events.
//! They are read by whoever tells people (incidents, log, page) and by embedders.
#![forbid(unsafe_code)]

mod class;
mod wording;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hinoban_reading::{Ending, How, MetricName, ReasonKind, Stamp, Unit, Value};
use serde::{Deserialize, Serialize};

pub use class::Class;
pub use wording::Level;

/// One thing that happened, to one service, at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up within one life of the supervisor.
    pub id: u64,
    /// When, on the wall clock.
    pub at: Stamp,
    /// Name of the service it happened to; for events of the supervisor itself, the name of the system service.
    pub service: Arc<str>,
    /// What happened.
    pub fact: Fact,
}

/// The kinds of happening.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fact {
    /// The supervisor began to watch.
    Started {
        /// Program and version, such as `Hinoban 0.1.0`.
        who: String,
    },
    /// The supervisor took over a changed configuration.
    Reloaded {
        /// Names of services that are new.
        added: Vec<String>,
        /// Names of services that are gone.
        removed: Vec<String>,
        /// Names of services whose configuration changed.
        changed: Vec<String>,
    },
    /// The supervisor ended in order. What it watches goes on.
    Stopped {
        /// Program and version.
        who: String,
        /// What it leaves half done, such as a service stopped for a restart: a sentence each, without a full stop.
        #[serde(default)]
        left: Vec<String>,
    },
    /// A rule failed: at first, and again at each further look that fails while it stands.
    Failed(Failure),
    /// A rule saw a failure, but not yet often enough to fail.
    Doubted(Failure),
    /// A rule that had failed holds again.
    Recovered(Recovery),
    /// It was not possible to look.
    NotSeen {
        /// Why not, and what would help.
        why: String,
    },
    /// Looking is possible again.
    Seen,
    /// How a process had ended became known after its death was told.
    EndingLearned(Ending),
    /// An action began.
    Began {
        /// Which.
        doing: Doing,
        /// The command line, where it is a command.
        command: Option<String>,
        /// Why.
        because: Because,
    },
    /// An action ended.
    Ended {
        /// Which.
        doing: Doing,
        /// Why it had been begun.
        because: Because,
        /// Whether it reached its aim: for a start, that the process exists.
        ok: bool,
        /// What came of its command, as far as there was one.
        report: Report,
    },
    /// Somebody asked for something.
    Commanded {
        /// What for.
        doing: Doing,
        /// Who, or from where.
        by: String,
    },
    /// Watching of a service was switched on or off.
    Monitoring {
        /// On or off.
        on: bool,
    },
    /// A repair that a rule asks for is put off: too many fail together, or the host itself is short of something. Told
    /// once for as long as that lasts.
    Held {
        /// What would be done.
        doing: Doing,
        /// Why not now, and what ends the waiting.
        why: String,
    },
    /// Repairs did not help, and no more are made until the service is well again. It is looked at all the same. Told
    /// again, with growing pauses, while that lasts.
    GaveUp {
        /// What is not done any more.
        doing: Doing,
        /// What fails, how often it was tried, and what to do next.
        text: String,
        /// Since when.
        since: Stamp,
        /// 1 when it has just been given up, then counting reminders.
        times: u32,
    },
    /// The clock on the wall leapt against the one that nobody sets: somebody set it, or the host slept.
    ClockJumped {
        /// By so many seconds; below zero: back.
        by: i64,
    },
    /// A probe cannot do all it should here, and why. Told once.
    Limited {
        /// What, why, and what follows.
        what: String,
    },
}

/// A rule that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Position of the rule within its service.
    pub rule: usize,
    /// The class of failure, as filters and status words name it.
    pub class: Class,
    /// Whether what it tells is that something changed.
    #[serde(default)]
    pub changed: bool,
    /// The kind of reason, where the probe gave one.
    pub reason: Option<ReasonKind>,
    /// What was seen: under a control file the description that Monit gives.
    pub text: String,
    /// What we know beyond `text`, where that is a form that programs read.
    pub detail: Option<String>,
    /// What the rule asks for.
    pub then: Doing,
    /// Whether the service has what that needs: a program that starts it.
    pub able: bool,
    /// Since when.
    pub since: Stamp,
    /// 1 when it just failed, then counting failing looks.
    pub times: u32,
    /// How the process ended, when it did and that is known already.
    pub ending: Option<Ending>,
    /// How long the process had lived, when it died.
    pub lived: Option<Duration>,
    /// The reading and its limit, where the rule compares one.
    pub compared: Option<Box<Comparison>>,
    /// Names of the watched services that depend on this one: nobody hears of them on their own while it fails.
    #[serde(default)]
    pub dependants: Vec<Arc<str>>,
}

impl Failure {
    /// What happened in the few words of a subject or a status: `Connection failed`, `Size changed`.
    pub fn title(&self) -> &'static str {
        if self.changed { self.class.changed() } else { self.class.failed() }
    }
}

/// A rule that holds again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Position of the rule within its service.
    pub rule: usize,
    /// The class of failure it recovered from.
    pub class: Class,
    /// What was seen now.
    pub text: String,
    /// What the rule asks for on recovery.
    pub then: Doing,
    /// Since when it had failed.
    pub since: Stamp,
    /// What was done in between, in order: one sentence each.
    pub done: Vec<String>,
    /// How the process had ended, where that is what failed.
    pub ending: Option<Ending>,
    /// The reading and its limit, where the rule compares one.
    pub compared: Option<Box<Comparison>>,
}

/// A reading beside the limit that a rule sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Name of the metric.
    pub metric: MetricName,
    /// Unit of value and limit.
    pub unit: Unit,
    /// What was read.
    pub value: Value,
    /// `>`, `>=`, `<`, `<=`, `=` or `!=`: the rule fails while the value stands so to the limit.
    pub operator: Cow<'static, str>,
    /// The limit.
    pub limit: Value,
}

/// What can be done to a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Doing {
    /// Nothing, not even telling.
    Nothing,
    /// Telling people.
    Alert,
    /// Starting it.
    Start,
    /// Stopping it.
    Stop,
    /// Stopping and starting it, or its own restart program.
    Restart,
    /// Running a program.
    Exec,
    /// Watching it again.
    Monitor,
    /// No longer watching it.
    Unmonitor,
    /// An action that an embedder registered, by name.
    Custom(String),
}

/// Why an action was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Because {
    /// A rule failed or recovered.
    Rule {
        /// What had been seen.
        text: String,
    },
    /// Somebody asked.
    Command {
        /// Who, or from where.
        by: String,
    },
    /// Something is done to another service, which it depends on or which depends on it.
    Dependency {
        /// The other service.
        service: String,
        /// Who had asked for that, or from where; `None`: a rule.
        by: Option<String>,
    },
}

impl Because {
    /// Who had asked for it in the end; `None`: a rule.
    pub fn by(&self) -> Option<&str> {
        match self {
            Because::Rule { .. } => None,
            Because::Command { by } => Some(by),
            Because::Dependency { by, .. } => by.as_deref(),
        }
    }
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Report {
    /// How the command ended; `None` if there was none or it did not end.
    pub exit: Option<How>,
    /// The last part of what it printed, stderr and stdout as they came.
    pub output: String,
    /// How long the whole action took.
    pub took: Duration,
    /// What went wrong beyond the exit: `timed out after 60 s`, `/bin/x does not exist`, `the process did not appear`.
    pub trouble: Option<String>,
}

impl Doing {
    /// The word that control files, `$ACTION` and `MONIT_*` use.
    pub fn word(&self) -> &str {
        match self {
            Doing::Nothing => "ignore",
            Doing::Alert => "alert",
            Doing::Start => "start",
            Doing::Stop => "stop",
            Doing::Restart => "restart",
            Doing::Exec => "exec",
            Doing::Monitor => "monitor",
            Doing::Unmonitor => "unmonitor",
            Doing::Custom(name) => name,
        }
    }
}
