//! How far one supervisor goes: what a look costs, how late looks begin and what a service takes, at 100, 1,000 and 10,000
//! services; and the scheduler alone, at up to 100,000.
//!
//! `cargo bench -p hinoban-cli --bench scale` builds the daemon as a release is built and has it watch pidfiles. Few
//! processes stand behind them, for what a look costs does not depend on who else looks at the same process, and few hosts
//! have room for ten thousand that do nothing. `-- 30` measures each for thirty seconds instead of ten; `-- machine` measures
//! the scheduler alone.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench fails loudly, and prints its figures
#![allow(clippy::disallowed_methods)] // it is there to read the clock

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hinoban::config::{Branch, Condition, Config, Dialect, Kind, Operator, Program, Rule, Service, Then};
use hinoban::reading::{Identity, Moment, Now, Observation, Stamp, Value, metrics};
use hinoban::scheduler::{Effect, Input, Restored, Scheduler};

/// Time to come up and to forget the start, before anything is measured.
const WARM_UP: Duration = Duration::from_secs(10);

/// So many processes stand behind the pidfiles, at most.
const PROCESSES: usize = 200;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let seconds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(10);
    let machine_only = words.iter().any(|word| word == "machine");
    println!("| services in the scheduler alone | ns a due look | bytes each |");
    println!("|---|---|---|");
    for services in [100, 1_000, 10_000, 100_000] {
        println!("| {services} | {} |", machine(services));
    }
    if machine_only {
        return;
    }
    println!();
    println!(
        "| services | each | processor | µs a look | RSS MB | PSS MB | late: half | 99 % | longest | asked for pages: 99 % | \
         longest |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (services, period) in [(100, 1), (1_000, 1), (10_000, 10), (10_000, 1)] {
        println!("| {services} | {period} s | {} |", measure(services, period, Duration::from_secs(seconds)));
    }
}

