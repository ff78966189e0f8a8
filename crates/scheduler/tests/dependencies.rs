//! What services that depend on each other have to do with each other, on a simulated host.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Dialect, Kind, Operator, Prerequisite, Program, Rule, Service, Then,
};
use hinoban_event::{Because, Doing, Fact};
use hinoban_reading::{Moment, Value, metrics};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, Remembered, ServiceView, Watching};
use proptest::prelude::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

fn process(name: &str, depends_on: &[&str]) -> Service {
    let mut service = Service::new(name, Kind::pidfile(format!("/run/{name}.pid")));
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.depends_on = depends_on.iter().map(|name| Prerequisite::from(*name)).collect();
    service.rules.push(Rule::existence());
    service
}

fn config(services: impl IntoIterator<Item = Service>) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    config.services = services.into_iter().map(Arc::new).collect();
    config
}

/// web -> app -> db -> fs, in an order that is of no help.
fn chain() -> Config {
    config([process("web", &["app"]), process("db", &["FS"]), process("app", &["db"]), process("fs", &[])])
}

const ALL: [&str; 4] = ["fs", "db", "app", "web"];

/// The world in which all of them live and are known to.
fn world(config: &Config) -> World {
    let mut world = World::new(config, Duration::ZERO);
    for service in &config.services {
        world.appear(&service.name);
    }
    world.run(S);
    assert_eq!(deeds(&world), [] as [String; 0]);
    world
}

fn deeds(world: &World) -> Vec<String> {
    let word = |act: &Act| match act {
        Act::Start => "start",
        Act::Stop => "stop",
        Act::Restart => "restart",
        _ => "exec",
    };
    world.deeds.iter().map(|deed| format!("{} {}", word(&deed.act), deed.service)).collect()
}

fn view(world: &World, name: &str) -> ServiceView {
    world.scheduler.view().into_iter().find(|view| &*view.name == name).unwrap()
}

fn watched(world: &World) -> Vec<&'static str> {
    ALL.into_iter().filter(|name| view(world, name).watching != Watching::No).collect()
}

/// Services of which a failure was told.
fn failed(world: &World) -> Vec<&str> {
    let told = world.events.iter().filter(|e| matches!(&e.fact, Fact::Failed(f) if f.times == 1));
    told.map(|event| &*event.service).collect()
}

fn all_up(world: &World) -> bool {
    ALL.into_iter().all(|name| world.lives(name))
}

#[test]
fn at_first_each_is_started_after_what_it_depends_on() {
    let mut world = World::new(&chain(), Duration::ZERO);
    world.run(5 * S);
    assert_eq!(deeds(&world), ["start fs", "start db", "start app", "start web"]);
    assert!(all_up(&world) && world.unready.is_empty());
}

#[test]
fn a_death_takes_dependants_down_first_and_brings_them_back_after_it() {
    let mut world = world(&chain());
    world.kill("db");
    world.run(S);
    assert_eq!(deeds(&world), ["stop web", "stop app", "start db", "start app", "start web"]);
    assert_eq!(failed(&world), ["db"], "nobody hears of the others on their own");
    let dependants = world.events.iter().find_map(|e| match &e.fact {
        Fact::Failed(failure) => Some(failure.dependants.clone()),
        _ => None,
    });
    assert_eq!(dependants.unwrap(), ["app".into(), "web".into()]);
    assert_eq!(watched(&world), ALL);
    world.run(200 * S);
    assert_eq!(world.deeds.len(), 5);
    assert!(all_up(&world));
    // Nothing is left open.
    let count = |of: fn(&Remembered) -> bool| world.remembered.iter().filter(|r| of(r)).count();
    assert_eq!(
        count(|r| matches!(r, Remembered::Intent { .. })),
        count(|r| matches!(r, Remembered::Done { .. }))
    );
}

#[test]
fn a_stop_takes_dependants_along_and_leaves_the_others() {
    let mut world = world(&chain());
    world.command("db", Doing::Stop);
    world.run(S);
    assert_eq!(deeds(&world), ["stop web", "stop app", "stop db"]);
    assert_eq!(watched(&world), ["fs"]);
    world.run(200 * S);
    assert_eq!(world.deeds.len(), 3, "nobody starts it again");
    // What was stopped comes back with what it needs, and without what needs it.
    world.command("app", Doing::Start);
    world.run(S);
    assert_eq!(deeds(&world)[3..], ["start db", "start app"]);
    assert_eq!(watched(&world), ["fs", "db", "app"]);
    world.command("web", Doing::Start);
    world.run(S);
    assert_eq!(deeds(&world)[5..], ["start web"]);
}

