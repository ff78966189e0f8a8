//! What was, kept in a file: how much of it, for how long, and over which damage.

#![allow(clippy::unwrap_used)] // helpers of tests may fail them

use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban_event::{Because, Class, Doing, Event, Fact, Failure, Recovery, Report};
use hinoban_journal::history::{
    Asked, Block, Chunk, Content, FIRST, History, Incident, LAST, Over, Readings, SLOT, Series, StepKind,
    Thin, Trouble, Unkept,
};
use hinoban_reading::{Ending, How, Identity, Source, Stamp, Unit};

/// 2026-11-23, in seconds.
const NOW: i64 = 1_795_392_000;
const DAY: i64 = 86_400;
const MB: u64 = 1_000_000;

struct Kept {
    history: History,
    told: Arc<Mutex<Vec<String>>>,
}

impl Kept {
    fn begin(path: &Path, room: u64) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let history =
            History::begin(path, room, move |text| heard.lock().unwrap().push(text), || ()).unwrap();
        Self { history, told }
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&History, Box<dyn FnOnce(Result<T, Trouble>) + Send>),
    ) -> T {
        let (answer, answered) = mpsc::channel();
        ask(&self.history, Box::new(move |found| drop(answer.send(found))));
        answered.recv_timeout(Duration::from_secs(60)).unwrap().unwrap()
    }

    fn unkept(&self) -> Option<Unkept> {
        let (answer, answered) = mpsc::channel();
        self.history.unkept(move |found| drop(answer.send(found)));
        answered.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    fn incidents(&self, service: Option<&str>, limit: usize) -> Vec<Incident> {
        let service = service.map(str::to_owned);
        self.ask(|history, answer| history.incidents(service, limit, answer))
    }

    fn series(&self, service: &str) -> Vec<Series> {
        self.ask(|history, answer| history.series(service.to_owned(), answer))
    }

    fn readings(&self, service: &str, metric: &str, from: i64, to: i64, points: usize) -> Readings {
        let asked = Asked {
            service: service.to_owned(),
            part: None,
            metric: metric.to_owned(),
            from: at(from),
            to: at(to),
            points,
            fresh: Vec::new(),
        };
        self.ask(|history, answer| history.over_time(asked, answer))
    }

    fn event(&self, secs: i64, service: &str, fact: Fact) {
        let event = Event { id: 0, at: at(secs), service: service.into(), fact };
        assert!(self.history.event(Arc::new(event), Vec::new()));
    }

    fn end(self) -> Vec<String> {
        let (done, ended) = mpsc::channel();
        self.history.end(move || done.send(()).unwrap_or_default());
        ended.recv_timeout(Duration::from_secs(60)).unwrap();
        self.told.lock().unwrap().clone()
    }
}

fn at(secs: i64) -> Stamp {
    Stamp::from_micros(secs * 1_000_000)
}

fn series(service: &str, metric: &str) -> Series {
    Series { service: service.into(), part: "".into(), metric: metric.to_owned().into(), unit: Unit::Percent }
}

/// Readings of one series, `step` seconds apart.
fn raw(service: &str, metric: &str, from: i64, to: i64, step: i64, value: impl Fn(i64) -> f64) -> Chunk {
    let mut block = Block::new(from * 1000);
    (from..to).step_by(step as usize).for_each(|secs| block.push(secs * 1000, value(secs)));
    Chunk { series: series(service, metric), content: Content::Raw(block) }
}

fn thin(service: &str, metric: &str, secs: i64, value: f32) -> Chunk {
    let point = Thin { slot: secs / SLOT, count: 10, min: value - 1.0, mean: value, max: value + 1.0 };
    Chunk { series: series(service, metric), content: Content::Thin(point) }
}

fn failed(text: &str, times: u32) -> Fact {
    Fact::Failed(Failure {
        rule: 0,
        class: Class::NonExist,
        reason: None,
        text: text.to_owned(),
        detail: None,
        then: Doing::Restart,
        able: true,
        since: at(NOW),
        times,
        ending: None,
        lived: None,
        compared: None,
        dependants: Vec::new(),
        changed: false,
    })
}

