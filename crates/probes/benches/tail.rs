//! What it costs to read a log.
//!
//! `cargo bench -p hinoban-probes --bench tail` prints how fast written lines are looked at, for patterns of both sorts, and
//! what a log costs that is written to ten thousand times a second.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench fails loudly, and prints its figures
#![allow(clippy::disallowed_methods)] // it is there to read the clock

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hinoban_probe::{Cause, Look, Probe};
use hinoban_probes::tail::Content;
use hinoban_probes::{FileContent, FileProbe};

const LINE: &str = "2026-11-23T22:00:00.000Z app[1234]: request 4711 of user somebody took 12 ms and was answered with 200\n";

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    println!("one look at a quiet log: {:.1} us", runtime.block_on(quiet(&path)) * 1e6);
    let all = LINE.repeat(64 << 20 >> 7);
    for (name, rules) in [("one text", 1), ("ten texts", 10)] {
        let content = (0..rules).fold(Content::new(64 << 10), |content, n| {
            let text = format!("ERROR{n}");
            content.rule(move |line| line.contains(&text))
        });
        println!("{name}: {:.0} MB/s", runtime.block_on(speed(&path, content, &all)));
    }
    runtime.block_on(busy(&path));
}

async fn look(probe: &mut FileContent, cause: Cause) {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    probe.observe(&Look::new(Instant::now() + Duration::from_secs(30), wall, cause)).await.unwrap();
}

async fn quiet(path: &Path) -> f64 {
    std::fs::write(path, LINE).unwrap();
    let content = Content::new(512).rule(|line| line.contains("ERROR"));
    let mut probe = FileContent::new(FileProbe::new(path.to_owned()), content);
    look(&mut probe, Cause::Due).await;
    let began = Instant::now();
    for _ in 0..10_000 {
        look(&mut probe, Cause::Due).await;
    }
    began.elapsed().as_secs_f64() / 10_000.0
}

/// Megabytes a second.
async fn speed(path: &Path, content: Content, all: &str) -> f64 {
    std::fs::write(path, "").unwrap();
    let mut probe = FileContent::new(FileProbe::new(path.to_owned()), content);
    look(&mut probe, Cause::Due).await;
    std::fs::write(path, all).unwrap();
    let began = Instant::now();
    let mut rest = true;
    while rest {
        look(&mut probe, Cause::Due).await;
        rest = probe.wakes().iter().any(|wake| matches!(wake, hinoban_probe::Wake::Fd(_)));
    }
    all.len() as f64 / 1e6 / began.elapsed().as_secs_f64()
}

/// Looks as the timer brings them, at ten thousand lines a second.
async fn busy(path: &Path) {
    std::fs::write(path, "").unwrap();
    let content = Content::new(64 << 10).rule(|line| line.contains("ERROR"));
    let mut probe = FileContent::new(FileProbe::new(path.to_owned()), content);
    look(&mut probe, Cause::Due).await;
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    let mut spent = Duration::ZERO;
    for _ in 0..15 {
        // A fifth of a second's worth.
        file.write_all(LINE.repeat(2000).as_bytes()).unwrap();
        let began = Instant::now();
        look(&mut probe, Cause::Early).await;
        spent += began.elapsed();
    }
    println!("10,000 lines a second: {:.2} % of a processor", spent.as_secs_f64() / 3.0 * 100.0);
}