/// Has the daemon watch so many services, and measures it.
fn measure(services: usize, period: u64, time: Duration) -> String {
    let folder = tempfile::tempdir().unwrap();
    let processes: Vec<Ended> = (0..services.min(PROCESSES)).map(|_| Ended(sleeper())).collect();
    for i in 0..services {
        let pid = processes[i % processes.len()].0.id();
        fs::write(folder.path().join(format!("p{i}.pid")), pid.to_string()).unwrap();
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = folder.path().join("hinoban.toml");
    fs::write(&file, configuration(folder.path(), services, period, port)).unwrap();
    let mut daemon = Ended(
        Command::new(program())
            .args(["-I", "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    std::thread::sleep(WARM_UP);
    let pid = daemon.0.id();
    let (begun, used, looks) = (Instant::now(), processor_time(pid), Late::now(port));
    assert!(daemon.0.try_wait().unwrap().is_none(), "the daemon did not come up");
    std::thread::sleep(time);
    let (passed, used) = (begun.elapsed(), processor_time(pid) - used);
    let looks = Late::now(port).since(&looks);
    let memory = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let megabytes = |label: &str| -> f64 {
        let line = memory.lines().find(|line| line.starts_with(label)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    };
    // And while somebody asks for all there is, again and again.
    let before = Late::now(port);
    let until = Instant::now() + time / 2;
    while Instant::now() < until {
        for path in ["/", "/_status?format=xml", "/api/v1/services"] {
            assert!(ask(port, path).len() > services, "{path}");
        }
    }
    let pages = Late::now(port).since(&before);
    let ms = |seconds: f64| format!("{:.1} ms", seconds * 1e3);
    format!(
        "{:.2} % | {:.1} | {:.1} | {:.1} | {} | {} | {} | {} | {}",
        used.as_secs_f64() * 100.0 / passed.as_secs_f64(),
        used.as_secs_f64() * 1e6 / looks.looks() as f64,
        megabytes("Rss:"),
        megabytes("Pss:"),
        ms(looks.quantile(0.5)),
        ms(looks.quantile(0.99)),
        ms(looks.quantile(1.0)),
        ms(pages.quantile(0.99)),
        ms(pages.quantile(1.0)),
    )
}

/// The daemon under test: that of this build, or the one that `HINOBAN` names.
fn program() -> PathBuf {
    std::env::var_os("HINOBAN").map_or(PathBuf::from(env!("CARGO_BIN_EXE_hinoban")), PathBuf::from)
}

fn configuration(folder: &Path, services: usize, period: u64, port: u16) -> String {
    let at = folder.display();
    let mut text = format!(
        "every = \"{period}s\"\n[files]\npidfile = \"{at}/pid\"\nidfile = \"{at}/id\"\nstatefile = \"{at}/state\"\n[log]\nfile = \
         \"{at}/log\"\n[web]\nlisten = \"127.0.0.1:{port}\"\nallow = [\"127.0.0.1\"]\n"
    );
    for i in 0..services {
        write!(
            text,
            "[service.p{i}]\npidfile = \"{at}/p{i}.pid\"\nstart = {{ run = \"/bin/true\" }}\n\
             [[service.p{i}.check]]\nwhen = \"cpu > 95%\"\nfor = \"5 cycles\"\nthen = \"alert\"\n\
             [[service.p{i}.check]]\nwhen = \"total memory > 900 MB\"\nfor = \"5 cycles\"\nthen = \"alert\"\n"
        )
        .unwrap();
    }
    text
}

fn ask(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens by now");
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
    answer
}

/// How late looks began, as `/api/v1/host` tells it: bounds in seconds, and how many looks stayed below.
struct Late(Vec<(f64, u64)>);

impl Late {
    fn now(port: u16) -> Self {
        let answer = ask(port, "/api/v1/host");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let known: serde_json::Value = serde_json::from_str(body).unwrap();
        let buckets = known["lateness"]["buckets"].as_array().unwrap().iter();
        Self(buckets.map(|b| (b["below_seconds"].as_f64().unwrap(), b["looks"].as_u64().unwrap())).collect())
    }

    /// What has come since.
    fn since(&self, before: &Self) -> Self {
        let earlier = |bound: f64| before.0.iter().find(|(b, _)| *b == bound).map_or(0, |(_, n)| *n);
        Self(self.0.iter().map(|(bound, n)| (*bound, n - earlier(*bound))).filter(|(_, n)| *n > 0).collect())
    }

    fn looks(&self) -> u64 {
        self.0.iter().map(|(_, n)| n).sum()
    }

    /// The bound that so many of them stayed below, in seconds.
    fn quantile(&self, part: f64) -> f64 {
        let wanted = (self.looks() as f64 * part).ceil() as u64;
        let mut passed = 0;
        let reached = self.0.iter().find(|(_, n)| {
            passed += n;
            passed >= wanted
        });
        reached.map_or(0.0, |(bound, _)| *bound)
    }
}

/// The scheduler alone, each look answered at once: time for a due look and what came of it, and room for each service.
fn machine(services: u32) -> String {
    let mut config = Config::empty(Dialect::Toml, "bench");
    config.every = Some(Duration::from_secs(1));
    config.services = (0..services).map(service).collect();
    let before = resident();
    let mut scheduler = Scheduler::new(&config, &Restored::default(), Moment::ZERO);
    let (mut looks, mut time) = (0u64, Duration::ZERO);
    let rounds = (400_000 / u64::from(services)).clamp(4, 400);
    let end = Moment::new(Duration::from_secs(rounds));
    let first = Moment::new(Duration::from_secs(1));
    while let Some(due) = scheduler.next_deadline().filter(|due| *due < end) {
        let micros = i64::try_from(due.elapsed().as_micros()).unwrap();
        let now = Now { moment: due, stamp: Stamp::from_micros(micros) };
        let begun = Instant::now();
        let effects = scheduler.handle(now, Input::Tick);
        let mut spent = begun.elapsed();
        for effect in effects {
            let Effect::Look { look, .. } = effect else { continue };
            let seen = Input::Observed { look, result: Ok(seen(look.service.0)) };
            let begun = Instant::now();
            scheduler.handle(now, seen);
            spent += begun.elapsed();
            if due >= first {
                looks += 1;
            }
        }
        if due >= first {
            time += spent;
        }
    }
    let room = (resident().saturating_sub(before)) / u64::from(services);
    format!(
        "{} | {}",
        time.as_nanos() / u128::from(looks.max(1)),
        if services < 10_000 { "–".into() } else { room.to_string() }
    )
}

fn service(i: u32) -> Arc<Service> {
    let rule = |metric: &str, limit: f64| Rule {
        when: Condition::Compare {
            metric: metric.to_owned(),
            operator: Operator::Greater,
            limit: Value::Real(limit),
        },
        fail: Branch::once(Then::Alert),
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    };
    let mut service = Service::new(format!("p{i}"), Kind::pidfile(format!("/run/p{i}.pid")));
    let words = vec!["/bin/start".to_owned()];
    service.start = Some(Program { words, uid: None, gid: None, timeout: Duration::from_secs(30) });
    service.rules =
        vec![Rule::existence(), rule(&metrics::CPU.name, 95.0), rule(&metrics::MEMORY_TOTAL.name, 9e8)];
    service.into()
}

/// As many readings as a process has.
fn seen(i: u32) -> Observation {
    let mut seen = Observation::up();
    seen.readings.reserve_exact(30);
    seen.identity = Some(Identity { pid: i + 1, start: 77 });
    for (n, metric) in metrics::ALL.iter().take(30).enumerate() {
        match metric.name.ends_with("percent") || metric.name.ends_with("rate") {
            true => seen.push(metric, 0.5 + n as f64),
            false => seen.push(metric, 1_000 + i64::from(i)),
        }
    }
    seen
}

/// Memory of this process that is in use, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Time on a processor of all its threads: the first field of `schedstat`, in nanoseconds.
fn processor_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let of = |path: PathBuf| {
        fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.filter_map(|task| of(task.path())).sum())
}

fn sleeper() -> Child {
    Command::new("sleep").arg("100000").spawn().unwrap()
}

/// Ends a process of ours when it is no longer needed.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}