fn recovered() -> Fact {
    Fact::Recovered(Recovery {
        rule: 0,
        class: Class::NonExist,
        text: "process is running".to_owned(),
        then: Doing::Alert,
        since: at(NOW),
        done: Vec::new(),
        ending: None,
        compared: None,
    })
}

fn noise(seed: i64) -> f64 {
    let mixed = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 40) % 1000) as f64 / 10.0
}

/// Bytes that the file takes on disk, and how long it is.
fn size(path: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).unwrap();
    (found.blocks() * 512, found.len())
}

#[test]
fn the_file_never_outgrows_its_room_though_weeks_of_readings_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.history");
    // A little less than one of the sizes that the file would like to have: it has to make do with half of that.
    let room = 4_400_000;
    let kept = Kept::begin(&path, room);
    let services: Vec<String> = (0..10).map(|i| format!("service{i}")).collect();
    let (mut longest, mut readings) = (0, 0);
    // Three weeks, half an hour at a time.
    for start in (NOW - 21 * DAY..NOW).step_by(1800) {
        let chunks: Vec<Chunk> = services
            .iter()
            .flat_map(|service| {
                let cpu = raw(service, "cpu.percent", start, start + 1800, 30, noise);
                let memory =
                    raw(service, "memory.bytes", start, start + 1800, 30, |s| (s / 90 * 4096) as f64);
                let slots = (start..start + 1800).step_by(300);
                let rest = slots.map(|secs| thin(service, "threads", secs, noise(secs) as f32));
                [cpu, memory].into_iter().chain(rest).collect::<Vec<_>>()
            })
            .collect();
        readings += 10 * 120;
        assert!(kept.history.readings(chunks));
        if start % 7200 == 0 {
            kept.incidents(None, 1);
            longest = longest.max(size(&path).1);
        }
    }
    kept.incidents(None, 1);
    let (blocks, length) = size(&path);
    println!(
        "{readings} raw readings came; on disk {blocks} bytes, long {length}, at most {longest}, room {room}"
    );
    assert!(longest <= room && length <= room, "{longest} {length}");
    // The newest is there as it came, the older as points, the oldest gone.
    let last = kept.readings("service3", "cpu.percent", NOW - 3600, NOW, 1000);
    assert_eq!(last.points.iter().map(|point| point.count).sum::<u32>(), 120);
    let day = kept.readings("service3", "cpu.percent", NOW - 2 * DAY, NOW - DAY, 24);
    assert!(day.points.len() >= 23, "{}", day.points.len());
    assert!(day.points.iter().all(|point| point.min < point.mean && point.mean < point.max));
    let oldest = kept.readings("service3", "cpu.percent", NOW - 21 * DAY, NOW - 20 * DAY, 24);
    assert_eq!(oldest.points, []);
    assert_eq!(kept.told(), Vec::<String>::new());
}

#[test]
fn a_smaller_room_makes_a_smaller_file_and_what_is_new_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.history");
    let kept = Kept::begin(&path, 16 * MB);
    for start in (NOW - 10 * DAY..NOW).step_by(3600) {
        let chunks =
            (0..20).map(|i| raw(&format!("service{i}"), "cpu.percent", start, start + 3600, 30, noise));
        assert!(kept.history.readings(chunks.collect()));
        kept.incidents(None, 1);
    }
    assert!(size(&path).1 > 2 * MB);
    assert!(kept.history.set_room(MB));
    kept.incidents(None, 1);
    assert!(size(&path).1 <= MB, "{:?}", size(&path));
    let last = kept.readings("service7", "cpu.percent", NOW - 3600, NOW, 10);
    assert_eq!(last.points.iter().map(|point| point.count).sum::<u32>(), 120);
    assert_eq!(kept.end(), Vec::<String>::new());
}

