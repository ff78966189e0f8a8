//! How many services fell of late: what only the supervisor can tell of the system.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Branch, Condition, Config, Dialect, Kind, Operator, Rule, Service, Then};
use hinoban_reading::Value;
use hinoban_supervisor::{Registry, Supervisor};
use hinoban_testkit::{Script, WallClock};

const S: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn services_that_fell_are_counted_for_an_hour_each_once() {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(10 * S);
    config.services.clear();
    let alert = || Branch::once(Then::Alert);
    let rule = |when| Rule { when, fail: alert(), ok: alert(), place: Default::default() };
    let names = ["one", "two", "three"];
    for name in names {
        let kind = Kind::Custom { probe: name.into(), options: Default::default() };
        let mut service = Service::new(name, kind);
        service.rules.push(rule(Condition::Missing));
        config.services.push(service.into());
    }
    let mut system = Service::system("vm");
    let metric = "services.fallen".to_owned();
    system.rules.push(rule(Condition::Compare {
        metric,
        operator: Operator::GreaterOrEqual,
        limit: Value::Int(2),
    }));
    config.services.push(system.into());

    let scripts = names.map(|_| Script::new());
    scripts.iter().for_each(Script::up);
    let machine = Script::new();
    machine.up();
    let mut registry = Registry::empty()
        .subjects(move |service| (service.kind == Kind::System).then(|| Ok(Box::new(machine.probe()) as _)));
    for (name, script) in names.into_iter().zip(scripts.clone()) {
        registry = registry.probe(name, move |_| Ok(Box::new(script.probe())));
    }
    let clock = WallClock::default();
    let supervisor = Supervisor::builder(config, registry)
        .boot("boot", 0)
        .wall(Arc::new(move || clock.stamp()))
        .build()
        .unwrap();
    let handle = supervisor.handle();
    let fallen = async || {
        let status = handle.status().await.unwrap();
        let system = status.services.iter().find(|service| *service.name == *"vm").unwrap();
        let value = system.observation.as_ref().and_then(|seen| seen.get("services.fallen").cloned());
        (value.and_then(|value| value.as_i64()), system.failing.len())
    };
    tokio::select! {
        ended = supervisor.run() => { ended.unwrap(); }
        () = async {
            tokio::time::sleep(25 * S).await;
            assert_eq!(fallen().await, (Some(0), 0));
            for _ in 0..3 {
                scripts[0].down("it fell");
                tokio::time::sleep(60 * S).await;
                scripts[0].up();
                tokio::time::sleep(60 * S).await;
            }
            assert_eq!(fallen().await, (Some(1), 0), "one that falls again and again is one");
            // It stays down, and has not fallen again for that.
            scripts[1].down("it fell and lies there");
            tokio::time::sleep(60 * S).await;
            assert_eq!(fallen().await, (Some(2), 1), "the rule about it fails");
            tokio::time::sleep(3600 * S).await;
            assert_eq!(fallen().await, (Some(0), 0));
        } => {}
    }
}
