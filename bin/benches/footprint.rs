//! What the daemon costs: memory and processor time, beside Monit where that is installed.
//!
//! `cargo bench -p hinoban-cli --bench footprint` builds the daemon as a release is built, has it watch 1, 100 and 500
//! processes of its own, and prints a line of figures for each. `-- 20` measures each for twenty seconds instead of ten.
//! Where a `monit` is on the path, it reads the same control file, and has a line beside ours.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a bench fails loudly, and prints its figures
#![allow(clippy::disallowed_methods)] // it is there to read the clock

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time to come up and to forget the start, before anything is measured.
const WARM_UP: Duration = Duration::from_secs(8);

fn main() {
    let seconds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(10);
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_hinoban"));
    let monit =
        ["/usr/bin/monit", "/usr/local/bin/monit"].into_iter().map(PathBuf::from).find(|p| p.exists());
    let contenders: Vec<_> =
        [Some(("hinoban", ours)), monit.map(|path| ("monit", path))].into_iter().flatten().collect();

    println!(
        "| what is watched | by | RSS kB | PSS kB | private kB | threads | CPU ms a minute | µs a look |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (processes, period) in [(1, 5), (100, 1), (500, 1)] {
        for (who, path) in &contenders {
            let figures = measure(path, processes, period, Duration::from_secs(seconds));
            let what = match processes {
                1 => "one web server, the system, a file system; each 5 s".to_owned(),
                n => format!("{n} processes; each {period} s"),
            };
            println!("| {what} | {who} | {figures} |");
        }
    }
}

/// Watches so many processes with this program, and measures it.
fn measure(program: &Path, processes: usize, period: u64, time: Duration) -> String {
    let folder = tempfile::tempdir().unwrap();
    let watched: Vec<Watched> = (0..processes).map(|i| Watched::start(folder.path(), i)).collect();
    let web = Web::start();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = folder.path().join("control");
    fs::write(&file, control(folder.path(), processes, period, port, web.port)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut daemon = Ended(
        Command::new(program)
            .args(["-I", "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    std::thread::sleep(WARM_UP);
    ask(port);
    assert!(daemon.0.try_wait().unwrap().is_none(), "{} did not come up", program.display());
    let pid = daemon.0.id();
    let (begun, before) = (Instant::now(), processor_time(pid));
    std::thread::sleep(time);
    let (used, passed) = (processor_time(pid) - before, begun.elapsed());
    let looks = match processes {
        // The process, its web test, the system and the file system.
        1 => 4.0,
        n => n as f64,
    } * passed.as_secs_f64()
        / period as f64;
    let memory = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let kilobytes = |label: &str| -> u64 {
        let line = memory.lines().find(|line| line.starts_with(label)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let private = kilobytes("Private_Clean:") + kilobytes("Private_Dirty:");
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
    drop((daemon, watched, web));
    format!(
        "{} | {} | {private} | {threads} | {:.0} | {:.1}",
        kilobytes("Rss:"),
        kilobytes("Pss:"),
        used.as_secs_f64() * 60_000.0 / passed.as_secs_f64(),
        used.as_secs_f64() * 1e6 / looks
    )
}

fn control(folder: &Path, processes: usize, period: u64, port: u16, web: u16) -> String {
    let at = folder.display();
    let mut text = format!(
        "set daemon {period}\nset pidfile {at}/pid\nset idfile {at}/id\nset statefile {at}/state\nset log {at}/log\n\
         set httpd port {port} and use address 127.0.0.1\n    allow 127.0.0.1\n    allow admin:bench\n"
    );
    for i in 0..processes {
        write!(
            text,
            "check process p{i} with pidfile {at}/p{i}.pid\n    start program = \"/bin/true\"\n    \
             if cpu > 95% for 5 cycles then alert\n    if total memory > 900 MB for 5 cycles then alert\n"
        )
        .unwrap();
    }
    if processes == 1 {
        write!(
            text,
            "    if failed host 127.0.0.1 port {web} protocol http and request \"/\" then alert\n\
             check system bench\n    if loadavg (5min) > 400 then alert\n    if memory usage > 99% then alert\n\
             check filesystem root with path /\n    if space usage > 99% then alert\n"
        )
        .unwrap();
    }
    text
}

/// Has it answer once, as whoever looks at it does.
fn ask(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens by now");
    // "admin:bench", as RFC 7617 writes it.
    let request = "GET /_status?format=xml HTTP/1.0\r\nAuthorization: Basic YWRtaW46YmVuY2g=\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
}

/// Time on a processor of all its threads: the first field of `schedstat`, in nanoseconds.
fn processor_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let of = |path: PathBuf| {
        fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.filter_map(|task| of(task.path())).sum())
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// A process with a pidfile.
struct Watched(Child);

impl Watched {
    fn start(folder: &Path, i: usize) -> Self {
        let child = Command::new("sleep").arg("100000").spawn().unwrap();
        fs::write(folder.join(format!("p{i}.pid")), child.id().to_string()).unwrap();
        Self(child)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A web server of one page.
struct Web {
    port: u16,
}

impl Web {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 1024]);
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
            }
        });
        Self { port }
    }
}
