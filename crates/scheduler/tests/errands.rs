//! What rules run beside a service's own programs: who hears how it ended, and what a crash leaves of it.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Branch, Condition, Config, Dialect, Kind, Operator, Program, Rule, Service, Then};
use hinoban_event::{Doing, Event, Fact, Level, Report};
use hinoban_reading::{How, Identity, Moment, Now, Observation, Stamp, Value, metrics};
use hinoban_scheduler::{
    Act, Effect, Input, LookId, Part, Remembered, Restored, Scheduler, Unbegun, Verdict, condition_name,
};

const S: Duration = Duration::from_secs(1);

fn exec(line: &str) -> Branch {
    let words = line.split(' ').map(str::to_owned).collect();
    Branch::once(Then::Exec {
        program: Program { words, uid: None, gid: None, timeout: 5 * S }.into(),
        repeat: None,
    })
}

fn over(limit: i64, fail: Branch, ok: Branch) -> Rule {
    let (metric, limit) = (metrics::THREADS.name.to_string(), Value::Int(limit));
    let when = Condition::Compare { metric, operator: Operator::Greater, limit };
    Rule { when, fail, ok, place: Default::default() }
}

/// A process that pages somebody when it has more than 5 threads, and again when it has no more.
fn config() -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    let mut service = Service::new("web", Kind::pidfile("/run/web.pid"));
    service.rules.push(over(5, exec("/bin/page many"), exec("/bin/page few")));
    service.rules.push(over(7, exec("/bin/log more"), Branch::once(Then::Alert)));
    config.services = vec![service.into()];
    config
}

fn at(secs: u64) -> Now {
    Now { moment: Moment::ZERO + S * secs as u32, stamp: Stamp::from_micros(secs as i64 * 1_000_000) }
}

/// Looks at its turn, and sees so many threads.
fn sees(scheduler: &mut Scheduler, secs: u64, threads: i64) -> Vec<Effect> {
    let effects = scheduler.handle(at(secs), Input::Tick);
    let look = effects.iter().find_map(|effect| match effect {
        Effect::Look { look: look @ LookId { part: Part::Subject, .. }, .. } => Some(*look),
        _ => None,
    });
    let mut seen = Observation::up().with(&metrics::THREADS, threads);
    seen.identity = Some(Identity { pid: 7, start: 1 });
    scheduler.handle(at(secs), Input::Observed { look: look.unwrap(), result: Ok(seen) })
}

/// The intents that act, and what for.
fn acts(effects: &[Effect]) -> Vec<(u64, Act)> {
    let act = |effect: &Effect| match effect {
        Effect::Act { intent, act, .. } => Some((*intent, act.clone())),
        _ => None,
    };
    effects.iter().filter_map(act).collect()
}

fn events(effects: &[Effect]) -> Vec<&Event> {
    effects.iter().filter_map(|e| if let Effect::Emit(event) = e { Some(event) } else { None }).collect()
}

fn exits(status: u8, output: &str) -> Report {
    Report { exit: Some(How::Exited { status }), output: output.into(), ..Report::default() }
}

/// Has it page, and the program end so.
fn pages(scheduler: &mut Scheduler, secs: u64, report: Report, verdict: Verdict) -> Vec<Effect> {
    sees(scheduler, secs, 1);
    let run = acts(&sees(scheduler, secs + 60, 6));
    let [(intent, Act::Exec { rule: 0, recovery: false, nth: 0 })] = run[..] else { panic!("{run:?}") };
    let effects = scheduler.handle(at(secs + 61), Input::ActionDone { intent, report, verdict });
    let over = |e: &Effect| matches!(e, Effect::Remember(Remembered::Done { intent: i, .. }) if *i == intent);
    assert!(effects.iter().any(over), "the intent is over: {effects:?}");
    effects
}

#[test]
fn a_program_of_a_rule_that_fails_is_told_with_its_status_and_its_output() {
    let mut scheduler = Scheduler::new(&config(), &Restored::default(), Moment::ZERO);
    let effects = pages(&mut scheduler, 0, exits(3, "no route to pager\n"), Verdict::Ran);
    let [event] = events(&effects)[..] else { panic!("{effects:?}") };
    let line = "'web' failed to exec (exit status 3; the program '/bin/page' failed) -- no route to pager";
    assert_eq!((event.level(), event.line()), (Level::Error, line.to_owned()));
    let view = &scheduler.view()[0];
    let last = view.last_action.as_ref().unwrap();
    assert_eq!((&last.doing, last.ok), (&Doing::Exec, false));
    assert!(last.text.contains("exit status 3"), "{}", last.text);
    // A success after that is news, a further one is not.
    let effects = pages(&mut scheduler, 120, exits(0, ""), Verdict::Ran);
    assert!(matches!(events(&effects)[..], [Event { fact: Fact::Ended { ok: true, .. }, .. }]));
    let effects = pages(&mut scheduler, 240, exits(0, ""), Verdict::Ran);
    assert!(events(&effects).is_empty(), "{effects:?}");
}

#[test]
fn a_program_of_a_rule_that_cannot_be_run_is_told() {
    let mut scheduler = Scheduler::new(&config(), &Restored::default(), Moment::ZERO);
    let trouble = Some("/bin/page does not exist".to_owned());
    let report = Report { trouble, ..Report::default() };
    let effects = pages(&mut scheduler, 0, report, Verdict::Failed);
    assert_eq!(events(&effects)[0].line(), "'web' failed to exec (/bin/page does not exist) -- no output");
}

