//! What a probe remembers outlives the supervisor and a reload, and is not believed of anything else.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_config::{
    Branch, Condition, Config, Dialect, Expect, Kind, Options, Pattern, Rule, Service, Test, Then,
};
use hinoban_event::Fact;
use hinoban_journal::Journal;
use hinoban_probe::{Look, Probe, ProbeError, Wake};
use hinoban_reading::{Metric, Observation, Unit};
use hinoban_supervisor::{Handle, Registry, Supervisor};
use hinoban_testkit::WallClock;

const S: Duration = Duration::from_secs(1);
static METRICS: [Metric; 1] = [Metric::new("news.new", Unit::Text)];

/// What all probes of a test tell: "name recalls N" and "name reads N".
type Told = Arc<Mutex<Vec<String>>>;

/// Counts its looks, and goes on counting where the one before it ended.
#[derive(Debug)]
struct Counter {
    name: String,
    count: u8,
    told: Told,
    /// Finds something in each look.
    finds: bool,
    wake: Option<Arc<OwnedFd>>,
}

#[async_trait]
impl Probe for Counter {
    async fn observe(&mut self, _look: &Look) -> Result<Observation, ProbeError> {
        self.count += 1;
        let found = if self.finds { format!("news {}", self.count) } else { String::new() };
        Ok(Observation::up().with(&METRICS[0], found.as_str()))
    }
    fn metrics(&self) -> &[Metric] {
        &METRICS
    }
    fn wakes(&self) -> Vec<Wake> {
        self.wake.iter().cloned().map(Wake::Fd).collect()
    }
    fn memory(&self) -> Option<Vec<u8>> {
        (self.count > 0).then(|| vec![self.count])
    }
    fn recall(&mut self, memory: &[u8]) {
        self.count = memory[0];
        self.told.lock().unwrap().push(format!("{} {}", self.name, self.count));
    }
}

struct Bench {
    _dir: tempfile::TempDir,
    told: Told,
    /// What is written here wakes the probes.
    bell: UnixStream,
    wake: Option<Arc<OwnedFd>>,
}

fn text(name: &str) -> Options {
    [("name".to_owned(), name.into())].into()
}

fn service(name: &str) -> Service {
    let kind = Kind::Custom { probe: "counter".to_owned(), options: text(name) };
    Service::new(name, kind)
}

fn test(name: &str) -> Rule {
    let when = Condition::Test {
        test: Test::Custom { probe: "counter".to_owned(), options: text(name) },
        expect: Expect::Failed,
    };
    Rule { when, fail: Branch::once(Then::Alert), ok: Branch::once(Then::Alert), place: Default::default() }
}

fn config(services: Vec<Service>) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    config.services = services.into_iter().map(Into::into).collect();
    config
}

impl Bench {
    fn new() -> Self {
        let (bell, ear) = UnixStream::pair().unwrap();
        let wake = Some(Arc::new(OwnedFd::from(ear)));
        Self { _dir: tempfile::tempdir().unwrap(), told: Told::default(), bell, wake }
    }

    fn state(&self) -> std::path::PathBuf {
        self._dir.path().join("state")
    }

    /// One life of a supervisor.
    async fn live<F: Future<Output = ()>>(
        &self,
        config: Config,
        finds: bool,
        script: impl FnOnce(Handle) -> F,
    ) -> Vec<String> {
        let (told, wake) = (self.told.clone(), self.wake.clone());
        let registry = Registry::empty().probe("counter", move |options| {
            let name = options["name"].to_string();
            Ok(Box::new(Counter { name, count: 0, told: told.clone(), finds, wake: wake.clone() }))
        });
        let failed: Told = Told::default();
        let (heard, clock) = (failed.clone(), WallClock::default());
        let journal = Journal::open(self.state()).unwrap().0;
        let supervisor = Supervisor::builder(config, registry)
            .journal(journal)
            .wall(Arc::new(move || clock.stamp()))
            .listen(move |event| {
                if let Fact::Failed(failure) = &event.fact {
                    heard.lock().unwrap().push(failure.text.clone());
                }
            })
            .build()
            .unwrap();
        let handle = supervisor.handle();
        let stop = handle.clone();
        let (ended, ()) = tokio::join!(supervisor.run(), async move {
            script(handle).await;
            stop.stop();
        });
        ended.unwrap();
        std::mem::take(&mut *failed.lock().unwrap())
    }

