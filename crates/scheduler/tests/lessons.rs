//! What years of made-up troubles have shown to go wrong, each in its shortest form.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{
    Branch, Change, Condition, Config, Dialect, Expect, Kind, OnReboot, Operator, Patience, Program, Rate,
    Rule, Service, Test, Then,
};
use hinoban_event::{Doing, Fact};
use hinoban_reading::{Value, metrics};
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{Act, Effect, Input, Part, Watching};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

fn over(then: Then) -> Rule {
    let (metric, limit) = (metrics::THREADS.name.to_string(), Value::Int(5));
    let when = Condition::Compare { metric, operator: Operator::Greater, limit };
    Rule { when, fail: Branch::once(then), ok: Branch::once(Then::Alert), place: Default::default() }
}

fn process(name: &str) -> Service {
    let mut service = Service::new(name, Kind::pidfile(format!("/run/{name}.pid")));
    service.start = Some(program("/bin/start"));
    service.stop = Some(program("/bin/stop"));
    service.rules.push(Rule::existence());
    service
}

fn config(services: Vec<Service>) -> Config {
    let mut config = Config::empty(Dialect::Monit, "vm");
    config.every = Some(30 * S);
    config.services = services.into_iter().map(Into::into).collect();
    config
}

#[test]
fn a_rule_that_starts_what_lives_finds_nothing_to_do_and_says_so_once_in_a_cycle() {
    let mut service = process("httpd");
    service.rules.push(over(Then::Start));
    let mut world = World::new(&config(vec![service]), Duration::ZERO);
    world.appear("httpd");
    world.of("httpd").reads = vec![(metrics::THREADS, Value::Int(50))];
    world.run(100 * S);
    let failed = world.events.iter().filter(|e| matches!(e.fact, Fact::Failed(_))).count();
    assert_eq!((failed, world.deeds.len()), (4, 0), "one for each look");
}

#[test]
fn a_clock_that_was_set_back_before_a_crash_does_not_make_a_repair_wait_for_it() {
    let mut service = process("httpd");
    service.patience = Some(Patience::default());
    let config = config(vec![service]);
    let mut world = World::new(&config, Duration::ZERO);
    world.run(10 * S);
    world.set_clock(-3600);
    world.crash(&config);
    world.run(10 * S);
    world.kill("httpd");
    world.run(20 * S);
    assert!(world.lives("httpd"), "{:?}", world.deeds);
}

#[test]
fn what_a_boot_has_switched_on_stays_on_when_the_supervisor_is_killed_later() {
    let config = config(vec![process("httpd")]);
    let mut world = World::new(&config, Duration::ZERO);
    world.run(10 * S);
    world.command("httpd", Doing::Unmonitor);
    world.reboot(&config);
    world.run(10 * S);
    world.crash(&config);
    world.run(40 * S);
    world.kill("httpd");
    world.run(40 * S);
    assert!(world.lives("httpd"));
}

#[test]
fn an_end_that_waits_for_a_program_does_not_spin_over_a_look_that_is_not_made_any_more() {
    let mut web = process("web");
    let (test, expect) =
        (Test::Custom { probe: "ask".to_owned(), options: Default::default() }, Expect::Failed);
    let alert = || Branch::once(Then::Alert);
    web.rules.push(Rule {
        when: Condition::Test { test, expect },
        fail: alert(),
        ok: alert(),
        place: Default::default(),
    });
    let mut world = World::new(&config(vec![web, process("db")]), Duration::ZERO);
    world.run(10 * S);
    world.kill("web");
    world.run(S / 20);
    world.of("db").start_takes = 8 * S;
    world.kill("db");
    world.run(S / 100);
    world.scheduler.end();
    let at = |world: &mut World| world.scheduler.next_deadline().filter(|at| *at <= world.now());
    world.run(S);
    assert!(world.scheduler.under_way());
    assert_eq!(at(&mut world), None);
}

#[test]
fn a_start_that_waits_for_what_is_up_does_not_take_the_turns_of_its_looks() {
    let mut db = process("db");
    db.rules[0].fail.then = Then::Alert;
    db.rules[0].ok.rate = Rate { count: 2, within: 2 };
    let mut web = process("web");
    web.depends_on = vec!["db".into()];
    let mut world = World::new(&config(vec![db, web]), Duration::ZERO);
    // It is told to be gone, and comes back.
    world.run(10 * S);
    world.command("web", Doing::Start);
    world.run(200 * S);
    assert!(world.lives("db") && world.lives("web"), "{:?}", world.deeds);
}

fn watching(world: &World, name: &str) -> Watching {
    world.scheduler.view().into_iter().find(|view| *view.name == *name).unwrap().watching
}