#[test]
fn raw_readings_become_points_after_eight_days_and_go_after_ninety() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::begin(&folder.path().join("h"), 64 * MB);
    let day = |ago: i64| NOW - ago * DAY;
    // Each write lets one old bucket go.
    for start in (day(100)..NOW).step_by(3 * 3600) {
        assert!(kept.history.readings(vec![raw("a", "load.1", start, start + 3600, 60, |s| (s % 7) as f64)]));
        kept.incidents(None, 1);
    }
    let counts = |from: i64| {
        let found = kept.readings("a", "load.1", from, from + 3600, 3600);
        (found.points.len(), found.points.iter().map(|point| point.count).sum::<u32>())
    };
    assert_eq!(counts(day(7)), (60, 60), "each of them");
    assert_eq!(counts(day(20)), (12, 60), "as points of five minutes");
    assert_eq!(counts(day(95)), (0, 0));
    let point = kept.readings("a", "load.1", day(20), day(20) + 300, 1).points[0];
    assert_eq!((point.at, point.min, point.max), (at(day(20)), 0.0, 6.0));
    // A service that is gone goes from the list as well.
    assert!(kept.history.readings(vec![thin("b", "load.1", NOW + 100 * DAY, 1.0)]));
    assert_eq!(kept.series("a"), []);
    assert_eq!(kept.series("b").len(), 1);
}

#[test]
fn a_failure_is_one_incident_with_what_was_seen_decided_done_and_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    let kept = Kept::begin(&path, MB);
    let because = Because::Rule { text: "process is not running".to_owned() };
    let (restart, command) = (Doing::Restart, Some("/bin/start --password=secret".to_owned()));
    kept.event(NOW, "httpd", failed("process is not running", 1));
    kept.event(NOW + 1, "httpd", failed("process is not running", 2));
    kept.event(NOW + 1, "httpd", Fact::Began { doing: restart.clone(), command, because: because.clone() });
    let how = How::Signalled { signal: 9, core: false };
    let ending = Ending::certain(Identity { pid: 7, start: 9 }, how, Source::Pidfd);
    let report = Report { took: Duration::from_millis(1500), ..Report::default() };
    kept.event(NOW + 2, "httpd", Fact::Ended { doing: restart, because, ok: true, report });
    kept.event(NOW + 3, "httpd", recovered());
    // Known only when all was over.
    kept.event(NOW + 4, "httpd", Fact::EndingLearned(ending.clone()));
    // An operator stops the one that took its place: that is another story.
    let stopped = Ending::certain(Identity { pid: 8, start: 10 }, How::Exited { status: 0 }, Source::Pidfd);
    kept.event(NOW + 5, "httpd", Fact::EndingLearned(stopped));
    kept.event(NOW + 5, "other", failed("connection refused", 1));
    kept.end();

    let kept = Kept::begin(&path, MB);
    let all = kept.incidents(None, 10);
    assert_eq!(all.iter().map(|i| (i.id, &*i.service)).collect::<Vec<_>>(), [(2, "other"), (1, "httpd")]);
    let httpd = &kept.incidents(Some("httpd"), 10)[0];
    assert_eq!((httpd.opened, httpd.closed, &httpd.cause), (at(NOW), Some(at(NOW + 3)), &Some(ending)));
    let steps: Vec<_> = httpd.steps().map(|step| (step.kind, step.text.as_str())).collect();
    assert_eq!(
        steps,
        [
            (StepKind::Seen, "process is not running"),
            (StepKind::Decided, "restart"),
            (StepKind::Done, "restart began: /bin/start"),
            (StepKind::Outcome, "restart succeeded after 1.5 s"),
            (StepKind::Outcome, "process is running"),
            (StepKind::Seen, "PID 7 was killed by signal 9 (SIGKILL)"),
        ]
    );
    assert_eq!(kept.ask(|history, answer| history.incident(2, answer)).unwrap().service, "other".into());
    assert_eq!(kept.ask(|history, answer| history.incident(3, answer)), None);
    // The one that went on goes on, and a new one has a number of its own.
    kept.event(
        NOW + 9,
        "other",
        Fact::Recovered(match recovered() {
            Fact::Recovered(recovery) => recovery,
            _ => unreachable!(),
        }),
    );
    kept.event(NOW + 10, "httpd", failed("process is not running", 1));
    let all = kept.incidents(None, 10);
    assert_eq!(
        all.iter().map(|i| (i.id, i.closed)).collect::<Vec<_>>(),
        [(3, None), (2, Some(at(NOW + 9))), (1, Some(at(NOW + 3)))]
    );
}