    /// What was recalled since it was asked last, in order of the names.
    fn recalled(&self) -> Vec<String> {
        let mut told = std::mem::take(&mut *self.told.lock().unwrap());
        told.sort();
        told
    }
}

async fn looks(_: Handle) {
    tokio::time::sleep(125 * S).await;
}

#[tokio::test(start_paused = true)]
async fn memory_is_given_back_to_whoever_looks_at_the_same() {
    let bench = Bench::new();
    let with_test = || {
        let mut service = service("svc");
        service.rules.push(test("tested"));
        service
    };
    bench.live(config(vec![with_test(), service("other")]), false, looks).await;
    assert!(bench.recalled().is_empty(), "nothing is known in the first life");
    bench.live(config(vec![with_test(), service("other")]), false, looks).await;
    assert_eq!(bench.recalled(), ["other 3", "svc 3", "tested 3"]);

    // The service is the same, its test is another, and the other service is gone.
    let mut changed = service("svc");
    changed.rules.push(test("tested otherwise"));
    bench.live(config(vec![changed]), false, looks).await;
    assert_eq!(bench.recalled(), ["svc 6"]);

    bench.live(config(vec![service("other")]), false, looks).await;
    assert!(bench.recalled().is_empty(), "what was gone is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_reload_gives_it_to_the_new_probe() {
    let bench = Bench::new();
    bench
        .live(config(vec![service("svc")]), false, |handle| async move {
            tokio::time::sleep(65 * S).await;
            let mut grouped = service("svc");
            grouped.groups.push("web".to_owned());
            handle.reload(config(vec![grouped]), None).await.unwrap();
            tokio::time::sleep(65 * S).await;
        })
        .await;
    assert_eq!(bench.recalled(), ["svc 2"]);

    // The same name, and something else behind it.
    let mut other = service("svc");
    other.kind = Kind::Custom { probe: "counter".to_owned(), options: text("else") };
    bench.live(config(vec![other]), false, looks).await;
    assert!(bench.recalled().is_empty());
}

/// What was found and not told yet is found again by the next life.
#[tokio::test(start_paused = true)]
async fn what_waits_for_its_rule_holds_memory_back() {
    let bench = Bench::new();
    let news = || {
        let mut service = service("svc");
        let when = Condition::Content {
            metric: METRICS[0].name.to_string(),
            pattern: Pattern::new("news").unwrap(),
            fails_on_match: true,
        };
        let (fail, ok) = (Branch::once(Then::Alert), Branch::once(Then::Nothing));
        service.rules.push(Rule { when, fail, ok, place: Default::default() });
        service
    };
    let mut bell = &bench.bell;
    let told = bench
        .live(config(vec![news()]), true, |_| async move {
            tokio::time::sleep(S).await;
            // Three looks before their turn: the first one tells.
            for _ in 0..3 {
                bell.write_all(b"!").unwrap();
                // Nothing else is due: paused time goes on when the bell has been heard.
                tokio::task::yield_now().await;
                tokio::time::sleep(S).await;
            }
        })
        .await;
    assert_eq!(told, ["a line matches 'news': news 1", "a line matches 'news': news 2"]);
    let told = bench.live(config(vec![news()]), true, |_| tokio::time::sleep(S)).await;
    assert_eq!(bench.recalled(), ["svc 2"]);
    assert_eq!(told.first().map(String::as_str), Some("a line matches 'news': news 3"));
}
