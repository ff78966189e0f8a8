//! Files that are read, from the file to what is told: real files, real time.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban::event::{Doing, Event};
use hinoban::{NoSurroundings, Spawner, SpawnerOptions, Supervisor, config, shipped};

/// Whether this process holds the file open.
fn is_open(path: &Path) -> bool {
    let mut open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    open.any(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to == path))
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

fn write(path: &Path, line: &str) {
    use std::io::Write;
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(line.as_bytes()).unwrap();
}

#[tokio::test]
async fn what_nobody_watches_is_not_held_open() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().canonicalize().unwrap().join("log");
    std::fs::write(&log, "old\n").unwrap();
    let text = format!(
        "every = '100ms'\n[service.log]\nfile = '{}'\n[[service.log.check]]\nwhen = \"content matches 'ERROR'\"\n",
        log.display()
    );
    let config = config::toml::parse(Path::new("hinoban.toml"), &text, &NoSurroundings).unwrap().config;
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = told.clone();
    let registry = shipped(Spawner::start(SpawnerOptions::default()));
    let listener = move |event: &Event| lines.lock().unwrap().push(event.line());
    let supervisor = Supervisor::builder(config, registry).listen(listener).build().unwrap();
    let handle = supervisor.handle();
    let is_told = |text: &str| told.lock().unwrap().iter().any(|line| line.contains(text));
    let (ended, ()) = tokio::join!(supervisor.run(), async {
        until("it is read", || is_open(&log)).await;
        write(&log, "ERROR one\n");
        until("it is told", || is_told("ERROR one")).await;

        handle.command(vec!["log".into()], Doing::Unmonitor, "test").await.unwrap();
        until("it is let go", || !is_open(&log)).await;
        write(&log, "ERROR unseen\n");

        handle.command(vec!["log".into()], Doing::Monitor, "test").await.unwrap();
        until("it is read again", || is_open(&log)).await;
        write(&log, "ERROR two\n");
        until("it is told again", || is_told("ERROR two")).await;
        assert!(!is_told("ERROR unseen"), "{:#?}", told.lock().unwrap());
        handle.stop();
    });
    ended.unwrap();
}
