use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hinoban_reading::{Value, metrics};

use super::{Patience, Recipient, Test, Turns};
use crate::{Pattern, Place};

/// One watched thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Unique among services, upper and lower case being the same.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Groups it is in.
    pub groups: Vec<String>,
    /// What must be up before it is started, and while it is looked at.
    pub depends_on: Vec<Prerequisite>,
    /// Time between looks, where it differs from the configuration's.
    pub every: Option<Duration>,
    /// Which of the cycles that this makes it is looked at in.
    pub turns: Turns,
    /// Whether it is repaired, or only watched.
    pub mode: Mode,
    /// Whether it is watched after a boot.
    pub on_reboot: OnReboot,
    /// Starts it.
    pub start: Option<Program>,
    /// Stops it.
    pub stop: Option<Program>,
    /// Restarts it; without one it is stopped and started.
    pub restart: Option<Program>,
    /// Its process is killed (SIGKILL) when it still lives so long after its stop program has begun; `None`: it never is.
    /// Shorter than the time-out of that program.
    pub kill_after: Option<Duration>,
    /// Lines that rules about the content of the file are not to see.
    pub ignore: Vec<Ignore>,
    /// How many bytes are kept of the output of a program, and of a line of a file that rules look into.
    pub buffer: u32,
    /// Who hears of it beside, or otherwise than, [`super::Config::alerts`] say: for an address that stands here too, that one
    /// does not count for this service.
    pub alerts: Vec<Recipient>,
    /// How repairs by rules are repeated; `None`: as Monit does, without a pause of our own.
    pub patience: Option<Patience>,
    /// What must hold, in the order written. Holds the rules that follow from the kind (existence) too.
    pub rules: Vec<Rule>,
    /// Where it was written.
    pub place: Place,
}

/// The name of a service that another one depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Prerequisite {
    /// Its name, as written: upper and lower case are the same, and it may stand before the service itself.
    pub name: String,
    /// Where it was written.
    pub place: Place,
}

impl From<&str> for Prerequisite {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), place: Place::default() }
    }
}

/// What a watched thing is: what its own look looks at.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// A process.
    Process {
        /// How it is found.
        found: Found,
    },
    /// A regular file, or a socket.
    File {
        /// Its path; links are followed.
        path: PathBuf,
    },
    /// A directory.
    Directory {
        /// Its path; links are followed.
        path: PathBuf,
    },
    /// A named pipe, fifo(7).
    Fifo {
        /// Its path; links are followed.
        path: PathBuf,
    },
    /// A mounted file system.
    Filesystem {
        /// Its mount point, its device, or the name it was mounted from.
        path: PathBuf,
        /// Whether that is any path on it instead.
        holds: bool,
    },
    /// A host that is only tested from outside; it has no look of its own.
    Host {
        /// Name or address.
        address: String,
    },
    /// This machine.
    System,
    /// A program that is run at each look, and whose end and output are what is seen.
    Program {
        /// The program, with its time-out.
        program: Program,
        /// How its output is understood.
        speech: Speech,
    },
    /// A network interface of this machine.
    Network {
        /// Which.
        link: Link,
    },
    /// A kind that an embedder registered.
    Custom {
        /// Name in the registry.
        probe: String,
        /// Its options, as written.
        options: Options,
    },
}

impl Kind {
    /// A process that names itself in this pidfile.
    pub fn pidfile(path: impl Into<PathBuf>) -> Self {
        Kind::Process { found: Found::Pidfile(path.into()) }
    }

    /// The file system of this mount point or device, or mounted from this.
    pub fn filesystem(path: impl Into<PathBuf>) -> Self {
        Kind::Filesystem { path: path.into(), holds: false }
    }
}

/// How a process is found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// By the file that holds its process id.
    Pidfile(PathBuf),
    /// By a pattern that its command line matches.
    Matching(Pattern),
}

/// How the output of a program is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speech {
    /// As a text.
    #[default]
    Plain,
    /// As that of a Nagios plug-in: a status from 0 to 3, and performance data behind a bar.
    Nagios,
    /// As one JSON object whose members are readings.
    Json,
}

/// Which network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// By its name.
    Interface(String),
    /// By an address that it has.
    Address(std::net::IpAddr),
}

/// Lines of a file that no rule about its content is to see.
#[derive(Debug, Clone, PartialEq)]
pub struct Ignore {
    /// The pattern.
    pub pattern: Pattern,
    /// Whether lines that match are left out; otherwise those that do not.
    pub on_match: bool,
}

/// Options of a registered kind: names and plain values.
pub type Options = BTreeMap<String, Value>;

