//! Questions about what was.

use hinoban_journal::history::{Answer, Asked, Incident, Readings, Series, Trouble, Unkept};
use hinoban_reading::Stamp;
use tokio::sync::oneshot;

use crate::handle::{Handle, Request};
use crate::run::Loop;

/// Why there is no answer about what was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The configuration wants no history, or there is no place for one.
    #[error("no history is kept: the configuration switches it off, or the state file cannot be used")]
    Off,
    /// The file of the history cannot be read.
    #[error("the history cannot be read: {0}")]
    Unreadable(Trouble),
    /// The history has too much to do.
    #[error("the history is busy; ask again in a moment")]
    Busy,
    /// The supervisor has ended.
    #[error("the supervisor has ended")]
    Gone,
}

type Reply<T> = oneshot::Sender<Result<T, HistoryError>>;

/// What can be asked.
pub(crate) enum Past {
    Incidents { service: Option<String>, limit: usize, reply: Reply<Vec<Incident>> },
    Unkept { reply: oneshot::Sender<Option<Unkept>> },
    Incident { id: u64, reply: Reply<Option<Incident>> },
    Series { service: String, reply: Reply<Vec<Series>> },
    Readings { asked: Asked, reply: Reply<Readings> },
}

impl Handle {
    /// The incidents, the newest first: of the service of this exact name, or of all; at most so many. Services that are
    /// no longer configured have theirs as long as there is room.
    ///
    /// # Errors
    /// If no history is kept, or it cannot be read now; if the supervisor has ended.
    pub async fn incidents(
        &self,
        service: Option<String>,
        limit: usize,
    ) -> Result<Vec<Incident>, HistoryError> {
        self.past(|reply| Past::Incidents { service, limit, reply }).await
    }

    /// Since when the history cannot be written, and why; `None`: it can, as far as is known. Meanwhile what fails is held
    /// in memory as far as there is room for it: an empty list of incidents means nothing then.
    pub async fn unkept(&self) -> Option<Unkept> {
        let (reply, replied) = oneshot::channel();
        self.request(Request::Past(Past::Unkept { reply })).ok()?;
        replied.await.ok()?
    }

    /// One incident; `None`: there is none of this number any more, or yet.
    ///
    /// # Errors
    /// As [`incidents`](Self::incidents).
    pub async fn incident(&self, id: u64) -> Result<Option<Incident>, HistoryError> {
        self.past(|reply| Past::Incident { id, reply }).await
    }

    /// What is kept of the readings of the service of this exact name.
    ///
    /// # Errors
    /// As [`incidents`](Self::incidents).
    pub async fn series(&self, service: String) -> Result<Vec<Series>, HistoryError> {
        self.past(|reply| Past::Series { service, reply }).await
    }

    /// The readings of a metric of the service of this exact name, from one time to another, in so many points at most.
    /// `part` is the name of a test, empty for the thing itself; `None`: whatever has this metric, together.
    ///
    /// # Errors
    /// As [`incidents`](Self::incidents).
    pub async fn over_time(
        &self,
        service: String,
        part: Option<String>,
        metric: String,
        (from, to): (Stamp, Stamp),
        points: usize,
    ) -> Result<Readings, HistoryError> {
        let asked = Asked { service, part, metric, from, to, points, fresh: Vec::new() };
        self.past(|reply| Past::Readings { asked, reply }).await
    }

    async fn past<T>(&self, ask: impl FnOnce(Reply<T>) -> Past) -> Result<T, HistoryError> {
        let (reply, replied) = oneshot::channel();
        self.request(Request::Past(ask(reply))).map_err(|()| HistoryError::Gone)?;
        // What cannot be handed over is dropped.
        replied.await.map_err(|_| HistoryError::Busy)?
    }
}

impl Loop {
    /// Passes a question on; the answer comes from the thread of the history.
    pub(crate) fn ask_history(&self, past: Past) {
        fn pass<T: Send + 'static>(reply: Reply<T>) -> Answer<T> {
            Box::new(move |found| drop(reply.send(found.map_err(HistoryError::Unreadable))))
        }
        let Some(recorder) = &self.recorder else {
            return match past {
                Past::Incidents { reply, .. } => drop(reply.send(Err(HistoryError::Off))),
                Past::Unkept { reply } => drop(reply.send(None)),
                Past::Incident { reply, .. } => drop(reply.send(Err(HistoryError::Off))),
                Past::Series { reply, .. } => drop(reply.send(Err(HistoryError::Off))),
                Past::Readings { reply, .. } => drop(reply.send(Err(HistoryError::Off))),
            };
        };
        match past {
            Past::Incidents { service, limit, reply } => {
                recorder.history.incidents(service, limit, pass(reply));
            }
            Past::Unkept { reply } => recorder.history.unkept(|found| drop(reply.send(found))),
            Past::Incident { id, reply } => recorder.history.incident(id, pass(reply)),
            Past::Series { service, reply } => {
                let fresh = recorder.fresh(&service);
                let pass = pass(reply);
                let answer = move |found: Result<Vec<Series>, Trouble>| {
                    pass(found.map(|mut known| {
                        for chunk in fresh {
                            if !known.contains(&chunk.series) {
                                known.push(chunk.series);
                            }
                        }
                        known
                    }));
                };
                recorder.history.series(service, Box::new(answer));
            }
            Past::Readings { mut asked, reply } => {
                asked.fresh = recorder.fresh(&asked.service);
                let part = asked.part.clone();
                asked.fresh.retain(|chunk| {
                    chunk.series.metric == asked.metric
                        && part.as_ref().is_none_or(|p| **p == *chunk.series.part)
                });
                recorder.history.over_time(asked, pass(reply));
            }
        }
    }
}
