//! Rules about content: what a look finds is told once, and never lost.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Dialect, Kind, Pattern, Program, Rate, Rule, Service, Speech, Then,
};
use hinoban_event::{Class, Doing, Fact};
use hinoban_reading::{Metric, Moment, Now, Observation, Stamp, Unit};
use hinoban_scheduler::{Effect, Input, LookId, Part, Restored, RuleState, Scheduler, ServiceId};

const LINES: [Metric; 2] = [Metric::new("content.1", Unit::Text), Metric::new("content.2", Unit::Text)];
const OUTPUT: Metric = Metric::new("output", Unit::Text);
const CYCLE: u64 = 30;

fn rule(metric: &Metric, fail: Branch) -> Rule {
    let pattern = Pattern::new("ERROR").unwrap();
    let when = Condition::Content { metric: metric.name.to_string(), pattern, fails_on_match: true };
    Rule { when, fail, ok: Branch::once(Then::Nothing), place: Default::default() }
}

fn alert() -> Branch {
    Branch::once(Then::Alert)
}

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: Duration::from_secs(5) }
}

/// One service, whose looks the test answers.
struct Own {
    scheduler: Scheduler,
    id: ServiceId,
    now: u64,
    told: Vec<String>,
    recovered: usize,
}

impl Own {
    fn new(dialect: Dialect, kind: Kind, rules: Vec<Rule>) -> Self {
        let mut config = Config::empty(dialect, "vm");
        config.every = Some(Duration::from_secs(CYCLE));
        let mut service = Service::new("log", kind);
        service.buffer = 64;
        service.start = Some(program("/bin/start"));
        service.rules = rules;
        config.services = vec![service.into()];
        let scheduler = Scheduler::new(&config, &Restored::default(), Moment::ZERO);
        let id = scheduler.find("log").unwrap();
        Self { scheduler, id, now: 0, told: vec![], recovered: 0 }
    }

    fn file(rules: Vec<Rule>) -> Self {
        Self::new(Dialect::Toml, Kind::File { path: "/log".into() }, rules)
    }

    fn feed(&mut self, input: Input) -> Vec<LookId> {
        let moment = Moment::new(Duration::from_secs(self.now));
        let now = Now { moment, stamp: Stamp::from_micros(self.now as i64 * 1_000_000) };
        let mut looks = vec![];
        for effect in self.scheduler.handle(now, input) {
            match effect {
                Effect::Look { look, .. } => looks.push(look),
                Effect::Emit(event) => match event.fact {
                    Fact::Failed(failure) => {
                        assert_eq!(failure.class, Class::Content);
                        self.told.push(failure.text);
                    }
                    Fact::Recovered(_) => self.recovered += 1,
                    _ => {}
                },
                _ => {}
            }
        }
        looks
    }

    fn answer(&mut self, looks: Vec<LookId>, seen: Observation) {
        for look in looks {
            self.feed(Input::Observed { look, result: Ok(seen.clone()) });
        }
    }

    /// A look at its turn that finds this.
    fn due(&mut self, seen: Observation) -> Vec<String> {
        self.now = self.now.div_ceil(CYCLE) * CYCLE;
        let looks = self.feed(Input::Tick);
        assert_eq!(looks.len(), 1);
        self.answer(looks, seen);
        self.now += 1;
        std::mem::take(&mut self.told)
    }

    /// A look before its turn that finds this.
    fn early(&mut self, seen: Observation) -> Vec<String> {
        let looks = self.feed(Input::Woken { service: self.id, part: Part::Subject });
        self.answer(looks, seen);
        self.now += 1;
        std::mem::take(&mut self.told)
    }

    fn state(&self) -> RuleState {
        self.scheduler.view()[0].rules[0].state
    }
}

fn lines(text: &str) -> Observation {
    Observation::up().with(&LINES[0], text)
}

#[test]
fn lines_are_told_at_once_and_those_of_a_flood_at_the_turn() {
    let mut own = Own::file(vec![rule(&LINES[0], alert())]);
    assert!(own.due(lines("")).is_empty());
    assert_eq!(own.early(lines("ERROR 1\n")), ["a line matches 'ERROR': ERROR 1"]);
    assert!(!own.scheduler.withholds(own.id));
    assert!(own.early(lines("ERROR 2\n")).is_empty());
    assert!(own.scheduler.withholds(own.id), "told to nobody yet: a crash must not lose it");
    assert!(own.early(lines("")).is_empty());
    assert!(own.early(lines("ERROR 3\n")).is_empty());
    assert_eq!(own.due(lines("ERROR 4\n")), ["3 lines match 'ERROR':\nERROR 2\nERROR 3\nERROR 4"]);
    assert!(!own.scheduler.withholds(own.id));
    assert_eq!(own.state(), RuleState::Fails);
    assert_eq!(own.early(lines("ERROR 5\n")), ["a line matches 'ERROR': ERROR 5"], "a new cycle");
    assert!(own.due(lines("")).is_empty());
    assert_eq!((own.state(), own.recovered), (RuleState::Holds, 1));
    assert!(own.due(lines("")).is_empty());
    assert_eq!(own.recovered, 1);
}

