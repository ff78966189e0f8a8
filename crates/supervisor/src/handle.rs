//! The supervisor as seen from outside: ask, command, listen.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Config, Mistake, Mistakes, Place};
use hinoban_event::{Doing, Event};
use hinoban_reading::Stamp;
use hinoban_scheduler::{Explanation, ServiceView};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::courier::Courier;
use crate::lateness::Lateness;

/// A handle on a running supervisor. Cheap to clone; outlives it harmlessly.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::UnboundedSender<Request>,
    events: broadcast::Sender<Arc<Event>>,
}

/// What a handle can ask for.
pub(crate) enum Request {
    Status(oneshot::Sender<Status>),
    Vitals(oneshot::Sender<Vitals>),
    Explain {
        name: String,
        answer: oneshot::Sender<Result<Explanation, Unexplained>>,
    },
    Command {
        names: Vec<String>,
        doing: Doing,
        by: String,
        answer: oneshot::Sender<Result<(), CommandError>>,
    },
    Past(crate::history::Past),
    Wake,
    Reload {
        config: Box<Config>,
        courier: Option<Box<dyn Courier>>,
        answer: oneshot::Sender<Result<ReloadReport, Mistakes>>,
    },
    Stop,
}

/// Everything that is known, at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// Name of the system service: what alerts call this host.
    pub host: Arc<str>,
    /// When this configuration was taken on; a reload moves it.
    pub since: Stamp,
    /// The wall clock now.
    pub now: Stamp,
    /// Time between looks; zero if each service is looked at once only.
    pub every: Duration,
    /// The configured wait before the first looks.
    pub start_delay: Duration,
    /// The services, in the order of the configuration.
    pub services: Vec<ServiceView>,
    /// What cannot be seen here of a service, by its name: why, and what would help, in whole sentences. As its probes
    /// said after their last look; a service without an entry hides nothing.
    pub limits: BTreeMap<Arc<str>, Vec<String>>,
}

/// How the supervisor itself is. Cheap to ask for, however much is watched.
#[derive(Debug, Clone)]
pub struct Vitals {
    /// Name of the system service: what alerts call this host.
    pub host: Arc<str>,
    /// When this configuration was taken on; a reload moves it.
    pub since: Stamp,
    /// The wall clock now.
    pub now: Stamp,
    /// Time between looks; zero if each service is looked at once only.
    pub every: Duration,
    /// How many services there are.
    pub services: usize,
    /// How late looks have begun.
    pub lateness: Lateness,
}

impl Status {
    /// What cannot be seen here of this service; nothing, of most.
    pub fn limits_of(&self, service: &str) -> &[String] {
        self.limits.get(service).map_or(&[], Vec::as_slice)
    }
}

/// Why a command was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// No service has this name. The text is one that programs read.
    #[error("There is no service named \"{0}\"")]
    NoSuchService(String),
    /// The supervisor has ended.
    #[error("the supervisor has ended")]
    Gone,
}

/// Why nothing could be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unexplained {
    /// No service has this name.
    #[error("There is no service named \"{name}\"{}", near.as_ref().map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default())]
    NoSuchService {
        /// What was asked for.
        name: String,
        /// The name that was probably meant.
        near: Option<String>,
    },
    /// The supervisor has ended.
    #[error("the supervisor has ended")]
    Gone,
}

/// What a reload changed: names of services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReloadReport {
    /// New ones.
    pub added: Vec<String>,
    /// Ones that are gone.
    pub removed: Vec<String>,
    /// Ones whose configuration changed.
    pub changed: Vec<String>,
}

impl Handle {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Request>) {
        let (requests, receiver) = mpsc::unbounded_channel();
        (Self { requests, events: broadcast::channel(1024).0 }, receiver)
    }

    /// Everything that is known now; `None` once the supervisor has ended.
    pub async fn status(&self) -> Option<Status> {
        let (answer, status) = oneshot::channel();
        self.requests.send(Request::Status(answer)).ok()?;
        status.await.ok()
    }

    /// Why a service stands as it does, in words; `name` is its exact name, upper and lower case being the same.
    ///
    /// # Errors
    /// If there is no such service; if the supervisor has ended.
    pub async fn explain(&self, name: impl Into<String>) -> Result<Explanation, Unexplained> {
        let (answer, explained) = oneshot::channel();
        let request = Request::Explain { name: name.into(), answer };
        self.requests.send(request).map_err(|_| Unexplained::Gone)?;
        explained.await.map_err(|_| Unexplained::Gone)?
    }

    /// How the supervisor itself is; `None` once it has ended.
    pub async fn vitals(&self) -> Option<Vitals> {
        let (answer, vitals) = oneshot::channel();
        self.requests.send(Request::Vitals(answer)).ok()?;
        vitals.await.ok()
    }

    /// Asks for something to be done to services, by their exact names (upper and lower case being the same).
    ///
    /// Returns once the request is accepted; the work follows. `by` says who asked: it is logged.
    ///
    /// # Errors
    /// If one of the names is unknown: then nothing is done to any. If the supervisor has ended.
    pub async fn command(
        &self,
        names: Vec<String>,
        doing: Doing,
        by: impl Into<String>,
    ) -> Result<(), CommandError> {
        let (answer, result) = oneshot::channel();
        let request = Request::Command { names, doing, by: by.into(), answer };
        self.requests.send(request).map_err(|_| CommandError::Gone)?;
        result.await.map_err(|_| CommandError::Gone)?
    }

    /// Looks at everything now, an outstanding start delay included.
    pub fn wake(&self) {
        let _ = self.requests.send(Request::Wake);
    }

    /// Takes on a new configuration, wholly or not at all. Services that did not change keep their state. A `courier`
    /// takes the place of the one before, which ends with the messages it has; if what the configuration says of mail
    /// changed and there is none, nobody is written to any more.
    ///
    /// # Errors
    /// What in the configuration cannot be bound (unknown kinds, metrics that nobody reads): then the old one goes on.
    pub async fn reload(
        &self,
        config: Config,
        courier: Option<Box<dyn Courier>>,
    ) -> Result<ReloadReport, Mistakes> {
        let gone = || Mistakes {
            list: vec![Mistake::error(Place::default(), CommandError::Gone.to_string())],
            ..Mistakes::default()
        };
        let (answer, result) = oneshot::channel();
        let request = Request::Reload { config: Box::new(config), courier, answer };
        self.requests.send(request).map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }

    /// Ends the supervisor in order. What it watches goes on.
    pub fn stop(&self) {
        let _ = self.requests.send(Request::Stop);
    }

    /// Every event from now on. A listener that falls more than 1024 events behind loses the oldest and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// Hands a request over; `Err`: the supervisor has ended.
    pub(crate) fn request(&self, request: Request) -> Result<(), ()> {
        self.requests.send(request).map_err(drop)
    }

    pub(crate) fn publish(&self, event: Arc<Event>) {
        let _ = self.events.send(event);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
