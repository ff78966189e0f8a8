use std::fs;
use std::process::Command;

use hinoban_probe::Cause;
use rustix::fs::stat;

use super::*;

fn look(wall: Duration) -> Look {
    Look::new((Instant::now() + Duration::from_secs(60)).into_std(), wall, Cause::Due)
}

/// Long after the files of these tests were written.
const LATER: Duration = Duration::from_secs(1 << 40);

fn all() -> Sums {
    let mut sums = Sums::default();
    Sum::ALL.into_iter().for_each(|sum| sums.want(sum));
    sums
}

async fn read(sums: &mut Sums, path: &Path, wall: Duration) -> Observation {
    let mut seen = Observation::up();
    for _ in 0..600 {
        sums.push(&mut seen, path, &stat(path).unwrap(), &look(wall)).await;
        if !seen.readings.is_empty() || sums.trouble.is_some() {
            break;
        }
    }
    seen
}

fn text(seen: &Observation, sum: Sum) -> &str {
    match seen.get(&sum.metric().name) {
        Some(hinoban_reading::Value::Text(text)) => text,
        other => panic!("{sum:?}: {other:?}"),
    }
}

#[tokio::test]
async fn sums_are_those_of_the_tools() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    for content in [Vec::new(), b"hello\n".to_vec(), vec![0xa5; 3 * CHUNK + 7]] {
        fs::write(&path, &content).unwrap();
        let seen = read(&mut all(), &path, LATER).await;
        for (sum, tool) in [(Sum::Md5, "md5sum"), (Sum::Sha1, "sha1sum"), (Sum::Sha256, "sha256sum")] {
            let printed = Command::new(tool).arg(&path).output().expect("coreutils are there").stdout;
            let wanted = String::from_utf8(printed).unwrap().split(' ').next().unwrap().to_owned();
            assert_eq!(text(&seen, sum), wanted, "{tool} of {} bytes", content.len());
        }
    }
}

#[tokio::test]
async fn a_file_is_read_again_when_it_was_changed_and_only_then() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    fs::write(&path, "one").unwrap();
    let mut sums = all();
    let first = read(&mut sums, &path, LATER).await;
    assert!(sums.is_known(&stat(&path).unwrap()), "it would not be read again");

    fs::write(&path, "two").unwrap();
    assert!(!sums.is_known(&stat(&path).unwrap()));
    let second = read(&mut sums, &path, LATER).await;
    assert_ne!(text(&first, Sum::Sha256), text(&second, Sum::Sha256));

    // Another file of the same length and the same time.
    let other = dir.path().join("y");
    fs::write(&other, "six").unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::File::open(&other).unwrap().set_modified(modified).unwrap();
    fs::rename(&other, &path).unwrap();
    let third = read(&mut sums, &path, LATER).await;
    assert_ne!(text(&third, Sum::Sha256), text(&second, Sum::Sha256));
}

#[tokio::test]
async fn what_was_written_a_moment_ago_is_read_once_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    fs::write(&path, "one").unwrap();
    let stamp = stat(&path).unwrap();
    let written = Duration::new(stamp.st_mtime as u64, stamp.st_mtime_nsec as u32);
    let mut sums = all();
    read(&mut sums, &path, written + TICK / 2).await;
    assert!(!sums.is_known(&stamp), "the next change may have the same stamp");
    read(&mut sums, &path, written + 2 * TICK).await;
    assert!(sums.is_known(&stamp));
}

#[tokio::test]
async fn what_a_look_did_not_wait_for_goes_on_and_wakes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    fs::write(&path, vec![1; 64 * CHUNK]).unwrap();
    let mut sums = all();
    let mut seen = Observation::up();
    let stat = stat(&path).unwrap();
    let now = Look::new(Instant::now().into_std(), LATER, Cause::Due);
    sums.push(&mut seen, &path, &stat, &now).await;
    assert_eq!(seen.readings, [], "there was no time");
    let done = sums.wake().expect("it goes on");
    let ready = tokio::task::spawn_blocking(move || {
        let mut fds = [rustix::event::PollFd::new(&*done, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 }))
    });
    assert_eq!(ready.await.unwrap(), Ok(1), "it is told");
    sums.push(&mut seen, &path, &stat, &now).await;
    assert_eq!(seen.readings.len(), 3, "ready, without any wait");
    assert!(sums.wake().is_none());
}

/// A look that has no time to wait.
fn hurried(cause: Cause) -> Look {
    Look::new(Instant::now().into_std(), LATER, cause)
}

/// Waits until the question that was asked has its answer.
async fn answered(sums: &Sums) {
    let done = sums.wake().expect("it goes on");
    let ready = tokio::task::spawn_blocking(move || {
        let mut fds = [rustix::event::PollFd::new(&*done, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 }))
    });
    assert_eq!(ready.await.unwrap(), Ok(1));
}

