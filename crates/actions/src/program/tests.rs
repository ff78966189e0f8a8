//! Real programs on the real kernel.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, RwLock};

use hinoban_event::Fact;
use hinoban_reading::{How, Identity, Stamp};

use super::*;
use crate::spawner::SpawnerOptions;

fn spawner() -> Arc<Spawner> {
    let environment = vec![("PATH".into(), "/usr/bin:/bin".into()), ("KEEP".into(), "kept".into())];
    Spawner::start(SpawnerOptions { environment, nofile_soft: Some(77), zone: None })
}

fn cause() -> Event {
    let fact = Fact::Started { who: "test".into() };
    Event { id: 1, at: Stamp::from_micros(0), service: "svc".into(), fact }
}

fn errand(doing: Doing, time: Duration) -> Errand {
    Errand::new("svc", doing, (Instant::now() + time).into_std())
}

const LONG: Duration = Duration::from_secs(60);

async fn run_with(
    spawner: &Arc<Spawner>,
    options: ProgramOptions,
    time: Duration,
) -> Result<Outcome, ActionError> {
    Program::new(options, spawner.clone()).act(&cause(), &errand(Doing::Start, time)).await
}

async fn run(words: &[&str]) -> Result<Outcome, ActionError> {
    run_with(&spawner(), ProgramOptions::new(words.iter().copied()), LONG).await
}