/// Whether a service is repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Yes.
    #[default]
    Active,
    /// No: it is watched and told about, but never started, stopped or restarted by a rule.
    Passive,
}

/// Whether a service is watched after a boot of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnReboot {
    /// Yes.
    #[default]
    Start,
    /// No.
    NoStart,
    /// If it was before.
    LastState,
}

/// A command, run without a shell.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// User to run it as; `None`: our own.
    pub uid: Option<u32>,
    /// Group to run it as; `None`: our own.
    pub gid: Option<u32>,
    /// Time for all of it: for a start, until the process exists.
    pub timeout: Duration,
}

impl Program {
    /// The time-out of a program that may run for as long as it likes: a year.
    pub const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// The command line in one string, as logs show it: words joined by blanks.
    pub fn line(&self) -> String {
        self.words.join(" ")
    }
}

/// What must hold, and what to do when it does not.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// When it *fails*.
    pub when: Condition,
    /// How often it must fail, and what then.
    pub fail: Branch,
    /// How often it must hold again, and what then.
    pub ok: Branch,
    /// Where it was written.
    pub place: Place,
}

/// When a rule fails.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// The service's own look does not find it up.
    Missing,
    /// The service's own look finds it up.
    Exists,
    /// The service's own look finds something in its place, but of another type: a directory where a file should be.
    WrongType,
    /// A reading of the service's own look compares so.
    Compare {
        /// Name of the metric.
        metric: String,
        /// How.
        operator: Operator,
        /// With what.
        limit: Value,
    },
    /// A reading of the service's own look differs from the one before it, or does not. The first reading is neither.
    Changed {
        /// Name of the metric.
        metric: String,
        /// Whether change or rest makes the rule fail.
        expect: Change,
    },
    /// A reading of the service's own look that is a text matches a pattern, or does not.
    Matches {
        /// Name of the metric.
        metric: String,
        /// The pattern.
        pattern: Pattern,
        /// Whether a match makes the rule fail; otherwise the lack of one does.
        fails_on_match: bool,
    },
    /// A reading of the service's own look differs from the first one since the configuration was loaded.
    Differs {
        /// Name of the metric.
        metric: String,
    },
    /// What was written into the file since the look before, or what the program printed, has something that matches, or
    /// does not. It is news each time, and over by itself.
    Content {
        /// Name of the reading: `output` of a program; of a file `content.N`, the lines that the N-th of its rules about
        /// content hits, N counting from 1. A rule hits a line that matches, or, if it is about the lack of a match, each
        /// line that does not.
        metric: String,
        /// The pattern.
        pattern: Pattern,
        /// Whether a match makes the rule fail; otherwise the lack of one does.
        fails_on_match: bool,
    },
    /// A test of its own fails, or succeeds.
    Test {
        /// What is tested.
        test: Test,
        /// Whether failure or success makes the rule fail.
        expect: super::Expect,
    },
    /// Rules have started or restarted the service so often, counted from the first time. Has neither a rate nor
    /// something to do on recovery.
    Restarts {
        /// So often …
        count: u32,
        /// … within so many cycles.
        within: u32,
    },
}

/// Whether change or rest makes a rule fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change {
    /// `if changed …`
    #[default]
    Changed,
    /// `if not changed …`
    Unchanged,
}

/// One side of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// What to do.
    pub then: Then,
    /// What else to run, in this order and before that: only [`Then::Exec`] and [`Then::Custom`].
    pub also: Vec<Then>,
    /// After how many looks.
    pub rate: Rate,
    /// It must have been so at every look for at least this long; the rate is then [`Rate::ONCE`].
    pub lasting: Option<Duration>,
}

/// `count` of the last `within` looks. Both 1 to 64, `count` not above `within`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many looks …
    pub count: u8,
    /// … of the last so many.
    pub within: u8,
}

impl Rate {
    /// At once.
    pub const ONCE: Rate = Rate { count: 1, within: 1 };
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Then {
    /// Nothing; nobody is told either.
    Nothing,
    /// Tell people. All the others tell people too.
    Alert,
    /// Start the service.
    Start,
    /// Stop it, and watch it no more.
    Stop,
    /// Restart it.
    Restart,
    /// Watch it no more.
    Unmonitor,
    /// Run a program.
    Exec {
        /// Which.
        program: Box<Program>,
        /// Again at each so many-th failing look; `None`: once.
        repeat: Option<u32>,
    },
    /// An action that an embedder registered, by name.
    Custom(String),
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // their names say it
pub enum Operator {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Operator {
    /// Whether `left OP right`.
    pub fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Operator::Greater => left > right,
            Operator::GreaterOrEqual => left >= right,
            Operator::Less => left < right,
            Operator::LessOrEqual => left <= right,
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
        }
    }

    /// Its sign, such as `>=`; equality is `=`.
    pub fn sign(self) -> &'static str {
        match self {
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
        }
    }
}

