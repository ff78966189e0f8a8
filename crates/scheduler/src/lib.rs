//! Whose turn it is, what a look means, what to do next. `now` in, effects out; its simulated world is [`sim`].
//!
//! # Theory of operation
//!
//! [`Scheduler`] is a state machine without a clock, a runtime, a file system or a network. Its methods are of four
//! kinds: [`handle`](Scheduler::handle) takes what happened and gives what is to be done, in order;
//! [`next_deadline`](Scheduler::next_deadline) says when to call it with [`Input::Tick`] if nothing happens before;
//! [`view`](Scheduler::view) shows; [`reload`](Scheduler::reload) changes the configuration under it. `now` must not run
//! backwards.
//!
//! A *cycle* of a service is one due look at its subject, and, if that is up, at its tests. A look that comes early
//! (something woke us) is decided at once by rules without a count, and is no sample for the others. While something is
//! being done to a service its tests rest, and results of looks that began before are dropped.
//!
//! Never two things are done to one service at a time. What an operator stopped is not watched, so nothing restarts it.
//! A start has reached its aim when the process exists, whatever its command exited with; a stop, when the process is
//! gone. A [`Effect::Remember`] always precedes the act that it covers. An intent is over when its aim is reached or
//! given up, and the next one of the same task is remembered before that: a crash between finds one of them.
//!
//! Looks at a service rest while something it depends on is not watched, not yet looked at, or fails. A start waits for
//! what it depends on, and if somebody asked for it starts that first; a stop or restart takes dependants down before, and
//! a restart starts them again after it.
#![forbid(unsafe_code)]

mod budget;
mod campaign;
mod change;
mod content;
mod errand;
mod explain;
mod flaw;
mod judge;
mod kept;
mod kill;
mod life;
mod limit;
mod machine;
mod over;
mod patience;
mod positions;
mod queue;
mod record;
mod rest;
mod rules;
mod same;
mod seen;
mod sight;
pub mod sim;
mod spread;
mod task;
mod ties;
mod turns;
mod view;
mod watched;
mod wish;
mod wording;

use std::time::Duration;

use hinoban_event::{Class, Doing, Event, Report};
use hinoban_reading::{Identity, Observation, Stamp, Value};
use serde::{Deserialize, Serialize};

pub use errand::Unbegun;
pub use explain::{About, Explanation, Paragraph};
pub use life::{Reload, Restored};
pub use machine::Scheduler;
pub use patience::{GivenUp, Repairs};
pub use same::{condition_name, follow, kind_name};
pub use view::{
    LastAction, LimitView, PatienceView, Programs, RuleState, RuleView, ServiceView, TestView, Watching,
};
pub use wish::{Resumed, Unfinished};

/// Which service. Never reused within one life of a scheduler, so that late answers about a service that a reload
/// removed or changed reach nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceId(pub u32);

/// What of a service is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// The thing itself.
    Subject,
    /// The test of the rule at this position.
    Test(usize),
}

/// One look: whose, at what, and of which generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LookId {
    /// Whose.
    pub service: ServiceId,
    /// At what.
    pub part: Part,
    /// Counts the things done to the service; a result of an older generation is stale.
    pub generation: u32,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// Time passed.
    Tick,
    /// A look ended.
    Observed {
        /// Which.
        look: LookId,
        /// What it saw, or why it could not look.
        result: Result<Observation, String>,
    },
    /// Something that a probe named as worth a look stirred.
    Woken {
        /// The service.
        service: ServiceId,
        /// What of it.
        part: Part,
    },
    /// An attempt ended.
    ActionDone {
        /// The number given in [`Effect::Act`].
        intent: u64,
        /// What came of it.
        report: Report,
        /// How it ended.
        verdict: Verdict,
    },
    /// An operator asked for something.
    Command {
        /// The service.
        service: ServiceId,
        /// What for.
        doing: Doing,
        /// Who, or from where.
        by: String,
    },
    /// Look at everything now.
    WakeAll,
    /// The wall clock was set, or the host slept: time has passed that the clock of intervals does not know of, or the
    /// other way round. Each service is looked at once, spread over one period.
    ClockJumped,
}