async fn shell(script: &str) -> Outcome {
    run(&["/bin/sh", "-c", script]).await.unwrap()
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

#[tokio::test]
async fn exit_status_and_output_come_back_as_they_came() {
    let outcome = shell("echo out; echo err >&2; echo out again; exit 3").await;
    assert_eq!(outcome.exit, Some(How::Exited { status: 3 }));
    assert_eq!(outcome.output, "out\nerr\nout again\n");
    let killed = shell("kill -9 $$").await;
    assert_eq!(killed.exit, Some(How::Signalled { signal: 9, core: false }));
}

#[tokio::test]
async fn only_the_end_of_much_output_is_kept() {
    let outcome = shell("i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done").await;
    assert_eq!(outcome.exit, Some(How::Exited { status: 0 }));
    assert_eq!(outcome.output.len(), OUTPUT);
    assert!(outcome.output.ends_with("line 39998\nline 39999\n"), "{}", outcome.output);
}

#[tokio::test]
async fn what_cannot_be_run_is_told_by_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = file("plain", "#!/bin/sh\n", 0o644);
    let lost = file("lost", "#!/no/such/interpreter -x\n", 0o755);
    let noise = file("noise", "neither\n", 0o755);
    for (path, ending) in [
        ("/no/such/program", "/no/such/program does not exist"),
        ("nosuchprogram", "nosuchprogram does not exist in any directory of PATH"),
        (&plain, "plain is not executable; chmod +x makes it so"),
        (&lost, "lost cannot be run: its interpreter /no/such/interpreter does not exist"),
        (
            &noise,
            "noise is neither a program for this machine nor a script that begins with #! and an interpreter",
        ),
        ("/etc", "/etc is a directory, not a program"),
        ("", "the command is empty; name a program"),
    ] {
        match run(&[path]).await {
            Err(ActionError::NotRunnable(text)) => assert!(text.ends_with(ending), "{text}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    let mut elsewhere = ProgramOptions::new(["/bin/true"]);
    elsewhere.directory = Some("/no/such/directory".into());
    let text = run_with(&spawner(), elsewhere, LONG).await.unwrap_err().to_string();
    assert!(text.starts_with("/bin/true cannot be run in the directory /no/such/directory: "), "{text}");
}

#[tokio::test]
async fn at_the_deadline_the_program_is_killed_and_its_children_are_not() {
    let spawner = spawner();
    let script = "echo begun; sleep 300 & echo $!; exec sleep 300";
    let seen = Arc::new(Mutex::new(None));
    let mut errand = errand(Doing::Start, Duration::from_millis(700));
    let note = seen.clone();
    errand.spawned = Some(Arc::new(move |identity: Identity| *note.lock().unwrap() = Some(identity)));
    let program = Program::new(ProgramOptions::new(["/bin/sh", "-c", script]), spawner);
    let Err(ActionError::TimedOut { after, output }) = program.act(&cause(), &errand).await else {
        panic!("it did not time out")
    };
    assert!(after <= Duration::from_millis(700) && after > Duration::from_millis(400), "{after:?}");
    let pid = seen.lock().unwrap().unwrap().pid;
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the program is still there");
    let (first, grandchild) = output.trim().split_once('\n').unwrap();
    assert_eq!(first, "begun");
    let grandchild: u32 = grandchild.parse().unwrap();
    assert!(lives(grandchild), "its child died with it");
    kill(grandchild);
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

#[tokio::test]
async fn the_spawned_process_is_named_by_pid_and_start_time() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut errand = errand(Doing::Start, LONG);
    let note = seen.clone();
    errand.spawned = Some(Arc::new(move |identity: Identity| note.lock().unwrap().push(identity)));
    let script = "echo $$; sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20";
    let program = Program::new(ProgramOptions::new(["/bin/sh", "-c", script]), spawner());
    let outcome = program.act(&cause(), &errand).await.unwrap();
    let [identity] = seen.lock().unwrap()[..] else { panic!("told {} times", seen.lock().unwrap().len()) };
    assert_eq!(outcome.output, format!("{}\n{}\n", identity.pid, identity.start));
}

#[tokio::test]
async fn a_daemon_that_keeps_the_pipe_delays_nobody_and_lives_on() {
    let spawner = spawner();
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    // Writes far more than a pipe holds after its parent has gone, then leaves a mark: a daemon that blocks or gets
    // SIGPIPE never does.
    let script = format!(
        "echo $$ started; ( sleep 0.3; i=0; while [ $i -lt 20000 ]; do echo more than the pipe holds; i=$((i+1)); \
         done; echo $? > {} ) & exit 0",
        mark.display()
    );
    let outcome = run_with(&spawner, ProgramOptions::new(["/bin/sh", "-c", &script]), LONG).await.unwrap();
    assert!(outcome.output.ends_with(" started\n"), "{}", outcome.output);
    assert!(!mark.exists(), "the answer came only after the daemon had written");
    until("the daemon goes on writing", || mark.exists()).await;
}

#[tokio::test]
async fn programs_find_the_surroundings_they_expect() {
    let script = "echo $KEEP $MONIT_SERVICE $MONIT_HOST $MONIT_EVENT $MONIT_DESCRIPTION; ulimit -Sn; \
                  ls /proc/self/fd | tr '\\n' ' '; echo; cat | wc -c; cut -d' ' -f6 /proc/self/stat; echo $$";
    let outcome = shell(script).await;
    let lines: Vec<&str> = outcome.output.lines().collect();
    assert_eq!(lines[..4], ["kept svc localhost Started Started", "77", "0 1 2 3 ", "0"]); // 3 is ls's own
    assert_eq!(lines[4], lines[5], "not the leader of a session of its own");
    // Masks are hexadecimal; SIGHUP is bit 0.
    let signals = shell("grep -E 'Sig(Blk|Ign)' /proc/self/status").await.output;
    assert_eq!(signals, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\n");
    let program = Program::new(ProgramOptions::new(["grep", "SigIgn", "/proc/self/status"]), spawner());
    let exec = program.act(&cause(), &errand(Doing::Exec, LONG)).await.unwrap();
    assert_eq!(exec.output, "SigIgn:\t0000000000000000\n");
}

#[tokio::test]
async fn user_group_and_groups_are_switched() {
    if !rustix::process::geteuid().is_root() {
        let other = ProgramOptions { uid: Some(1), ..ProgramOptions::new(["/bin/true"]) };
        let text = run_with(&spawner(), other, LONG).await.unwrap_err().to_string();
        assert!(text.contains("only root may change it"), "{text}");
        return;
    }
    for std in [false, true] {
        let spawner = spawner();
        if std {
            spawner.use_std();
        }
        let options = ProgramOptions {
            uid: Some(65_534),
            gid: Some(1),
            groups: Some(vec![1, 2]),
            directory: Some("/usr".into()),
            ..ProgramOptions::new(["/bin/sh", "-c", "id -u; id -g; id -G; pwd"])
        };
        let outcome = run_with(&spawner, options, LONG).await.unwrap();
        assert_eq!(outcome.output, "65534\n1\n1 2\n/usr\n", "std: {std}");
    }
    assert_eq!(crate::groups_of(0, None).unwrap().0, 0);
    assert!(crate::groups_of(4_000_000_000, None).is_err());
}

#[tokio::test]
async fn the_slow_way_behaves_the_same() {
    let spawner = spawner();
    spawner.use_std();
    let script = ["sh", "-c", "echo $KEEP $0; exit 4", "zero"];
    let outcome = run_with(&spawner, ProgramOptions::new(script), LONG).await.unwrap();
    assert_eq!((outcome.exit, &*outcome.output), (Some(How::Exited { status: 4 }), "kept zero\n"));
    let error = run_with(&spawner, ProgramOptions::new(["/no/such/program"]), LONG).await.unwrap_err();
    assert_eq!(error, ActionError::NotRunnable("/no/such/program does not exist".into()));
    let error = run_with(&spawner, ProgramOptions::new(["sleep", "300"]), Duration::from_millis(300)).await;
    assert!(matches!(error, Err(ActionError::TimedOut { .. })), "{error:?}");
}

#[tokio::test]
async fn a_program_whose_caller_went_away_is_collected() {
    let spawner = spawner();
    let seen = Arc::new(Mutex::new(None));
    let mut errand = errand(Doing::Start, LONG);
    let note = seen.clone();
    errand.spawned = Some(Arc::new(move |identity: Identity| *note.lock().unwrap() = Some(identity.pid)));
    let program = Program::new(ProgramOptions::new(["sleep", "0.5"]), spawner);
    let cause = cause();
    tokio::select! {
        outcome = program.act(&cause, &errand) => panic!("ended early: {outcome:?}"),
        _ = until("it is started", || seen.lock().unwrap().is_some()) => {}
    }
    let pid = seen.lock().unwrap().unwrap();
    assert!(lives(pid), "it was killed with its caller");
    let gone = || !Path::new(&format!("/proc/{pid}")).exists();
    until("the zombie is collected", gone).await;
}

#[tokio::test]
async fn fifty_at_once_need_one_thread() {
    let spawner = spawner();
    let program = Arc::new(Program::new(ProgramOptions::new(["/bin/true"]), spawner.clone()));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let program = program.clone();
        all.spawn(async move { program.act(&cause(), &errand(Doing::Start, LONG)).await });
    }
    while let Some(outcome) = all.join_next().await {
        assert_eq!(outcome.unwrap().unwrap().exit, Some(How::Exited { status: 0 }));
    }
    assert_eq!(spawner.threads(), 1);
}

#[tokio::test]
async fn a_hanging_exec_is_worked_around() {
    let spawner = spawner();
    run_with(&spawner, ProgramOptions::new(["/bin/true"]), LONG).await.unwrap();
    let release = spawner.hang_next();
    let hanging = tokio::spawn({
        let spawner = spawner.clone();
        async move { run_with(&spawner, ProgramOptions::new(["echo", "late"]), LONG).await }
    });
    until("the exec hangs", || spawner.threads() == 2).await;
    let outcome = run_with(&spawner, ProgramOptions::new(["/bin/true"]), LONG).await.unwrap();
    assert_eq!(outcome.exit, Some(How::Exited { status: 0 }));
    drop(release);
    assert_eq!(hanging.await.unwrap().unwrap().output, "late\n");
    until("the surplus thread ends", || spawner.threads() == 1).await;
}

#[tokio::test]
async fn a_program_that_comes_out_of_its_exec_too_late_is_killed() {
    let spawner = spawner();
    let dir = tempfile::tempdir().unwrap();
    let script = format!("echo $$ > {0}/pid; sleep 0.5; echo lived > {0}/mark", dir.path().display());
    let release = spawner.hang_next();
    let late =
        run_with(&spawner, ProgramOptions::new(["sh", "-c", &script]), Duration::from_millis(200)).await;
    assert!(matches!(late, Err(ActionError::TimedOut { .. })), "{late:?}");
    drop(release);
    let settled = "echo done";
    run_with(&spawner, ProgramOptions::new(["sh", "-c", settled]), LONG).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!dir.path().join("mark").exists(), "a start that had been given up was made all the same");
}

fn cell(log: std::fs::File) -> Arc<RwLock<Arc<std::fs::File>>> {
    Arc::new(RwLock::new(log.into()))
}

#[tokio::test]
async fn a_program_has_entered_itself_in_the_log_before_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for std in [false, true] {
        let log = std::fs::File::options().append(true).create(true).open(&path).unwrap();
        log.set_len(0).unwrap();
        let line = [b"pid ".to_vec(), b" since ".to_vec(), b"\n".to_vec()];
        let spawner = spawner();
        if std {
            spawner.use_std();
        }
        let script = format!("cat {}; echo $$; cut -d' ' -f22 /proc/$$/stat", path.display());
        let program = Program::new(ProgramOptions::new(["/bin/sh", "-c", &script]), spawner);
        let mut errand = errand(Doing::Start, LONG);
        errand.roll = Some(hinoban_action::Roll { log: cell(log), line });
        let output = program.act(&cause(), &errand).await.unwrap().output;
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[0], format!("pid {} since {}", lines[1], lines[2]), "{output}");
    }
}