#[test]
fn a_new_life_closes_what_nobody_told_the_end_of_and_opens_what_nobody_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    let kept = Kept::begin(&path, MB);
    ["well", "gone", "fails"].into_iter().for_each(|name| kept.event(NOW, name, failed("down", 1)));
    drop(kept.incidents(None, 1));
    drop(kept);

    let kept = Kept::begin(&path, MB);
    let failing = vec![(0, Class::NonExist, at(NOW))];
    let new = vec![(0, Class::Resource, at(NOW + 50))];
    let stand = [("well", vec![]), ("fails", failing), ("new", new)];
    let stand = stand.into_iter().map(|(name, rules)| (name.into(), rules)).collect();
    assert!(kept.history.stand(at(NOW + 60), stand, true));
    let state =
        |name: &str| kept.incidents(Some(name), 5).iter().map(|i| (i.opened, i.closed)).collect::<Vec<_>>();
    assert_eq!(state("well"), [(at(NOW), Some(at(NOW + 60)))]);
    assert_eq!(state("gone"), [(at(NOW), Some(at(NOW + 60)))]);
    assert_eq!(state("fails"), [(at(NOW), None)]);
    assert_eq!(state("new"), [(at(NOW + 50), None)]);
}

#[test]
fn what_falls_after_something_it_depends_on_is_put_down_to_that() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::begin(&folder.path().join("h"), MB);
    let needs = || vec!["cache".into(), "db".into()];
    for (secs, name, needs) in [(0, "db", vec![]), (1, "app", needs()), (2, "cache", vec![])] {
        let event = Event { id: 0, at: at(NOW + secs), service: name.into(), fact: failed("down", 1) };
        assert!(kept.history.event(Arc::new(event), needs));
    }
    let of = |name: &str| kept.incidents(Some(name), 1)[0].attributed.clone();
    assert_eq!((of("app").as_deref(), of("db"), of("cache")), (Some("db"), None, None));
}

#[test]
fn that_something_changed_is_over_when_it_is_said_and_what_it_sets_off_belongs_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::begin(&folder.path().join("h"), MB);
    let Fact::Failed(failure) = failed("checksum was changed", 1) else { unreachable!() };
    kept.event(NOW, "file", Fact::Failed(Failure { changed: true, then: Doing::Exec, ..failure }));
    let because = Because::Rule { text: "checksum was changed".to_owned() };
    kept.event(NOW, "file", Fact::Began { doing: Doing::Exec, command: None, because });
    let found = &kept.incidents(Some("file"), 5)[0];
    assert_eq!(found.closed, Some(at(NOW)));
    assert_eq!(found.steps().last().unwrap().text, "exec began");
}

#[test]
fn a_failure_without_end_keeps_its_beginning_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::begin(&folder.path().join("h"), MB);
    kept.event(NOW, "a", failed("down", 1));
    for i in 0..500 {
        kept.event(NOW + i, "a", Fact::Commanded { doing: Doing::Start, by: format!("user {i}") });
        if i % 100 == 0 {
            kept.incidents(None, 1);
        }
    }
    let found = &kept.incidents(Some("a"), 1)[0];
    assert_eq!((found.first.len(), found.last.len()), (FIRST, LAST));
    assert_eq!(found.left_out as usize, 502 - FIRST - LAST);
    assert!(found.last.last().unwrap().text.starts_with("user 499 "));
}

#[test]
fn incidents_leave_room_for_readings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    let kept = Kept::begin(&path, MB);
    assert!(kept.history.readings(vec![raw("a", "load.1", NOW, NOW + 3600, 10, noise)]));
    for i in 0..2000 {
        kept.event(NOW + i, "a", failed(&"it is down ".repeat(20), 1));
        kept.event(NOW + i, "a", recovered());
        if i % 50 == 0 {
            kept.incidents(None, 1);
        }
    }
    let all = kept.incidents(None, 5000);
    assert_eq!(all[0].id, 2000);
    assert!(all.len() > 50 && all.len() < 1000, "{}", all.len());
    assert!(size(&path).1 <= MB);
    assert_eq!(kept.readings("a", "load.1", NOW, NOW + 3600, 1).points[0].count, 360);
}

