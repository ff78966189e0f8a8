//! A limit on restarts, over crashes of the supervisor.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban_config::{Branch, Condition, Config, Cron, Dialect, Kind, Program, Rule, Service, Then, Turns};
use hinoban_event::Doing;
use hinoban_journal::Journal;
use hinoban_supervisor::{Handle, Registry, ServiceView, Supervisor, Watching};
use hinoban_testkit::{Recorder, Script, WallClock};

const S: Duration = Duration::from_secs(1);

fn config(change: impl FnOnce(&mut Service)) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    let mut service = Service::new("db", Kind::Custom { probe: "db".into(), options: Default::default() });
    service.start = Some(Program { words: vec!["/bin/start".into()], uid: None, gid: None, timeout: 10 * S });
    service.rules.push(Rule::existence());
    let when = Condition::Restarts { count: 3, within: 5 };
    let fail = Branch::once(Then::Unmonitor);
    let ok = Branch::once(Then::Alert);
    service.rules.push(Rule { when, fail, ok, place: Default::default() });
    change(&mut service);
    config.services = vec![service.into()];
    config
}

/// One life of a supervisor whose service is down, ended by a crash after this time: what was started in it, and how the
/// service stood at last.
async fn live(state: &Path, config: Config, time: Duration, command: Option<Doing>) -> (usize, ServiceView) {
    let script = Script::new();
    script.down("it does not come up");
    let (recorder, clock) = (Recorder::new(), WallClock::default());
    let programs = recorder.clone();
    let registry = Registry::empty()
        .programs(move |_, _| Arc::new(programs.clone()))
        .probe("db", move |_| Ok(Box::new(script.probe())));
    let supervisor = Supervisor::builder(config, registry)
        .journal(Journal::open(state).unwrap().0)
        .boot("boot", 0)
        .wall(Arc::new(move || clock.stamp()))
        .build()
        .unwrap();
    let handle: Handle = supervisor.handle();
    let last = Arc::new(Mutex::new(None));
    let seen = last.clone();
    tokio::select! {
        ended = supervisor.run() => { ended.unwrap(); }
        () = async move {
            if let Some(doing) = command {
                handle.command(vec!["db".into()], doing, "test").await.unwrap();
            }
            tokio::time::sleep(time).await;
            *seen.lock().unwrap() = Some(handle.status().await.unwrap().services.remove(0));
        } => {}
    }
    let view = last.lock().unwrap().take().unwrap();
    (recorder.acts().len(), view)
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_stays_so_over_crashes_and_its_restarts_are_counted_over_them() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (starts, view) = live(&state, config(|_| ()), 90 * S, None).await;
    assert_eq!((starts, view.watching), (2, Watching::Yes));
    assert_eq!(Journal::open(&state).unwrap().1.restarts("db"), Some((2, 1)));

    let (starts, view) = live(&state, config(|_| ()), 300 * S, None).await;
    assert_eq!((starts, view.watching), (1, Watching::No));
    let why = view.gave_up.unwrap();
    assert!(why.starts_with("was restarted 3 times within 3 cycles -- "), "{why}");
    assert!(why.ends_with("once it is mended: hinoban monitor db"), "{why}");

    let (starts, view) = live(&state, config(|_| ()), 300 * S, None).await;
    assert_eq!((starts, view.watching, view.gave_up), (0, Watching::No, Some(why)));

    let (starts, view) = live(&state, config(|_| ()), 30 * S, Some(Doing::Monitor)).await;
    assert_eq!((starts, view.watching, view.gave_up), (1, Watching::Yes, None));
}

#[tokio::test(start_paused = true)]
async fn patterns_are_of_the_zone_that_the_supervisor_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new();
    let clock = WallClock::default();
    let now = clock.stamp().secs();
    // The hour that it is in UTC is another one there.
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(5));
    let there = (now / 3600 + 5) % 24;
    let config = config(|service| {
        service.turns = Turns::At(Cron::parse(&format!("* {there} * * *")).unwrap().0);
    });
    let registry = Registry::empty()
        .programs(|_, _| Arc::new(Recorder::new()))
        .probe("db", move |_| Ok(Box::new(script.probe())));
    let supervisor = Supervisor::builder(config, registry)
        .journal(Journal::open(folder.path().join("state")).unwrap().0)
        .wall(Arc::new(move || clock.stamp()))
        .zone(zone)
        .build()
        .unwrap();
    let handle = supervisor.handle();
    tokio::select! {
        ended = supervisor.run() => { ended.unwrap(); }
        () = async move {
            tokio::time::sleep(S).await;
            let view = handle.status().await.unwrap().services.remove(0);
            assert_eq!((view.watching, view.waiting), (Watching::Yes, false));
        } => {}
    }
}
