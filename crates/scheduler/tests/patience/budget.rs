//! What the host is to bear at a time.

use super::*;

#[test]
fn the_host_bears_three_restarts_a_minute_says_so_once_and_makes_the_others_later() {
    let mut config = config((0..12).map(|n| service(&format!("web{n}"))));
    config.budget = Some(Budget::default());
    let mut world = world(&config);
    for n in 0..12 {
        world.of(&format!("web{n}")).tests_pass = false;
    }
    world.run(29 * S + S / 2);
    let restarts = |world: &World| world.deeds.iter().filter(|deed| deed.act == Act::Start).count();
    assert_eq!(restarts(&world), 3);
    let told = held(&world);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("web3: 3 restarts within 1 min on this host (web0, web1, web2), and that is "),
        "{told:?}"
    );
    assert!(patience(&world, "web9").held.is_some());
    // Whoever is restarted is well from then on.
    for n in 0..3 {
        world.of(&format!("web{n}")).tests_pass = true;
    }
    for round in 2..=4 {
        world.run(MIN);
        assert_eq!(restarts(&world), 3 * round);
        for n in 0..3 * round {
            world.of(&format!("web{n}")).tests_pass = true;
        }
    }
    for n in 0..12 {
        assert_eq!(starts(&world, &format!("web{n}")).len(), 1, "each had its turn");
    }
    world.run(5 * MIN);
    assert_eq!((restarts(&world), held(&world).len()), (12, 1));
    assert!((0..12).all(|n| patience(&world, &format!("web{n}")).held.is_none()));
    // Another time is another time.
    for n in 0..12 {
        world.of(&format!("web{n}")).tests_pass = false;
    }
    world.run(MIN);
    assert_eq!(held(&world).len(), 2);
}

#[test]
fn what_is_gone_is_started_whatever_the_host_is_to_bear() {
    let mut config = config((0..20).map(|n| service(&format!("web{n}"))));
    config.budget = Some(Budget { restarts: 1, within: H });
    let mut world = world(&config);
    for n in 0..20 {
        world.kill(&format!("web{n}"));
    }
    world.run(S);
    assert!((0..20).all(|n| world.lives(&format!("web{n}"))));
    assert!(held(&world).is_empty());
}

#[test]
fn a_rule_that_needs_three_looks_is_held_and_let_go_all_the_same() {
    let mut config = config(["a", "b"].map(service));
    config.budget = Some(Budget { restarts: 1, within: 5 * MIN });
    for service in &mut config.services {
        let mut changed = (**service).clone();
        changed.rules[1] = tested(Rate { count: 3, within: 3 });
        *service = changed.into();
    }
    let mut world = world(&config);
    world.of("a").tests_pass = false;
    world.of("b").tests_pass = false;
    world.run(2 * MIN);
    world.of("a").tests_pass = true;
    assert_eq!((starts(&world, "a").len(), starts(&world, "b").len()), (1, 0));
    world.run(10 * MIN);
    let (a, b) = (starts(&world, "a"), starts(&world, "b"));
    assert!((b[0] - a[0] - 300.0).abs() < 0.2, "as soon as the host bears it: {a:?} {b:?}");
}

#[test]
fn a_host_that_starves_restarts_only_what_takes_too_much_itself() {
    let mut greedy = service("hog");
    let when = Condition::Compare {
        metric: metrics::MEMORY_PERCENT.name.to_string(),
        operator: Operator::Greater,
        limit: Value::Int(50),
    };
    greedy.rules[1] = Rule { when, ..tested(Rate::ONCE) };
    let mut host = Service::new("vm", Kind::System);
    host.rules = Vec::new();
    let mut config = config([host, service("httpd"), greedy]);
    config.budget = Some(Budget::default());
    let mut world = world(&config);
    world.of("vm").reads = vec![(metrics::MEMORY_PERCENT, Value::Real(98.0))];
    world.run(MIN);
    world.of("httpd").tests_pass = false;
    world.of("hog").reads = vec![(metrics::MEMORY_PERCENT, Value::Real(60.0))];
    world.run(29 * S + S / 2);
    world.of("hog").reads.clear();
    assert_eq!((starts(&world, "httpd").len(), starts(&world, "hog").len()), (0, 1));
    world.run(10 * MIN);
    assert_eq!(starts(&world, "httpd").len(), 0);
    let told = held(&world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("httpd: this host is short of memory (98 % in use), and a restart "),
        "{told:?}"
    );
    world.of("vm").reads = vec![(metrics::MEMORY_PERCENT, Value::Real(60.0))];
    world.run(31 * S);
    assert_eq!(starts(&world, "httpd").len(), 1);
}

