//! A Rust service that supervises itself: its own queue by a probe of its own, an action of its own, and a process
//! beside it by the probes that ship. Run it: `cargo run --example embed -p hinoban`.

#![allow(clippy::print_stdout)] // an example may

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hinoban::action::{Action, ActionError, Errand, Outcome};
use hinoban::event::Event;
use hinoban::probe::{Look, Probe, ProbeError};
use hinoban::reading::{Metric, Observation, Unit};
use hinoban::{NoSurroundings, Spawner, SpawnerOptions, Supervisor, config, shipped};

const DEPTH: Metric = Metric::new("queue.depth", Unit::Count);

/// A probe: how many jobs wait.
#[derive(Debug)]
struct Queue(Arc<AtomicI64>);

#[async_trait]
impl Probe for Queue {
    async fn observe(&mut self, _look: &Look) -> Result<Observation, ProbeError> {
        Ok(Observation::up().with(&DEPTH, self.0.load(Ordering::Relaxed)))
    }
    fn metrics(&self) -> &[Metric] {
        const { &[DEPTH] }
    }
}

/// An action: take jobs out of the queue until it is short again.
#[derive(Debug)]
struct Drain(Arc<AtomicI64>);

#[async_trait]
impl Action for Drain {
    async fn act(&self, cause: &Event, _errand: &Errand) -> Result<Outcome, ActionError> {
        println!("draining, because {}", cause.description());
        self.0.store(0, Ordering::Relaxed);
        Ok(Outcome::default())
    }
}

const CONFIG: &str = r#"
every = "100ms"

[service.queue]
probe = "queue"

  [[service.queue.check]]
  when = "queue.depth > 100"
  then = "drain"
"#;

/// The whole embedding. Ends after the queue was too long once and is short again.
pub(crate) async fn supervise(depth: Arc<AtomicI64>) -> Result<Vec<String>, Box<dyn Error>> {
    let config = config::toml::parse("embed.toml".as_ref(), CONFIG, &NoSurroundings)?.config;
    let (measured, drained) = (depth.clone(), depth.clone());
    let registry = shipped(Spawner::start(SpawnerOptions::default()))
        .probe("queue", move |_options| Ok(Box::new(Queue(measured.clone()))))
        .action("drain", Drain(drained));
    let supervisor = Supervisor::builder(config, registry).build()?;
    let handle = supervisor.handle();
    let mut events = handle.subscribe();

    let story = async {
        let mut told = Vec::new();
        depth.store(250, Ordering::Relaxed);
        while let Ok(event) = events.recv().await {
            told.push(event.line());
            if told.iter().any(|line| line.contains("check succeeded")) {
                break;
            }
        }
        handle.stop();
        told
    };
    let (ended, told) =
        tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(supervisor.run(), story) })
            .await?;
    ended?;
    Ok(told)
}

#[allow(dead_code)] // not when a test takes this file in
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for line in supervise(Arc::default()).await? {
        println!("{line}");
    }
    Ok(())
}
