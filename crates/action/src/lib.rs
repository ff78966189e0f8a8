//! Change the world once: the [`Action`] trait.
//!
//! An action makes one attempt at one change: it runs a program, sends a message, writes a line. It does not decide
//! whether to act, does not queue, and does not retry: the supervisor does, and [`ActionError::is_transient`] tells it
//! whether that makes sense. Whether a start has reached its aim is not the action's to judge either: a probe looks.
#![forbid(unsafe_code)]

mod closure;

use std::fmt;
use std::fs::File;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hinoban_event::{Doing, Event};
use hinoban_reading::{How, Identity, Reading};

pub use closure::{FromFn, from_fn};

/// Makes one change. Object-safe; `&self`, because actions are shared and repeatable.
#[async_trait]
pub trait Action: fmt::Debug + Send + Sync {
    /// One attempt. The future is dropped at [`Errand::deadline`] plus a second of grace; an action that ran a
    /// program ends it by itself at the deadline and says so.
    ///
    /// # Errors
    /// When the attempt could not be made or did not end in time. A program that ran and failed is an [`Outcome`].
    async fn act(&self, cause: &Event, errand: &Errand) -> Result<Outcome, ActionError>;

    /// The action in words, such as a command line. Shown in the log; never contains a secret.
    fn describe(&self) -> Option<String> {
        None
    }
}

/// What the attempt is for.
#[derive(Clone)]
pub struct Errand {
    /// The service acted on.
    pub service: Arc<str>,
    /// What is being done to it.
    pub doing: Doing,
    /// Number of the intent in the journal.
    pub intent: u64,
    /// When the attempt is given up.
    pub deadline: Instant,
    /// Name of this host, as alerts and programs are told it.
    pub host: Arc<str>,
    /// What the last look at the service read.
    pub readings: Vec<Reading>,
    /// The message to deliver, when telling people is the errand.
    pub message: Option<Arc<Message>>,
    /// Called once with each process that the action starts, before anything waits for it.
    pub spawned: Option<Spawned>,
    /// Where a process that the action starts enters itself before it becomes its program. `None`: nowhere.
    pub roll: Option<Roll>,
}

/// A log in which a process enters itself by one write(2) before its exec.
///
/// Telling [`Errand::spawned`] afterwards would leave out a program whose supervisor was killed in between. The log is to
/// be locked by flock(2): the process holds that lock too until it has entered itself, so whoever gets it after the
/// supervisor's death finds every program that was begun or still will be.
#[derive(Debug, Clone)]
pub struct Roll {
    /// The log, opened for appending: the one that is here when the process is made. The supervisor may put another into its
    /// place while an action waits for its turn.
    pub log: Arc<RwLock<Arc<File>>>,
    /// The pieces of the line; pid and start time (field 22 of `/proc/PID/stat`) stand between them as decimals. 200 bytes
    /// in all at most.
    pub line: [Vec<u8>; 3],
}

/// Told the identity of each process an action starts, and of which command it is.
pub type Spawned = Arc<dyn Fn(Identity) + Send + Sync>;

/// A message to people, ready to be delivered by any channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for every attempt to deliver this message: `left@right`, without angle brackets.
    pub id: String,
    /// Who says it: an address, possibly `Name <address>`.
    pub from: String,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// To whom.
    pub to: Vec<String>,
    /// One line.
    pub subject: String,
    /// Lines ended by `\n`.
    pub body: String,
}

/// What came of an attempt that was made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// How the program ended, where one was run and waited for.
    pub exit: Option<How>,
    /// The last part of what it printed.
    pub output: String,
    /// How long it took.
    pub took: Duration,
}

/// Why an attempt came to nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// The program cannot be run at all: it does not exist, is not executable, its user is unknown.
    #[error("{0}")]
    NotRunnable(String),
    /// It did not end by the deadline, and was ended.
    #[error("timed out after {} s", .after.as_secs_f64())]
    TimedOut {
        /// How long it was given.
        after: Duration,
        /// The last part of what it had printed.
        output: String,
    },
    /// It may work another time: a server refused, a resource was short.
    #[error("{0}")]
    Transient(String),
    /// It will not work another time unless somebody changes something.
    #[error("{0}")]
    Permanent(String),
}

impl ActionError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, ActionError::Transient(_) | ActionError::TimedOut { .. })
    }
}

impl Errand {
    /// An errand for `service` until `deadline`, with nothing else known.
    pub fn new(service: impl Into<Arc<str>>, doing: Doing, deadline: Instant) -> Self {
        Self {
            service: service.into(),
            doing,
            intent: 0,
            deadline,
            host: "localhost".into(),
            readings: Vec::new(),
            message: None,
            spawned: None,
            roll: None,
        }
    }
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errand")
            .field("service", &self.service)
            .field("doing", &self.doing)
            .field("intent", &self.intent)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_an_object() {
        fn takes(_: Option<Arc<dyn Action>>) {}
        takes(None);
    }
}
