//! What people hear, and what is known of failures, over crashes of the supervisor and changes of its configuration.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_action::Message;
use hinoban_config::{
    Branch, Condition, Config, Dialect, Kind, Operator, Program, Recipient, Rule, Service, Then,
};
use hinoban_event::{Class, Doing, Fact};
use hinoban_journal::{Entry, Journal};
use hinoban_reading::{Metric, Observation, Stamp, Unit, Value};
use hinoban_supervisor::{Courier, Handle, Receipts, Registry, Supervisor, Trouble};
use hinoban_testkit::{Answer, Recorder, Script, WallClock};
use tokio::sync::mpsc;

const S: Duration = Duration::from_secs(1);
const DEPTH: Metric = Metric::new("queue.depth", Unit::Count);

/// What arrived: subjects by id, in order.
type Mails = Arc<Mutex<Vec<(String, String)>>>;

/// A courier that takes messages in hand, or is struck before it can.
struct Carrier {
    got: Mails,
    receipts: Option<Receipts>,
    struck: bool,
}

#[async_trait]
impl Courier for Carrier {
    fn receipts(&mut self, safe: Receipts) -> bool {
        self.receipts = Some(safe);
        true
    }

    async fn carry(
        self: Box<Self>,
        mut messages: mpsc::UnboundedReceiver<(Stamp, Message)>,
        _trouble: Trouble,
    ) {
        while let Some((_, message)) = messages.recv().await {
            if !self.struck {
                self.got.lock().unwrap().push((message.id.clone(), message.subject));
                self.receipts.as_ref().unwrap()(&message.id);
            }
        }
    }
}

fn over(limit: i64) -> Rule {
    let alert = || Branch::once(Then::Alert);
    let when = Condition::Compare {
        metric: DEPTH.name.to_string(),
        operator: Operator::Greater,
        limit: Value::Int(limit),
    };
    Rule { when, fail: alert(), ok: alert(), place: Default::default() }
}

/// A queue under these rules.
fn config(rules: Vec<Rule>) -> Config {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    let admin = Recipient {
        address: "admin@vm".into(),
        reminder: None,
        place: Default::default(),
        ..Recipient::new("")
    };
    config.alerts.push(admin);
    let mut service =
        Service::new("queue", Kind::Custom { probe: "queue".into(), options: Default::default() });
    service.rules = rules;
    config.services = vec![service.into()];
    config
}

fn holds(depth: i64) -> Answer {
    Answer::sees(Observation::up().with(&DEPTH, depth))
}

/// One life, ended by a crash: nothing is said or written at its end.
async fn live<F: Future<Output = ()>>(
    state: &Path,
    config: Config,
    depth: i64,
    (got, struck): (&Mails, bool),
    then: impl FnOnce(Handle, Script) -> F,
) {
    let script = Script::measuring([DEPTH]);
    script.set(holds(depth));
    let probe = script.clone();
    let registry = Registry::empty().probe("queue", move |_| Ok(Box::new(probe.probe())));
    let carrier = Carrier { got: got.clone(), receipts: None, struck };
    let clock = WallClock::default();
    let supervisor = Supervisor::builder(config, registry)
        .journal(Journal::open(state).unwrap().0)
        .boot("boot", 0)
        .wall(Arc::new(move || clock.stamp()))
        .courier(Box::new(carrier) as Box<dyn Courier>)
        .build()
        .unwrap();
    let handle = supervisor.handle();
    tokio::select! {
        ended = supervisor.run() => { ended.unwrap(); }
        () = async move { tokio::time::sleep(S).await; then(handle, script).await } => {}
    }
}

async fn nothing_more(_: Handle, _: Script) {}