#[test]
fn what_is_not_on_disk_yet_is_in_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::begin(&folder.path().join("h"), MB);
    let asked = Asked {
        service: "a".to_owned(),
        part: None,
        metric: "load.1".to_owned(),
        from: at(NOW),
        to: at(NOW + 600),
        points: 2,
        fresh: vec![raw("a", "load.1", NOW, NOW + 600, 60, |_| 3.0)],
    };
    let found = kept.ask(|history, answer| history.over_time(asked, answer));
    assert_eq!(found.unit, Some(Unit::Percent));
    assert_eq!(
        found.points.iter().map(|p| (p.at, p.count, p.mean)).collect::<Vec<_>>(),
        [(at(NOW), 5, 3.0), (at(NOW + 300), 5, 3.0)]
    );
    assert!(!folder.path().join("h").exists(), "a question makes no file");
}

#[test]
fn what_is_no_history_is_put_aside_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    let good = {
        let kept = Kept::begin(&path, MB);
        kept.event(NOW, "a", failed("down", 1));
        kept.end();
        std::fs::read(&path).unwrap()
    };
    let half = good[..good.len() / 2].to_vec();
    let mut torn = good.clone();
    torn[4096..].iter_mut().for_each(|byte| *byte = 0xa5);
    for (i, bytes) in [b"somebody's diary".to_vec(), half, torn].into_iter().enumerate() {
        std::fs::write(&path, &bytes).unwrap();
        let kept = Kept::begin(&path, MB);
        kept.event(NOW, "b", failed("down", 1));
        let found = kept.incidents(None, 5);
        assert_eq!(found.len(), 1, "{i}");
        assert!(found[0].id >= NOW as u64, "{i}: a number of the damaged one is not given again");
        let told = kept.end();
        assert!(told.len() == 1 && told[0].contains("it is kept as"), "{i}: {told:?}");
        let aside = folder.path().join(format!("h.damaged-{}", i + 1));
        assert_eq!(std::fs::read(aside).unwrap().len(), bytes.len(), "{i}");
    }
}

#[test]
fn a_disk_that_refuses_is_told_once_and_what_failed_is_written_when_it_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("place");
    let path = place.join("h");
    let kept = Kept::begin(&path, MB);
    // There is no such folder.
    kept.event(NOW, "a", failed("down", 1));
    kept.event(NOW + 1, "b", failed("down", 1));
    let (answer, answered) = mpsc::channel();
    kept.history.incidents(None, 1, Box::new(move |found| drop(answer.send(found))));
    let found = answered.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
    assert_eq!(found.iter().map(|held| &*held.service).collect::<Vec<_>>(), ["b"], "it is held in memory");
    let unkept = kept.unkept().unwrap();
    assert!(unkept.since == at(NOW + 1) && unkept.why.contains("No such file"), "{unkept:?}");
    assert_eq!(kept.told().len(), 1, "{:?}", kept.told());
    std::fs::create_dir(&place).unwrap();
    kept.event(NOW + 2, "c", failed("down", 1));
    assert_eq!(kept.incidents(None, 5).len(), 3);
    assert_eq!(kept.unkept(), None);
}

#[test]
fn a_file_that_cannot_be_read_loses_nothing_of_what_fails_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    let kept = Kept::begin(&path, MB);
    ["a", "b"].into_iter().for_each(|name| kept.event(NOW, name, failed("down", 1)));
    kept.end();
    // A folder of this name is in the way.
    let away = folder.path().join("away");
    std::fs::rename(&path, &away).unwrap();
    std::fs::create_dir(&path).unwrap();
    let kept = Kept::begin(&path, MB);
    let still = vec![("a".into(), vec![(0, Class::NonExist, at(NOW))])];
    assert!(kept.history.stand(at(NOW + 9), still, true));
    kept.event(NOW + 10, "c", failed("down", 1));
    let held = kept.incidents(None, 5);
    assert_eq!(held.iter().map(|held| &*held.service).collect::<Vec<_>>(), ["c", "a"]);
    assert!(held.iter().all(|held| held.id >= NOW as u64), "{held:?}");
    assert!(kept.unkept().unwrap().why.contains("not a regular file"));
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&away, &path).unwrap();
    kept.event(NOW + 20, "c", recovered());
    let all = kept.incidents(None, 5);
    let all: Vec<_> = all.iter().map(|i| (&*i.service, i.id < 10, i.closed.is_some())).collect();
    assert_eq!(all, [("c", false, true), ("a", false, false), ("b", true, true), ("a", true, true)]);
    assert_eq!(kept.unkept(), None);
}

