use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_action::{Action, ActionError, Errand, Message, Outcome};
use hinoban_event::{Doing, Event};
use hinoban_reading::How;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::lock;

/// An action that changes nothing but its record, and answers as a test says.
///
/// Unless told otherwise it succeeds at once, as a program that exited with status 0. Give it a consequence with
/// [`on_act`](Self::on_act), and the scripted world reacts: the start that brings a service up.
#[derive(Clone)]
pub struct Recorder {
    state: Arc<Mutex<State>>,
    begun: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    acts: Vec<Acted>,
    once: VecDeque<(Duration, Result<Outcome, ActionError>)>,
    always: Option<(Duration, Result<Outcome, ActionError>)>,
    consequence: Option<Consequence>,
}

type Consequence = Arc<dyn Fn(&Errand) + Send + Sync>;

/// One attempt that was asked for.
#[derive(Debug, Clone)]
pub struct Acted {
    /// On which service.
    pub service: Arc<str>,
    /// What.
    pub doing: Doing,
    /// When it began, on the runtime's clock.
    pub at: Instant,
    /// Number of the intent in the journal.
    pub intent: u64,
    /// The message that was to be delivered, if that was the errand.
    pub message: Option<Arc<Message>>,
    /// Whether it ended; not if it is still under way or was dropped.
    pub ended: bool,
}

impl Recorder {
    /// Succeeds at once, always.
    pub fn new() -> Self {
        Self { state: Arc::default(), begun: watch::Sender::new(0) }
    }

    /// From now on attempts take so long on the runtime's clock and end so.
    pub fn set(&self, after: Duration, result: Result<Outcome, ActionError>) {
        lock(&self.state).always = Some((after, result));
    }

    /// The next attempt takes so long and ends so; or, if some are queued already, one attempt after those.
    pub fn once(&self, after: Duration, result: Result<Outcome, ActionError>) {
        lock(&self.state).once.push_back((after, result));
    }

    /// What follows from each attempt that ends well, such as a script that sees the service up from then on.
    pub fn on_act(&self, consequence: impl Fn(&Errand) + Send + Sync + 'static) {
        lock(&self.state).consequence = Some(Arc::new(consequence));
    }

    /// All attempts so far, in the order in which they began.
    pub fn acts(&self) -> Vec<Acted> {
        lock(&self.state).acts.clone()
    }

    /// What was done so far, in short: service and word, such as `httpd start`.
    pub fn in_short(&self) -> Vec<String> {
        lock(&self.state).acts.iter().map(|act| format!("{} {}", act.service, act.doing.word())).collect()
    }

    /// Waits until so many attempts have begun, counted from the first.
    pub async fn acted(&self, times: usize) {
        // The sender lives in `self`, so this cannot fail before the count is reached.
        let _ = self.begun.subscribe().wait_for(|begun| *begun >= times).await;
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("acts", &self.in_short()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Action for Recorder {
    async fn act(&self, _cause: &Event, errand: &Errand) -> Result<Outcome, ActionError> {
        let (number, after, result) = {
            let mut state = lock(&self.state);
            state.acts.push(Acted {
                service: errand.service.clone(),
                doing: errand.doing.clone(),
                at: Instant::now(),
                intent: errand.intent,
                message: errand.message.clone(),
                ended: false,
            });
            let succeeds = || (Duration::ZERO, Ok(success()));
            let (after, result) =
                state.once.pop_front().or_else(|| state.always.clone()).unwrap_or_else(succeeds);
            (state.acts.len() - 1, after, result)
        };
        self.begun.send_replace(number + 1);
        if !after.is_zero() {
            tokio::time::sleep(after).await;
        }
        let consequence = {
            let mut state = lock(&self.state);
            if let Some(acted) = state.acts.get_mut(number) {
                acted.ended = true;
            }
            state.consequence.clone()
        };
        // Outside the lock: a consequence may ask this recorder what was done.
        if let (Ok(_), Some(consequence)) = (&result, consequence) {
            consequence(errand);
        }
        result.map(|outcome| Outcome {
            took: if outcome.took.is_zero() { after } else { outcome.took },
            ..outcome
        })
    }

    fn describe(&self) -> Option<String> {
        Some("recorder".to_owned())
    }
}

fn success() -> Outcome {
    Outcome { exit: Some(How::Exited { status: 0 }), ..Outcome::default() }
}
