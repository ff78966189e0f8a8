//! A scripted world: fake probes, recorded actions, a wall clock that follows paused time.
//!
//! [`Script`] is a probe that sees what you tell it to, [`Recorder`] an action that writes down what it was asked for
//! and answers as you say, [`WallClock`] a wall clock that stands still with the runtime's (`start_paused = true`).
//! Together they are a world in which a supervisor can be watched at work, years in a second. [`look_once`] drives a
//! probe of your own as the supervisor would.
//!
//! All handles are cheap to clone; clones share one script.
//!
//! ```
//! use std::time::Duration;
//!
//! use async_trait::async_trait;
//! use hinoban_probe::{Look, Probe, ProbeError};
//! use hinoban_reading::{Metric, Observation, Reason, ReasonKind, Standing, Unit};
//! use hinoban_testkit::{WallClock, look_once};
//!
//! static METRICS: [Metric; 1] = [Metric::new("queue.depth", Unit::Count)];
//!
//! #[derive(Debug)]
//! struct Queue(Option<i64>);
//!
//! #[async_trait]
//! impl Probe for Queue {
//!     async fn observe(&mut self, _look: &Look) -> Result<Observation, ProbeError> {
//!         Ok(match self.0 {
//!             Some(depth) => Observation::up().with(&METRICS[0], depth),
//!             None => Observation::new(Standing::Down(Reason::new(ReasonKind::Other, "the queue is closed"))),
//!         })
//!     }
//!     fn metrics(&self) -> &[Metric] {
//!         &METRICS
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let clock = WallClock::default();
//! let mut queue = Queue(Some(7));
//! let seen = look_once(&mut queue, Duration::from_secs(5), &clock).await.unwrap();
//! assert!(seen.standing.is_up());
//! assert_eq!(seen.get("queue.depth").and_then(|depth| depth.as_i64()), Some(7));
//! queue.0 = None;
//! let seen = look_once(&mut queue, Duration::from_secs(5), &clock).await.unwrap();
//! assert_eq!(seen.standing.reason().map(|reason| reason.text.as_str()), Some("the queue is closed"));
//! # }
//! ```
#![forbid(unsafe_code)]

mod clock;
mod look;
mod recorder;
mod script;

pub use clock::WallClock;
pub use look::look_once;
pub use recorder::{Acted, Recorder};
pub use script::{Answer, Looked, Script, Scripted};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test that failed while it held the lock has said so; others need not fail for that.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
