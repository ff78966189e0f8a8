//! The clock on the wall is set while the supervisor runs.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban_config::{Config, Dialect, Kind, Rule, Service};
use hinoban_event::{Event, Fact};
use hinoban_reading::Stamp;
use hinoban_supervisor::{Registry, Supervisor};
use hinoban_testkit::{Script, WallClock};

const S: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_is_told_once_and_everything_is_looked_at_within_a_period() {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    config.services.clear();
    let mut registry = Registry::empty();
    let scripts: Vec<Script> = (0..20).map(|_| Script::new()).collect();
    for (n, script) in scripts.iter().enumerate() {
        let (name, script) = (format!("s{n}"), script.clone());
        registry = registry.probe(&name, move |_| Ok(Box::new(script.probe())));
        let mut service =
            Service::new(name.clone(), Kind::Custom { probe: name, options: Default::default() });
        service.rules.push(Rule::existence());
        config.services.push(service.into());
    }
    let told: Arc<Mutex<Vec<Event>>> = Arc::default();
    let (clock, listener) = (WallClock::default(), told.clone());
    let wall = clock.clone();
    let supervisor = Supervisor::builder(config, registry)
        .wall(Arc::new(move || wall.stamp()))
        .listen(move |event| listener.lock().unwrap().push(event.clone()))
        .build()
        .unwrap();
    let handle = supervisor.handle();
    let looks = || scripts.iter().map(|script| script.looks().len()).collect::<Vec<_>>();
    let jumps = || {
        let by = |event: &Event| match event.fact {
            Fact::ClockJumped { by } => Some((by, event.line())),
            _ => None,
        };
        told.lock().unwrap().iter().filter_map(by).collect::<Vec<_>>()
    };
    let script = async {
        tokio::time::sleep(5 * 60 * S + S).await;
        let hour = |way: i64| Stamp::from_micros(clock.stamp().micros() + way * 3_600_000_000);
        // A time server that mends a second is nobody's business.
        clock.set(Stamp::from_micros(clock.stamp().micros() + 1_000_000));
        tokio::time::sleep(60 * S).await;
        assert!(jumps().is_empty());
        for (nth, way) in [(1, 1), (2, -1)] {
            clock.set(hour(way));
            // It is known when the supervisor next has something to do: here, when somebody asks.
            let before = looks();
            handle.status().await.unwrap();
            tokio::time::sleep(60 * S - S / 100).await;
            let made: Vec<usize> =
                looks().iter().zip(&before).map(|(after, before)| after - before).collect();
            assert!(made.iter().all(|made| *made == 1), "{made:?}");
            assert_eq!(jumps().len(), nth);
        }
        handle.stop();
    };
    let (ended, ()) = tokio::join!(supervisor.run(), script);
    ended.unwrap();
    let jumps = jumps();
    assert_eq!((jumps[0].0, jumps[1].0), (3600, -3600));
    assert_eq!(
        jumps[0].1,
        "'localhost' the clock leapt ahead by 3600 s, or the host slept: each service is looked at once within one of its periods"
    );
}
