//! Look once: the [`Probe`] trait.
//!
//! A probe reads the world and says what it saw; it never changes the world, never decides what a sight means, and
//! never waits for its next turn. Whoever drives it (the supervisor, a test, your own loop) calls
//! [`observe`](Probe::observe) when a look is due, and drops the future at the deadline.
//!
//! A dead service is an *observation*; an error means that we could not look. The two are never mixed.
//!
//! ```
//! use async_trait::async_trait;
//! use hinoban_probe::{Look, Probe, ProbeError};
//! use hinoban_reading::{Metric, Observation, Unit};
//!
//! const DEPTH: Metric = Metric::new("queue.depth", Unit::Count);
//!
//! #[derive(Debug)]
//! struct Queue(std::sync::Arc<std::sync::atomic::AtomicU32>);
//!
//! #[async_trait]
//! impl Probe for Queue {
//!     async fn observe(&mut self, _look: &Look) -> Result<Observation, ProbeError> {
//!         Ok(Observation::up().with(&DEPTH, self.0.load(std::sync::atomic::Ordering::Relaxed)))
//!     }
//!     fn metrics(&self) -> &[Metric] {
//!         const { &[DEPTH] }
//!     }
//! }
//! ```
#![forbid(unsafe_code)]

mod closure;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hinoban_reading::{Metric, Observation};

pub use closure::{FromFn, from_fn};

/// Looks once at one thing. Object-safe; `&mut self`, because a probe remembers and cannot overlap itself.
///
/// Required: [`observe`](Self::observe) and [`metrics`](Self::metrics). The rest has defaults that say "nothing".
#[async_trait]
pub trait Probe: std::fmt::Debug + Send {
    /// Looks once.
    ///
    /// The future is dropped at [`Look::deadline`]: keep what you remember consistent at every await. It must not
    /// block its thread for longer than a local system call takes.
    ///
    /// # Errors
    /// When it was not possible to look (no permission, no descriptor left). "It is down" is not an error.
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError>;

    /// The readings an observation may hold, families included. Rules over anything else fail at load.
    fn metrics(&self) -> &[Metric];

    /// What may wake us before our turn; asked again after each look.
    fn wakes(&self) -> Vec<Wake> {
        Vec::new()
    }

    /// What should outlive a restart of the supervisor (offsets, baselines).
    fn memory(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes back what an earlier life's [`memory`](Self::memory) gave. Bytes it cannot read are ignored.
    fn recall(&mut self, _memory: &[u8]) {}

    /// What this probe cannot do here, and why (an older kernel, a missing permission); asked again after each look.
    /// Whoever drives the probe says each text once.
    fn limits(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The circumstances of one look: until when, and why now.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    deadline: Instant,
    wall: Duration,
    cause: Cause,
}

/// Why a look happens now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its turn came.
    Due,
    /// Something woke us, or somebody asked: it comes before its turn.
    Early,
}

impl Look {
    /// A look that ends at `deadline`. `wall` is the wall clock now, as time since the Unix epoch.
    pub fn new(deadline: Instant, wall: Duration, cause: Cause) -> Self {
        Self { deadline, wall, cause }
    }

    /// When the look is given up: a point on the runtime's clock.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The wall clock when the look began, as time since the Unix epoch.
    pub fn wall(&self) -> Duration {
        self.wall
    }

    /// Due or early.
    pub fn cause(&self) -> Cause {
        self.cause
    }
}

/// Something that may wake a probe before its turn.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Wake {
    /// A descriptor that becomes readable or hung up, such as a pidfd. Watched edge-triggered: what it tells must be
    /// taken out of it by the next look, if it holds anything.
    Fd(Arc<OwnedFd>),
    /// A path that appears, disappears, or changes. The file need not exist.
    Path(PathBuf),
    /// A path that appears, disappears, is replaced by another file, or gets another owner or mode. What is written into
    /// it wakes nobody: it may be a log that is written to all the time. The file need not exist.
    Presence(PathBuf),
    /// A directory in which something appears, disappears, or is replaced. It must exist; whether it does is told by
    /// [`Presence`](Self::Presence).
    Entries(PathBuf),
}

/// We could not look. Says nothing about the thing itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// Not permitted; the text names what, and what would help.
    #[error("{0}")]
    Denied(String),
    /// The look did not end by its deadline.
    #[error("no result within {} s", .0.as_secs_f64())]
    Overdue(Duration),
    /// The probe panicked; it is rebuilt.
    #[error("the probe panicked: {0}")]
    Panicked(String),
    /// Anything else that kept us from looking.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_an_object() {
        fn takes(_: Option<Box<dyn Probe>>) {}
        takes(None);
    }
}
