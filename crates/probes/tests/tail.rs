//! Reading what is written into files, on real ones.

#![allow(clippy::unwrap_used)] // in helpers of tests too

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hinoban_probe::{Cause, Look, Probe, Wake};
use hinoban_probes::tail::Content;
use hinoban_probes::{FileContent, FileProbe};
use hinoban_reading::Value;

struct Log {
    _dir: tempfile::TempDir,
    path: PathBuf,
    probe: FileContent,
    /// Seconds since the Unix epoch, as the looks are told.
    wall: u64,
}

fn probe(path: &Path) -> FileContent {
    let content = Content::new(512).ignore(|line| line.contains("DEBUG")).rule(|line| line.contains("ERROR"));
    FileContent::new(FileProbe::new(path.to_owned()), content)
}

impl Log {
    /// A log that holds one old line and was seen once.
    async fn seen() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "old ERROR\n").unwrap();
        let wall = std::fs::metadata(&path).unwrap().modified().unwrap();
        let wall = wall.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut log = Self { _dir: dir, probe: probe(&path), path, wall };
        assert_eq!(log.hits().await, "", "what stood there before is nobody's business");
        log
    }

    async fn look(&mut self, cause: Cause) -> String {
        #[allow(clippy::disallowed_methods)] // a look needs a deadline on the real clock
        let deadline = Instant::now() + Duration::from_secs(30);
        let seen =
            self.probe.observe(&Look::new(deadline, Duration::from_secs(self.wall), cause)).await.unwrap();
        assert_eq!(self.probe.limits(), Vec::<String>::new());
        match seen.get("content.1") {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    async fn hits(&mut self) -> String {
        self.look(Cause::Due).await
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)
            .unwrap()
            .write_all(text.as_ref())
            .unwrap();
    }

    fn named(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// The supervisor ends and begins anew.
    fn reborn(&mut self) {
        let memory = self.probe.memory().expect("it remembers");
        self.probe = probe(&self.path);
        self.probe.recall(&memory);
        assert_eq!(self.probe.memory(), Some(memory), "also before its first look");
    }
}

#[tokio::test]
async fn each_line_is_told_once_when_it_is_whole() {
    let mut log = Log::seen().await;
    log.write("fine\nERROR 1\nDEBUG ERROR 2\nERR");
    assert_eq!(log.hits().await, "ERROR 1\n");
    assert_eq!(log.hits().await, "");
    log.write("OR 3");
    assert_eq!(log.hits().await, "");
    log.write("\nERROR 4\r\n\n");
    assert_eq!(log.hits().await, "ERROR 3\nERROR 4\r\n");
}

#[tokio::test]
async fn a_log_that_is_renamed_and_made_anew_loses_no_line() {
    let mut log = Log::seen().await;
    log.write("ERROR a\n");
    assert_eq!(log.hits().await, "ERROR a\n");
    let mut writer = OpenOptions::new().append(true).open(&log.path).unwrap();
    writer.write_all(b"ERROR b\n").unwrap();
    std::fs::rename(&log.path, log.named("log.1")).unwrap();
    log.write("ERROR c\n");
    // Its writer has not heard of it.
    writer.write_all(b"ERROR d\n").unwrap();
    assert_eq!(log.hits().await, "ERROR b\nERROR d\nERROR c\n");
    writer.write_all(b"ERROR e\n").unwrap();
    log.write("ERROR f\n");
    assert_eq!(log.hits().await, "ERROR e\nERROR f\n");
    writer.write_all(b"ERROR without end").unwrap();
    assert_eq!(log.hits().await, "");
    log.wall += 60;
    assert_eq!(log.hits().await, "ERROR without end\n", "now nothing more will come");
    writer.write_all(b"ERROR too late\n").unwrap();
    assert_eq!(log.hits().await, "");
}

#[tokio::test]
async fn what_is_removed_is_read_to_its_end_and_what_comes_in_its_place_from_its_beginning() {
    let mut log = Log::seen().await;
    log.write("ERROR a\n");
    std::fs::remove_file(&log.path).unwrap();
    assert_eq!(log.hits().await, "ERROR a\n");
    assert_eq!(log.hits().await, "");
    log.write("ERROR b\n");
    assert_eq!(log.hits().await, "ERROR b\n");
}

#[tokio::test]
async fn a_log_that_is_cut_is_read_from_its_beginning_also_when_it_has_grown_again() {
    let mut log = Log::seen().await;
    log.write("ERROR a\n");
    assert_eq!(log.hits().await, "ERROR a\n");
    File::create(&log.path).unwrap();
    log.write("ERROR b\n");
    assert_eq!(log.hits().await, "ERROR b\n");
    File::create(&log.path).unwrap();
    log.write("a longer line than all of that which was there before\nERROR c\n");
    assert_eq!(log.hits().await, "ERROR c\n");

    // Lines of one length that look alike: the first one has another date.
    let day = |day: u32| {
        format!("day {day}: ERROR\n")
            + &"and so on, line by line, in lines that are all the same\n".repeat(10)
    };
    File::create(&log.path).unwrap();
    log.write(day(1));
    assert_eq!(log.hits().await, "day 1: ERROR\n");
    File::create(&log.path).unwrap();
    log.write(day(2));
    log.write("and so on\n");
    assert_eq!(log.hits().await, "day 2: ERROR\n");
}

/// As logrotate's copytruncate leaves it under a writer that does not append: a hole, and what it writes behind that.
#[tokio::test]
async fn behind_a_hole_lines_are_read() {
    use std::os::unix::fs::FileExt;
    let mut log = Log::seen().await;
    log.write("ERROR a, which is long enough for a hole of some length\n");
    log.hits().await;
    let file = File::create(&log.path).unwrap();
    file.write_all_at(b"ERROR b\n", 70).unwrap();
    assert_eq!(log.hits().await, "ERROR b\n");
}

/// The log was larger than the longest line when it was cut, than what is read at a time, and than what one look reads.
#[tokio::test]
async fn a_hole_of_any_length_costs_no_line() {
    use std::os::unix::fs::FileExt;
    for length in [600, 5000, 200 << 10, 64 << 20, 1 << 40] {
        let mut log = Log::seen().await;
        let file = File::create(&log.path).unwrap();
        file.write_all_at(b"ERROR behind the hole\nERROR c\n", length).unwrap();
        assert_eq!(log.hits().await, "ERROR behind the hole\nERROR c\n", "a hole of {length} bytes");
        // The hole comes first, and the line later.
        let mut log = Log::seen().await;
        let file = File::create(&log.path).unwrap();
        file.set_len(length).unwrap();
        assert_eq!(log.hits().await, "");
        file.write_all_at(b"ERROR d\n", length).unwrap();
        assert_eq!(log.hits().await, "ERROR d\n", "written behind a hole of {length} bytes");
    }
}

#[tokio::test]
async fn what_was_written_while_nobody_looked_is_found_also_under_another_name() {
    let mut log = Log::seen().await;
    log.write("ERROR a\n");
    log.hits().await;
    log.reborn();
    log.write("ERROR b\n");
    assert_eq!(log.hits().await, "ERROR b\n");
    log.reborn();
    assert_eq!(log.hits().await, "", "and nothing is told twice");
    log.write("ERROR c\n");
    std::fs::rename(&log.path, log.named("log.1")).unwrap();
    log.write("ERROR d\n");
    log.reborn();
    assert_eq!(log.hits().await, "ERROR c\nERROR d\n");
    log.reborn();
    assert_eq!(log.hits().await, "");
}

#[tokio::test]
async fn a_file_that_came_while_we_watched_is_read_whole_and_an_older_one_is_not() {
    let mut log = Log::seen().await;
    let (new, old) = (log.named("new"), log.named("old"));
    log.path = new;
    log.probe = probe(&log.path);
    assert_eq!(log.hits().await, "");
    log.write("ERROR at once\n");
    assert_eq!(log.hits().await, "ERROR at once\n");
    // As if it were mounted: it was there before.
    log.path = old;
    log.probe = probe(&log.path);
    log.wall += 1000;
    assert_eq!(log.hits().await, "");
    log.write("ERROR of long ago\n");
    assert_eq!(log.hits().await, "");
    log.write("ERROR of now\n");
    assert_eq!(log.hits().await, "ERROR of now\n");
}

#[tokio::test]
async fn of_a_very_long_line_the_beginning_counts() {
    let mut log = Log::seen().await;
    let long = "x".repeat(511);
    log.write(format!("ERROR {long}{long}"));
    let hits = log.hits().await;
    assert!(hits.starts_with("ERROR xxx") && hits.ends_with("x\n...\n"), "{hits}");
    log.reborn();
    log.write("ERROR in the same line\nERROR in the next\n");
    assert_eq!(log.hits().await, "ERROR in the next\n");
    log.write(format!("{long}{long} ERROR\n{} ERROR\n", "y".repeat(300)));
    assert!(log.hits().await.starts_with("yyy"));
}

#[tokio::test]
async fn a_flood_is_read_in_portions_and_all_of_it() {
    let mut log = Log::seen().await;
    let line = format!("{}\n", "z".repeat(99));
    let mut text = line.repeat(100_000);
    text.push_str("ERROR at its end\n");
    log.write(&text);
    assert_eq!(log.hits().await, "");
    let timer = |wakes: Vec<Wake>| wakes.into_iter().any(|wake| matches!(wake, Wake::Fd(_)));
    assert!(timer(log.probe.wakes()), "the next look comes at once");
    let mut looks = 1;
    while log.look(Cause::Early).await.is_empty() {
        looks += 1;
    }
    assert!((2..10).contains(&looks), "{looks}");
    assert!(!timer(log.probe.wakes()));
}

#[tokio::test]
async fn writing_wakes_until_it_is_too_much() {
    let mut log = Log::seen().await;
    let content = |wakes: &[Wake]| wakes.iter().any(|wake| matches!(wake, Wake::Path(_)));
    assert!(content(&log.probe.wakes()));
    for _ in 0..8 {
        log.write("a line\n");
        log.look(Cause::Early).await;
    }
    assert!(!content(&log.probe.wakes()));
    log.look(Cause::Early).await;
    assert!(content(&log.probe.wakes()), "one look that finds nothing ends it");
}

#[tokio::test]
async fn a_file_of_the_kernel_is_read_whole_each_time() {
    let mut log = Log::seen().await;
    log.path = "/proc/self/status".into();
    log.probe = FileContent::new(
        FileProbe::new(log.path.clone()),
        Content::new(512).rule(|line| line.starts_with("Threads:")),
    );
    for _ in 0..2 {
        assert!(log.hits().await.starts_with("Threads:"));
    }
    assert_eq!(log.probe.memory(), None);
}

#[tokio::test]
async fn memory_of_another_kind_is_not_believed() {
    let mut log = Log::seen().await;
    for bytes in [&b""[..], b"\x02", b"\x01\x01short", &[1; 200], &[0xff; 60]] {
        log.probe.recall(bytes);
        log.hits().await;
    }
}
