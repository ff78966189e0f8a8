//! How a process ended, from the kernel to what is told: real processes, real time.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban::event::{Event, Fact};
use hinoban::probes::PidfileProcess;
use hinoban::probes::process::Sources;
use hinoban::reading::{Ending, Killer, Reached, Source};
use hinoban::{NoSurroundings, Registry, Spawner, SpawnerOptions, Supervisor, config, shipped};

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a daemon that a supervisor keeps alive.
struct Stage {
    dir: tempfile::TempDir,
    told: Arc<Mutex<Vec<Event>>>,
}

impl Stage {
    /// `daemon`: what the daemon does once it has left its pid. It ends with the folder.
    fn new(daemon: &str) -> Self {
        let stage = Self { dir: tempfile::tempdir().unwrap(), told: Arc::default() };
        let pidfile = stage.path("x.pid");
        let (pid, folder) = (pidfile.display(), stage.dir.path().display());
        stage.script("daemon", &format!("echo $$ > {pid}.new; mv {pid}.new {pid}; {daemon}\n"));
        stage.script("start", &format!("setsid {folder}/daemon < /dev/null > /dev/null 2>&1 &\n"));
        assert!(Command::new(stage.path("start")).status().unwrap().success());
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn script(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), format!("#!/bin/sh\n{text}")).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.path("x.pid")).ok()?.trim().parse().ok()
    }

    /// Runs a supervisor of the daemon, found as `found` says, while `then` looks on.
    async fn play<F: Future<Output = ()>>(
        &self,
        found: &str,
        more: impl FnOnce(Registry) -> Registry,
        then: F,
    ) {
        let text = format!(
            "every = '200ms'\n[service.x]\n{found}\nstart = {{ run = '@/start', timeout = '30s' }}\n"
        );
        let text = text.replace('@', &self.dir.path().display().to_string());
        let config = config::toml::parse(Path::new("hinoban.toml"), &text, &NoSurroundings).unwrap().config;
        let environment = vec![("PATH".into(), "/usr/bin:/bin".into())];
        let registry = shipped(Spawner::start(SpawnerOptions { environment, ..SpawnerOptions::default() }));
        let told = self.told.clone();
        let listener = move |event: &Event| told.lock().unwrap().push(event.clone());
        let supervisor = Supervisor::builder(config, more(registry)).listen(listener).build().unwrap();
        let handle = supervisor.handle();
        let (ended, ()) = tokio::join!(supervisor.run(), async move {
            then.await;
            handle.stop();
        });
        ended.unwrap();
    }

    /// How processes ended, as told so far.
    fn endings(&self) -> Vec<Ending> {
        let told = self.told.lock().unwrap();
        let ending = |event: &Event| match &event.fact {
            Fact::Failed(failure) => failure.ending.clone(),
            Fact::EndingLearned(ending) => Some(ending.clone()),
            _ => None,
        };
        told.iter().filter_map(ending).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

async fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            match ask() {
                Some(answer) => return answer,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
    waited.await.expect("it never came")
}

fn pass_over(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "passed over: {why}");
    eprintln!("passed over: {why}");
}

fn tells_endings() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release.split(['.', '-']).map(|p| p.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (6, 15)
}

/// The kernel's log is silent for as long as the test likes; the daemon is back all the same.
#[tokio::test]
async fn a_restart_is_over_before_a_slow_source_has_answered() {
    if !tells_endings() {
        return pass_over("the kernel is older than Linux 6.15");
    }
    let stage = &Stage::new("exec sleep 1000");
    let count = |kills| std::fs::write(stage.path("vmstat"), format!("oom_kill {kills}\n")).unwrap();
    count(3);
    assert!(Command::new("mkfifo").arg(stage.path("kmsg")).status().unwrap().success());
    let (pidfile, sources) = (
        stage.path("x.pid"),
        Sources {
            kernel_log: Some(stage.path("kmsg")),
            counts: stage.path("vmstat"),
            grace: PATIENCE,
            ..Sources::default()
        },
    );
    let slow = move |registry: Registry| {
        registry.probe("slow", move |_| {
            Ok(Box::new(PidfileProcess::new(pidfile.clone()).learning_from(sources.clone())))
        })
    };
    let first = until(|| stage.pid()).await;
    stage
        .play("probe = 'slow'", slow, async {
            // Whoever reads from a pipe has opened it; that is done when the process is followed.
            const O_NONBLOCK: i32 = 0o4000;
            let open = || File::options().write(true).custom_flags(O_NONBLOCK).open(stage.path("kmsg")).ok();
            let mut log = until(open).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            count(4);
            assert!(Command::new("kill").args(["-9", &first.to_string()]).status().unwrap().success());
            let recovered = |event: &Event| matches!(&event.fact, Fact::Recovered(_));
            until(|| stage.told.lock().unwrap().iter().any(recovered).then_some(())).await;
            assert_ne!(stage.pid(), Some(first), "it is back");
            assert_eq!(stage.endings(), [], "and nobody knows yet how the one before ended");
            let line = format!(
                "3,1,2,-;Out of memory: Killed process {first} (sleep) total-vm:9kB, anon-rss:5kB,\n"
            );
            log.write_all(line.as_bytes()).unwrap();
            let told = until(|| stage.endings().pop()).await;
            assert_eq!(
                told.to_string(),
                format!(
                    "PID {first} was killed by the kernel because the host ran out of memory; it used 5 KiB"
                )
            );
        })
        .await;
}

struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..200 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            let _ = Command::new("sleep").arg("0.02").status();
        }
    }
}

/// As an administrator would meet it: a limit on a group, a daemon that wants more, and the reason in the story.
#[tokio::test]
async fn a_daemon_that_starves_in_its_group_is_restarted_and_the_limit_is_named() {
    let folder = PathBuf::from(format!("/sys/fs/cgroup/memory/hinoban-endings-{}", std::process::id()));
    if !tells_endings() || std::fs::create_dir(&folder).is_err() {
        return pass_over("no control group of version 1 can be made for memory");
    }
    let group = &Group(folder);
    std::fs::write(group.0.join("memory.limit_in_bytes"), (24 << 20).to_string()).unwrap();
    let _ = std::fs::write(group.0.join("memory.swappiness"), "0");
    // `tail` keeps what it reads until a line ends: one without an end fills memory.
    let daemon = format!(
        "cd ${{0%/*}}; echo $$ > {}/cgroup.procs; while ! [ -e eat ]; do sleep 0.02; [ -e daemon ] || exit; done; \
         rm eat; exec tail -n 1 /dev/zero",
        group.0.display()
    );
    let stage = &Stage::new(&daemon);
    let first = until(|| stage.pid()).await;
    stage
        .play("pidfile = '@/x.pid'", |registry| registry, async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            std::fs::write(stage.path("eat"), "").unwrap();
            let told = until(|| stage.endings().pop()).await;
            assert_eq!(told.identity.pid, first);
            let Some(Killer::Memory(memory)) = told.killer.as_deref() else { panic!("{told:?}") };
            match &memory.reached {
                Reached::Group { path, limit } => {
                    assert!(path.ends_with(group.0.file_name().unwrap().to_str().unwrap()), "{path}");
                    assert_eq!(*limit, Some(24 << 20));
                }
                // Of more than ten kills within five seconds the kernel tells less.
                reached => assert_eq!(*reached, Reached::SomeGroup),
            }
            assert!(matches!(memory.source, Source::KernelLog | Source::GroupCounter), "{memory:?}");
            until(|| stage.pid().filter(|pid| *pid != first)).await;
        })
        .await;
}
