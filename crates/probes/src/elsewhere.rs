//! Questions to the kernel whose answer may never come: a path behind a network that is gone.
//!
//! They are asked on a blocking thread of the runtime, and a mount that hangs costs one such thread in all: whoever asks
//! next waits at its gate, and whoever has asked waits for that answer instead of asking again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hinoban_probe::{Look, ProbeError};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Lets one question at a time through to a mount.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    turn: Arc<Semaphore>,
    behind: Arc<str>,
}

impl Gate {
    /// A gate before what `behind` names: "the nfs4 file system mounted at /srv".
    pub(crate) fn new(behind: String) -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), behind: behind.into() }
    }

    /// Whether both are one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.turn, &other.turn)
    }
}

/// For paths whose mount is not known.
impl Default for Gate {
    fn default() -> Self {
        Self::new("its file system".to_owned())
    }
}

/// One probe's question, which may outlive the look that asked it, and the gate it went through.
pub(crate) struct Elsewhere<T>(Option<Box<(Gate, JoinHandle<T>)>>);

impl<T> fmt::Debug for Elsewhere<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("asked", &self.0.is_some()).finish()
    }
}

impl<T> Default for Elsewhere<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// So long before the deadline we give up ourselves, for then we can say why.
const BEFORE: Duration = Duration::from_millis(100);

impl<T: Send + 'static> Elsewhere<T> {
    /// Asks through the gate. A question that outlived its look is waited for again, and not repeated; unless it went
    /// through another gate: what was mounted there then is there no longer, and its answer may never come.
    ///
    /// # Errors
    /// If no answer came in time: a text that says what did not answer.
    pub(crate) async fn ask(
        &mut self,
        gate: &Gate,
        look: &Look,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ProbeError> {
        // One that came back after its look was over tells of the past.
        self.0.take_if(|asked| asked.1.is_finished() || !asked.0.is(gate));
        let answer = async {
            let (_, asked) = &mut **match &mut self.0 {
                Some(asked) => asked,
                none => {
                    let turn = gate.turn.clone().acquire_owned().await;
                    let asked = tokio::task::spawn_blocking(move || {
                        let answer = question();
                        drop(turn);
                        answer
                    });
                    none.insert(Box::new((gate.clone(), asked)))
                }
            };
            asked.await
        };
        let deadline = look.deadline();
        let deadline = Instant::from_std(deadline.checked_sub(BEFORE).unwrap_or(deadline));
        match timeout_at(deadline, answer).await {
            Ok(answer) => {
                self.0 = None;
                answer.map_err(|e| ProbeError::Failed(format!("a look was cut short: {e}")))
            }
            Err(_) => Err(ProbeError::Failed(format!(
                "{} does not answer; see whether its server can be reached, or unmount it (umount -l)",
                gate.behind
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use hinoban_probe::Cause;

    use super::*;

    fn look(limit: Duration) -> Look {
        Look::new((Instant::now() + limit).into_std(), Duration::ZERO, Cause::Due)
    }

    const SHORT: Duration = Duration::from_millis(150);
    const LONG: Duration = Duration::from_secs(30);

    /// Hangs until the sender is dropped or sends, then tells its number.
    fn hung(asked: &Arc<AtomicU32>) -> (mpsc::Sender<()>, impl FnOnce() -> u32 + Send + 'static) {
        let (free, wait) = mpsc::channel::<()>();
        let asked = asked.clone();
        let question = move || {
            let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
            let _ = wait.recv();
            number
        };
        (free, question)
    }

    #[tokio::test]
    async fn a_dead_mount_costs_one_thread_however_many_look_how_often() {
        let asked = Arc::new(AtomicU32::new(0));
        let gate = Gate::new("the nfs4 file system mounted at /srv".to_owned());
        let (mut one, mut other) = (Elsewhere::default(), Elsewhere::default());
        let (free, question) = hung(&asked);
        let error = one.ask(&gate, &look(SHORT), question).await.unwrap_err().to_string();
        assert!(error.starts_with("the nfs4 file system mounted at /srv does not answer"), "{error}");
        for _ in 0..2 {
            assert!(one.ask(&gate, &look(SHORT), hung(&asked).1).await.is_err());
            assert!(other.ask(&gate, &look(SHORT), hung(&asked).1).await.is_err());
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "the others never got a thread");

        // It answers at last: the one who waits gets it, and the gate is open again.
        let long = look(LONG);
        let (late, ()) = tokio::join!(one.ask(&gate, &long, || 0), async { drop(free) });
        assert_eq!(late.unwrap(), 1);
        assert_eq!(other.ask(&gate, &look(LONG), || 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_is_mounted_anew_is_asked_though_the_old_one_never_answers() {
        let asked = Arc::new(AtomicU32::new(0));
        let (old, new) = (Gate::default(), Gate::default());
        let mut probe = Elsewhere::default();
        let (hangs, question) = hung(&asked);
        assert!(probe.ask(&old, &look(SHORT), question).await.is_err());
        assert_eq!(probe.ask(&new, &look(LONG), || 2).await.unwrap(), 2);
        drop(hangs);
    }

    #[tokio::test]
    async fn an_answer_that_came_after_its_look_is_of_the_past() {
        let asked = Arc::new(AtomicU32::new(0));
        let gate = Gate::default();
        let mut probe = Elsewhere::default();
        let (free, question) = hung(&asked);
        assert!(probe.ask(&gate, &look(SHORT), question).await.is_err());
        drop(free);
        while !probe.0.as_ref().unwrap().1.is_finished() {
            tokio::task::yield_now().await;
        }
        assert_eq!(probe.ask(&gate, &look(LONG), || 2).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_question_that_panics_is_an_error_and_opens_the_gate() {
        let gate = Gate::default();
        let mut probe: Elsewhere<u32> = Elsewhere::default();
        assert!(probe.ask(&gate, &look(LONG), || panic!("no")).await.is_err());
        assert_eq!(probe.ask(&gate, &look(LONG), || 1).await.unwrap(), 1);
    }
}