fn deeds(world: &World, name: &str) -> Vec<Act> {
    world.deeds.iter().filter(|deed| deed.service == name).map(|deed| deed.act.clone()).collect()
}

#[test]
fn restarts_that_were_counted_before_a_boot_are_not_brought_back_by_a_later_crash() {
    let mut service = process("httpd");
    service.on_reboot = OnReboot::NoStart;
    let fail = Branch::once(Then::Unmonitor);
    service.rules.push(Rule {
        when: Condition::Restarts { count: 2, within: 10 },
        fail,
        ..over(Then::Alert)
    });
    let config = config(vec![service]);
    let mut world = World::new(&config, Duration::ZERO);
    world.command("httpd", Doing::Monitor);
    world.run(10 * S);
    assert_eq!(deeds(&world, "httpd"), [Act::Start], "one restart is counted");
    world.reboot(&config);
    world.command("httpd", Doing::Start);
    world.run(10 * S);
    world.crash(&config);
    world.run(10 * S);
    world.kill("httpd");
    world.run(100 * S);
    assert_eq!(watching(&world, "httpd"), Watching::Yes, "it is the first of this boot");
    assert!(world.lives("httpd"));
}

/// `web` depends on `db` and on `cache`; nobody starts the cache.
fn two_below(db: Service) -> Config {
    let mut cache = process("cache");
    (cache.start, cache.rules) = (None, Vec::new());
    let mut web = process("web");
    web.rules.clear();
    web.depends_on = vec!["db".into(), "cache".into()];
    config(vec![db, cache, web])
}

#[test]
fn what_a_restart_took_down_is_not_started_while_what_it_depends_on_cannot_be_seen() {
    let mut world = World::new(&two_below(process("db")), Duration::ZERO);
    world.run(10 * S);
    assert!(world.lives("db"));
    world.of("db").blind = true;
    world.kill("db");
    world.run(60 * S);
    world.appear("cache");
    world.run(60 * S);
    assert_eq!((deeds(&world, "web"), &world.unready), (Vec::new(), &Vec::new()));
    world.of("db").blind = false;
    world.run(60 * S);
    assert_eq!(deeds(&world, "web"), [Act::Start]);
}

#[test]
fn a_part_in_a_restart_is_still_no_more_than_a_part_after_a_crash() {
    let mut config = two_below(process("db"));
    std::sync::Arc::make_mut(&mut config.services[1]).on_reboot = OnReboot::NoStart;
    let mut world = World::new(&config, Duration::ZERO);
    world.appear("web");
    world.run(100 * S);
    world.of("db").start_takes = 5 * S;
    world.deeds.clear();
    world.command("db", Doing::Restart);
    world.run(2 * S);
    // The web server waits for the database, and somebody starts it by hand.
    world.appear("web");
    world.crash(&config);
    world.run(100 * S);
    assert_eq!(watching(&world, "cache"), Watching::No, "nobody asked for that");
    assert_eq!(deeds(&world, "web"), [Act::Stop], "it had been stopped: that is not done a second time");
    assert!(world.lives("web"));
}

#[test]
fn what_runs_without_something_that_is_not_watched_runs_again_after_a_restart() {
    let mut config = two_below(process("db"));
    std::sync::Arc::make_mut(&mut config.services[1]).on_reboot = OnReboot::NoStart;
    for crashes in [false, true] {
        let mut world = World::new(&config, Duration::ZERO);
        world.appear("web");
        world.run(100 * S);
        world.of("db").start_takes = 5 * S;
        world.deeds.clear();
        world.command("db", Doing::Restart);
        world.run(2 * S);
        let views = world.scheduler.view();
        let web = views.iter().find(|view| &*view.name == "web").unwrap();
        assert_eq!(web.waits_for, ["db".into()]);
        if crashes {
            world.crash(&config);
        }
        world.run(100 * S);
        assert_eq!(deeds(&world, "web"), [Act::Stop, Act::Start], "crashes: {crashes}");
        assert!(world.lives("web") && world.lives("db"));
        assert_eq!(watching(&world, "cache"), Watching::No);
    }
}

#[test]
fn who_is_no_longer_to_be_watched_since_a_restart_began_stays_down() {
    for unwatched in ["db", "cache", "web"] {
        let mut world = World::new(&two_below(process("db")), Duration::ZERO);
        world.appear("cache");
        world.appear("web");
        world.run(100 * S);
        world.of("web").stop_takes = 2 * S;
        world.deeds.clear();
        world.command("db", Doing::Restart);
        world.run(S);
        world.command(unwatched, Doing::Unmonitor);
        world.run(100 * S);
        assert_eq!(deeds(&world, "web"), [Act::Stop], "not {unwatched}");
        assert_eq!(watching(&world, "web"), Watching::No);
    }
}