impl Branch {
    /// This, at once.
    pub fn once(then: Then) -> Self {
        Self::at(then, Rate::ONCE)
    }

    /// This, at that rate.
    pub fn at(then: Then, rate: Rate) -> Self {
        Self { then, also: Vec::new(), rate, lasting: None }
    }
}

impl Rule {
    /// The rule that a service without one of its own about existence has: restart it when it is gone, tell when it is
    /// back.
    pub fn existence() -> Self {
        Self {
            when: Condition::Missing,
            fail: Branch::once(Then::Restart),
            ok: Branch::once(Then::Alert),
            place: Place::default(),
        }
    }

    /// The rule that a file has beside those written: what is there must be a file.
    pub fn wrong_type() -> Self {
        Self { when: Condition::WrongType, ..Self::existence() }
    }

    /// The rule that a program has beside those written: it must be possible to run it.
    pub fn runnable() -> Self {
        let metric = metrics::RUN_ERROR.name.into_owned();
        Self {
            when: Condition::Compare { metric, operator: Operator::NotEqual, limit: Value::from("") },
            fail: Branch::once(Then::Alert),
            ok: Branch::once(Then::Alert),
            place: Place::default(),
        }
    }

    /// The rule that a program has if none about its end is written: tell when it fails. A Nagios plug-in fails if it
    /// says `CRITICAL` or `UNKNOWN`, any other with a status that is not 0.
    pub fn succeeds(speech: Speech) -> Self {
        let when = match speech {
            Speech::Nagios => Pattern::new("^(critical|unknown)$").ok().map(|pattern| {
                let metric = metrics::PLUGIN_STATE.name.into_owned();
                Condition::Matches { metric, pattern, fails_on_match: true }
            }),
            _ => None,
        };
        let status = || Condition::Compare {
            metric: metrics::EXIT_STATUS.name.into_owned(),
            operator: Operator::NotEqual,
            limit: Value::Int(0),
        };
        Self { when: when.unwrap_or_else(status), ..Self::runnable() }
    }

    /// Whether it is about how a program ended.
    pub fn is_of_an_end(&self) -> bool {
        let ends = [metrics::EXIT_STATUS, metrics::EXIT_SIGNAL, metrics::EXIT_REASON, metrics::PLUGIN_STATE];
        match &self.when {
            Condition::Compare { metric, .. }
            | Condition::Changed { metric, .. }
            | Condition::Differs { metric }
            | Condition::Matches { metric, .. } => ends.iter().any(|end| *end.name == **metric),
            _ => false,
        }
    }

    /// Whether it is about existence.
    pub fn is_existence(&self) -> bool {
        matches!(self.when, Condition::Missing | Condition::Exists)
    }
}

/// How much of an output or a line is kept unless it is said otherwise: 64 KiB.
pub const BUFFER: u32 = 64 << 10;

/// The same under a control file: what Monit keeps.
pub const MONIT_BUFFER: u32 = 512;

impl Service {
    /// A service of this name and kind, with nothing else set and no rule.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            groups: Vec::new(),
            depends_on: Vec::new(),
            every: None,
            turns: Turns::Each,
            mode: Mode::default(),
            on_reboot: OnReboot::default(),
            start: None,
            stop: None,
            restart: None,
            kill_after: None,
            ignore: Vec::new(),
            buffer: BUFFER,
            alerts: Vec::new(),
            patience: None,
            rules: Vec::new(),
            place: Place::default(),
        }
    }

    /// The service that stands for this machine.
    pub fn system(host: &str) -> Self {
        Self::new(host, Kind::System)
    }
}

impl Service {
    /// What a service of this name cannot be told apart from: a word of the command line, or an address of the web
    /// interface. `None` for all other names.
    pub fn collision(name: &str) -> Option<&'static str> {
        match name {
            _ if name.eq_ignore_ascii_case("all") => Some("commands take `all` for every service"),
            "." | ".." => Some("browsers take it for a folder, and cannot open its page"),
            _ if name.starts_with('_') => Some("addresses that begin with `_` belong to the web interface"),
            _ if name.starts_with("api/v1/") => Some("addresses below `api/v1` belong to the web interface"),
            _ => None,
        }
    }
}
