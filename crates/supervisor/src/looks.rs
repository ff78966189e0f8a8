//! Looking: each probe in a place of its own, at most one look of it at a time, each with a deadline.
//!
//! A look is first polled where we stand: one that needs only local system calls (a process) ends there, without a
//! task. One that has to wait goes on as a task of its own.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, ProbeError};
use hinoban_reading::Observation;
use hinoban_scheduler::LookId;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::clock::Clock;
use crate::plane::Owner;

/// Looks over the network that may be under way at a time; further ones wait for their place.
const AT_ONCE: usize = 512;

/// Programs that look which may run at a time; further ones wait for their place, in the order of their turns, and their
/// time begins when they have it.
const PROGRAMS: usize = 16;

/// How long a program may hold its place; one that hangs gives it to the next after that.
const HOLD: Duration = Duration::from_secs(3);

/// What a look needs besides the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Little: the look at a thing itself must not wait behind hosts that do not answer, invariant 6.
    Little,
    /// The network.
    Network,
    /// A program is run for it.
    Program,
}

/// A look that ended.
pub(crate) struct Looked {
    pub(crate) id: LookId,
    pub(crate) result: Result<Observation, ProbeError>,
    probe: Box<dyn Probe>,
}

/// All probes, and the looks under way.
pub(crate) struct Looks {
    idle: HashMap<Owner, Box<dyn Probe>>,
    flying: JoinSet<Looked>,
    places: Arc<Semaphore>,
    programs: Arc<Semaphore>,
}

impl Looks {
    pub(crate) fn new() -> Self {
        let places = |n| Arc::new(Semaphore::new(n));
        Self {
            idle: HashMap::new(),
            flying: JoinSet::new(),
            places: places(AT_ONCE),
            programs: places(PROGRAMS),
        }
    }

    /// Takes in a probe. One that is under way for the same owner is dropped when it comes back.
    pub(crate) fn put(&mut self, owner: Owner, probe: Box<dyn Probe>) {
        self.idle.insert(owner, probe);
    }

    pub(crate) fn remove(&mut self, owner: &Owner) {
        self.idle.remove(owner);
    }

    /// Begins a look. Gives its result if it ended at once; `Err` if there is no such probe here now.
    pub(crate) fn begin(
        &mut self,
        id: LookId,
        early: bool,
        limit: Duration,
        effort: Effort,
        clock: &Clock,
    ) -> Result<Option<Looked>, ()> {
        let mut probe = self.idle.remove(&(id.service, id.part)).ok_or(())?;
        let cause = if early { Cause::Early } else { Cause::Due };
        let wall = Duration::from_micros(clock.now().stamp.micros().try_into().unwrap_or(0));
        let (places, programs) = (self.places.clone(), self.programs.clone());
        let mut future: Pin<Box<dyn Future<Output = Looked> + Send>> = Box::pin(async move {
            let asked = Instant::now();
            let place = match effort {
                Effort::Program => programs.acquire_owned().await.ok(),
                _ => None,
            };
            let deadline = Instant::now() + limit;
            let look = Look::new(deadline.into_std(), wall + asked.elapsed(), cause);
            let seen = async {
                let _place = match effort {
                    Effort::Network => places.acquire().await.ok(),
                    _ => None,
                };
                CatchUnwind(probe.observe(&look)).await
            };
            let result = match held(timeout_at(deadline, seen), place).await {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) => Err(ProbeError::Panicked(panic)),
                Err(_) => Err(ProbeError::Overdue(limit)),
            };
            Looked { id, result, probe }
        });
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(looked) => Ok(Some(looked)),
            Poll::Pending => {
                self.flying.spawn(future);
                Ok(None)
            }
        }
    }

    /// Waits for a look under way to end; for ever if there is none. Loses nothing when dropped.
    pub(crate) async fn next(&mut self) -> Looked {
        loop {
            match self.flying.join_next().await {
                Some(Ok(looked)) => return looked,
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Puts the probe of a look that ended back in its place, and lets it be asked something first, with whether its place
    /// is still its own.
    pub(crate) fn settle<T>(
        &mut self,
        looked: Looked,
        ask: impl FnOnce(&dyn Probe, bool) -> T,
    ) -> (Result<Observation, ProbeError>, T) {
        let own = !self.idle.contains_key(&(looked.id.service, looked.id.part));
        let answer = ask(&*looked.probe, own);
        self.idle.entry((looked.id.service, looked.id.part)).or_insert(looked.probe);
        (looked.result, answer)
    }
}

/// Waits for a look until its end, giving its place back early if that takes long.
async fn held<F: Future, P>(look: F, place: Option<P>) -> F::Output {
    if place.is_none() {
        return look.await;
    }
    let mut look = pin!(look);
    if let Ok(seen) = timeout(HOLD, &mut look).await {
        return seen;
    }
    drop(place);
    look.await
}

/// A future whose panic is a value.
pub(crate) struct CatchUnwind<F>(pub(crate) F);

impl<F: Future + Unpin> Future for CatchUnwind<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = Pin::new(&mut self.0);
        match std::panic::catch_unwind(AssertUnwindSafe(|| inner.poll(context))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
        }
    }
}

/// What a panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