#[test]
fn an_old_look_at_the_host_holds_nothing_a_fresh_one_does() {
    let mut host = Service::new("vm", Kind::System);
    host.rules = Vec::new();
    host.every = Some(H);
    let mut config = config([host, service("httpd")]);
    config.budget = Some(Budget::default());
    let short = vec![(metrics::MEMORY_PERCENT, Value::Real(98.0))];
    for starves in [false, true] {
        let mut world = World::new(&config, Duration::ZERO);
        world.of("vm").reads = short.clone();
        world.appear("httpd");
        world.run(10 * MIN);
        if !starves {
            world.of("vm").reads.clear();
        }
        world.of("httpd").tests_pass = false;
        world.run(32 * S);
        assert_eq!((starts(&world, "httpd").is_empty(), held(&world).len()), (starves, starves.into()));
        if starves {
            // Nor does it hold for as long as nobody would look.
            world.run(5 * MIN);
            assert_eq!((starts(&world, "httpd").len(), held(&world).len()), (0, 1));
            world.of("vm").reads.clear();
            world.run(32 * S);
            assert!(!starts(&world, "httpd").is_empty());
        }
    }
}

#[test]
fn what_an_earlier_life_spent_and_held_is_spent_and_held_though_the_clock_begins_anew() {
    for patient in [true, false] {
        let mut config = config((0..5).map(|n| service(&format!("web{n}"))));
        config.budget = Some(Budget { restarts: 2, within: 10 * MIN });
        if !patient {
            for service in &mut config.services {
                let mut changed = (**service).clone();
                changed.patience = None;
                *service = changed.into();
            }
        }
        let mut before = world(&config);
        before.run(5 * MIN);
        // The last is the first.
        for n in [4, 3, 2, 1, 0] {
            before.of(&format!("web{n}")).tests_pass = false;
            before.run(31 * S);
        }
        let restarted = |world: &World| -> Vec<String> {
            let starts = world.deeds.iter().filter(|deed| deed.act == Act::Start);
            starts.map(|deed| deed.service.clone()).collect()
        };
        assert_eq!((restarted(&before), held(&before).len()), (vec!["web4".into(), "web3".into()], 1));
        let mut after = world(&config);
        // As much later on the wall clock as it is by the clock of the first life.
        after.set_clock(before.now().elapsed().as_secs() as i64 + 10);
        after.scheduler = anew(&config, &before);
        for n in 0..3 {
            after.of(&format!("web{n}")).tests_pass = false;
        }
        after.run(7 * MIN);
        assert_eq!((restarted(&after), held(&after).len()), (vec![], 0), "nothing new, and told before");
        let held_since = |n: u32| patience(&after, &format!("web{n}")).held;
        assert!((0..3).all(|n| held_since(n).is_some()));
        after.run(2 * MIN);
        assert_eq!(restarted(&after), ["web2", "web1"], "who waited longer is the first");
        after.of("web2").tests_pass = true;
        after.of("web1").tests_pass = true;
        after.run(10 * MIN);
        assert_eq!(restarted(&after)[..3], ["web2", "web1", "web0"]);
    }
}

#[test]
fn what_a_reload_begins_anew_has_cost_the_host_all_the_same_also_after_a_crash() {
    let changes: [fn(&mut Service); 2] =
        [|service| service.patience = None, |service| service.kind = Kind::pidfile("/run/other.pid")];
    for (change, crashes) in changes.into_iter().flat_map(|change| [(change, false), (change, true)]) {
        let mut config = config([service("app"), service("web")]);
        config.budget = Some(Budget { restarts: 1, within: 10 * MIN });
        let mut world = world(&config);
        world.of("app").tests_pass = false;
        world.run(31 * S);
        assert_eq!(starts(&world, "app").len(), 1);
        world.of("app").tests_pass = true;
        world.run(MIN);
        change(std::sync::Arc::make_mut(&mut config.services[0]));
        world.reload(&config);
        if crashes {
            world.crash(&config);
        }
        world.of("web").tests_pass = false;
        world.run(8 * MIN);
        assert_eq!((starts(&world, "web").len(), held(&world).len()), (0, 1), "crashes: {crashes}");
        world.run(2 * MIN);
        assert!(!starts(&world, "web").is_empty());
    }
}
