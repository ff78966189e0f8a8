//! Makes up configurations and what happens under them.

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{
    Branch, Budget, Change, Condition, Config, Cron, Dialect, Expect, Kind, Mode, OnReboot, Operator,
    Patience, Pattern, Program, Rate, Rule, Service, Test, Then, Turns,
};
use hinoban_event::Doing;
use hinoban_reading::{How, Value, metrics};

use super::dice::Dice;
use super::script::{Fault, Script, Step};
use super::{Behaviour, Situation};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// Readings up to this are fine with every rule.
const LIMIT: i64 = 10;

impl Script {
    /// What this seed makes.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mild = dice.percent(20);
        let mut configs = vec![Arc::new(config(&mut dice, mild))];
        let more = if mild { 0 } else { dice.below(3) };
        for _ in 0..more {
            let other = varied(&mut dice, configs.last().map(|c| &**c));
            configs.push(Arc::new(other));
        }
        let mut script = Self { seed, configs, steps: Vec::new(), mild, inline: seed.is_multiple_of(3) };
        let names = script.names();
        let end = dice.from(120, 1500);
        let mut at = Duration::ZERO;
        let steps = dice.from(8, 70);
        let mut times: Vec<Duration> = (0..steps)
            .map(|_| {
                // Troubles come together.
                at = match dice.below(4) {
                    0 => at + MS * dice.below(40) as u32,
                    1 => at + MS * dice.below(5000) as u32,
                    _ => MS * dice.below(end * 1000) as u32,
                };
                at
            })
            .collect();
        times.sort();
        let (mut name, mut last) = (dice.of(&names).clone(), Duration::ZERO);
        for at in times {
            // Of what comes together, much happens to the same service.
            if at > last + S || dice.percent(30) {
                name = dice.of(&names).clone();
            }
            last = at;
            let mut fault = fault(&mut dice, name.clone(), &script.configs, mild);
            if !mild && dice.percent(45) {
                let rare = [
                    Situation::Peeking,
                    Situation::Clearing,
                    Situation::Starting,
                    Situation::Stopping,
                    Situation::Restarting,
                    Situation::AwaitDown,
                    Situation::Budget,
                    Situation::GivenUp,
                ];
                let situation = if dice.percent(50) { *dice.of(&rare) } else { *dice.of(Situation::ALL) };
                fault = Fault::Ambush(situation, Box::new(fault));
            }
            script.steps.push(Step { at, fault });
        }
        script
    }
}

fn config(dice: &mut Dice, mild: bool) -> Config {
    let dialect = *dice.of(&[Dialect::Toml, Dialect::Monit]);
    let mut config = Config::empty(dialect, "vm");
    config.every = Some(S * *dice.of(&[5u32, 10, 30]));
    config.budget = match dialect {
        Dialect::Toml => {
            let tight = Budget { restarts: 1, within: 60 * S };
            *dice.of(&[None, Some(Budget::default()), Some(tight)])
        }
        Dialect::Monit => None,
    };
    let count = dice.from(1, 8);
    let mut services: Vec<Service> = Vec::new();
    for n in 0..count {
        let name = format!("{}{n}", *dice.of(&["web", "db", "log"]));
        let mut service = service(dice, &name, dialect, mild);
        for above in services.iter().filter(|s| s.kind != Kind::System) {
            if service.depends_on.len() < 2 && dice.percent(22) {
                service.depends_on.push(above.name.as_str().into());
            }
        }
        services.push(service);
    }
    if dice.percent(30) {
        // What others depend on may stand behind them.
        services.reverse();
    }
    if dice.percent(60) {
        let mut system = Service::system("vm");
        if dice.percent(50) {
            system.rules.push(over(dice, Then::Alert));
        }
        services.push(system);
    }
    config.services = services.into_iter().map(Arc::new).collect();
    config
}

fn program(dice: &mut Dice, name: &str) -> Program {
    let timeout = S * *dice.of(&[3u32, 10, 30]);
    Program { words: vec![format!("/bin/{name}")], uid: None, gid: None, timeout }
}

