//! What was: written down by a supervisor at work, read back through its handle, over its lives.
//!
//! On the real clock: the history is a thread of its own, and nobody pauses its time.

#![allow(clippy::unwrap_used)] // helpers of tests may fail them

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Branch, Condition, Config, Dialect, Kind, Operator, Program, Rule, Service, Then};
use hinoban_journal::Journal;
use hinoban_reading::{Observation, Reason, ReasonKind, Stamp, Standing, Value, metrics as m};
use hinoban_supervisor::{Handle, HistoryError, Incident, Registry, StepKind, Supervisor};
use hinoban_testkit::{Answer, Recorder, Script};

const PATIENCE: Duration = Duration::from_secs(30);

fn service(name: &str, needs: &[&str]) -> Service {
    let kind = Kind::Custom { probe: name.to_owned(), options: Default::default() };
    let mut service = Service::new(name, kind);
    let words = vec![format!("/bin/start-{name}")];
    service.start = Some(Program { words, uid: None, gid: None, timeout: PATIENCE });
    service.rules.push(Rule::existence());
    service.depends_on = needs.iter().map(|needed| (*needed).into()).collect();
    service
}

fn config(services: Vec<Service>) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(Duration::from_millis(50));
    config.services = services.into_iter().map(Into::into).collect();
    config
}

/// Runs `script` beside a supervisor that has its files in this folder, then stops it.
async fn live<F: Future<Output = ()>>(
    folder: &Path,
    config: Config,
    probes: &[(&str, &Script)],
    script: impl FnOnce(Handle) -> F,
) {
    let programs = Recorder::new();
    let scripts: Vec<_> =
        probes.iter().map(|(name, script)| ((*name).to_owned(), (*script).clone())).collect();
    programs.on_act(move |errand| {
        let cured = scripts.iter().filter(|(name, _)| **name == *errand.service);
        cured.for_each(|(_, script)| script.set(Answer::sees(seen(2.0))));
    });
    let mut registry = Registry::empty().programs(move |_, _| Arc::new(programs.clone()));
    for (name, script) in probes {
        let script = (*script).clone();
        registry = registry.probe(*name, move |_| Ok(Box::new(script.probe())));
    }
    let (journal, ..) = Journal::open(folder.join("state")).unwrap();
    let supervisor = Supervisor::builder(config, registry)
        .journal(journal)
        .history(folder.join("state.history"))
        .build()
        .unwrap();
    let (handle, stop) = (supervisor.handle(), supervisor.handle());
    let (ended, ()) = tokio::join!(supervisor.run(), async move {
        script(handle).await;
        stop.stop();
    });
    ended.unwrap();
}

fn seen(load: f64) -> Observation {
    Observation::up().with(&m::LOAD_1, load).with(&m::THREADS, 4i64)
}

fn down() -> Answer {
    Answer::sees(Observation::new(Standing::Down(Reason::new(ReasonKind::Refused, "connection refused"))))
}

fn script() -> Script {
    let script = Script::measuring(vec![m::LOAD_1, m::THREADS]).waking();
    script.set(Answer::sees(seen(2.0)));
    script
}