#[test]
fn a_program_of_a_rule_that_takes_too_long_is_said_to_go_on() {
    let mut scheduler = Scheduler::new(&config(), &Restored::default(), Moment::ZERO);
    let effects = pages(&mut scheduler, 0, Report::default(), Verdict::TimedOut);
    let [event] = events(&effects)[..] else { panic!("{effects:?}") };
    let line = event.line();
    assert!(line.contains("'/bin/page' has not ended within 5 s: it goes on running"), "{line}");
    assert_eq!(event.level(), Level::Warning);
}

#[test]
fn how_it_ended_is_told_although_a_reload_changed_the_service_meanwhile() {
    let mut config = config();
    let mut scheduler = Scheduler::new(&config, &Restored::default(), Moment::ZERO);
    sees(&mut scheduler, 0, 1);
    let (intent, _) = acts(&sees(&mut scheduler, 60, 6))[0];
    Arc::make_mut(&mut config.services[0]).rules.pop();
    scheduler.reload(at(61), &config);
    let done = Input::ActionDone { intent, report: exits(1, ""), verdict: Verdict::Ran };
    assert!(matches!(events(&scheduler.handle(at(62), done))[..], [Event { fact: Fact::Ended { .. }, .. }]));
}

/// What was remembered of the acts that these effects begin.
fn unbegun(effects: &[Effect]) -> Vec<Unbegun> {
    let of = |effect: &Effect| {
        let Effect::Remember(Remembered::Reaction {
            intent,
            service,
            rule,
            condition,
            recovery,
            nth,
            text,
            at,
            ..
        }) = effect
        else {
            return None;
        };
        let (intent, rule, recovery, nth, at) = (*intent, *rule, *recovery, *nth, *at);
        let (service, condition, text) = (service.clone(), condition.clone(), text.clone());
        Some(Unbegun { intent, service, rule, condition, recovery, nth, text, at })
    };
    effects.iter().filter_map(of).collect()
}

#[test]
fn of_two_programs_the_next_life_runs_the_one_that_was_not_begun() {
    let config = config();
    let mut scheduler = Scheduler::new(&config, &Restored::default(), Moment::ZERO);
    sees(&mut scheduler, 0, 1);
    let mut both = unbegun(&sees(&mut scheduler, 60, 9));
    both.sort_by_key(|unbegun| unbegun.rule);
    assert_eq!(both.len(), 2);
    // The first had been begun. A rule more stands before them now.
    let mut new = config.clone();
    Arc::make_mut(&mut new.services[0]).rules.insert(0, Rule::existence());
    let mut next = Scheduler::new(&new, &Restored { last_intent: 9, ..Restored::default() }, Moment::ZERO);
    let effects = next.run_unbegun(at(1), &both[1]).unwrap();
    assert_eq!(acts(&effects), [(both[1].intent, Act::Exec { rule: 2, recovery: false, nth: 0 })]);
    assert!(unbegun(&effects).is_empty(), "its intent stays open");
    let cause =
        effects.iter().find_map(|e| if let Effect::Act { cause, .. } = e { Some(cause) } else { None });
    assert_eq!((cause.unwrap().description(), cause.unwrap().at), (both[1].text.clone(), at(60).stamp));
    // Its end ends the intent.
    let intent = both[1].intent;
    let done = Input::ActionDone { intent, report: exits(0, ""), verdict: Verdict::Ran };
    assert_eq!(next.handle(at(2), done), [Effect::Remember(Remembered::Done { intent, ok: true })]);
}

#[test]
fn a_program_for_the_recovery_is_run_by_the_next_life_too() {
    let config = config();
    let mut scheduler = Scheduler::new(&config, &Restored::default(), Moment::ZERO);
    sees(&mut scheduler, 0, 6);
    let left = unbegun(&sees(&mut scheduler, 60, 1));
    let mut next = Scheduler::new(&config, &Restored { last_intent: 9, ..Restored::default() }, Moment::ZERO);
    let effects = next.run_unbegun(at(1), &left[0]).unwrap();
    assert_eq!(acts(&effects), [(left[0].intent, Act::Exec { rule: 0, recovery: true, nth: 0 })]);
}

#[test]
fn what_nobody_asks_for_any_more_is_not_run() {
    let mut config = config();
    let when = config.services[0].rules[0].when.clone();
    let (service, condition, text) = ("web".to_owned(), condition_name(&when), "many".to_owned());
    let (intent, rule, recovery, at_) = (3, 0, false, at(1).stamp);
    let unbegun = Unbegun { intent, service, rule, condition, recovery, nth: 0, text, at: at_ };
    let run = |config: &Config, restored: &Restored| {
        Scheduler::new(config, restored, Moment::ZERO).run_unbegun(at(1), &unbegun).is_some()
    };
    assert!(run(&config, &Restored::default()));
    let monitored = [("web".to_owned(), false)].into();
    assert!(!run(&config, &Restored { monitored, ..Restored::default() }), "it is not watched");
    let alert = Branch::once(Then::Alert);
    Arc::make_mut(&mut config.services[0]).rules[0].fail = alert;
    assert!(!run(&config, &Restored::default()), "the rule runs nothing");
    Arc::make_mut(&mut config.services[0]).rules.remove(0);
    assert!(!run(&config, &Restored::default()), "there is no such rule");
    config.services.clear();
    assert!(!run(&config, &Restored::default()), "there is no such service");
}