fn service(dice: &mut Dice, name: &str, dialect: Dialect, mild: bool) -> Service {
    let path = format!("/run/{name}").into();
    let kind = match dice.weighed(&[60, 12, 15, 5, 8]) {
        0 => Kind::pidfile(path),
        1 => Kind::File { path },
        2 => Kind::Host { address: name.to_owned() },
        3 => Kind::filesystem(path),
        _ => Kind::Custom { probe: "thing".to_owned(), options: Default::default() },
    };
    let mut service = Service::new(name, kind);
    if dice.percent(20) {
        service.every = Some(S * *dice.of(&[2u32, 7, 20]));
    }
    if dice.percent(16) && !mild {
        let cron = |text: &str| Cron::parse(text).ok().map(|(cron, _)| cron);
        service.turns = match dice.below(3) {
            0 => Turns::Nth(dice.from(2, 4) as u32),
            1 => cron("*/2 * * * *").map_or(Turns::Each, Turns::At),
            _ => cron("*/3 * * * *").map_or(Turns::Each, Turns::Except),
        };
    }
    if dice.percent(10) {
        service.mode = Mode::Passive;
    }
    service.on_reboot = match dice.below(10) {
        0 => OnReboot::NoStart,
        1 => OnReboot::LastState,
        _ => OnReboot::Start,
    };
    service.start = dice.percent(92).then(|| program(dice, "start"));
    service.stop = dice.percent(85).then(|| program(dice, "stop"));
    service.restart = dice.percent(18).then(|| program(dice, "restart"));
    if let Some(stop) = &service.stop
        && dice.percent(15)
    {
        service.kill_after = Some(stop.timeout / 2);
    }
    if dialect == Dialect::Toml {
        let quick = Patience {
            first: 2 * S,
            longest: 20 * S,
            stable: 60 * S,
            give_up: Some(2),
            give_up_gone: None,
            remind: 120 * S,
        };
        let weary = Patience { give_up_gone: Some(2), give_up: Some(1), ..quick };
        service.patience =
            *dice.of(&[None, Some(Patience::default()), Some(quick), Some(quick), Some(weary)]);
    }
    rules(dice, &mut service, mild);
    service
}

fn rules(dice: &mut Dice, service: &mut Service, mild: bool) {
    let subject = !matches!(service.kind, Kind::Host { .. });
    if subject && dice.percent(92) {
        let mut rule = Rule::existence();
        rule.fail.then = match dice.weighed(&[70, 14, 6, 3, 3, 4]) {
            0 => Then::Restart,
            1 => Then::Start,
            _ if mild => Then::Restart,
            2 => Then::Alert,
            3 => Then::Stop,
            4 => Then::Unmonitor,
            _ => exec(dice),
        };
        if dice.percent(20) && !mild {
            rule.fail.rate = rate(dice);
        }
        if dice.percent(15) {
            rule.ok.rate = rate(dice);
        }
        service.rules.push(rule);
    } else if subject && !mild && dice.percent(50) {
        let rule = Rule { when: Condition::Exists, fail: Branch::once(Then::Alert), ..Rule::existence() };
        service.rules.push(rule);
    }
    if let Kind::File { .. } = service.kind {
        service.rules.push(Rule::wrong_type());
    }
    for _ in 0..dice.below(4) {
        let then = match dice.weighed(&[36, 26, 14, 5, 4, 5, 4, 6]) {
            0 => Then::Alert,
            _ if mild => Then::Alert,
            1 => Then::Restart,
            2 => exec(dice),
            3 => Then::Stop,
            4 => Then::Unmonitor,
            5 => Then::Start,
            6 => Then::Nothing,
            _ => Then::Custom("beacon".to_owned()),
        };
        let mut rule = match dice.weighed(&[45, 25, 10, 10]) {
            0 => tested(dice, then),
            _ if !subject => tested(dice, then),
            1 => over(dice, then),
            2 => changed(dice, then),
            _ => matched(dice, then),
        };
        if dice.percent(30) {
            rule.fail.rate = rate(dice);
        }
        if dice.percent(20) {
            rule.ok.rate = rate(dice);
        }
        if dice.percent(8) {
            (rule.fail.rate, rule.fail.lasting) = (Rate::ONCE, Some(S * dice.from(1, 40) as u32));
        }
        if dice.percent(12) {
            rule.ok.then = if mild { Then::Nothing } else { exec(dice) };
        }
        if dice.percent(10) {
            rule.fail.also.push(exec(dice));
        }
        service.rules.push(rule);
    }
    if dice.percent(20) && !mild {
        let (count, within) = (dice.from(1, 4) as u32, dice.from(2, 8) as u32);
        let then = match dice.below(4) {
            0 => Then::Alert,
            1 => exec(dice),
            _ => Then::Unmonitor,
        };
        let when = Condition::Restarts { count, within: within.max(count) };
        let (fail, ok) = (Branch::once(then), Branch::once(Then::Alert));
        service.rules.push(Rule { when, fail, ok, place: Default::default() });
    }
    if dice.percent(30) {
        service.rules.reverse();
    }
}