/// How an attempt ended, as far as the command itself goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The command ran and ended, with whatever status.
    Ran,
    /// It did not end in time.
    TimedOut,
    /// It could not be run.
    Failed,
}

/// What is to be done, in the order given.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Write down before going on.
    Remember(Remembered),
    /// Look.
    Look {
        /// At what.
        look: LookId,
        /// Whether it comes before its turn.
        early: bool,
    },
    /// Change the world.
    Act {
        /// Number of the intent; comes back in [`Input::ActionDone`].
        intent: u64,
        /// Whose.
        service: ServiceId,
        /// What.
        act: Act,
        /// Time for it.
        limit: Duration,
        /// Why: the event that caused it.
        cause: Event,
    },
    /// Tell.
    Emit(Event),
}

/// A change to the world, by what in the configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// The service's start program.
    Start,
    /// Its stop program.
    Stop,
    /// Its restart program.
    Restart,
    /// The program of a rule's branch; nothing waits for it.
    Exec {
        /// Position of the rule.
        rule: usize,
        /// Whether of the branch for recovery.
        recovery: bool,
        /// Which of the programs of that branch: 0 is the one of [`Branch::then`](hinoban_config::Branch::then), the others
        /// follow in the order of [`Branch::also`](hinoban_config::Branch::also).
        nth: usize,
    },
    /// A registered action; nothing waits for it.
    Custom(String),
    /// Ends this process by SIGKILL: it outlived its stop. Its end is not waited for, but looked for.
    Kill(Identity),
    /// Ends the program that runs for the intent of this number: what it was for is reached without it. Whoever began it
    /// says that it has ended, as of any other.
    End(u64),
}

/// What must survive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Remembered {
    /// A service is watched from now on, or not.
    Monitoring {
        /// Its name.
        service: String,
        /// Whether.
        on: bool,
        /// Why a rule has switched it off; `None`: somebody asked for it.
        why: Option<String>,
    },
    /// Rules have started or restarted a service so often within the window that its limits count, and so many of its
    /// cycles have passed. No restart: no window is open.
    Restarts {
        /// Its name.
        service: String,
        /// How often.
        restarts: u32,
        /// Cycles since the first of them.
        cycles: u32,
    },
    /// A rule is about to have a service repaired, repairs have helped, or they have been given up.
    Repairs {
        /// Its name.
        service: String,
        /// What they have come to.
        repairs: Repairs,
    },
    /// What a rule about change saw last, and what the next value is compared with.
    Baseline {
        /// The service's name.
        service: String,
        /// What the rule asks: its [`condition_name`].
        condition: String,
        /// The value.
        value: Value,
    },
    /// An action is about to begin.
    Intent {
        /// Its number.
        intent: u64,
        /// The service's name.
        service: String,
        /// What.
        doing: Doing,
        /// When.
        at: Stamp,
        /// What all of it is, where this is a part.
        whole: Option<Doing>,
        /// Who asked for it; `None`: a rule.
        by: Option<String>,
        /// The service in whose restart this is a dependant's part; `None`: it is no such thing. A start of which all is
        /// a restart is then its second half: what was to be stopped is stopped.
        part_of: Option<String>,
    },
    /// A rule is about to run something that nothing waits for.
    Reaction {
        /// Its number, as that of an intent.
        intent: u64,
        /// The service's name.
        service: String,
        /// What.
        doing: Doing,
        /// When.
        at: Stamp,
        /// Position of the rule.
        rule: usize,
        /// What the rule asks: its [`condition_name`].
        condition: String,
        /// Whether it is of the branch for recovery.
        recovery: bool,
        /// Which of the programs of that branch, as in [`Act::Exec`].
        nth: usize,
        /// What was seen.
        text: String,
    },
    /// An action ended.
    Done {
        /// Its number.
        intent: u64,
        /// Whether its command ran to its end.
        ok: bool,
    },
    /// A rule failed.
    Failed {
        /// The service's name.
        service: String,
        /// Position of the rule.
        rule: usize,
        /// Its class.
        class: Class,
        /// Since when.
        since: Stamp,
        /// What the rule asks: its [`condition_name`].
        condition: String,
    },
    /// A rule recovered.
    Recovered {
        /// The service's name.
        service: String,
        /// Position of the rule.
        rule: usize,
        /// Its class.
        class: Class,
    },
}
