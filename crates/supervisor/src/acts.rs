//! Acting: each attempt a task of its own, with a deadline, under a limit of how many start at a time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hinoban_action::{Action, ActionError, Errand, Outcome};
use hinoban_event::{Event, Report};
use hinoban_scheduler::{Input, Verdict};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::looks::CatchUnwind;

/// How long a start may hold one of the places for starts; one that hangs gives its place to the next after that.
const HOLD: Duration = Duration::from_secs(1);

/// Time past its deadline in which an action ends by itself and says what came of it.
const GRACE: Duration = Duration::from_secs(1);

/// The attempts under way.
pub(crate) struct Acts {
    under_way: JoinSet<Input>,
    places: Arc<Semaphore>,
}

impl Acts {
    /// At most `at_once` starts at a time.
    pub(crate) fn new(at_once: usize) -> Self {
        Self { under_way: JoinSet::new(), places: Arc::new(Semaphore::new(at_once.max(1))) }
    }

    /// Begins an attempt. `limited` ones wait for a place; their time begins when they have one.
    pub(crate) fn begin(
        &mut self,
        action: Arc<dyn Action>,
        cause: Event,
        mut errand: Errand,
        limit: Duration,
        limited: bool,
    ) {
        let places = self.places.clone();
        self.under_way.spawn(async move {
            let place = if limited { places.acquire_owned().await.ok() } else { None };
            let began = Instant::now();
            errand.deadline = (began + limit).into_std();
            let intent = errand.intent;
            let attempt = CatchUnwind(action.act(&cause, &errand));
            let result = hold(attempt, place, began + limit + GRACE).await;
            let (report, verdict) = read(result, began.elapsed(), limit);
            Input::ActionDone { intent, report, verdict }
        });
    }

    /// Waits for an attempt to end; for ever if there is none. Loses nothing when dropped.
    pub(crate) async fn next(&mut self) -> Input {
        loop {
            match self.under_way.join_next().await {
                Some(Ok(input)) => return input,
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }
}

/// Waits for an attempt until its end, giving its place back early if that takes long.
async fn hold<T>(
    attempt: impl Future<Output = Result<Result<Outcome, ActionError>, String>>,
    place: Option<T>,
    end: Instant,
) -> Result<Outcome, ActionError> {
    let mut attempt = pin!(attempt);
    let flat = |result: Result<Result<Outcome, ActionError>, String>| match result {
        Ok(result) => result,
        Err(panic) => Err(ActionError::Permanent(format!("the action panicked: {panic}"))),
    };
    if let Ok(result) = tokio::time::timeout(HOLD, &mut attempt).await {
        return flat(result);
    }
    drop(place);
    match tokio::time::timeout_at(end, attempt).await {
        Ok(result) => flat(result),
        Err(_) => Err(ActionError::TimedOut { after: Duration::ZERO, output: String::new() }),
    }
}

/// What an attempt came to, in the terms of the scheduler.
fn read(result: Result<Outcome, ActionError>, took: Duration, limit: Duration) -> (Report, Verdict) {
    match result {
        Ok(Outcome { exit, output, .. }) => (Report { exit, output, took, trouble: None }, Verdict::Ran),
        Err(ActionError::TimedOut { output, .. }) => {
            // What is left of the time of an earlier life is no round number.
            let limit = (limit.as_secs_f64() * 1000.0).round() / 1000.0;
            let trouble = Some(format!("timed out after {limit} s"));
            (Report { exit: None, output, took, trouble }, Verdict::TimedOut)
        }
        Err(error) => {
            let trouble = Some(error.to_string());
            (Report { exit: None, output: String::new(), took, trouble }, Verdict::Failed)
        }
    }
}
