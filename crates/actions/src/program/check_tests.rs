//! Real programs on the real kernel.

use std::path::Path;

use super::*;
use crate::spawner::SpawnerOptions;

const LONG: Duration = Duration::from_secs(60);

fn spawner() -> Arc<Spawner> {
    let environment = vec![("PATH".into(), "/usr/bin:/bin".into()), ("KEEP".into(), "kept".into())];
    Spawner::start(SpawnerOptions { environment, ..SpawnerOptions::default() })
}

fn options(script: &str, timeout: Duration) -> CheckOptions {
    CheckOptions {
        words: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        uid: None,
        gid: None,
        groups: None,
        service: "svc".to_owned(),
        output: 1000,
        timeout,
    }
}

async fn run(script: &str, timeout: Duration) -> Ran {
    Check::new(options(script, timeout), spawner()).run().await.unwrap()
}

fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

/// Looks every 10 ms, half a minute at most.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within 30 s");
}

/// The number in this file, once it is there.
async fn number_in(path: &Path) -> u32 {
    let read = || std::fs::read_to_string(path).ok()?.trim().parse().ok();
    until("a number is written", || read().is_some()).await;
    read().unwrap()
}

#[tokio::test]
async fn output_and_errors_come_apart() {
    let ran = run("echo out; echo err >&2; echo $MONIT_SERVICE $KEEP; exit 3", LONG).await;
    assert_eq!((ran.how, ran.overdue, ran.cut), (How::Exited { status: 3 }, false, false));
    assert_eq!((&*ran.out, &*ran.errors), (&b"out\nsvc kept\n"[..], &b"err\n"[..]));
    let killed = run("kill -SEGV $$", LONG).await;
    assert!(matches!(killed.how, How::Signalled { signal: 11, .. }), "{:?}", killed.how);
    let silent = run("exec >&- 2>&-; exit 0", LONG).await;
    assert_eq!((silent.how, silent.out.len(), silent.errors.len()), (How::Exited { status: 0 }, 0, 0));
}

#[tokio::test]
async fn the_beginning_of_much_output_is_kept_and_the_program_does_not_wait() {
    let ran = run("echo first; head -c 100000000 /dev/zero; echo done >&2", LONG).await;
    assert_eq!(ran.how, How::Exited { status: 0 });
    assert_eq!((ran.out.len(), ran.cut), (1000, true));
    assert!(ran.out.starts_with(b"first\n"));
    assert_eq!(ran.errors, b"done\n");
}

#[tokio::test]
async fn a_child_that_keeps_the_pipes_open_is_not_waited_for_and_lives_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let ran = run(&format!("sleep 300 & echo $! > {}; echo out", file.display()), LONG).await;
    assert_eq!((ran.how, &*ran.out), (How::Exited { status: 0 }, &b"out\n"[..]));
    assert!(ran.took < Duration::from_secs(200));
    let child = number_in(&file).await;
    assert!(lives(child));
    let pid = rustix::process::Pid::from_raw(child.cast_signed()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn when_its_time_is_over_it_and_its_children_are_asked_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script =
        format!("sleep 300 & echo $! > {}; echo begun; trap 'echo asked; exit 5' TERM; wait", file.display());
    let check = Check::new(options(&script, Duration::from_secs(2)), spawner());
    let ran = check.run().await.unwrap();
    assert_eq!((ran.how, ran.overdue), (How::Exited { status: 5 }, true));
    assert_eq!(ran.out, b"begun\nasked\n");
    let child = number_in(&file).await;
    until("its child is gone", || !lives(child)).await;
}

#[tokio::test]
async fn who_does_not_heed_that_is_killed() {
    let script = "trap '' TERM; echo begun; while :; do sleep 1; done";
    let ran = run(script, Duration::from_secs(1)).await;
    assert!(matches!(ran.how, How::Signalled { signal: 9, .. }), "{:?}", ran.how);
    assert!(ran.overdue);
    assert_eq!(ran.out, b"begun\n");
}

#[tokio::test]
async fn a_run_that_is_given_up_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("echo $$ > {}; sleep 300; :", file.display());
    let check = Check::new(options(&script, LONG), spawner());
    let pid = tokio::select! {
        _ = check.run() => panic!("it runs for long"),
        pid = number_in(&file) => pid,
    };
    until("it is gone", || !lives(pid)).await;
}

#[tokio::test]
async fn what_cannot_be_run_is_told_and_is_no_result() {
    let mut options = options("", LONG);
    options.words = vec!["/no/such/program".to_owned()];
    let error = Check::new(options.clone(), spawner()).run().await.unwrap_err();
    assert_eq!(error, ActionError::NotRunnable("/no/such/program does not exist".to_owned()));
    options.words.clear();
    assert!(matches!(Check::new(options, spawner()).run().await, Err(ActionError::NotRunnable(_))));
}

#[tokio::test]
async fn it_runs_as_somebody_else() {
    if !rustix::process::geteuid().is_root() {
        println!("passed over: only root may change the user");
        return;
    }
    let options = CheckOptions {
        uid: Some(65534),
        gid: Some(65534),
        groups: Some(vec![]),
        ..options("id -u; id -G", LONG)
    };
    let ran = Check::new(options, spawner()).run().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.out), "65534\n65534\n");
}

#[tokio::test]
async fn the_standard_library_does_as_well() {
    let spawner = spawner();
    spawner.use_std();
    let check = Check::new(options("echo out; echo err >&2; exit 4", LONG), spawner);
    let ran = check.run().await.unwrap();
    assert_eq!((ran.how, &*ran.out, &*ran.errors), (How::Exited { status: 4 }, &b"out\n"[..], &b"err\n"[..]));
}

#[tokio::test]
async fn a_thread_that_helped_out_ends_and_not_before_what_is_tied_to_it() {
    let spawner = spawner();
    let check = |script: &str| Check::new(options(script, LONG), spawner.clone());
    let (stuck, runs) = (check("exit 0"), check("sleep 2; exit 7"));
    let hang = spawner.hang_next();
    let release = async {
        until("somebody helps out", || spawner.threads() == 2).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(hang);
    };
    let (stuck, runs, ()) = tokio::join!(stuck.run(), runs.run(), release);
    assert_eq!(stuck.unwrap().how, How::Exited { status: 0 });
    assert_eq!(runs.unwrap().how, How::Exited { status: 7 }, "nobody asked it to end");
    for _ in 0..3000 {
        if spawner.threads() == 1 {
            return;
        }
        // Whoever is woken sees that there are too many.
        check("exit 0").run().await.unwrap();
    }
    panic!("{} threads are left", spawner.threads());
}