/// The incidents of a service, once they are as they should be.
async fn incidents(handle: &Handle, service: &str, so: impl Fn(&[Incident]) -> bool) -> Vec<Incident> {
    for _ in 0..PATIENCE.as_millis() / 20 {
        let found = handle.incidents(Some(service.to_owned()), 10).await.unwrap();
        if so(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", handle.incidents(None, 10).await);
}

#[tokio::test]
async fn a_failure_is_written_down_and_the_next_life_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let db = script();
    let services = || vec![service("db", &[])];
    live(folder.path(), config(services()), &[("db", &db)], |handle| {
        let db = db.clone();
        async move {
            db.set(down());
            db.wake();
            let found = incidents(&handle, "db", |all| all.iter().any(|i| i.closed.is_some())).await;
            let kinds: Vec<_> = found[0].steps().map(|step| step.kind).collect();
            assert_eq!(kinds[..3], [StepKind::Seen, StepKind::Decided, StepKind::Done], "{found:?}");
            assert!(found[0].text.contains("connection refused"), "{found:?}");
        }
    })
    .await;
    live(folder.path(), config(services()), &[("db", &db)], |handle| async move {
        assert_eq!(incidents(&handle, "db", |all| !all.is_empty()).await[0].id, 1);
        assert_eq!(handle.incident(1).await.unwrap().unwrap().service, "db".into());
        assert_eq!(handle.incident(9).await, Ok(None));
    })
    .await;
}

#[tokio::test]
async fn what_a_rule_names_is_kept_as_it_was_read_and_the_rest_in_points() {
    let folder = tempfile::tempdir().unwrap();
    let db = script();
    let mut service = service("db", &[]);
    service.rules.push(Rule {
        when: Condition::Compare {
            metric: "load.1".to_owned(),
            operator: Operator::Greater,
            limit: Value::Real(100.0),
        },
        fail: Branch::once(Then::Alert),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    });
    let ever = (Stamp::from_micros(0), Stamp::from_micros(4_000_000_000_000_000));
    let counted = Arc::new(std::sync::Mutex::new(0));
    let (services, count) = (vec![service], counted.clone());
    live(folder.path(), config(services.clone()), &[("db", &db)], |handle| async move {
        for _ in 0..PATIENCE.as_millis() / 20 {
            let metrics = |found: Vec<hinoban_supervisor::Series>| {
                found.iter().map(|series| series.metric.to_string()).collect::<Vec<_>>()
            };
            let known = metrics(handle.series("db".to_owned()).await.unwrap());
            if known.len() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let found = handle.over_time("db".to_owned(), None, "load.1".to_owned(), ever, 1).await.unwrap();
        assert_eq!((found.points[0].min, found.points[0].max), (2.0, 2.0));
        *count.lock().unwrap() = found.points[0].count;
    })
    .await;
    let before = *counted.lock().unwrap();
    assert!(before > 1);
    live(folder.path(), config(services), &[("db", &db)], |handle| async move {
        for metric in ["load.1", "threads"] {
            let ask = handle.over_time("db".to_owned(), Some(String::new()), metric.to_owned(), ever, 1);
            let found = ask.await.unwrap();
            assert!(found.points[0].count >= before, "{metric}: an orderly end loses nothing: {found:?}");
        }
        let none = handle.over_time("db".to_owned(), None, "nothing".to_owned(), ever, 1).await.unwrap();
        assert_eq!((none.unit, none.points), (None, vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_reload_switches_it_off_and_on_and_a_service_that_goes_has_failed_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let (db, other) = (script(), script());
    let mut both = config(vec![service("db", &[]), service("other", &[])]);
    both.services.iter_mut().for_each(|service| {
        // Nobody repairs it.
        Arc::make_mut(service).start = None;
    });
    let mut one = both.clone();
    one.services.pop();
    let mut off = one.clone();
    off.history = None;
    live(folder.path(), both, &[("db", &db), ("other", &other)], |handle| {
        let other = other.clone();
        async move {
            other.set(down());
            other.wake();
            incidents(&handle, "other", |all| all.len() == 1 && all[0].closed.is_none()).await;
            handle.reload(one.clone(), None).await.unwrap();
            incidents(&handle, "other", |all| all.len() == 1 && all[0].closed.is_some()).await;
            handle.reload(off, None).await.unwrap();
            assert_eq!(handle.incidents(None, 1).await, Err(HistoryError::Off));
            handle.reload(one, None).await.unwrap();
            incidents(&handle, "other", |all| all.len() == 1).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_fails_over_two_lives_is_one_failure() {
    let folder = tempfile::tempdir().unwrap();
    let db = script();
    let mut services = config(vec![service("db", &[])]);
    Arc::make_mut(&mut services.services[0]).start = None;
    live(folder.path(), services.clone(), &[("db", &db)], |handle| {
        let db = db.clone();
        async move {
            db.set(down());
            db.wake();
            incidents(&handle, "db", |all| all.len() == 1).await;
        }
    })
    .await;
    live(folder.path(), services, &[("db", &db)], |handle| {
        let db = db.clone();
        async move {
            incidents(&handle, "db", |all| all.len() == 1 && all[0].closed.is_none()).await;
            db.set(Answer::sees(seen(1.0)));
            db.wake();
            incidents(&handle, "db", |all| all.len() == 1 && all[0].closed.is_some()).await;
        }
    })
    .await;
}
