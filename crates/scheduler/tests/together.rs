//! Services that depend on each other and are not looked at in each cycle, or are not restarted for ever, on a simulated host
//! whose clock begins at 22:13:20 UTC.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Cron, Dialect, Kind, Prerequisite, Program, Rule, Service, Then, Turns,
};
use hinoban_event::Doing;
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, ServiceView, Watching};

const S: Duration = Duration::from_secs(1);

fn service(name: &str, depends_on: &[&str], kind: Kind) -> Service {
    let program = |line: &str| Program { words: vec![line.into()], uid: None, gid: None, timeout: 5 * S };
    let mut service = Service::new(name, kind);
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.depends_on = depends_on.iter().map(|name| Prerequisite::from(*name)).collect();
    service
}

fn process(name: &str, depends_on: &[&str]) -> Service {
    let kind = Kind::pidfile(format!("/run/{name}.pid"));
    let mut service = service(name, depends_on, kind);
    service.rules.push(Rule::existence());
    service
}

fn limit(count: u32, within: u32, then: Then) -> Rule {
    let when = Condition::Restarts { count, within };
    Rule { when, fail: Branch::once(then), ok: Branch::once(Then::Alert), place: Default::default() }
}

fn pattern(text: &str) -> Cron {
    Cron::parse(text).unwrap().0
}

fn config(dialect: Dialect, services: Vec<Service>) -> Config {
    let mut config = Config::empty(dialect, "vm");
    config.every = Some(10 * S);
    config.services = services.into_iter().map(Into::into).collect();
    config
}

/// app, which depends on db, that has its turns so; both are up.
fn pair(dialect: Dialect, turns: Turns) -> World {
    let mut db = process("db", &[]);
    db.turns = turns;
    let mut world = World::new(&config(dialect, vec![process("app", &["db"]), db]), Duration::ZERO);
    world.appear("db");
    world.appear("app");
    world
}

fn view(world: &World, name: &str) -> ServiceView {
    world.scheduler.view().into_iter().find(|view| &*view.name == name).unwrap()
}

fn deeds(world: &World) -> Vec<(&Act, &str)> {
    world.deeds.iter().map(|deed| (&deed.act, &*deed.service)).collect()
}

/// Seconds from the beginning at which it was looked at.
fn looks(world: &mut World, name: &str, time: u64) -> Vec<i64> {
    let mut looks: Vec<i64> = Vec::new();
    for _ in 0..time {
        world.run(S);
        let at = view(world, name).looked_at.map(|at| at.secs() - 1_700_000_000);
        looks.extend(at.filter(|at| looks.last() != Some(at)));
    }
    looks
}

#[test]
fn under_a_control_file_what_depends_on_who_waits_rests_too() {
    let mut world = pair(Dialect::Monit, Turns::Nth(3));
    assert_eq!(looks(&mut world, "app", 65), [0, 30, 60]);
    world.run(10 * S);
    assert_eq!(view(&world, "app").waits_for, ["db".into()]);
    assert!(!view(&world, "app").waiting, "it is the other one that waits");
    let mut world = pair(Dialect::Toml, Turns::Nth(3));
    assert_eq!(looks(&mut world, "app", 45), [0, 10, 20, 30, 40]);
    assert!(view(&world, "app").waits_for.is_empty());
}

#[test]
fn a_death_is_repaired_at_once_between_the_turns_of_what_it_depends_on() {
    for dialect in [Dialect::Monit, Dialect::Toml] {
        let mut world = pair(dialect, Turns::Nth(100));
        world.run(25 * S);
        world.kill("app");
        world.run(S);
        assert_eq!(deeds(&world), [(&Act::Start, "app")]);
        // Both at once are told from it, and repaired in order.
        world.kill("db");
        world.kill("app");
        world.run(5 * S);
        assert!(world.lives("db") && world.lives("app"));
    }
}

#[test]
fn while_the_calendar_leaves_alone_what_it_depends_on_it_rests() {
    let mut world = pair(Dialect::Monit, Turns::At(pattern("* 22 * * *")));
    world.run(47 * 60 * S);
    world.deeds.clear();
    world.kill("db");
    world.kill("app");
    world.run(60 * S);
    assert_eq!(deeds(&world), []);
    world.run(Duration::from_secs(23 * 3600));
    assert_eq!(deeds(&world), [(&Act::Start, "db"), (&Act::Start, "app")]);
}

