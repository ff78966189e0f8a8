//! Programs that look, from the file to what is told: real programs, real time.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban::event::{Event, Fact};
use hinoban::reading::{Observation, Value};
use hinoban::supervisor::Status;
use hinoban::{Handle, NoSurroundings, Spawner, SpawnerOptions, Supervisor, config, shipped};

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with programs, and a supervisor that runs them.
struct Stage {
    dir: tempfile::TempDir,
    told: Arc<Mutex<Vec<Event>>>,
}

impl Stage {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), told: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn script(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), format!("#!/bin/sh\n{text}")).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs this configuration, in which `@` is the folder, while `then` looks on.
    async fn play<F: Future<Output = ()>>(&self, text: &str, then: impl FnOnce(Handle) -> F) {
        let text = text.replace('@', &self.dir.path().display().to_string());
        let config = config::toml::parse(Path::new("hinoban.toml"), &text, &NoSurroundings).unwrap().config;
        let environment = vec![("PATH".into(), "/usr/bin:/bin".into())];
        let registry = shipped(Spawner::start(SpawnerOptions { environment, ..SpawnerOptions::default() }));
        let told = self.told.clone();
        let listener = move |event: &Event| told.lock().unwrap().push(event.clone());
        let supervisor = Supervisor::builder(config, registry).listen(listener).build().unwrap();
        let handle = supervisor.handle();
        let (ended, ()) = tokio::join!(supervisor.run(), async move {
            then(handle.clone()).await;
            handle.stop();
        });
        ended.unwrap();
    }

    fn lines(&self) -> Vec<String> {
        self.told.lock().unwrap().iter().map(Event::line).collect()
    }

    async fn until_told(&self, line: &str) {
        let so = || self.lines().iter().any(|told| told.starts_with(line));
        let waited = tokio::time::timeout(PATIENCE, async {
            while !so() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(waited.await.is_ok(), "{line}: not told: {:#?}", self.lines());
    }
}

fn of(status: &Status, service: &str) -> Option<Observation> {
    status.services.iter().find(|view| *view.name == *service)?.observation.clone()
}

/// What was seen of a service, once that is so.
async fn seen(handle: &Handle, service: &str, so: impl Fn(&Observation) -> bool) -> Observation {
    let mut last = None;
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            last = of(&handle.status().await.unwrap(), service);
            if let Some(seen) = last.as_ref().filter(|seen| so(seen)) {
                return seen.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{service}: {last:?}"))
}

fn ran(seen: &Observation) -> bool {
    seen.get("exit.status").is_some()
}

#[tokio::test]
async fn a_failure_is_told_by_its_first_line_and_its_end_too() {
    let stage = &Stage::new();
    stage.script(
        "check",
        "echo 'raid degraded'; echo more; exit $(cat @/status)\n"
            .replace('@', &stage.dir.path().display().to_string())
            .as_str(),
    );
    std::fs::write(stage.path("status"), "2").unwrap();
    let text = "every = '200ms'\n[service.raid]\nprogram = '@/check'\n";
    stage
        .play(text, |_| async {
            stage.until_told("'raid' ended with status 2 -- raid degraded").await;
            std::fs::write(stage.path("status"), "0").unwrap();
            stage.until_told("'raid' ended with status 0 -- raid degraded").await;
        })
        .await;
    let told = stage.told.lock().unwrap();
    let classes = told.iter().filter_map(|event| match &event.fact {
        Fact::Failed(failure) => Some(failure.title()),
        _ => None,
    });
    assert_eq!(classes.collect::<Vec<_>>(), ["Status failed"], "once, while it goes on");
}

#[tokio::test]
async fn what_cannot_be_run_is_told_and_is_over_when_it_can() {
    let stage = &Stage::new();
    stage.script("check", "exit 0\n");
    std::fs::set_permissions(stage.path("check"), std::fs::Permissions::from_mode(0o644)).unwrap();
    stage
        .play("every = '200ms'\n[service.x]\nprogram = '@/check'\n", |handle| async move {
            stage
                .until_told(&format!(
                    "'x' cannot be run: {} is not executable",
                    stage.path("check").display()
                ))
                .await;
            std::fs::set_permissions(stage.path("check"), std::fs::Permissions::from_mode(0o755)).unwrap();
            stage.until_told("'x' can be run").await;
            seen(&handle, "x", ran).await;
        })
        .await;
}

#[tokio::test]
async fn a_slow_program_delays_nobody_and_is_not_started_twice() {
    let stage = &Stage::new();
    stage.script("slow", "echo $$ >> $1; sleep 3\n");
    stage.script("quick", "echo ran >> $1\n");
    let text = "every = '100ms'\n[service.slow]\nprogram = ['@/slow', '@/slow.ran']\n\
                [service.quick]\nprogram = ['@/quick', '@/quick.ran']\n";
    stage
        .play(text, |handle| async move {
            seen(&handle, "slow", ran).await;
            let lines =
                |name: &str| std::fs::read_to_string(stage.path(name)).unwrap_or_default().lines().count();
            assert!(lines("slow.ran") <= 2, "{} runs in the time of one", lines("slow.ran"));
            assert!(lines("quick.ran") >= 3, "{} runs", lines("quick.ran"));
            // The one that runs now ends with us.
        })
        .await;
    let runs = std::fs::read_to_string(stage.path("slow.ran")).unwrap();
    let last: u32 = runs.lines().last().unwrap().parse().unwrap();
    for _ in 0..3000 {
        if !Path::new(&format!("/proc/{last}")).exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{last} was left behind");
}

/// Many are due at once: they run after each other, and none is ended for the time it waited.
#[tokio::test]
async fn only_so_many_run_at_a_time() {
    let stage = &Stage::new();
    let script = "mkdir @/run.$$; ls -d @/run.* | wc -l >> @/most; sleep 0.3; rmdir @/run.$$\n";
    stage.script("check", &script.replace('@', &stage.dir.path().display().to_string()));
    let services: Vec<_> = (0..40).map(|n| format!("[service.p{n}]\nprogram = '@/check'\n")).collect();
    stage
        .play(&format!("every = '60s'\n{}", services.concat()), |handle| async move {
            for n in 0..40 {
                let seen = seen(&handle, &format!("p{n}"), ran).await;
                assert_eq!(seen.get("exit.status"), Some(&Value::Int(0)), "{seen:?}");
            }
        })
        .await;
    let most = std::fs::read_to_string(stage.path("most")).unwrap();
    let most = most.lines().filter_map(|n| n.trim().parse::<u32>().ok()).max().unwrap();
    assert!((2..=16).contains(&most), "{most} at once");
}

#[tokio::test]
async fn one_whose_time_is_over_is_told_so() {
    let stage = &Stage::new();
    stage.script("hangs", "echo begun; sleep 600\n");
    let text = "every = '1s'\n[service.x]\nprogram = { run = '@/hangs', timeout = '1s' }\n";
    stage.play(text, |_| stage.until_told("'x' timed out after 1 s -- begun")).await;
}

#[tokio::test]
async fn performance_data_of_a_plug_in_are_compared_and_a_warning_wakes_nobody() {
    let stage = &Stage::new();
    stage.script("load", "echo 'LOAD WARNING - 5.00|load1=5.000;4;8;0; size=2KB'; exit 1\n");
    let text = "every = '200ms'\n[service.load]\nprogram = { run = '@/load', format = 'nagios' }\n\
                [[service.load.check]]\nwhen = 'perf.load1 > 4'\n\
                [[service.load.check]]\nwhen = 'perf.size > 3 KiB'\n";
    stage
        .play(text, |handle| async move {
            stage.until_told("'load' perf.load1 of 5 matches resource limit [perf.load1 > 4]").await;
            let seen = seen(&handle, "load", ran).await;
            assert_eq!(seen.get("plugin.state"), Some(&Value::from("warning")));
            assert_eq!(seen.get("perf.size"), Some(&Value::Real(2048.0)));
        })
        .await;
    let failed = stage.told.lock().unwrap().iter().filter(|e| matches!(e.fact, Fact::Failed(_))).count();
    assert_eq!(failed, 1, "{:#?}", stage.lines());
}

#[tokio::test]
async fn json_is_compared_and_what_is_none_is_no_look() {
    let stage = &Stage::new();
    stage.script("queue", &format!("cat {}\n", stage.path("out").display()));
    std::fs::write(stage.path("out"), r#"{"depth": 2000, "version": "1.0"}"#).unwrap();
    let text = "every = '200ms'\n[service.queue]\nprogram = { run = '@/queue', format = 'json' }\n\
                [[service.queue.check]]\nwhen = 'json.depth > 1000'\n\
                [[service.queue.check]]\nwhen = \"json.version matches '^2'\"\n";
    stage
        .play(text, |_| async {
            stage.until_told("'queue' json.depth of 2000 matches resource limit [json.depth > 1000]").await;
            std::fs::write(stage.path("out"), "{\"depth\": }").unwrap();
            stage.until_told("'queue' could not be looked at -- what it printed is no JSON: expected value, in line 1 column 11").await;
            std::fs::write(stage.path("out"), r#"{"depth": 1, "version": "2.0"}"#).unwrap();
            stage.until_told("'queue' json.version '2.0' matches '^2'").await;
        })
        .await;
}

#[tokio::test]
async fn real_plug_ins_are_understood() {
    let folder = Path::new("/usr/lib/nagios/plugins");
    if !folder.join("check_load").exists() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "passed over: monitoring-plugins-basic is not installed"
        );
        println!("passed over: monitoring-plugins-basic is not installed");
        return;
    }
    let stage = &Stage::new();
    let text = "every = '1s'\n\
        [service.load]\nprogram = { run = '/usr/lib/nagios/plugins/check_load -w 900,900,900 -c 990,990,990', format = 'nagios' }\n\
        [service.disk]\nprogram = { run = '/usr/lib/nagios/plugins/check_disk -w 1% -c 0% -p /', format = 'nagios' }\n\
        [service.procs]\nprogram = { run = '/usr/lib/nagios/plugins/check_procs -c 1:1', format = 'nagios' }\n";
    stage
        .play(text, |handle| async move {
            let load = seen(&handle, "load", ran).await;
            assert_eq!(load.get("plugin.state"), Some(&Value::from("ok")));
            let told = load.get("perf.load1").and_then(Value::as_f64).unwrap();
            let now: f64 =
                std::fs::read_to_string("/proc/loadavg").unwrap().split(' ').next().unwrap().parse().unwrap();
            assert!((told - now).abs() < 5.0 + now / 2.0, "{told} and {now}");
            let disk = seen(&handle, "disk", ran).await;
            assert!(disk.get("perf./").and_then(Value::as_f64).unwrap() > 0.0, "{disk:?}");
            stage.until_told("'procs' critical -- PROCS CRITICAL").await;
        })
        .await;
}
