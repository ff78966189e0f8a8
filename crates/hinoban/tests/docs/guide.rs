//! The code that the guides show: here it is compiled and run, and a test finds each block of the guides in here.
#![allow(dead_code)] // what needs a server or a terminal is compiled, and not run
#![allow(clippy::print_stdout, clippy::print_stderr)] // a guide shows what a program would say

/// README: the whole embedding.
mod readme {
    use hinoban::{NoSurroundings, Spawner, SpawnerOptions, Supervisor, config, shipped};

    #[tokio::main(flavor = "current_thread")]
    async fn main() -> Result<(), Box<dyn std::error::Error>> {
        let text = std::fs::read_to_string("hinoban.toml")?;
        let config = config::toml::parse("hinoban.toml".as_ref(), &text, &NoSurroundings)?.config;
        let registry = shipped(Spawner::start(SpawnerOptions::default()));
        let supervisor =
            Supervisor::builder(config, registry).listen(|event| println!("{}", event.line())).build()?;
        supervisor.run().await?;
        Ok(())
    }
}

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hinoban::action::Message;
use hinoban::config::{Condition, Config, Dialect, Kind, Program, Rule, Service};
use hinoban::event::{Doing, Event, Fact};
use hinoban::journal::Journal;
use hinoban::reading::Stamp;
use hinoban::reading::{Observation, Reason, ReasonKind, Standing};
use hinoban::supervisor::{Courier, Trouble};
use hinoban::{Ended, Handle, Spawner, SpawnerOptions, Supervisor, action, probe, shipped};
use tokio::sync::mpsc;

fn configured() -> Config {
    let mut worker = Service::new("worker", Kind::pidfile("/run/worker.pid"));
    worker.start = Some(Program {
        words: vec!["/usr/bin/worker".into(), "--detach".into()],
        uid: None,
        gid: None,
        timeout: Duration::from_secs(30),
    });
    worker.rules.push(Rule::existence());

    let mut config = Config::empty(Dialect::Toml, "web1");
    config.every = Some(Duration::from_secs(5));
    config.services.insert(0, worker.into());
    config
}

struct Chat {
    room: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Courier for Chat {
    async fn carry(
        self: Box<Self>,
        mut messages: mpsc::UnboundedReceiver<(Stamp, Message)>,
        trouble: Trouble,
    ) {
        while let Some((_at, message)) = messages.recv().await {
            match self.room.lock() {
                Ok(mut room) => room.push(message.subject),
                Err(_) => trouble(format!("the room is closed; not told: {}", message.subject)),
            }
        }
    }
}

fn with_all(config: Config, folder: &std::path::Path, chat: Chat) -> Result<Supervisor, Box<dyn Error>> {
    let registry = shipped(Spawner::start(SpawnerOptions::default()));
    let (journal, _, notice) = Journal::open(folder.join("state"))?;
    if let Some(notice) = notice {
        eprintln!("{notice}");
    }
    let (heard, mut facts) = mpsc::unbounded_channel();
    let supervisor = Supervisor::builder(config, registry)
        .journal(journal)
        .listen(move |event: &Event| drop(heard.send(event.clone())))
        .courier(Box::new(chat) as Box<dyn Courier>)
        .called("Example 1.0")
        .build()?;
    tokio::spawn(async move {
        while let Some(event) = facts.recv().await {
            if let Fact::Failed(failure) = &event.fact {
                println!("{} failed: {}", event.service, failure.text);
            }
        }
    });
    Ok(supervisor)
}

async fn beside(supervisor: Supervisor) -> Result<Ended, Box<dyn Error>> {
    let handle: Handle = supervisor.handle();
    let watching = tokio::spawn(supervisor.run());

    // … the rest of the program …
    if let Some(status) = handle.status().await {
        println!("{} services on {}", status.services.len(), status.host);
    }
    println!("{}", handle.explain("worker").await?); // why it stands as it does, in sentences
    handle.command(vec!["worker".into()], Doing::Restart, "the deployment").await?;

    handle.stop();
    Ok(watching.await??)
}

fn closures(folder: std::path::PathBuf) -> hinoban::Registry {
    shipped(Spawner::start(SpawnerOptions::default()))
        .probe("door", move |_options| {
            let folder = folder.clone();
            Ok(Box::new(probe::from_fn("door", vec![], move || {
                let open = folder.exists();
                async move {
                    let shut = || Standing::Down(Reason::new(ReasonKind::Other, "the door is shut"));
                    Ok(if open { Observation::up() } else { Observation::new(shut()) })
                }
            })))
        })
        .action(
            "ring",
            action::from_fn("ring", |_cause, errand| async move {
                println!("ringing for {}", errand.service);
                Ok(action::Outcome::default())
            }),
        )
}

#[tokio::test]
async fn a_supervisor_runs_beside_other_tasks_and_tells_its_own_courier() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = Arc::new(Mutex::new(Vec::new()));
    let mut config = configured();
    assert!(matches!(config.services[0].rules[0].when, Condition::Missing));
    let worker = Arc::make_mut(&mut config.services[0]);
    worker.kind = Kind::pidfile(folder.path().join("worker.pid"));
    worker.start = None;
    config.alerts.push(hinoban::config::Recipient {
        address: "ops@example.com".into(),
        reminder: None,
        place: hinoban::config::Place::default(),
        ..hinoban::config::Recipient::new("")
    });
    let supervisor =
        with_all(config, folder.path(), Chat { room: room.clone() }).expect("a good configuration");
    let watched = tokio::time::timeout(Duration::from_secs(30), beside(supervisor)).await;
    assert_eq!(watched.expect("it ends when told to").expect("and well"), Ended::Stopped);
    let told = room.lock().expect("nobody panicked").clone();
    assert!(told.iter().any(|subject| subject.contains("Example 1.0 started")), "{told:?}");
}

#[test]
fn closures_are_kinds() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[service.door]\nprobe = \"door\"\nmissing = \"ring\"\n";
    let config =
        hinoban::config::toml::parse("x.toml".as_ref(), text, &hinoban::NoSurroundings).expect("good").config;
    assert!(Supervisor::builder(config, closures(folder.path().to_owned())).build().is_ok());
}