fn rate(dice: &mut Dice) -> Rate {
    let within = dice.from(1, 5) as u8;
    Rate { count: dice.from(1, within.into()) as u8, within }
}

fn exec(dice: &mut Dice) -> Then {
    let repeat = dice.percent(50).then(|| dice.from(1, 3) as u32);
    Then::Exec { program: program(dice, "exec").into(), repeat }
}

fn rule(when: Condition, then: Then) -> Rule {
    Rule { when, fail: Branch::once(then), ok: Branch::once(Then::Alert), place: Default::default() }
}

fn tested(dice: &mut Dice, then: Then) -> Rule {
    let test = Test::Custom { probe: "ask".to_owned(), options: Default::default() };
    match dice.percent(6) {
        true => rule(Condition::Test { test, expect: Expect::Succeeded }, Then::Alert),
        false => rule(Condition::Test { test, expect: Expect::Failed }, then),
    }
}

fn over(dice: &mut Dice, then: Then) -> Rule {
    let (metric, limit) = (metrics::THREADS.name.to_string(), Value::Int(LIMIT + dice.below(30) as i64));
    rule(Condition::Compare { metric, operator: Operator::Greater, limit }, then)
}

fn changed(dice: &mut Dice, then: Then) -> Rule {
    let metric = dice.of(&[metrics::PID, metrics::THREADS]).name.to_string();
    match dice.percent(15) {
        true => rule(Condition::Changed { metric, expect: Change::Unchanged }, Then::Alert),
        false => rule(Condition::Changed { metric, expect: Change::Changed }, then),
    }
}

fn matched(dice: &mut Dice, then: Then) -> Rule {
    let metric = metrics::FILESYSTEM_FLAGS.name.to_string();
    let fails_on_match = dice.percent(50);
    let pattern = Pattern::new(if fails_on_match { "ro|bad" } else { "^rw$" });
    match pattern {
        Ok(pattern) => rule(Condition::Matches { metric, pattern, fails_on_match }, then),
        Err(_) => over(dice, then),
    }
}

/// The configuration, changed somewhere.
fn varied(dice: &mut Dice, before: Option<&Config>) -> Config {
    let Some(before) = before else { return config(dice, false) };
    let mut config = before.clone();
    for _ in 0..dice.from(1, 3) {
        let count = config.services.len();
        let at = dice.below(count as u64) as usize;
        let system = config.services[at].kind == Kind::System;
        match dice.below(7) {
            0 if count > 1 => {
                let gone = config.services.remove(at);
                for service in &mut config.services {
                    if service.depends_on.iter().any(|wanted| wanted.name == gone.name) {
                        Arc::make_mut(service).depends_on.retain(|wanted| wanted.name != gone.name);
                    }
                }
            }
            1 => {
                let name = format!("new{}", dice.below(3));
                if config.services.iter().all(|s| s.name != name) {
                    config.services.push(Arc::new(service(dice, &name, config.dialect, false)));
                }
            }
            2 => {
                let service = Arc::make_mut(&mut config.services[at]);
                service.rules.clear();
                if !system {
                    rules(dice, service, false);
                }
            }
            3 => Arc::make_mut(&mut config.services[at]).every = Some(S * dice.from(2, 30) as u32),
            4 => Arc::make_mut(&mut config.services[at]).depends_on.clear(),
            5 if !system => {
                let program = program(dice, "start");
                Arc::make_mut(&mut config.services[at]).start = Some(program);
            }
            _ if !system => {
                let kind = Kind::pidfile(format!("/run/other{}", dice.below(2)));
                Arc::make_mut(&mut config.services[at]).kind = kind;
            }
            _ => {}
        }
    }
    config
}