/// Somebody tampers with a large file, and goes on touching it so that it is never found at rest.
#[tokio::test]
async fn an_answer_counts_also_when_the_file_was_touched_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    fs::write(&path, vec![1; 8 * CHUNK]).unwrap();
    let mut sums = all();
    let mut seen = Observation::up();
    sums.push(&mut seen, &path, &stat(&path).unwrap(), &hurried(Cause::Due)).await;
    assert_eq!(seen.readings, [], "there was no time");
    for turn in 0..4 {
        answered(&sums).await;
        let touch = fs::File::options().append(true).open(&path).unwrap();
        touch.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
        let mut seen = Observation::up();
        sums.push(&mut seen, &path, &stat(&path).unwrap(), &hurried(Cause::Early)).await;
        assert_eq!(seen.readings.len(), 3, "what was asked for is told");
        // Touched again and again, it is not computed again and again.
        touch.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(2_000_000)).unwrap();
        let rested = sums.pause.replace(Instant::now() + Duration::from_secs(60));
        assert!(rested.is_some(), "it rests as long as the last one took");
        sums.push(&mut seen, &path, &stat(&path).unwrap(), &hurried(Cause::Early)).await;
        assert!(sums.wake().is_none(), "before its turn nothing is computed");
        // A look that was under way when its turn came does not know of it.
        let after = [Cause::Due, Cause::Early][turn % 2];
        if after == Cause::Early {
            sums.pause = rested;
            tokio::time::sleep_until(rested.unwrap()).await;
        }
        sums.push(&mut seen, &path, &stat(&path).unwrap(), &hurried(after)).await;
        assert!(sums.wake().is_some(), "at its turn it is, and after a pause");
    }
}

#[tokio::test]
async fn whoever_waits_for_more_than_a_cycle_is_told_and_it_makes_haste() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let stat = stat(&path).unwrap();
    let mut sums = all();
    let mut seen = Observation::up();
    let mut hastes = Vec::new();
    for cause in [Cause::Due, Cause::Early, Cause::Early, Cause::Due] {
        assert_eq!(sums.limits(), Vec::<String>::new());
        sums.push(&mut seen, &path, &stat, &hurried(cause)).await;
        hastes.push(sums.asked.as_ref().expect("a gibibyte takes its time").haste.load(Ordering::Relaxed));
    }
    assert_eq!(hastes, [false, false, false, true]);
    let limits = sums.limits();
    assert!(limits[0].contains("is being computed since an earlier cycle"), "{limits:?}");
}

/// What hurries takes its turn like everybody else, and does not rest.
#[test]
fn gentleness_has_an_end() {
    let nice = || rustix::process::getpriority_process(None).unwrap();
    let before = nice();
    let mut gentle = Gentle::new();
    if rustix::process::geteuid().is_root() {
        assert_eq!(nice(), 19);
    }
    assert!(gentle.rests());
    gentle.give_up();
    assert_eq!((nice(), gentle.rests()), (before, false));
}

#[tokio::test]
async fn files_of_one_device_take_turns_and_all_have_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let mut waiting = Vec::new();
    for n in 0..20 {
        let path = dir.path().join(n.to_string());
        fs::write(&path, n.to_string()).unwrap();
        waiting.push((path, all()));
    }
    for (path, sums) in &mut waiting {
        assert!(!read(sums, path, LATER).await.readings.is_empty(), "{}", path.display());
    }
}

#[tokio::test]
async fn reading_leaves_no_trace_and_what_cannot_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    fs::write(&path, "secret").unwrap();
    let old = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::File::open(&path).unwrap().set_times(fs::FileTimes::new().set_accessed(old)).unwrap();
    let mut sums = all();
    read(&mut sums, &path, LATER).await;
    assert_eq!(fs::metadata(&path).unwrap().accessed().unwrap(), old);

    let stat = stat(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let mut sums = all();
    let mut seen = Observation::up();
    sums.push(&mut seen, &path, &stat, &look(LATER)).await;
    assert_eq!(seen.readings, []);
    let trouble = sums.trouble.clone().expect("somebody waits for it");
    assert!(
        trouble.starts_with("no checksum of /") && trouble.ends_with("No such file or directory"),
        "{trouble}"
    );
}

/// Beside a file of a gibibyte that is read, other looks go on as if it were not there.
#[tokio::test]
async fn a_long_file_shifts_no_other_look() {
    const LENGTH: u64 = 1 << 30;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    // A hole is read as fast as memory, and takes no room.
    fs::File::create(&path).unwrap().set_len(LENGTH).unwrap();
    let mut sums = Sums::default();
    sums.want(Sum::Sha256);
    let stat = stat(&path).unwrap();
    let mut seen = Observation::up();
    let mut idle = Duration::ZERO;
    for _ in 0..400 {
        idle = idle.max(lateness().await);
    }
    let start = Instant::now();
    let mut late = Vec::new();
    while seen.readings.is_empty() && sums.trouble.is_none() {
        let now = Look::new(Instant::now().into_std(), LATER, Cause::Early);
        sums.push(&mut seen, &path, &stat, &now).await;
        late.push(lateness().await);
    }
    let took = start.elapsed();
    late.sort();
    let (looks, worst, most) = (late.len(), late[late.len() - 1], late[late.len() * 99 / 100]);
    print(&format!(
        "sha256 of 1 GiB in {took:?}; of {looks} looks meanwhile 99 % came at most {most:?} late, the latest {worst:?}; \
         before, {idle:?}"
    ));
    assert_eq!(sums.limits(), Vec::<String>::new());
    assert_eq!(
        text(&seen, Sum::Sha256),
        "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14",
        "what sha256sum says of a gibibyte of nothing"
    );
}

/// How late somebody comes whose turn is in 5 ms.
async fn lateness() -> Duration {
    let turn = Instant::now() + Duration::from_millis(5);
    tokio::time::sleep_until(turn).await;
    Instant::now() - turn
}

#[allow(clippy::print_stderr)] // a figure for whoever runs this, and no verdict
fn print(text: &str) {
    eprintln!("{text}");
}