#[test]
fn what_was_well_at_its_last_turn_is_good_enough_in_toml() {
    let mut world = pair(Dialect::Toml, Turns::At(pattern("* 22 * * *")));
    world.run(47 * 60 * S);
    world.kill("app");
    world.run(S);
    assert_eq!(deeds(&world), [(&Act::Start, "app")]);
    assert!(world.lives("db"));
}

#[test]
fn a_turn_that_was_put_off_is_not_taken_where_the_calendar_leaves_it_alone() {
    let mut app = process("app", &["db"]);
    app.turns = Turns::Except(pattern("15 22 * * *"));
    let mut db = process("db", &[]);
    db.rules[0].fail = Branch::once(Then::Alert);
    let mut world = World::new(&config(Dialect::Toml, vec![app, db]), Duration::ZERO);
    world.appear("db");
    world.appear("app");
    world.run(60 * S);
    world.kill("db");
    world.kill("app");
    // From 22:15 on, db is back.
    world.run(50 * S);
    world.appear("db");
    world.run(30 * S);
    assert_eq!((deeds(&world), view(&world, "db").failing.len()), (vec![], 0));
    world.run(60 * S);
    assert_eq!(deeds(&world), [(&Act::Start, "app")]);
}

#[test]
fn a_start_does_not_wait_for_the_calendar_of_what_it_needs() {
    let kinds = [Kind::Host { address: "db.example".into() }, Kind::pidfile("/run/db.pid")];
    for (dialect, kind) in
        [Dialect::Monit, Dialect::Toml].into_iter().flat_map(|d| kinds.clone().map(|k| (d, k)))
    {
        let mut db = service("db", &[], kind);
        db.turns = Turns::At(pattern("0 4 * * *"));
        let mut world = World::new(&config(dialect, vec![process("app", &["db"]), db]), Duration::ZERO);
        world.run(30 * S);
        assert!(world.scheduler.settled(), "who looks once only does not wait for it");
        assert_eq!((deeds(&world), view(&world, "app").waits_for), (vec![], vec!["db".into()]));
        world.command("app", Doing::Start);
        world.run(5 * S);
        assert_eq!(deeds(&world), [(&Act::Start, "db"), (&Act::Start, "app")]);
        assert!(world.lives("app"));
    }
}

#[test]
fn what_is_restarted_for_its_neighbour_does_not_come_to_its_own_limit_and_goes_with_it() {
    let mut app = process("app", &["db"]);
    app.rules.insert(0, limit(2, 100, Then::Unmonitor));
    let mut db = process("db", &[]);
    db.rules.insert(0, limit(4, 100, Then::Stop));
    let config = config(Dialect::Toml, vec![app, db]);
    let mut world = World::new(&config, Duration::ZERO);
    world.appear("db");
    world.appear("app");
    for restarts in 1..=4 {
        world.run(20 * S);
        assert_eq!(view(&world, "app").watching, Watching::Yes, "after {restarts}");
        world.kill("db");
        world.run(S);
        assert!(world.lives("db") && world.lives("app"));
    }
    world.run(20 * S);
    let [db, app] = ["db", "app"].map(|name| view(&world, name));
    assert_eq!((db.watching, app.watching), (Watching::No, Watching::No));
    assert!(!world.lives("db") && !world.lives("app"));
    let next = "nobody looks at it any more; what happened: hinoban explain app, and its own log; once it is mended: hinoban start";
    let why = "was restarted 4 times within 7 cycles";
    let both = "nobody looks at it any more, nor at those that depend on it: app; what happened: hinoban explain db, and its own log; once it is mended, to bring back all of \
                them: hinoban start app";
    assert_eq!(db.gave_up.unwrap().to_string(), format!("{why} -- {both}"));
    assert_eq!(
        app.gave_up.unwrap().to_string(),
        format!("went with db, which it depends on: {why} -- {next} app")
    );
    // The next life knows it, and what it says to do does it for both.
    world.crash(&config);
    world.run(60 * S);
    assert!(view(&world, "app").gave_up.is_some());
    world.command("app", Doing::Start);
    world.run(5 * S);
    assert!(world.lives("db") && world.lives("app"));
    assert_eq!((view(&world, "app").gave_up, view(&world, "db").gave_up), (None, None));
}