/// The subjects about the queue.
fn about(got: &Mails) -> Vec<String> {
    let got = got.lock().unwrap();
    got.iter().map(|(_, subject)| subject.clone()).filter(|subject| subject.contains("] queue ")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_took_in_hand_is_sent_by_the_next_life_with_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let got = Mails::default();
    live(&state, config(vec![over(5)]), 9, (&got, true), nothing_more).await;
    assert_eq!(about(&got), [] as [String; 0]);
    let owed: Vec<_> =
        Journal::open(&state).unwrap().1.owed().map(|l| (l.id.clone(), l.subject.clone())).collect();
    live(&state, config(vec![over(5)]), 9, (&got, false), nothing_more).await;
    assert_eq!(got.lock().unwrap()[..owed.len()], owed, "first, in order, and word by word");
    assert_eq!(about(&got).len(), 1, "{:?}", about(&got));
    assert_eq!(Journal::open(&state).unwrap().1.owed().count(), 0);

    // The same for its end.
    live(&state, config(vec![over(5)]), 1, (&got, true), nothing_more).await;
    live(&state, config(vec![over(5)]), 1, (&got, false), nothing_more).await;
    live(&state, config(vec![over(5)]), 1, (&got, false), nothing_more).await;
    let subjects = about(&got);
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects[0].contains("queue has a problem") && subjects[1].contains("queue is well again"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_was_entered_and_not_told_is_told_by_the_next_life() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (service, class) = ("queue".into(), Class::Resource);
    let since = Stamp::default();
    let failed = Entry::Failed { service, rule: 0, class, since, message_id: None, condition: None };
    Journal::open(&state).unwrap().0.append(&failed).unwrap();
    let got = Mails::default();
    live(&state, config(vec![over(5)]), 9, (&got, false), nothing_more).await;
    assert_eq!(about(&got).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_follows_its_rule_into_a_changed_file() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let got = Mails::default();
    live(&state, config(vec![over(5)]), 9, (&got, false), nothing_more).await;
    assert_eq!(about(&got).len(), 1);
    // Another rule stands in its place now: that one has not failed.
    let moved = || config(vec![over(100), over(5)]);
    let status = |handle: Handle, _| async move {
        let rules = handle.status().await.unwrap().services[0].rules.clone();
        assert_eq!(rules.iter().map(|rule| rule.failed).collect::<Vec<_>>(), [false, true]);
    };
    live(&state, moved(), 9, (&got, false), status).await;
    assert_eq!(about(&got).len(), 1, "known already: {:?}", about(&got));
    let known: Vec<_> = Journal::open(&state).unwrap().1.failing().map(|f| f.rule).collect();
    assert_eq!(known, [1]);
    live(&state, moved(), 1, (&got, false), nothing_more).await;
    assert_eq!(about(&got).len(), 2, "its end, once: {:?}", about(&got));
    assert_eq!(Journal::open(&state).unwrap().1.failing().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_whose_rule_is_gone_ends_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let got = Mails::default();
    live(&state, config(vec![over(5)]), 9, (&got, false), nothing_more).await;
    live(&state, config(vec![]), 9, (&got, false), nothing_more).await;
    assert_eq!(Journal::open(&state).unwrap().1.failing().count(), 0);
    live(&state, config(vec![over(5)]), 9, (&got, false), nothing_more).await;
    assert_eq!(about(&got).len(), 2, "a failure of its own: {:?}", about(&got));
}

#[tokio::test(start_paused = true)]
async fn a_failure_follows_its_rule_through_a_reload_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let got = Mails::default();
    let reload = |handle: Handle, _| async move {
        let report = handle.reload(config(vec![over(100), over(5)]), None).await.unwrap();
        assert_eq!(
            (report.added.len(), report.removed.len(), report.changed),
            (0, 0, vec!["queue".to_owned()])
        );
        tokio::time::sleep(61 * S).await;
    };
    live(&state, config(vec![over(5)]), 9, (&got, false), reload).await;
    let known: Vec<_> =
        Journal::open(&state).unwrap().1.failing().map(|f| (f.rule, f.message_id.is_some())).collect();
    assert_eq!(known, [(1, true)]);
    assert_eq!(about(&got).len(), 1, "{:?}", about(&got));
    live(&state, config(vec![over(100), over(5)]), 1, (&got, false), nothing_more).await;
    assert_eq!(about(&got).len(), 2, "{:?}", about(&got));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_one_courier_only_had_in_memory_is_given_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (lost, got) = (Mails::default(), Mails::default());
    let arrives = got.clone();
    let reload = |handle: Handle, _| async move {
        let carrier = Carrier { got: arrives, receipts: None, struck: false };
        handle.reload(config(vec![over(5)]), Some(Box::new(carrier))).await.unwrap();
        tokio::time::sleep(S).await;
    };
    live(&state, config(vec![over(5)]), 9, (&lost, true), reload).await;
    assert_eq!(about(&got).len(), 1, "{:?}", about(&got));
    assert_eq!(Journal::open(&state).unwrap().1.owed().count(), 0);
    let mut ids: Vec<String> = got.lock().unwrap().iter().map(|(id, _)| id.clone()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "each once");
}

fn program(line: &str) -> Program {
    Program { words: vec![line.to_owned()], uid: None, gid: None, timeout: 10 * S }
}

/// A crash after the message had the service stopped, and told, once more.
#[tokio::test(start_paused = true)]
async fn what_is_over_is_entered_together_with_the_message_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut config = config(vec![]);
    Arc::make_mut(&mut config.services[0]).stop = Some(program("/bin/stop"));
    let script = Script::measuring([DEPTH]);
    script.set(holds(1));
    let (probe, stops, recorder) = (script.clone(), script.clone(), Recorder::new());
    recorder.on_act(move |_| stops.down("gone"));
    let registry = Registry::empty()
        .probe("queue", move |_| Ok(Box::new(probe.probe())))
        .programs(move |_, _| Arc::new(recorder.clone()));
    let carrier = Carrier { got: Mails::default(), receipts: None, struck: true };
    let clock = WallClock::default();
    let (seen, path) = (Arc::new(Mutex::new(None)), state.clone());
    let found = seen.clone();
    let supervisor = Supervisor::builder(config, registry)
        .journal(Journal::open(&state).unwrap().0)
        .boot("boot", 0)
        .wall(Arc::new(move || clock.stamp()))
        .courier(Box::new(carrier) as Box<dyn Courier>)
        .listen(move |event| {
            if let Fact::Ended { .. } = event.fact {
                *found.lock().unwrap() = Some(std::fs::read_to_string(&path).unwrap());
            }
        })
        .build()
        .unwrap();
    let handle = supervisor.handle();
    tokio::select! {
        ended = supervisor.run() => { ended.unwrap(); }
        () = async move {
            tokio::time::sleep(S).await;
            handle.command(vec!["queue".into()], Doing::Stop, "admin").await.unwrap();
            tokio::time::sleep(10 * S).await;
        } => {}
    }
    let journal = seen.lock().unwrap().take().unwrap();
    let all: Vec<&str> = journal.lines().collect();
    let last = all.iter().rposition(|line| line.contains(r#""entry":"owed""#)).unwrap();
    let after = &all[last..];
    let entered = |kind: &str| after.iter().filter(|line| line.contains(kind)).count();
    assert_eq!((entered(r#""entry":"monitoring""#), entered(r#""entry":"done""#)), (1, 1), "{after:?}");
    let lines = |text: &str| text.lines().filter(|l| l.contains(r#""entry":"done""#)).count();
    assert_eq!(lines(&std::fs::read_to_string(&state).unwrap()), lines(&journal), "not entered twice");
}

#[tokio::test(start_paused = true)]
async fn a_program_for_the_recovery_that_a_crash_kept_from_being_begun_is_run_by_the_next_life() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut rule = over(5);
    rule.ok = Branch::once(Then::Exec { program: program("/bin/all-clear").into(), repeat: None });
    let condition = hinoban_scheduler::condition_name(&rule.when);
    let config = config(vec![rule]);
    let (at, text) = (Stamp::from_micros(7_000_000), "queue.depth is 1 again".to_owned());
    let branch = Some(Box::new(hinoban_journal::Branch { rule: 0, condition, recovery: true, nth: 0, text }));
    let (service, doing) = ("queue".into(), Doing::Exec);
    let intent = Entry::Intent { id: 4, service, doing, at, whole: None, by: None, part_of: None, branch };
    Journal::open(&state).unwrap().0.append(&intent).unwrap();
    for runs in [1, 0] {
        let recorder = Recorder::new();
        let (programs, script) = (recorder.clone(), Script::measuring([DEPTH]));
        script.set(holds(1));
        let registry = Registry::empty()
            .probe("queue", move |_| Ok(Box::new(script.probe())))
            .programs(move |_, _| Arc::new(programs.clone()));
        let supervisor = Supervisor::builder(config.clone(), registry)
            .journal(Journal::open(&state).unwrap().0)
            .boot("boot", 0)
            .build()
            .unwrap();
        tokio::select! {
            ended = supervisor.run() => { ended.unwrap(); }
            () = tokio::time::sleep(S) => {}
        }
        let acts = recorder.acts();
        assert_eq!(acts.len(), runs, "{acts:?}");
        assert!(acts.iter().all(|act| (&act.doing, act.intent) == (&Doing::Exec, 4)));
    }
}
