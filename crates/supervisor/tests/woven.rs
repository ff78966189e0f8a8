//! The loop at work on scripted probes and recorded actions, on paused time: what a supervisor promises, as timetables.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_action::Message;
use hinoban_config::{Branch, Condition, Config, Dialect, Expect, Kind, Program, Rule, Service, Test, Then};
use hinoban_event::{Class, Doing, Event, Fact};
use hinoban_journal::{Entry, Journal};
use hinoban_probe::ProbeError;
use hinoban_reading::{Identity, Stamp};
use hinoban_supervisor::{Courier, Ended, Handle, Registry, Supervisor, Trouble, Watching};
use hinoban_testkit::{Answer, Recorder, Script, WallClock};
use tokio::sync::mpsc;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A service looked at by the probe registered under its own name, started by the recorder.
fn service(name: &str) -> Service {
    let kind = Kind::Custom { probe: name.to_owned(), options: Default::default() };
    let mut service = Service::new(name, kind);
    let words = vec![format!("/bin/start-{name}")];
    service.start = Some(Program { words, uid: None, gid: None, timeout: 10 * S });
    service.rules.push(Rule::existence());
    service
}

struct Bench {
    config: Config,
    registry: Registry,
    recorder: Recorder,
    clock: WallClock,
    journal: Journal,
    couriers: Vec<Carrier>,
}

#[derive(Clone, Default)]
struct Carrier {
    got: Arc<Mutex<Vec<Message>>>,
    hangs: bool,
}

#[async_trait]
impl Courier for Carrier {
    async fn carry(
        self: Box<Self>,
        mut messages: mpsc::UnboundedReceiver<(Stamp, Message)>,
        _trouble: Trouble,
    ) {
        while let Some((_, message)) = messages.recv().await {
            self.got.lock().unwrap().push(message);
            if self.hangs {
                std::future::pending::<()>().await;
            }
        }
    }
}

fn bench(services: Vec<Service>) -> Bench {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(60 * S);
    config.services = services.into_iter().map(Into::into).collect();
    let recorder = Recorder::new();
    let programs = recorder.clone();
    let registry = Registry::empty().programs(move |_, _| Arc::new(programs.clone()));
    Bench {
        config,
        registry,
        recorder,
        clock: WallClock::default(),
        journal: Journal::volatile(),
        couriers: Vec::new(),
    }
}

impl Bench {
    fn probe(mut self, name: &str, script: &Script) -> Self {
        let script = script.clone();
        self.registry = self.registry.probe(name, move |_| Ok(Box::new(script.probe())));
        self
    }

    /// Runs `script` beside the supervisor, then stops it; gives what was told.
    async fn run<F: Future<Output = ()>>(mut self, script: impl FnOnce(Handle) -> F) -> Vec<Event> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (listener, clock) = (told.clone(), self.clock.clone());
        let mut builder = Supervisor::builder(self.config, self.registry)
            .journal(self.journal)
            .wall(Arc::new(move || clock.stamp()))
            .listen(move |event| listener.lock().unwrap().push(event.clone()));
        if let Some(courier) = self.couriers.pop() {
            builder = builder.courier(Box::new(courier) as Box<dyn Courier>);
        }
        let supervisor = builder.build().unwrap();
        let handle = supervisor.handle();
        let stop = handle.clone();
        let (ended, ()) = tokio::join!(supervisor.run(), async move {
            script(handle).await;
            stop.stop();
        });
        assert_eq!(ended.unwrap(), Ended::Stopped);
        Arc::into_inner(told).unwrap().into_inner().unwrap()
    }
}

fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(Event::line).collect()
}

