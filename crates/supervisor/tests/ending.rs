//! What is being done to services when the supervisor is to end, or no longer knows them.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban_config::{Config, Dialect, Kind, Program, Rule, Service};
use hinoban_event::{Doing, Event, Fact};
use hinoban_journal::Journal;
use hinoban_supervisor::{CommandError, Handle, Registry, Supervisor};
use hinoban_testkit::{Recorder, Script, WallClock};
use tokio::time::Instant;

const S: Duration = Duration::from_secs(1);

fn program(line: &str) -> Option<Program> {
    Some(Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 30 * S })
}

/// A service looked at by a script, whose programs the recorder plays.
fn config() -> Config {
    let mut service = Service::new("db", Kind::Custom { probe: "db".into(), options: Default::default() });
    (service.start, service.stop) = (program("/bin/start-db"), program("/bin/stop-db"));
    service.rules.push(Rule::existence());
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    config.services = vec![service.into()];
    config
}

/// A service that each program takes so long to start or stop.
fn played(takes: Duration) -> (Script, Recorder) {
    let (script, recorder) = (Script::new(), Recorder::new());
    recorder.set(takes, Ok(Default::default()));
    let world = script.clone();
    recorder.on_act(move |errand| match errand.doing {
        Doing::Stop => world.down("stopped"),
        _ => world.up(),
    });
    (script, recorder)
}

/// Runs a life with what `then` does in it; gives what was told and how long the end took.
async fn live<F: Future<Output = ()>>(
    (script, recorder): &(Script, Recorder),
    journal: Journal,
    then: impl FnOnce(Handle) -> F,
) -> (Vec<Event>, Duration) {
    let (probe, programs) = (script.clone(), recorder.clone());
    let registry = Registry::empty()
        .probe("db", move |_| Ok(Box::new(probe.probe())))
        .programs(move |_, _| Arc::new(programs.clone()));
    let told = Arc::new(Mutex::new(Vec::new()));
    let (listener, clock) = (told.clone(), WallClock::default());
    let supervisor = Supervisor::builder(config(), registry)
        .journal(journal)
        .boot("boot", 0)
        .wall(Arc::new(move || clock.stamp()))
        .listen(move |event| listener.lock().unwrap().push(event.clone()))
        .build()
        .unwrap();
    let handle = supervisor.handle();
    let (ended, stopped) = tokio::join!(supervisor.run(), async move {
        then(handle.clone()).await;
        let stopped = Instant::now();
        handle.stop();
        stopped
    });
    ended.unwrap();
    (Arc::into_inner(told).unwrap().into_inner().unwrap(), stopped.elapsed())
}

async fn ask(handle: &Handle, doing: Doing) -> Result<(), CommandError> {
    handle.command(vec!["db".into()], doing, "test").await
}

fn left(events: &[Event]) -> Vec<String> {
    match &events.last().unwrap().fact {
        Fact::Stopped { left, .. } => left.clone(),
        fact => panic!("{fact:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_comes_to_its_end_before_the_supervisor_does() {
    let world = played(S);
    let (events, took) = live(&world, Journal::volatile(), |handle| async move {
        tokio::time::sleep(S).await;
        ask(&handle, Doing::Restart).await.unwrap();
        tokio::time::sleep(S / 2).await;
    })
    .await;
    assert_eq!(world.1.in_short(), ["db stop", "db start"]);
    assert_eq!(left(&events), [] as [String; 0]);
    assert!((S..3 * S).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_takes_too_long_is_named_and_goes_on_in_the_next_life() {
    let folder = tempfile::tempdir().unwrap();
    let journal = || Journal::open(folder.path().join("state")).unwrap().0;
    let world = played(20 * S);
    let (events, took) = live(&world, journal(), |handle| async move {
        tokio::time::sleep(S).await;
        ask(&handle, Doing::Restart).await.unwrap();
        tokio::time::sleep(S).await;
        let late = handle.clone();
        tokio::spawn(async move {
            tokio::time::sleep(S).await;
            // A page can still be shown; nothing new is begun.
            assert!(late.status().await.is_some());
            assert_eq!(ask(&late, Doing::Stop).await, Err(CommandError::Gone));
        });
    })
    .await;
    let left = left(&events);
    assert!(left.len() == 1 && left[0].starts_with("db was stopped for a restart"), "{left:?}");
    assert!((5 * S..6 * S).contains(&took), "{took:?}");
    assert!(events.last().unwrap().line().contains("db was stopped for a restart"));
    // What was being done lets go of the journal.
    tokio::time::sleep(S).await;
    world.0.down("stopped");
    world.1.set(S, Ok(Default::default()));
    live(&world, journal(), |_| tokio::time::sleep(20 * S)).await;
    assert_eq!(world.1.in_short().last().unwrap(), "db start");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_a_reload_removes_while_it_is_stopped_for_a_restart_is_started() {
    let world = played(2 * S);
    live(&world, Journal::volatile(), |handle| async move {
        tokio::time::sleep(S).await;
        ask(&handle, Doing::Restart).await.unwrap();
        tokio::time::sleep(S).await;
        let mut none = config();
        none.services.clear();
        assert_eq!(handle.reload(none.clone(), None).await.unwrap().removed, ["db"]);
        assert!(matches!(ask(&handle, Doing::Stop).await, Err(CommandError::NoSuchService(_))));
        tokio::time::sleep(20 * S).await;
        // And again: what is over is not kept for ever.
        handle.reload(none, None).await.unwrap();
        assert!(handle.status().await.unwrap().services.is_empty());
    })
    .await;
    assert_eq!(world.1.in_short(), ["db stop", "db start"]);
}
