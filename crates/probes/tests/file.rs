//! The file probe against real files.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, ProbeError, Wake};
use hinoban_probes::FileProbe;
use hinoban_reading::{Observation, ReasonKind, Standing};
use tokio::time::Instant;

fn circumstances(cause: Cause) -> Look {
    Look::new((Instant::now() + Duration::from_secs(60)).into_std(), Duration::ZERO, cause)
}

/// One look that must not wait.
fn try_look(probe: &mut FileProbe) -> Result<Observation, ProbeError> {
    let look = circumstances(Cause::Due);
    let mut observing = probe.observe(&look);
    match observing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a look at a local file waited"),
    }
}

fn look(probe: &mut FileProbe) -> Observation {
    try_look(probe).unwrap()
}

fn watched(probe: &FileProbe) -> Vec<PathBuf> {
    let path = |wake| match wake {
        Wake::Presence(path) => path,
        other => panic!("{other:?}"),
    };
    probe.wakes().into_iter().map(path).collect()
}

fn int(seen: &Observation, name: &str) -> i64 {
    seen.get(name).unwrap_or_else(|| panic!("no {name}")).as_i64().unwrap()
}

fn kind(seen: &Observation) -> ReasonKind {
    seen.standing.reason().unwrap().kind
}

#[tokio::test]
async fn a_file_shows_what_stat_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    std::fs::write(&path, "twelve bytes").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o4640)).unwrap();
    std::fs::hard_link(&path, dir.path().join("y")).unwrap();
    let mut probe = FileProbe::new(path.clone());
    let seen = look(&mut probe);
    assert!(seen.standing.is_up());
    let real = std::fs::metadata(&path).unwrap();
    assert_eq!(int(&seen, "permission"), 0o4640);
    assert_eq!(int(&seen, "size"), 12);
    assert_eq!(int(&seen, "links"), 2);
    assert_eq!(int(&seen, "uid"), i64::from(real.uid()));
    assert_eq!(int(&seen, "gid"), i64::from(real.gid()));
    assert_eq!(int(&seen, "access.time"), real.atime());
    assert_eq!(int(&seen, "modify.time"), real.mtime());
    assert_eq!(int(&seen, "change.time"), real.ctime());
    for reading in &seen.readings {
        assert!(
            probe.metrics().iter().any(|m| m.name == reading.name && m.unit == reading.unit),
            "{reading:?}"
        );
    }
    assert_eq!(watched(&probe), [path]);
}

#[tokio::test]
async fn a_socket_is_a_file_and_other_things_are_of_the_wrong_type() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(look(&mut FileProbe::new(socket)).standing.is_up());

    let wrong = |path: &Path, what: &str| {
        let seen = look(&mut FileProbe::new(path.to_owned()));
        let Standing::Down(reason) = &seen.standing else { panic!("{seen:?}") };
        assert_eq!(reason.kind, ReasonKind::WrongType);
        assert_eq!(reason.text, format!("{} is {what}, not a regular file or a socket", path.display()));
        assert!(seen.readings.is_empty());
    };
    wrong(dir.path(), "a directory");
    wrong(Path::new("/dev/null"), "a character device");
    let pipe = dir.path().join("pipe");
    self::pipe(&pipe);
    wrong(&pipe, "a named pipe");
}

fn pipe(path: &Path) {
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o640));
    rustix::fs::mknodat(rustix::fs::CWD, path, fifo, mode, 0).unwrap();
}