/// Should the supervisor die meanwhile, the next one needs its locks.
#[tokio::test]
async fn a_program_whose_exec_hangs_has_entered_itself_and_holds_nothing_of_ours() {
    use std::os::unix::fs::PermissionsExt;
    for std in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (path, program) = (folder.path().join("log"), folder.path().join("program"));
        std::fs::copy("/bin/true", &program).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let held = std::fs::File::options().write(true).open(&program).unwrap();
        assert!(crate::sys::hold_back(&held), "{}", std::io::Error::last_os_error());
        let log = std::fs::File::options().append(true).create(true).open(&path).unwrap();
        let line = [Vec::new(), b" ".to_vec(), b"\n".to_vec()];
        let spawner = spawner();
        if std {
            spawner.use_std();
        }
        let program = Program::new(ProgramOptions::new([program.to_str().unwrap()]), spawner);
        let mut errand = errand(Doing::Start, LONG);
        errand.roll = Some(hinoban_action::Roll { log: cell(log), line });
        let run = tokio::spawn(async move { program.act(&cause(), &errand).await });
        let pid = loop {
            let text = std::fs::read_to_string(&path).unwrap();
            if let Some((pid, _)) = text.split_once(' ') {
                break pid.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        // It closes them after that line.
        loop {
            let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
            let files = files.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
            let ours = files.filter(|to| to.starts_with(folder.path())).count();
            if ours == 0 {
                break;
            }
            assert!(!run.is_finished(), "{ours} files are open until the exec");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!run.is_finished(), "the exec did not hang");
        drop(held);
        run.await.unwrap().unwrap();
    }
}

/// A start may wait long for its turn.
#[tokio::test]
async fn a_program_enters_itself_in_the_log_there_is_when_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        std::fs::File::options().append(true).create(true).open(folder.path().join(name)).unwrap()
    };
    let mut errand = errand(Doing::Start, LONG);
    let log = cell(open("old"));
    let line = [b"pid ".to_vec(), b" since ".to_vec(), b"\n".to_vec()];
    errand.roll = Some(hinoban_action::Roll { log: log.clone(), line });
    let program = Program::new(ProgramOptions::new(["/bin/true"]), spawner());
    let cause = cause();
    let act = program.act(&cause, &errand);
    *log.write().unwrap() = Arc::new(open("new"));
    act.await.unwrap();
    let length = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(length("old") == 0 && length("new") > 0);
}

#[tokio::test]
async fn a_log_on_a_full_disk_keeps_no_program_from_running() {
    let full = std::fs::File::options().append(true).open("/dev/full").unwrap();
    let mut errand = errand(Doing::Start, LONG);
    errand.roll = Some(hinoban_action::Roll { log: cell(full), line: Default::default() });
    let program = Program::new(ProgramOptions::new(["/bin/echo", "runs"]), spawner());
    assert_eq!(program.act(&cause(), &errand).await.unwrap().output, "runs\n");
}