#[test]
fn a_host_has_nothing_to_be_seen_but_its_tests() {
    let mut host = Service::new("router", Kind::Host { address: "192.0.2.1".to_owned() });
    (host.stop, host.kill_after) = (Some(program("/bin/stop")), Some(S));
    let mut world = World::new(&config(vec![host]), Duration::ZERO);
    world.of("router").blind = true;
    world.of("router").stop_takes = 5 * S;
    world.run(10 * S);
    let service = world.scheduler.find("router").unwrap();
    let now = hinoban_reading::Now { moment: world.now(), stamp: Default::default() };
    let woken = world.scheduler.handle(now, Input::Woken { service, part: Part::Subject });
    assert!(!woken.iter().any(|effect| matches!(effect, Effect::Look { .. })), "{woken:?}");
    world.command("router", Doing::Stop);
    world.run(10 * S);
    world.command("router", Doing::Monitor);
    world.run(60 * S);
    assert!(!world.events.iter().any(|event| matches!(event.fact, Fact::NotSeen { .. })));
}

#[test]
fn a_restart_program_that_returns_before_the_process_is_another_one_is_no_change_of_its_pid() {
    for dialect in [Dialect::Monit, Dialect::Toml] {
        let mut service = process("httpd");
        service.restart = Some(program("/bin/restart"));
        let when = Condition::Changed { metric: metrics::PID.name.to_string(), expect: Change::Changed };
        service.rules.push(Rule { when, ..over(Then::Restart) });
        let mut config = config(vec![service]);
        config.dialect = dialect;
        let mut world = World::new(&config, Duration::ZERO);
        world.appear("httpd");
        world.run(40 * S);
        world.of("httpd").appears_after = Some(S / 2);
        world.appear("httpd");
        world.run(300 * S);
        assert_eq!(deeds(&world, "httpd"), [Act::Restart], "of what somebody else had started");
    }
}

#[test]
fn what_a_reload_makes_a_process_is_looked_at_before_a_start_that_had_waited_goes_on() {
    let db = process("db");
    let mut config = two_below(db);
    let web = std::sync::Arc::make_mut(&mut config.services[2]);
    web.stop = None;
    let process = std::mem::replace(&mut web.kind, Kind::Host { address: "192.0.2.1".to_owned() });
    let mut world = World::new(&config, Duration::ZERO);
    world.run(60 * S);
    world.appear("web");
    std::sync::Arc::make_mut(&mut config.services[2]).kind = process;
    world.reload(&config);
    world.appear("cache");
    world.run(60 * S);
    assert_eq!((deeds(&world, "web"), &world.doubled), (Vec::new(), &Vec::new()), "it lives");
}

#[test]
fn what_a_reload_makes_a_host_is_not_awaited_any_more() {
    let mut config = config(vec![process("httpd")]);
    let mut world = World::new(&config, Duration::ZERO);
    world.of("httpd").appears_after = None;
    world.run(S);
    assert!(world.scheduler.view()[0].doing.is_some());
    let service = std::sync::Arc::make_mut(&mut config.services[0]);
    (service.kind, service.rules) = (Kind::Host { address: "192.0.2.1".to_owned() }, Vec::new());
    world.reload(&config);
    world.run(S);
    assert_eq!(world.scheduler.view()[0].doing, None);
}

#[test]
fn after_a_crash_too_a_stop_waits_for_what_lives_on_without_its_pidfile() {
    let config = config(vec![process("httpd")]);
    let mut world = World::new(&config, Duration::ZERO);
    world.run(10 * S);
    (world.of("httpd").stop_takes, world.of("httpd").lingers) = (S, 2 * S);
    world.deeds.clear();
    world.command("httpd", Doing::Restart);
    world.run(S + S / 2);
    world.crash(&config);
    world.run(30 * S);
    let at: Vec<_> = world.deeds.iter().map(|deed| (deed.act.clone(), deed.at)).collect();
    let [(Act::Stop, stop), (Act::Start, start)] = &at[..] else { panic!("{at:?}") };
    assert!(start.since(*stop) >= 3 * S, "{at:?}");
}

/// `web` depends on `db`, whose test fails.
fn one_below() -> (Config, World) {
    let mut db = Service::new("db", Kind::Host { address: "192.0.2.2".to_owned() });
    db.start = Some(program("/bin/start"));
    let (test, expect) =
        (Test::Custom { probe: "ask".to_owned(), options: Default::default() }, Expect::Failed);
    db.rules.push(Rule { when: Condition::Test { test, expect }, ..over(Then::Alert) });
    let mut web = process("web");
    web.depends_on = vec!["db".into()];
    let mut app = Service::new("app", Kind::Host { address: "192.0.2.1".to_owned() });
    (app.start, app.depends_on) = (Some(program("/bin/start")), vec!["web".into()]);
    let config = config(vec![db, web, app]);
    let mut world = World::new(&config, Duration::ZERO);
    world.of("db").tests_pass = false;
    world.run(40 * S);
    (config, world)
}