/// What stat(1) prints of it.
fn printed(path: &Path, format: &str) -> String {
    let stat = std::process::Command::new("stat").arg("-c").arg(format).arg(path).output().unwrap();
    String::from_utf8(stat.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn directories_and_pipes_show_what_stat_prints_and_have_no_size() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("pipe");
    pipe(&fifo);
    std::fs::create_dir(dir.path().join("below")).unwrap();
    for (mut probe, path) in
        [(FileProbe::directory(dir.path().into()), dir.path()), (FileProbe::fifo(fifo.clone()), &*fifo)]
    {
        let seen = look(&mut probe);
        assert!(seen.standing.is_up(), "{seen:?}");
        let shown = format!(
            "{:o} {} {} {} {} {} {}",
            int(&seen, "permission"),
            int(&seen, "uid"),
            int(&seen, "gid"),
            int(&seen, "links"),
            int(&seen, "access.time"),
            int(&seen, "modify.time"),
            int(&seen, "change.time")
        );
        assert_eq!(shown, printed(path, "%a %u %g %h %X %Y %Z"), "{}", path.display());
        assert_eq!(seen.get("size"), None);
        assert!(probe.metrics().iter().all(|metric| metric.name != "size"));
    }
    let told = |mut probe: FileProbe| look(&mut probe).standing.reason().unwrap().text.clone();
    let shown = fifo.display();
    assert_eq!(told(FileProbe::directory(fifo.clone())), format!("{shown} is a named pipe, not a directory"));
    let shown = dir.path().display();
    assert_eq!(told(FileProbe::fifo(dir.path().into())), format!("{shown} is a directory, not a named pipe"));
}

#[tokio::test]
async fn ages_are_read_for_whoever_asks_and_not_where_a_time_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    std::fs::write(&path, "").unwrap();
    let at = |secs| std::time::UNIX_EPOCH + Duration::from_secs(secs);
    let times = std::fs::FileTimes::new().set_accessed(at(1000)).set_modified(at(2000));
    std::fs::File::open(&path).unwrap().set_times(times).unwrap();
    let change = std::fs::metadata(&path).unwrap().ctime();
    let names = ["access.age", "modify.age", "change.age", "timestamp.age", "timestamp"];
    let mut probe = FileProbe::new(path.clone()).asked(names);
    let soon = (Instant::now() + Duration::from_secs(60)).into_std();
    let now = Duration::new(u64::try_from(change).unwrap() + 100, 999_999_999);
    let look_at = Look::new(soon, now, Cause::Due);
    let seen = probe.observe(&look_at).await.unwrap();
    assert_eq!(names.map(|name| int(&seen, name)), [change - 900, change - 1900, 100, 100, change]);
    assert_eq!(look(&mut FileProbe::new(path.clone())).get("modify.age"), None, "nobody asked");

    let unknown = std::fs::FileTimes::new().set_accessed(at(0));
    std::fs::File::open(&path).unwrap().set_times(unknown).unwrap();
    let seen = probe.observe(&look_at).await.unwrap();
    assert!(names.iter().all(|name| seen.get(name).is_none()), "{seen:?}");
    assert_eq!(int(&seen, "access.time"), 0);
}

#[tokio::test]
async fn writing_is_news_only_if_a_rule_is_about_what_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    std::fs::write(&path, "").unwrap();
    let wakes = |probe: FileProbe| {
        let mut probe = probe;
        look(&mut probe);
        let sorts = probe.wakes().into_iter().map(|wake| match wake {
            Wake::Presence(_) => "presence",
            Wake::Path(_) => "writing",
            Wake::Entries(_) => "entries",
            other => panic!("{other:?}"),
        });
        sorts.collect::<Vec<_>>()
    };
    let file = || FileProbe::new(path.clone());
    assert_eq!(wakes(file().asked(["permission", "uid", "access.time", "content.1"])), ["presence"]);
    for name in ["size", "modify.age", "timestamp", "links"] {
        assert_eq!(wakes(file().asked([name])), ["writing"], "{name}");
    }
    let folder = || FileProbe::directory(dir.path().into());
    assert_eq!(wakes(folder().asked(["permission"])), ["presence"]);
    assert_eq!(wakes(folder().asked(["modify.age"])), ["presence", "entries"]);
}

/// A program that writes a file anew empties it first; what a look sees then is nobody's wish.
#[tokio::test]
async fn a_file_that_is_being_written_is_looked_at_when_it_has_come_to_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    std::fs::write(&path, "before").unwrap();
    let mut probe = FileProbe::new(path.clone()).asked(["size", "checksum.sha256"]);
    probe.observe(&circumstances(Cause::Due)).await.unwrap();
    std::fs::write(&path, "").unwrap();
    let early = circumstances(Cause::Early);
    let (seen, ()) = tokio::join!(probe.observe(&early), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::fs::write(&path, "afterwards").unwrap();
    });
    let seen = seen.unwrap();
    assert_eq!(int(&seen, "size"), 10);
    let sum = std::process::Command::new("sha256sum").arg(&path).output().unwrap().stdout;
    let Some(hinoban_reading::Value::Text(text)) = seen.get("checksum.sha256") else { panic!("{seen:?}") };
    assert!(String::from_utf8(sum).unwrap().starts_with(text.as_str()));
}

#[tokio::test]
async fn a_checksum_that_cannot_be_computed_is_told_and_keeps_nothing_else_from_being_seen() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut probe = FileProbe::new(socket.clone()).asked(["checksum.md5"]);
    assert!(look(&mut probe).standing.is_up());
    assert_eq!(probe.limits(), [format!("{} is no regular file, and has no checksum", socket.display())]);
}

#[tokio::test]
async fn absence_is_told_with_the_first_part_that_is_missing_and_that_part_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/x");
    let mut probe = FileProbe::new(path.clone());
    let seen = look(&mut probe);
    assert_eq!(kind(&seen), ReasonKind::FileAbsent);
    let a = dir.path().join("a");
    let end = format!("its folder {} does not exist", a.display());
    assert!(seen.standing.reason().unwrap().text.ends_with(&end), "{seen:?}");
    assert_eq!(watched(&probe), [path.clone(), a.clone()]);

    std::fs::create_dir(&a).unwrap();
    look(&mut probe);
    assert_eq!(watched(&probe), [path.clone(), a.join("b")]);
    std::fs::create_dir(a.join("b")).unwrap();
    std::fs::write(&path, "").unwrap();
    assert!(look(&mut probe).standing.is_up());
    assert_eq!(watched(&probe), [path]);
}