#[test]
fn a_start_brings_all_it_needs() {
    let mut world = world(&chain());
    world.command("fs", Doing::Stop);
    world.run(S);
    assert_eq!(deeds(&world), ["stop web", "stop app", "stop db", "stop fs"]);
    world.deeds.clear();
    world.command("web", Doing::Start);
    world.run(S);
    assert_eq!(deeds(&world), ["start fs", "start db", "start app", "start web"]);
    assert_eq!(watched(&world), ALL);
    let ended: Vec<_> =
        world.events.iter().filter(|e| matches!(&e.fact, Fact::Ended { doing: Doing::Start, .. })).collect();
    assert!(ended.iter().all(|e| matches!(e.fact, Fact::Ended { ok: true, .. })), "{ended:?}");
}

#[test]
fn a_restart_bounces_those_that_are_watched() {
    let mut world = world(&chain());
    world.command("web", Doing::Unmonitor);
    world.command("db", Doing::Restart);
    world.run(S);
    assert_eq!(deeds(&world), ["stop app", "stop db", "start db", "start app"]);
    assert_eq!(watched(&world), ["fs", "db", "app"]);
    let because = world.events.iter().find_map(|e| match &e.fact {
        Fact::Ended { because, .. } if &*e.service == "app" => Some(because.clone()),
        _ => None,
    });
    assert_eq!(because, Some(Because::Dependency { service: "db".into(), by: Some("operator".into()) }));
}

#[test]
fn independent_ones_move_at_the_same_time() {
    let config =
        config([process("a", &["db"]), process("b", &["db"]), process("c", &["a", "b"]), process("db", &[])]);
    let mut world = world(&config);
    for name in ["a", "b"] {
        world.of(name).stop_takes = S;
        world.of(name).start_takes = S;
    }
    world.command("db", Doing::Restart);
    world.run(10 * S);
    let at = |wanted: &str| -> Moment {
        let position = deeds(&world).iter().position(|deed| deed == wanted).unwrap();
        world.deeds[position].at
    };
    assert!(at("stop c") < at("stop a") && at("start c") > at("start a"));
    assert_eq!(at("stop a"), at("stop b"));
    assert_eq!(at("start a"), at("start b"));
    assert_eq!(world.deeds.len(), 8);
}

#[test]
fn watching_takes_along_what_it_needs_and_ending_it_what_needs_it() {
    let mut world = world(&chain());
    world.command("db", Doing::Unmonitor);
    assert_eq!(watched(&world), ["fs"]);
    world.command("app", Doing::Monitor);
    assert_eq!(watched(&world), ["fs", "db", "app"]);
    world.run(100 * S);
    assert!(world.deeds.is_empty());
    assert_eq!(view(&world, "app").watching, Watching::Yes);
}

#[test]
fn looks_rest_while_what_it_depends_on_is_not_watched_or_fails() {
    let mut config = chain();
    let mut rule = Rule::existence();
    rule.fail = Branch::once(Then::Alert);
    Arc::make_mut(&mut config.services[1]).rules = vec![rule];
    let mut world = world(&config);
    world.kill("db");
    world.kill("web");
    world.kill("app");
    world.run(200 * S);
    assert_eq!((failed(&world), deeds(&world)), (vec!["db"], vec![]));
    assert_eq!(view(&world, "web").waits_for, ["db".into(), "app".into()]);
    // Back again, what was put off is made up for at once.
    world.appear("db");
    world.run(S);
    assert_eq!(deeds(&world), ["start app", "start web"]);
    assert!(view(&world, "web").waits_for.is_empty());
}

#[test]
fn whoever_dies_with_what_it_depends_on_is_not_blamed() {
    let mut world = world(&chain());
    for name in ["web", "app", "db"] {
        world.kill(name);
    }
    world.run(S);
    assert_eq!(failed(&world), ["db"]);
    assert_eq!(deeds(&world), ["start db", "start app", "start web"]);
}