#[tokio::test(start_paused = true)]
async fn what_falls_is_started_at_once_and_told_in_order() {
    let script = Script::new().waking();
    let bench = bench(vec![service("db")]).probe("db", &script);
    let cure = script.clone();
    bench.recorder.on_act(move |_| cure.up());
    let recorder = bench.recorder.clone();
    let fall = script.clone();
    let events = bench
        .run(|_| async move {
            tokio::time::sleep(5 * S).await;
            fall.down("the socket is closed");
            fall.wake();
            recorder.acted(1).await;
            tokio::time::sleep(MS).await;
        })
        .await;
    assert_eq!(
        lines(&events)[1..5],
        [
            "'db' is down: the socket is closed",
            "'db' start: '/bin/start-db'",
            "'db' restart done in 0 ms",
            "'db' is up",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_look_that_hangs_delays_nobody_else_and_is_given_up() {
    let (hung, fine) = (Script::new(), Script::new().waking());
    hung.set(Answer::hangs());
    let bench = bench(vec![service("hung"), service("fine")]).probe("hung", &hung).probe("fine", &fine);
    let (recorder, fall) = (bench.recorder.clone(), fine.clone());
    let cure = fine.clone();
    bench.recorder.on_act(move |_| cure.up());
    let events = bench
        .run(|_| async move {
            tokio::time::sleep(5 * S).await;
            fall.down("gone");
            fall.wake();
            tokio::time::timeout(50 * MS, recorder.acted(1))
                .await
                .expect("repaired while another look hangs");
            tokio::time::sleep(60 * S).await;
        })
        .await;
    let not_seen = events.iter().find(|e| matches!(e.fact, Fact::NotSeen { .. })).unwrap();
    assert_eq!(not_seen.line(), "'hung' could not be looked at -- no result within 60 s");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_panics_is_rebuilt_and_its_service_is_not_blamed() {
    let script = Script::new();
    script.once(Answer::panics("index out of bounds"));
    let bench = bench(vec![service("db")]).probe("db", &script);
    let recorder = bench.recorder.clone();
    let events = bench
        .run(|handle| async move {
            tokio::time::sleep(S).await;
            let view = handle.status().await.unwrap().services.remove(0);
            assert_eq!(view.not_seen.as_deref(), Some("the probe panicked: index out of bounds"));
            assert_eq!(
                (view.watching, view.failing),
                (Watching::Yes, vec![Class::Data]),
                "unknown, not healthy"
            );
            tokio::time::sleep(60 * S).await;
            let view = handle.status().await.unwrap().services.remove(0);
            assert_eq!((view.not_seen, view.watching), (None, Watching::Yes));
        })
        .await;
    assert!(recorder.acts().is_empty(), "what could not be seen is not restarted");
    assert!(lines(&events).contains(&"'db' can be looked at again".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_action_that_panics_or_hangs_is_a_failed_attempt_and_is_tried_again() {
    let script = Script::new();
    script.down("gone");
    let bench = bench(vec![service("db")]).probe("db", &script);
    bench.recorder.once(Duration::from_secs(3600), Ok(Default::default()));
    let recorder = bench.recorder.clone();
    let events = bench
        .run(|_| async move {
            tokio::time::sleep(59 * S).await;
            assert_eq!(recorder.acts().len(), 1, "one attempt at a time");
            recorder.acted(2).await;
        })
        .await;
    let failed = lines(&events).into_iter().find(|l| l.contains("failed to start")).unwrap();
    assert_eq!(failed, "'db' failed to start (timed out after 10 s) -- no output");
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_stopped_stays_stopped_over_a_restart_of_the_supervisor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let script = Script::new();
    let mut first = bench(vec![service("db")]).probe("db", &script);
    first.journal = Journal::open(&path).unwrap().0;
    first
        .run(|handle| async move {
            tokio::time::sleep(S).await;
            handle.command(vec!["DB".into()], Doing::Stop, "test").await.unwrap();
            tokio::time::sleep(S).await;
        })
        .await;
    script.down("stopped");
    let mut second = bench(vec![service("db")]).probe("db", &script);
    second.journal = Journal::open(&path).unwrap().0;
    let recorder = second.recorder.clone();
    // Without the boot's name each run would be the first after a boot, and a service is watched after a boot.
    Arc::make_mut(&mut second.config.services[0]).on_reboot = hinoban_config::OnReboot::LastState;
    second.run(|_| tokio::time::sleep(300 * S)).await;
    assert!(recorder.acts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn commands_to_unknown_services_do_nothing_to_any() {
    let script = Script::new();
    let bench = bench(vec![service("db")]).probe("db", &script);
    bench
        .run(|handle| async move {
            tokio::time::sleep(S).await;
            let names = vec!["db".to_owned(), "dbb".to_owned()];
            let error = handle.command(names, Doing::Unmonitor, "test").await.unwrap_err();
            assert_eq!(error.to_string(), "There is no service named \"dbb\"");
            assert_eq!(handle.status().await.unwrap().services[0].watching, Watching::Yes);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn messages_go_to_the_courier_and_one_that_hangs_delays_nothing() {
    let script = Script::new().waking();
    let mut bench = bench(vec![service("db")]).probe("db", &script);
    let recipient = hinoban_config::Recipient {
        address: "admin@example.com".into(),
        reminder: None,
        place: Default::default(),
        ..hinoban_config::Recipient::new("")
    };
    bench.config.alerts.push(recipient);
    let courier = Carrier { hangs: true, ..Carrier::default() };
    bench.couriers.push(courier.clone());
    let (recorder, cure) = (bench.recorder.clone(), script.clone());
    bench.recorder.on_act(move |_| cure.up());
    let events = bench
        .run(|_| async move {
            tokio::time::sleep(S).await;
            script.down("gone");
            script.wake();
            tokio::time::timeout(50 * MS, recorder.acted(1)).await.expect("repaired although mail hangs");
        })
        .await;
    assert_eq!(courier.got.lock().unwrap().len(), 1, "the courier hangs on its first message");
    assert!(matches!(events.last().unwrap().fact, Fact::Stopped { .. }), "and does not keep us from ending");
}

#[tokio::test(start_paused = true)]
async fn a_service_names_who_hears_of_it_and_a_reload_names_others() {
    let script = Script::new().waking();
    let mut bench = bench(vec![service("db")]).probe("db", &script);
    let to = hinoban_config::Recipient::new;
    bench.config.alerts = vec![to("all@x"), to("spared@x")];
    let spared = hinoban_config::Recipient { events: hinoban_config::Events::NONE, ..to("spared@x") };
    Arc::make_mut(&mut bench.config.services[0]).alerts = vec![to("db@x"), spared];
    let courier = Carrier::default();
    bench.couriers.push(courier.clone());
    let mut other = bench.config.clone();
    Arc::make_mut(&mut other.services[0]).alerts = vec![to("new@x")];
    bench
        .run(|handle| async move {
            tokio::time::sleep(S).await;
            script.down("gone");
            script.wake();
            tokio::time::sleep(S).await;
            handle.reload(other, None).await.unwrap();
            let explained = format!("{:?}", handle.explain("db").await.unwrap());
            assert!(explained.contains("new@x") && !explained.contains("db@x"), "{explained}");
            script.up();
            script.wake();
            tokio::time::sleep(S).await;
        })
        .await;
    let got = courier.got.lock().unwrap();
    let db = |message: &&Message| message.subject.contains("db");
    let told: Vec<_> = got.iter().filter(db).map(|message| message.to.join(" ")).collect();
    assert_eq!(told.first().map(String::as_str), Some("db@x all@x"), "{got:?}");
    assert_eq!(told.last().map(String::as_str), Some("new@x all@x spared@x"), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_taken_on_wholly_or_not_at_all() {
    let script = Script::new();
    let bench = bench(vec![service("db")]).probe("db", &script);
    let mut good = bench.config.clone();
    Arc::make_mut(&mut good.services[0]).groups.push("www".into());
    let mut bad = good.clone();
    bad.services.push(service("nobody").into());
    bench
        .run(|handle| async move {
            tokio::time::sleep(S).await;
            let mistakes = handle.reload(bad, None).await.unwrap_err();
            assert_eq!(
                mistakes.list[0].message,
                "nobody: there is no probe called \"nobody\"; known here: db"
            );
            assert!(handle.status().await.unwrap().services[0].groups.is_empty(), "the old one goes on");
            let report = handle.reload(good, None).await.unwrap();
            assert_eq!(report.changed, ["db"]);
            tokio::time::sleep(S).await;
            assert_eq!(handle.status().await.unwrap().services[0].watching, Watching::Yes);
        })
        .await;
}

#[test]
fn a_rule_over_a_metric_that_nobody_reads_is_a_mistake_with_its_place() {
    let script = Script::new();
    let mut bench = bench(vec![service("db")]).probe("db", &script);
    let when = Condition::Compare {
        metric: "queue.dept".into(),
        operator: hinoban_config::Operator::Greater,
        limit: 3i64.into(),
    };
    let place = hinoban_config::Source::new("hinoban.toml", "a\nb\n").place(2..3);
    let (fail, ok) = (Branch::once(Then::Custom("page".into())), Branch::once(Then::Alert));
    Arc::make_mut(&mut bench.config.services[0]).rules.push(Rule { when, fail, ok, place });
    let mistakes = Supervisor::builder(bench.config, bench.registry).build().unwrap_err();
    assert_eq!(
        mistakes.lines(),
        [
            "hinoban.toml:2: db: its look does not read \"queue.dept\" 'queue.dept'",
            "hinoban.toml:2: db: there is no action called \"page\" 'page'",
        ]
    );
}

#[test]
fn a_pattern_over_a_number_is_a_mistake_and_one_over_a_text_is_none() {
    use hinoban_config::Pattern;
    use hinoban_reading::{Metric, Unit};
    let metrics = [Metric::new("version", Unit::Text), Metric::new("queue.depth", Unit::Count)];
    let script = Script::measuring(metrics);
    let mistakes = |metric: &str| {
        let mut bench = bench(vec![service("db")]).probe("db", &script);
        let pattern = Pattern::new("^1").unwrap();
        let when = Condition::Matches { metric: metric.into(), pattern, fails_on_match: true };
        let (fail, ok) = (Branch::once(Then::Alert), Branch::once(Then::Alert));
        let rule = Rule { when, fail, ok, place: Default::default() };
        Arc::make_mut(&mut bench.config.services[0]).rules.push(rule);
        Supervisor::builder(bench.config, bench.registry).build().err().map(|mistakes| mistakes.lines())
    };
    assert_eq!(mistakes("version"), None);
    let told = "db: \"queue.depth\" is a number, and only texts match patterns 'queue.depth'";
    assert_eq!(mistakes("queue.depth"), Some(vec![told.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn without_a_period_everything_is_looked_at_once() {
    let (db, web) = (Script::new(), Script::new());
    let mut service = service("db");
    let test = Test::Custom { probe: "web".into(), options: Default::default() };
    service.rules.push(Rule {
        when: Condition::Test { test, expect: Expect::Failed },
        fail: Branch::once(Then::Alert),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    });
    web.set(Answer::down("refused").after(2 * S));
    let mut bench = bench(vec![service]).probe("db", &db).probe("web", &web);
    bench.config.every = None;
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = told.clone();
    let supervisor = Supervisor::builder(bench.config, bench.registry)
        .listen(move |event| listener.lock().unwrap().push(event.line()))
        .build()
        .unwrap();
    assert_eq!(supervisor.run().await.unwrap(), Ended::Once);
    assert!(told.lock().unwrap().contains(&"'db' web test failed -- refused".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn looks_keep_their_pace_whatever_a_look_costs() {
    let script = Script::new();
    script.set(Answer::up().after(300 * MS));
    let mut bench = bench(vec![service("db")]).probe("db", &script);
    bench.config.every = Some(S);
    bench.run(|_| tokio::time::sleep(10 * S + 500 * MS)).await;
    assert_eq!(script.looks().len(), 11, "one each second, not one each 1.3 s");
}

#[tokio::test(start_paused = true)]
async fn could_not_look_is_said_once_and_unsaid_once() {
    let script = Script::new();
    script.set(Answer::cannot_look(ProbeError::Denied("/run/db.pid: Permission denied".into())));
    let bench = bench(vec![service("db")]).probe("db", &script);
    let events = bench
        .run(|_| async move {
            tokio::time::sleep(200 * S).await;
            script.up();
            tokio::time::sleep(60 * S).await;
        })
        .await;
    let about: Vec<String> = lines(&events).into_iter().filter(|l| l.contains("look")).collect();
    assert_eq!(
        about,
        ["'db' could not be looked at -- /run/db.pid: Permission denied", "'db' can be looked at again"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_that_a_crash_left_running_is_waited_for_and_not_begun_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let identity = Identity { pid: 4711, start: 5 };
    let mut journal = Journal::open(&path).unwrap().0;
    let clock = WallClock::default();
    let (service_name, doing, at) = ("db".into(), Doing::Start, clock.stamp());
    journal
        .append(&Entry::Intent {
            id: 3,
            service: service_name,
            doing,
            at,
            whole: None,
            by: None,
            part_of: None,
            branch: None,
        })
        .unwrap();
    journal.append(&Entry::Spawned { intent: 3, identity }).unwrap();
    drop(journal);

    let script = Script::new().waking();
    script.down("not there yet");
    let leftover = Recorder::new();
    leftover.set(4 * S, Ok(Default::default()));
    let mut bench = bench(vec![service("db")]).probe("db", &script);
    bench.journal = Journal::open(&path).unwrap().0;
    let seen_through = leftover.clone();
    bench.registry = bench.registry.leftovers(move |programs| {
        assert_eq!(programs, [identity]);
        Arc::new(seen_through.clone())
    });
    let recorder = bench.recorder.clone();
    bench
        .run(|_| async move {
            tokio::time::sleep(5 * S).await;
            script.up();
            script.wake();
            tokio::time::sleep(S).await;
        })
        .await;
    assert_eq!(leftover.acts().len(), 1);
    assert!(recorder.acts().is_empty(), "the start program ran in the life before: {:?}", recorder.acts());
    assert_eq!(Journal::open(&path).unwrap().1.in_flight().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_probe_cannot_see_is_told_once_and_shown_for_as_long_as_it_is_so() {
    #[derive(Debug)]
    struct Veiled(Arc<Mutex<Vec<String>>>);
    #[async_trait]
    impl hinoban_probe::Probe for Veiled {
        async fn observe(
            &mut self,
            _look: &hinoban_probe::Look,
        ) -> Result<hinoban_reading::Observation, ProbeError> {
            Ok(hinoban_reading::Observation::up())
        }
        fn metrics(&self) -> &[hinoban_reading::Metric] {
            &[]
        }
        fn limits(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }
    let veil = Arc::new(Mutex::new(vec!["its files cannot be seen".to_owned()]));
    let mut bench = bench(vec![service("db"), service("web")]);
    for name in ["db", "web"] {
        let veil = if name == "db" { veil.clone() } else { Arc::default() };
        bench.registry = bench.registry.probe(name, move |_| Ok(Box::new(Veiled(veil.clone()))));
    }
    let events = bench
        .run(async |handle: Handle| {
            tokio::time::sleep(130 * S).await;
            let status = handle.status().await.unwrap();
            assert_eq!(status.limits_of("db"), ["its files cannot be seen"]);
            assert!(status.limits_of("web").is_empty());
            veil.lock().unwrap().clear();
            tokio::time::sleep(60 * S).await;
            assert!(handle.status().await.unwrap().limits.is_empty());
        })
        .await;
    let told = lines(&events).iter().filter(|line| line.contains("its files cannot be seen")).count();
    assert_eq!(told, 1, "{:?}", lines(&events));
}