#[tokio::test]
async fn links_are_followed_and_a_loop_of_them_is_an_absence() {
    let dir = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(dir.path()).unwrap();
    let (one, other, real) = (root.join("one"), root.join("other"), root.join("real"));
    symlink(&other, &one).unwrap();
    symlink(&one, &other).unwrap();
    let mut probe = FileProbe::new(one.clone());
    let seen = look(&mut probe);
    assert_eq!(kind(&seen), ReasonKind::FileAbsent);
    assert!(seen.standing.reason().unwrap().text.contains("too many links"), "{seen:?}");

    std::fs::remove_file(&other).unwrap();
    std::fs::write(&real, "123").unwrap();
    symlink(&real, &other).unwrap();
    assert_eq!(int(&look(&mut probe), "size"), 3);
    assert_eq!(
        watched(&probe),
        [one, other, real],
        "each link may be switched, and the file vanish while they stay"
    );
}

#[tokio::test]
async fn what_a_dangling_link_leads_to_is_watched_until_it_appears() {
    let dir = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(dir.path()).unwrap();
    let (link, target) = (root.join("link"), root.join("a/target"));
    symlink("a/target", &link).unwrap();
    let mut probe = FileProbe::new(link.clone());
    let seen = look(&mut probe);
    assert!(seen.standing.reason().unwrap().text.ends_with("is a link to a/target, which does not exist"));
    assert_eq!(watched(&probe), [link.clone(), root.join("a")]);
    std::fs::create_dir(root.join("a")).unwrap();
    look(&mut probe);
    assert_eq!(watched(&probe), [link.clone(), target.clone()]);
    std::fs::write(&target, "").unwrap();
    assert!(look(&mut probe).standing.is_up());

    // A link among the folders of a path tells of its switching, too.
    let current = root.join("current");
    symlink("a", &current).unwrap();
    let mut probe = FileProbe::new(current.join("target"));
    assert!(look(&mut probe).standing.is_up());
    assert_eq!(watched(&probe), [current.join("target"), current, target]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_being_replaced_is_not_told_absent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, "old").unwrap();
    let mut probe = FileProbe::new(path.clone());
    look(&mut probe);

    // What log rotation does: away with the old one, and soon after a new one.
    std::fs::rename(&path, dir.path().join("log.1")).unwrap();
    let early = circumstances(Cause::Early);
    let begun = Instant::now();
    let (seen, ()) = tokio::join!(probe.observe(&early), async { std::fs::write(&path, "").unwrap() });
    assert!(seen.unwrap().standing.is_up());

    std::fs::remove_file(&path).unwrap();
    let seen = probe.observe(&early).await.unwrap();
    assert_eq!(kind(&seen), ReasonKind::FileAbsent);
    assert!(begun.elapsed() <= Duration::from_millis(250), "{:?}", begun.elapsed());
    let begun = Instant::now();
    probe.observe(&early).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO, "what is known to be gone is not waited for");
}

#[tokio::test]
async fn a_file_that_is_replaced_all_the_time_stops_waking_us() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    std::fs::write(&path, "").unwrap();
    let mut probe = FileProbe::new(path);
    let early = circumstances(Cause::Early);
    // However slow this machine is, some second among these holds more than twenty looks.
    for _ in 0..100_000 {
        probe.observe(&early).await.unwrap();
        if probe.wakes().is_empty() {
            return;
        }
    }
    panic!("every event still wakes us");
}

#[tokio::test]
async fn not_being_allowed_is_no_absence() {
    if rustix::process::geteuid().is_root() {
        // Root may look anywhere; a thread of its own gives up that right.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("closed/x");
        std::fs::create_dir(dir.path().join("closed")).unwrap();
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(dir.path().join("closed"), PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let seen = as_nobody(move || try_look(&mut FileProbe::new(path)));
        match seen {
            Some(Err(ProbeError::Denied(text))) => assert!(text.contains("enter the folder"), "{text}"),
            Some(other) => panic!("{other:?}"),
            None => eprintln!("passed over: this user may not become another"),
        }
    } else {
        eprintln!("passed over: only root can become somebody who is not allowed");
    }
}

/// Runs it on a thread that has no rights of its own over files (CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH) and belongs to
/// nobody; `None` if that cannot be had.
fn as_nobody<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    use rustix::process::{Gid, Uid};
    let thread = std::thread::spawn(move || {
        let (user, group) = (Uid::from_raw(65534), Gid::from_raw(65534));
        rustix::thread::set_thread_res_gid(group, group, group).ok()?;
        rustix::thread::set_thread_res_uid(user, user, user).ok()?;
        Some(run())
    });
    thread.join().unwrap()
}