#[test]
fn how_it_ended_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::begin(&folder.path().join("h"), MB);
    for name in ["mended", "left", "taken", "other", "open"] {
        kept.event(NOW, name, failed("down", 1));
    }
    kept.event(NOW + 1, "mended", recovered());
    kept.event(NOW + 9, "left", Fact::Monitoring { on: false });
    assert!(kept.history.removed(at(NOW + 9), vec!["taken".into()]));
    assert!(kept.history.stand(at(NOW + 9), vec![("other".into(), vec![])], false));
    let over = |name: &str| kept.incidents(Some(name), 1)[0].over;
    assert_eq!(over("mended"), Some(Over::Recovered));
    assert_eq!(over("left"), Some(Over::Unwatched));
    assert_eq!(over("taken"), Some(Over::Removed));
    assert_eq!(over("other"), Some(Over::Changed));
    assert_eq!(over("open"), None);
}

#[test]
fn who_hands_over_more_than_a_disk_takes_is_told_so_and_never_waits() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::begin(&folder.path().join("h"), MB);
    // Somebody who does not answer stands in for a disk that hangs.
    let (go_on, held) = mpsc::channel::<()>();
    kept.history.incidents(None, 1, Box::new(move |_| held.recv().unwrap()));
    let event = Arc::new(Event { id: 0, at: at(NOW), service: "a".into(), fact: recovered() });
    let taken = (0..10_000).filter(|_| kept.history.event(event.clone(), Vec::new())).count();
    assert!(taken > 1000 && taken < 5000, "{taken}");
    assert!(!kept.history.readings(vec![thin("a", "load.1", NOW, 1.0)]));
    go_on.send(()).unwrap();
    let (_keep, nobody) = mpsc::channel::<()>();
    for _ in 0..3000 {
        if kept.history.event(event.clone(), Vec::new()) {
            return;
        }
        let _ = nobody.recv_timeout(Duration::from_millis(10));
    }
    panic!("it takes nothing any more");
}

/// The writer that is killed: this test's own binary, told by a variable to write until it dies.
const WRITER: &str = "HINOBAN_HISTORY_WRITER";

#[test]
fn killed_at_any_moment_it_can_be_read_and_holds_what_was_finished() {
    if let Some(path) = std::env::var_os(WRITER) {
        let kept = Kept::begin(Path::new(&path), MB);
        for i in 0.. {
            kept.event(NOW + i, "a", failed("down", 1));
            kept.event(NOW + i, "a", recovered());
            let start = NOW + 3600 * i;
            assert!(kept.history.readings(vec![raw("a", "load.1", start, start + 3600, 5, noise)]));
            let written = kept.incidents(None, 1)[0].id;
            let note = |ending: &str| format!("{}.{ending}", Path::new(&path).display());
            std::fs::write(note("new"), written.to_string()).unwrap();
            std::fs::rename(note("new"), note("written")).unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    let finished = || {
        let text = std::fs::read_to_string(folder.path().join("h.written")).unwrap_or_default();
        text.parse::<u64>().unwrap_or(0)
    };
    for death in 0..8u64 {
        let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed_at_any_moment_it_can_be_read_and_holds_what_was_finished"])
            .env(WRITER, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let before = finished();
        let (_keep, nobody) = mpsc::channel::<()>();
        for _ in 0..3000 {
            if finished() > before + death {
                break;
            }
            let _ = nobody.recv_timeout(Duration::from_millis(3));
        }
        let _ = nobody.recv_timeout(Duration::from_micros(700 * death));
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(finished() > before, "nothing was written");
        let kept = Kept::begin(&path, MB);
        let last = kept.incidents(None, 1)[0].id;
        assert!(last >= finished(), "{last} {}", finished());
        assert_eq!(kept.end(), Vec::<String>::new());
    }
}