#[test]
fn who_has_switched_off_the_watching_after_a_start_was_asked_for_has_the_last_word_over_a_crash() {
    let (config, mut world) = one_below();
    // The application needs the web server, and that is looked at first.
    world.of("web").look_takes = S;
    world.command("app", Doing::Start);
    world.run(S / 2);
    world.command("web", Doing::Unmonitor);
    world.run(10 * S);
    world.crash(&config);
    world.run(10 * S);
    world.of("db").tests_pass = true;
    world.run(100 * S);
    assert_eq!(watching(&world, "web"), Watching::No);
}

#[test]
fn what_is_asked_for_right_after_a_crash_comes_after_what_was_asked_for_before_it() {
    let (config, mut world) = one_below();
    world.command("web", Doing::Stop);
    world.run(10 * S);
    world.command("web", Doing::Restart);
    world.run(S);
    world.crash(&config);
    world.command("db", Doing::Stop);
    world.run(200 * S);
    assert_eq!(watching(&world, "db"), Watching::No);
}

#[test]
fn a_start_waits_for_the_look_that_says_whether_what_it_needs_has_just_ended() {
    let mut web = process("web");
    web.depends_on = vec!["db".into()];
    let mut world = World::new(&config(vec![process("db"), web]), Duration::ZERO);
    world.run(50 * S);
    assert!(world.lives("web"));
    (world.of("web").stop_takes, world.of("db").look_takes) = (2 * S, S);
    world.command("web", Doing::Restart);
    world.run(S + S / 2);
    world.kill("db");
    world.run(60 * S);
    assert_eq!(world.unready, Vec::<String>::new());
    assert!(world.lives("web"));
}

#[test]
fn a_crash_within_a_rules_restart_does_not_leave_it_stopped_wherever_it_falls() {
    // Nothing but this one rule would ever start it again.
    let mut httpd = process("httpd");
    let (test, expect) =
        (Test::Custom { probe: "ask".to_owned(), options: Default::default() }, Expect::Failed);
    let when = Condition::Test { test, expect };
    httpd.rules = vec![Rule { when, ..over(Then::Restart) }];
    let mut web = process("web");
    (web.rules, web.depends_on) = (Vec::new(), vec!["httpd".into()]);
    let config = std::sync::Arc::new(config(vec![httpd, web]));
    for (after, effects) in (1..200).flat_map(|after| (0..7).map(move |effects| (after * MS, effects))) {
        let mut world = World::new(&config, Duration::ZERO);
        world.appear("httpd");
        world.appear("web");
        world.run(10 * S);
        for name in ["httpd", "web"] {
            (world.of(name).start_takes, world.of(name).stop_takes) = (30 * MS, 30 * MS);
            world.of(name).look_takes = 2 * MS;
        }
        world.of("httpd").tests_pass = false;
        world.run(20 * S + after);
        world.crash_within(&config, effects);
        world.of("httpd").tests_pass = true;
        world.run(200 * S);
        let lives = world.lives("httpd") && world.lives("web");
        assert!(lives, "killed after {after:?} and {effects} effects: {:?}", world.deeds);
        assert_eq!(world.doubled, Vec::<String>::new(), "killed after {after:?} and {effects} effects");
    }
}

#[test]
fn a_look_that_rests_for_long_does_not_keep_down_what_a_restart_took_down() {
    // The log depends on the cache, which nobody watches, so that its looks rest; the web server depends on the log.
    let mut config = two_below(process("db"));
    std::sync::Arc::make_mut(&mut config.services[1]).on_reboot = OnReboot::NoStart;
    let mut log = Service::new("log", Kind::File { path: "/log".into() });
    log.depends_on = vec!["cache".into(), "db".into()];
    config.services.push(log.into());
    std::sync::Arc::make_mut(&mut config.services[2]).depends_on = vec!["db".into(), "log".into()];
    let mut world = World::new(&config, Duration::ZERO);
    for name in ["db", "log", "web"] {
        world.appear(name);
    }
    world.run(100 * S);
    world.deeds.clear();
    world.command("db", Doing::Restart);
    world.run(100 * S);
    assert_eq!(deeds(&world, "web"), [Act::Stop, Act::Start]);
    assert!(world.lives("web"));
}
