//! Many services: what is told of them is told in parts, and must be whole all the same.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Config, Dialect, Kind, Rule, Service};
use hinoban_event::Doing;
use hinoban_supervisor::{Registry, Supervisor, Watching};
use hinoban_testkit::{Script, WallClock};

const MANY: usize = 1_000;

fn config(many: usize) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(Duration::from_secs(60));
    config.services = (0..many)
        .map(|n| {
            let kind = Kind::Custom { probe: "fine".to_owned(), options: Default::default() };
            let mut service = Service::new(format!("s{n}"), kind);
            service.rules.push(Rule::existence());
            service.into()
        })
        .collect();
    config
}

fn supervisor() -> Supervisor {
    let clock = WallClock::default();
    let script = Script::new();
    let registry = Registry::empty().probe("fine", move |_| Ok(Box::new(script.probe())));
    let built = Supervisor::builder(config(MANY), registry).wall(Arc::new(move || clock.stamp())).build();
    built.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_status_names_each_of_many_services_once_and_knows_what_was_asked_for_before() {
    let supervisor = supervisor();
    let handle = supervisor.handle();
    let asking = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let first = handle.status();
        let after = async {
            handle.command(vec!["s3".into()], Doing::Unmonitor, "test").await.unwrap();
            handle.status().await
        };
        let (first, after) = tokio::join!(first, after);
        for status in [first, after.clone()] {
            let names: Vec<String> = status.unwrap().services.iter().map(|v| v.name.to_string()).collect();
            assert_eq!(names, (0..MANY).map(|n| format!("s{n}")).collect::<Vec<_>>());
        }
        assert_eq!(after.unwrap().services[3].watching, Watching::No);
        // A reload comes in between: what is told is of those that are there now.
        let (status, reloaded) = tokio::join!(handle.status(), handle.reload(config(600), None));
        assert_eq!(reloaded.unwrap().removed.len(), 400);
        assert_eq!(status.unwrap().services.len(), 600);
        // Whoever no longer waits keeps nobody waiting.
        let _ = tokio::time::timeout(Duration::ZERO, handle.status()).await;
        assert_eq!(handle.status().await.unwrap().services.len(), 600);
        handle.stop();
    };
    let (ended, ()) = tokio::join!(supervisor.run(), asking);
    ended.unwrap();
}

#[tokio::test(start_paused = true)]
async fn all_of_them_have_had_their_first_look_soon_but_not_all_at_once() {
    let supervisor = supervisor();
    let handle = supervisor.handle();
    let asking = async {
        let looked = async || {
            let status = handle.status().await.unwrap();
            status.services.iter().filter(|view| view.looked_at.is_some()).count()
        };
        tokio::time::sleep(Duration::from_millis(1)).await;
        let begun = looked().await;
        assert!((256..MANY).contains(&begun), "{begun}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(looked().await, MANY);
        let lateness = handle.vitals().await.unwrap().lateness;
        assert_eq!(lateness.looks(), MANY as u64);
        assert!(lateness.longest() < Duration::from_millis(10), "{lateness:?}");
        handle.stop();
    };
    let (ended, ()) = tokio::join!(supervisor.run(), asking);
    ended.unwrap();
}