#[test]
fn a_rate_counts_cycles_and_not_looks() {
    let twice = Branch::at(Then::Alert, Rate { count: 2, within: 2 });
    let mut own = Own::file(vec![rule(&LINES[0], twice)]);
    own.due(lines(""));
    for n in 0..5 {
        assert!(own.early(lines(&format!("ERROR {n}\n"))).is_empty());
    }
    assert!(own.due(lines("")).is_empty(), "one cycle");
    assert!(own.early(lines("ERROR x\n")).is_empty());
    assert_eq!(own.due(lines("ERROR y\n")), ["2 lines match 'ERROR':\nERROR x\nERROR y"]);
}

#[test]
fn what_is_found_while_a_rule_restarts_the_service_is_told_afterwards() {
    let restart = Branch::once(Then::Start);
    let mut own = Own::file(vec![rule(&LINES[0], restart), rule(&LINES[1], alert())]);
    let both = lines("ERROR 1\n").with(&LINES[1], "ERROR 1\n");
    assert_eq!(own.due(both), ["a line matches 'ERROR': ERROR 1"], "the second rule has to wait");
    assert_eq!(own.scheduler.view()[0].last_action.as_ref().map(|done| &done.doing), None);
    assert!(own.scheduler.withholds(own.id));
    assert!(own.early(lines("ERROR 2\n").with(&LINES[1], "ERROR 2\n")).is_empty());
    assert!(own.scheduler.withholds(own.id));
}

#[test]
fn much_is_cut_and_nobody_hears_of_what_was_written_while_nobody_watched() {
    let mut own = Own::file(vec![rule(&LINES[0], alert())]);
    own.due(lines(""));
    own.early(lines("ERROR told\n"));
    for n in 0..40 {
        own.early(lines(&format!("ERROR number {n}\n")));
        own.now -= 1;
    }
    let told = own.due(lines(""));
    assert!(told[0].starts_with("more than 5 lines match") && told[0].ends_with("\n..."), "{told:?}");

    own.early(lines("ERROR and one\n"));
    own.early(lines("ERROR that waits\n"));
    own.feed(Input::Command { service: own.id, doing: Doing::Unmonitor, by: "x".into() });
    own.told.clear();
    own.feed(Input::Command { service: own.id, doing: Doing::Monitor, by: "x".into() });
    assert!(!own.scheduler.withholds(own.id));
    assert!(own.due(lines("ERROR while nobody watched\n")).is_empty());
    assert_eq!(own.early(lines("ERROR now\n")), ["a line matches 'ERROR': ERROR now"]);
}

#[test]
fn what_a_program_printed_is_judged_by_its_pattern_each_time_it_has_run() {
    let kind = Kind::Program { program: program("/bin/x"), speech: Speech::Plain };
    let printed = |text: &str| Observation::up().with(&OUTPUT, text);
    let mut own = Own::new(Dialect::Monit, kind, vec![rule(&OUTPUT, alert())]);
    assert!(own.due(printed("fine")).is_empty());
    let said = "content match on program output:\nERROR\nin line 2\n";
    assert_eq!(own.due(printed("ERROR\nin line 2")), [said]);
    assert!(own.due(Observation::up()).is_empty(), "it runs still");
    assert_eq!(own.state(), RuleState::Fails);
    assert_eq!(own.due(printed("ERROR\nin line 2")), [said]);
    assert!(own.due(printed("")).is_empty());
    assert_eq!(own.state(), RuleState::Holds);
}

/// As Monit 5.33: each cycle with a hit is told, all lines of it together.
#[test]
fn monit_is_followed_cycle_by_cycle() {
    let mut own =
        Own::new(Dialect::Monit, Kind::File { path: "/log".into() }, vec![rule(&LINES[0], alert())]);
    let mut told = vec![];
    for text in ["", "ERROR 1\n", "ERROR 2\nERROR 3\n", "", "ERROR 4\n"] {
        told.extend(own.due(lines(text)));
    }
    let wanted =
        ["content match:\nERROR 1\n", "content match:\nERROR 2\nERROR 3\n", "content match:\nERROR 4\n"];
    assert_eq!(told, wanted);
    assert_eq!(own.recovered, 1);
}