#[test]
fn a_start_waits_for_what_does_not_come_up_and_is_tried_again() {
    let mut world = world(&chain());
    world.command("db", Doing::Stop);
    world.run(S);
    world.deeds.clear();
    world.events.clear();
    world.of("db").appears_after = None;
    world.command("web", Doing::Start);
    world.run(30 * S);
    assert!(!world.lives("app") && !world.lives("web"));
    let told: Vec<String> = world
        .events
        .iter()
        .filter_map(|e| match &e.fact {
            Fact::Ended { ok: false, report, .. } if &*e.service == "web" => report.trouble.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("could not start required services: db"), "{told:?}");
    assert_eq!(view(&world, "web").waits_for, ["db".into(), "app".into()]);
    world.of("db").appears_after = Some(MS);
    world.run(120 * S);
    assert!(all_up(&world), "{:?}", deeds(&world));
    assert!(world.unready.is_empty());
    assert_eq!(watched(&world), ALL);
}

#[test]
fn what_could_not_be_stopped_keeps_what_it_depends_on_running() {
    let mut world = world(&chain());
    world.of("web").stops = false;
    world.command("db", Doing::Stop);
    world.run(60 * S);
    assert_eq!(deeds(&world), ["stop web"]);
    assert_eq!(watched(&world), ALL, "and all of it is still watched");
    let told: Vec<String> = world
        .events
        .iter()
        .filter_map(|e| match &e.fact {
            Fact::Ended { ok: false, report, .. } => {
                Some(format!("{}: {}", e.service, report.trouble.clone()?))
            }
            _ => None,
        })
        .collect();
    assert!(
        told.iter().any(|t| t.starts_with("db: app, which depends on it, could not be stopped")),
        "{told:?}"
    );
}

#[test]
fn an_operator_overtakes_what_only_waits() {
    let mut world = world(&chain());
    world.of("db").start_takes = 5 * S;
    world.command("db", Doing::Restart);
    world.run(2 * S);
    assert_eq!(deeds(&world), ["stop web", "stop app", "stop db", "start db"]);
    world.command("web", Doing::Stop);
    world.run(60 * S);
    assert_eq!(deeds(&world)[4..], ["start app"], "web stays down");
    assert_eq!(watched(&world), ["fs", "db", "app"]);
    assert!(!world.lives("web"));
}

#[test]
fn a_rule_of_a_file_restarts_what_depends_on_it() {
    let mut file = Service::new("conf", Kind::File { path: "/etc/web.conf".into() });
    let (metric, limit) = (metrics::SIZE.name.to_string(), Value::Int(5));
    file.rules.push(Rule {
        when: Condition::Compare { metric, operator: Operator::Greater, limit },
        fail: Branch::once(Then::Restart),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    });
    let config = config([file, process("web", &["conf"])]);
    let mut world = world(&config);
    world.of("conf").reads = vec![(metrics::SIZE, Value::Int(9))];
    world.run(60 * S);
    let both = ["stop web", "start web"];
    assert!(!world.deeds.is_empty(), "it does not wait for the file to be well");
    assert!(deeds(&world).chunks(2).all(|pair| pair == both), "{:?}", deeds(&world));
    assert!(world.lives("web"));
    world.of("conf").reads = vec![(metrics::SIZE, Value::Int(3))];
    world.run(60 * S);
    let before = world.deeds.len();
    // A command does the same at once.
    world.command("conf", Doing::Restart);
    world.run(S);
    assert_eq!(deeds(&world)[before..], both);
}

#[test]
fn commands_for_many_are_given_in_the_order_of_dependencies() {
    let mut world = world(&chain());
    let ids: Vec<_> =
        ["web", "fs", "app", "db"].iter().map(|name| world.scheduler.find(name).unwrap()).collect();
    let names = |world: &World, doing: Doing| -> Vec<String> {
        let ids = world.scheduler.in_order(ids.clone(), &doing);
        ids.iter().map(|id| world.scheduler.service(*id).unwrap().name.clone()).collect()
    };
    assert_eq!(names(&world, Doing::Start), ["fs", "db", "app", "web"]);
    assert_eq!(names(&world, Doing::Restart), ["fs"]);
    let stop = names(&world, Doing::Stop);
    assert_eq!(stop, ["web", "app", "db", "fs"]);
    stop.iter().for_each(|name| world.command(name, Doing::Stop));
    world.run(S);
    assert_eq!(deeds(&world), ["stop web", "stop app", "stop db", "stop fs"]);
    world.deeds.clear();
    ALL.iter().for_each(|name| world.command(name, Doing::Start));
    world.run(S);
    assert_eq!(deeds(&world), ["start fs", "start db", "start app", "start web"]);
}

#[test]
fn what_is_asked_for_is_carried_on_by_the_next_life_wherever_it_was() {
    let slow = |world: &mut World| {
        for name in ALL {
            world.of(name).stop_takes = S;
            world.of(name).start_takes = S;
        }
    };
    for after in (100..9_000).step_by(300) {
        for (doing, service) in [(Doing::Restart, "db"), (Doing::Stop, "db"), (Doing::Start, "web")] {
            let config = chain();
            let mut world = world(&config);
            if doing == Doing::Start {
                world.command("fs", Doing::Stop);
                world.run(10 * S);
            }
            slow(&mut world);
            world.command(service, doing.clone());
            world.run(Duration::from_millis(after));
            world.crash(&config);
            world.run(300 * S);
            let (up, on): (Vec<_>, Vec<_>) = match doing {
                Doing::Stop => (vec!["fs"], vec!["fs"]),
                _ => (ALL.to_vec(), ALL.to_vec()),
            };
            let lives: Vec<_> = ALL.into_iter().filter(|name| world.lives(name)).collect();
            assert_eq!((lives, watched(&world)), (up, on), "{doing:?} after {after} ms: {:?}", deeds(&world));
            assert!(world.doubled.is_empty() && world.unready.is_empty(), "{doing:?} after {after} ms");
        }
    }
}

#[test]
fn what_a_rule_has_begun_is_carried_on_by_the_next_life_wherever_it_was() {
    for after in (0..12_000).step_by(150) {
        let config = chain();
        let mut world = world(&config);
        for name in ALL {
            world.of(name).stop_takes = S;
            world.of(name).start_takes = S;
            world.of(name).lingers = 500 * MS;
        }
        world.kill("db");
        world.run(Duration::from_millis(after));
        world.crash(&config);
        world.run(300 * S);
        assert!(all_up(&world), "after {after} ms: {:?}", deeds(&world));
        assert!(
            world.doubled.is_empty() && world.unready.is_empty(),
            "after {after} ms: {:?}",
            deeds(&world)
        );
        assert_eq!(watched(&world), ALL);
        let starts = deeds(&world).iter().filter(|deed| *deed == "start db").count();
        assert_eq!(starts, 1, "after {after} ms: {:?}", deeds(&world));
    }
}

#[test]
fn a_reload_in_the_middle_changes_what_is_waited_for() {
    let config = chain();
    let mut world = world(&config);
    world.of("db").start_takes = 5 * S;
    world.command("db", Doing::Restart);
    world.run(S);
    assert_eq!(deeds(&world), ["stop web", "stop app", "stop db", "start db"]);
    // web needs app no longer, and comes back at once.
    let mut other = config.clone();
    Arc::make_mut(&mut other.services[0]).depends_on.clear();
    let now = hinoban_reading::Now { moment: world.now(), stamp: Default::default() };
    assert_eq!(world.scheduler.reload(now, &other).changed, ["web"]);
    world.run(100 * MS);
    assert_eq!(deeds(&world)[4..], ["start web"]);
    world.run(60 * S);
    assert_eq!(deeds(&world)[5..], ["start app"]);
    assert!(all_up(&world));
}

#[test]
fn a_start_that_waited_at_a_crash_begins_though_nothing_is_watched() {
    let config = config(vec![process("web", &["db"]), process("db", &[])]);
    let mut world = world(&config);
    world.of("db").lingers = 2 * S;
    world.command("db", Doing::Stop);
    world.run(2 * MS);
    world.command("web", Doing::Start);
    // Until db is stopped, and not longer: what waits then is all that there is.
    let any_watched = |world: &World| world.scheduler.view().iter().any(|v| v.watching != Watching::No);
    for _ in 0..10_000 {
        if !any_watched(&world) {
            break;
        }
        world.run(MS);
    }
    assert!(!any_watched(&world) && !world.lives("db"), "{:?}", deeds(&world));
    world.crash(&config);
    world.run(60 * S);
    assert!(world.lives("db") && world.lives("web"), "{:?}", deeds(&world));
}

#[derive(Debug, Clone)]
enum Turn {
    Kill(usize),
    Crash,
    Starts(usize, u64),
    Fails(usize),
    Mends(usize),
    Stubborn(usize, bool),
    Lingers(usize, u64),
    Ask(usize, Doing),
}

fn turn() -> impl Strategy<Value = Turn> {
    let which = || 0usize..7;
    prop_oneof![
        4 => which().prop_map(Turn::Kill),
        2 => Just(Turn::Crash),
        2 => (which(), 1u64..4_000).prop_map(|(i, ms)| Turn::Starts(i, ms)),
        1 => which().prop_map(Turn::Fails),
        1 => which().prop_map(Turn::Mends),
        2 => (which(), any::<bool>()).prop_map(|(i, so)| Turn::Stubborn(i, so)),
        1 => (which(), 1u64..4_000).prop_map(|(i, ms)| Turn::Lingers(i, ms)),
        4 => (which(), prop_oneof![
            Just(Doing::Start), Just(Doing::Stop), Just(Doing::Restart), Just(Doing::Monitor), Just(Doing::Unmonitor)
        ]).prop_map(|(i, doing)| Turn::Ask(i, doing)),
    ]
}

proptest! {
    /// Whatever depends on what, dies, crashes and is asked for: nothing is started before what it needs is up, nothing
    /// twice or beside something else, every wait ends, and in the end all that is watched lives.
    #[test]
    fn any_net_of_dependencies_comes_to_rest(
        edges in proptest::collection::vec((0usize..7, 0usize..7), 0..14),
        turns in proptest::collection::vec((turn(), 1u64..3_000), 0..25),
    ) {
        let names = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"];
        let mut services: Vec<Service> = names.iter().map(|name| process(name, &[])).collect();
        for (a, b) in edges {
            if a != b {
                services[a.max(b)].depends_on.push(names[a.min(b)].into());
            }
        }
        let config = config(services);
        let mut world = world(&config);
        for (turn, pause) in turns {
            match turn {
                Turn::Kill(i) => world.kill(names[i]),
                Turn::Crash => world.crash(&config),
                Turn::Starts(i, ms) => world.of(names[i]).start_takes = Duration::from_millis(ms),
                Turn::Fails(i) => world.of(names[i]).appears_after = None,
                Turn::Mends(i) => world.of(names[i]).appears_after = Some(MS),
                Turn::Stubborn(i, so) => world.of(names[i]).stops = !so,
                Turn::Lingers(i, ms) => world.of(names[i]).lingers = Duration::from_millis(ms),
                Turn::Ask(i, doing) => world.command(names[i], doing),
            }
            world.run(Duration::from_millis(pause));
        }
        for name in names {
            world.of(name).appears_after = Some(MS);
            world.of(name).stops = true;
        }
        world.run(1_000 * S);
        prop_assert!(world.doubled.is_empty(), "doubled {:?}: {:?}", world.doubled, deeds(&world));
        prop_assert!(world.unready.is_empty(), "unready {:?}: {:?}", world.unready, deeds(&world));
        for view in world.scheduler.view() {
            let needs_unwatched = !view.waits_for.is_empty();
            if view.watching != Watching::No && !needs_unwatched {
                prop_assert!(world.lives(&view.name), "{} is down: {:?}", view.name, deeds(&world));
                prop_assert!(view.doing.is_none(), "{} is still being {:?}", view.name, view.doing);
            }
        }
        let mut open = std::collections::BTreeSet::new();
        for entry in &world.remembered {
            match entry {
                Remembered::Intent { intent, .. } => drop(open.insert(*intent)),
                Remembered::Done { intent, .. } => drop(open.remove(intent)),
                _ => {}
            }
        }
        let waiting = world.scheduler.view().iter().filter(|view| view.doing.is_some()).count();
        prop_assert!(open.len() <= waiting, "open {:?}, but {} under way", open, waiting);
        // Only what is not watched is waited for.
        for view in world.scheduler.view() {
            for other in &view.waits_for {
                let other = world.scheduler.view().into_iter().find(|v| v.name == *other).unwrap();
                prop_assert!(other.watching == Watching::No || !other.waits_for.is_empty(), "{} waits for {}", view.name, other.name);
            }
        }
    }
}

#[test]
fn a_stop_and_a_restart_do_not_take_a_dependant_from_each_other() {
    let config =
        config([process("a", &[]), process("b", &[]), process("c", &["a", "b"]), process("d", &["c"])]);
    let mut world = world(&config);
    world.of("d").stop_takes = 5 * S;
    world.command("b", Doing::Stop);
    world.command("a", Doing::Restart);
    world.run(60 * S);
    assert_eq!(deeds(&world), ["stop d", "stop c", "stop b", "stop a", "start a"]);
    assert!(view(&world, "a").doing.is_none() && view(&world, "c").watching == Watching::No);
}
