use std::collections::VecDeque;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Cause, Look, Probe, ProbeError, Wake};
use hinoban_reading::{Metric, Observation, Reason, ReasonKind, Standing};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::lock;

/// What a scripted probe sees, shared between a test and any number of probes.
///
/// It answers what was last set ([`up`](Self::up), [`down`](Self::down), [`set`](Self::set) …), after what was queued
/// with [`once`](Self::once). At first it sees something that is up.
#[derive(Debug, Clone)]
pub struct Script {
    state: Arc<Mutex<State>>,
    begun: watch::Sender<usize>,
    metrics: Arc<[Metric]>,
}

#[derive(Debug)]
struct State {
    always: Answer,
    once: VecDeque<Answer>,
    looks: Vec<Looked>,
    wake: Option<Bell>,
}

/// A pipe that a probe names as worth waking for.
#[derive(Debug)]
struct Bell {
    fd: Arc<OwnedFd>,
    reader: PipeReader,
    writer: PipeWriter,
    rung: usize,
}

/// What one look answers.
#[derive(Debug, Clone)]
pub struct Answer {
    what: What,
    after: Duration,
}

#[derive(Debug, Clone)]
enum What {
    Sees(Observation),
    CannotLook(ProbeError),
    Panics(String),
    Hangs,
}

/// One look that a scripted probe was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// When it began, on the runtime's clock.
    pub at: Instant,
    /// Due or early.
    pub cause: Cause,
    /// Whether it answered; not if it is still under way, was dropped, or panicked.
    pub answered: bool,
}

impl Answer {
    /// It sees this.
    pub fn sees(observation: Observation) -> Self {
        Self::at_once(What::Sees(observation))
    }

    /// It sees something that is up.
    pub fn up() -> Self {
        Self::sees(Observation::up())
    }

    /// It sees something that is down, for this reason.
    pub fn down(reason: impl Into<String>) -> Self {
        Self::sees(Observation::new(Standing::Down(Reason::new(ReasonKind::Other, reason))))
    }

    /// It sees no trace of it, for this reason.
    pub fn absent(reason: impl Into<String>) -> Self {
        Self::sees(Observation::new(Standing::Absent(Reason::new(ReasonKind::Other, reason))))
    }

    /// It could not look.
    pub fn cannot_look(error: ProbeError) -> Self {
        Self::at_once(What::CannotLook(error))
    }

    /// It panics.
    pub fn panics(message: impl Into<String>) -> Self {
        Self::at_once(What::Panics(message.into()))
    }

    /// It never answers.
    pub fn hangs() -> Self {
        Self::at_once(What::Hangs)
    }

    /// The same so much later on the runtime's clock.
    pub fn after(self, delay: Duration) -> Self {
        Self { after: delay, ..self }
    }

    fn at_once(what: What) -> Self {
        Self { what, after: Duration::ZERO }
    }
}

impl Script {
    /// Sees something that is up, and measures nothing.
    pub fn new() -> Self {
        Self::measuring([])
    }

    /// Sees something that is up; its probes declare these metrics.
    pub fn measuring(metrics: impl Into<Vec<Metric>>) -> Self {
        let state = State { always: Answer::up(), once: VecDeque::new(), looks: Vec::new(), wake: None };
        let begun = watch::Sender::new(0);
        Self { state: Arc::new(Mutex::new(state)), begun, metrics: metrics.into().into() }
    }

    /// A probe that follows this script.
    pub fn probe(&self) -> Scripted {
        Scripted { script: self.clone() }
    }

    /// From now on looks see something that is up.
    pub fn up(&self) {
        self.set(Answer::up());
    }

    /// From now on looks see something that is down.
    pub fn down(&self, reason: impl Into<String>) {
        self.set(Answer::down(reason));
    }

    /// From now on looks answer this.
    pub fn set(&self, answer: Answer) {
        lock(&self.state).always = answer;
    }

    /// The next look answers this; or, if some are queued already, one look after those.
    pub fn once(&self, answer: Answer) {
        lock(&self.state).once.push_back(answer);
    }

    /// Wakes whoever watches what [`Probe::wakes`] names, as the death of a process would. Call
    /// [`waking`](Self::waking) first.
    ///
    /// # Panics
    /// If [`waking`](Self::waking) was not called.
    pub fn wake(&self) {
        let mut state = lock(&self.state);
        let Some(bell) = &mut state.wake else {
            panic!("call Script::waking() before the probe is first looked with")
        };
        bell.rung += 1;
        // A pipe takes 64 KiB before it could refuse; nobody rings that often between two looks.
        assert!(bell.writer.write(&[0]).is_ok(), "the script's own pipe does not take a byte");
    }

    /// Its probes name a descriptor to be woken by; [`wake`](Self::wake) makes it readable, the next look makes it
    /// unreadable again.
    ///
    /// # Panics
    /// If the system has no descriptor left.
    pub fn waking(self) -> Self {
        let bell = std::io::pipe().and_then(|(reader, writer)| {
            let fd = Arc::new(OwnedFd::from(reader.try_clone()?));
            Ok(Bell { fd, reader, writer, rung: 0 })
        });
        match bell {
            Ok(bell) => lock(&self.state).wake = Some(bell),
            Err(error) => panic!("no pipe for the script to wake by: {error}"),
        }
        self
    }

    /// All looks so far, in the order in which they began.
    pub fn looks(&self) -> Vec<Looked> {
        lock(&self.state).looks.clone()
    }

    /// Waits until so many looks have begun, counted from the first.
    pub async fn looked(&self, times: usize) {
        // The sender lives in `self`, so this cannot fail before the count is reached.
        let _ = self.begun.subscribe().wait_for(|begun| *begun >= times).await;
    }

    fn begin(&self, cause: Cause) -> (usize, Answer) {
        let mut state = lock(&self.state);
        if let Some(bell) = &mut state.wake {
            // As many bytes as were rung: there, so reading them cannot wait.
            let mut rung = vec![0; std::mem::take(&mut bell.rung)];
            assert!(
                bell.reader.read_exact(&mut rung).is_ok(),
                "the script's own pipe does not give its bytes"
            );
        }
        state.looks.push(Looked { at: Instant::now(), cause, answered: false });
        let answer = state.once.pop_front().unwrap_or_else(|| state.always.clone());
        let count = state.looks.len();
        drop(state);
        self.begun.send_replace(count);
        (count - 1, answer)
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

/// A probe that follows a [`Script`].
#[derive(Debug)]
pub struct Scripted {
    script: Script,
}

#[async_trait]
impl Probe for Scripted {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        let (number, answer) = self.script.begin(look.cause());
        if !answer.after.is_zero() {
            tokio::time::sleep(answer.after).await;
        }
        let result = match answer.what {
            What::Sees(observation) => Ok(observation),
            What::CannotLook(error) => Err(error),
            What::Panics(message) => panic!("{message}"),
            What::Hangs => std::future::pending().await,
        };
        if let Some(looked) = lock(&self.script.state).looks.get_mut(number) {
            looked.answered = true;
        }
        result
    }

    fn metrics(&self) -> &[Metric] {
        &self.script.metrics
    }

    fn wakes(&self) -> Vec<Wake> {
        lock(&self.script.state).wake.iter().map(|bell| Wake::Fd(bell.fd.clone())).collect()
    }
}