fn fault(dice: &mut Dice, name: String, configs: &[Arc<Config>], mild: bool) -> Fault {
    let reloads = if configs.len() > 1 { 5 } else { 0 };
    let hard = if mild { 0 } else { 1 };
    match dice.weighed(&[24, 2, 30, 20, 3, 2, 3 * hard, reloads, 2, 8, hard, hard, 1]) {
        0 => {
            let how = match dice.below(6) {
                0 => How::Exited { status: 0 },
                1 => How::Exited { status: 1 },
                2 => How::Signalled { signal: 15, core: false },
                3 => How::Signalled { signal: 11, core: true },
                _ => How::Signalled { signal: 9, core: false },
            };
            Fault::Ends(name, how)
        }
        1 => Fault::Appears(name),
        2 => Fault::Behaves(name, Box::new(behaviour(dice, mild))),
        3 => {
            let wish =
                dice.of(&[Doing::Start, Doing::Stop, Doing::Restart, Doing::Monitor, Doing::Unmonitor]);
            Fault::Asks(name, wish.clone())
        }
        4 => Fault::Stirs(name, dice.from(1, 20) as u32),
        5 => Fault::WakeAll,
        6 => Fault::Clock(*dice.of(&[3600, -3600, 5, 86_400, -120])),
        7 => Fault::Reload(dice.below(configs.len() as u64) as usize),
        8 => Fault::Crash,
        9 => Fault::CrashWithin(dice.below(40) as usize),
        10 => Fault::Reboot,
        11 => Fault::End,
        _ => Fault::StrangeEnd,
    }
}

fn behaviour(dice: &mut Dice, mild: bool) -> Behaviour {
    let tests_pass = !dice.percent(15);
    let mut is = Behaviour { reads: readings(dice.percent(20)), tests_pass, ..Behaviour::default() };
    for _ in 0..dice.below(3) {
        match dice.below(if mild { 7 } else { 17 }) {
            0 => is.tests_pass = false,
            1 => is.appears_after = Some(MS * dice.below(2500) as u32),
            2 => is.lingers = MS * dice.below(2500) as u32,
            3 => is.test_takes = MS * dice.below(4000) as u32,
            4 => is.secretive = true,
            5 => is.start_takes = MS * dice.below(2500) as u32,
            6 => is.stop_takes = MS * dice.below(2500) as u32,
            14 => is.start_takes = S * dice.below(40) as u32,
            15 => is.stop_takes = S * dice.below(40) as u32,
            16 => is.look_takes = MS * dice.below(3000) as u32,
            7 => is.appears_after = None,
            8 => is.stops = false,
            9 => is.wakes = false,
            10 if dice.percent(50) => is.unseen = true,
            10 => is.other_type = true,
            11 => is.blind = true,
            12 => is.tests_blind = true,
            _ => is.broken = true,
        }
    }
    is
}

/// What a look measures: fine, or too much of everything.
pub(super) fn readings(bad: bool) -> Vec<(hinoban_reading::Metric, Value)> {
    let (threads, flags) = if bad { (LIMIT * 5, "bad") } else { (1, "rw") };
    vec![(metrics::THREADS, Value::Int(threads)), (metrics::FILESYSTEM_FLAGS, Value::Text(flags.to_owned()))]
}
