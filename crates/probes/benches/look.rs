//! What one look at a process costs: the probe alone, without a scheduler, over a thousand probes of two hundred processes.
//!
//! `cargo bench -p hinoban-probes --bench look`. Processor time of the one thread that looks, the median of some rounds.
//! What rules name decides what is read each time; the rest of it is read every twenty seconds.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench fails loudly, and prints its figures
#![allow(clippy::disallowed_methods)] // it is there to read the clock

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hinoban_probe::{Cause, Look, Probe};
use hinoban_probes::{MatchingProcess, PidfileProcess};
use rustix::time::{ClockId, clock_gettime};

const PROBES: usize = 1000;
const PROCESSES: usize = 200;
const ROUNDS: usize = 40;

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let time = |i: usize| format!("{}.{}", 10_000 + i, std::process::id());
    let spawn = |i| Ended(Command::new("sleep").arg(time(i)).spawn().unwrap());
    let processes: Vec<Ended> = (0..PROCESSES).map(spawn).collect();
    let pidfiles: Vec<PathBuf> = (0..PROBES).map(|i| folder.path().join(format!("{i}.pid"))).collect();
    for (i, path) in pidfiles.iter().enumerate() {
        std::fs::write(path, processes[i % PROCESSES].0.id().to_string()).unwrap();
    }
    // A pidfile that was just written is read again and again for a second or two.
    std::thread::sleep(Duration::from_secs(3));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("| found by | rules name | µs a look |");
    println!("|---|---|---|");
    println!("| no probe: `stat` and `statm` read from open files | | {:.1} |", floor(&processes));
    let cases: [(&str, &[&str]); 5] = [
        ("processor and memory", &["cpu.percent", "memory.total.bytes"]),
        ("open files too", &["cpu.percent", "fds.percent"]),
        ("traffic too", &["cpu.percent", "disk.write.rate"]),
        ("open files, traffic, security attribute", &["fds.open", "read.rate", "security.attribute"]),
        ("its cgroup too", &["cgroup.memory.percent"]),
    ];
    for (told, names) in cases {
        let probes =
            pidfiles.iter().map(|path| PidfileProcess::new(path.clone()).asked(names.iter().copied()));
        println!("| pidfile | {told} | {:.1} |", runtime.block_on(measure(probes.collect())));
    }
    let matching = |i: usize| {
        let line = format!("sleep {}", time(i % PROCESSES));
        MatchingProcess::new(line.clone(), move |command: &str| command == line)
    };
    let probes = (0..PROBES).map(matching).collect();
    println!("| command line | processor and memory | {:.1} |", runtime.block_on(measure(probes)));
}

/// Looks with all of them in rounds, and gives microseconds of processor time for each look.
async fn measure<P: Probe>(mut probes: Vec<P>) -> f64 {
    let mut rounds = Vec::new();
    for round in 0..ROUNDS + 3 {
        let begun = thread_time();
        for probe in &mut probes {
            let deadline = Instant::now() + Duration::from_secs(10);
            let seen = probe.observe(&Look::new(deadline, Duration::ZERO, Cause::Due)).await.unwrap();
            assert!(seen.standing.is_up(), "{seen:?}");
        }
        // The first of them open files, and rates begin with the second.
        if round >= 3 {
            rounds.push((thread_time() - begun).as_secs_f64() * 1e6 / probes.len() as f64);
        }
        tokio::time::sleep(Duration::from_millis(110)).await;
    }
    rounds.sort_unstable_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// What the kernel takes for the two files that no look can do without, on this host at this moment.
fn floor(processes: &[Ended]) -> f64 {
    let open = |child: &Ended, name| File::open(format!("/proc/{}/{name}", child.0.id())).unwrap();
    let files: Vec<[File; 2]> = processes.iter().map(|p| [open(p, "stat"), open(p, "statm")]).collect();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = thread_time();
        for file in files.iter().cycle().take(PROBES).flatten() {
            file.read_at(&mut [0; 1024], 0).unwrap();
        }
        rounds.push((thread_time() - begun).as_secs_f64() * 1e6 / PROBES as f64);
    }
    rounds.sort_unstable_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
