//! A place of its own for each test: a folder, the binary, and everything that was started, ended with the test.

#![allow(dead_code)] // each test binary uses its part
#![allow(clippy::unwrap_used, clippy::print_stderr)] // helpers of tests may fail them, and say so

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The binary under test.
pub(crate) const HINOBAN: &str = env!("CARGO_BIN_EXE_hinoban");

/// How long to wait for what must happen. Generous: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A world for one test.
#[derive(Debug)]
pub(crate) struct World {
    dir: tempfile::TempDir,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) fn new() -> Self {
        // Short: the paths of unix sockets have 107 bytes at most.
        Self { dir: tempfile::Builder::new().prefix("hb").tempdir_in("/tmp").unwrap() }
    }

    /// A path in the folder of this test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder of this test.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file, readable by ourselves only. `@/` in the text becomes the folder of this test.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, text.replace("@/", &format!("{}/", self.dir.path().display()))).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// What a file holds; empty if there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Runs the binary in the folder of this test, with nobody's home directory.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(HINOBAN);
        command.args(line.split_whitespace()).current_dir(self.dir.path());
        command.env("HOME", self.dir.path()).env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, line: &str) -> Done {
        finished(self.command(line).output().unwrap())
    }

    /// Runs the binary to its end, and wants it to succeed.
    pub(crate) fn ok(&self, line: &str) -> Done {
        let done = self.run(line);
        assert_eq!(done.code, Some(0), "{line}: {done:?}\nlog: {}", self.read("log"));
        done
    }

    /// The names of all files in the folder of this test, in order.
    pub(crate) fn files(&self) -> Vec<String> {
        let found = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> =
            found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The process id in a file, once there is one.
    pub(crate) fn pid(&self, name: &str) -> i32 {
        wait_for(&format!("a pid in {name}"), || self.read(name).trim().parse().ok())
    }

    /// The process id in a file, once it is another than `old`.
    pub(crate) fn new_pid(&self, name: &str, old: i32) -> i32 {
        wait_for(&format!("another pid than {old} in {name}"), || {
            self.read(name).trim().parse().ok().filter(|pid| *pid != old && alive(*pid))
        })
    }

    /// Waits until the log holds this text `times` times.
    pub(crate) fn logged(&self, text: &str, times: usize) {
        wait_until(&format!("{times} times in the log: {text}"), || {
            self.read("log").matches(text).count() >= times
        });
    }
}

impl Drop for World {
    /// Ends every process that has the folder of this test in its command line or its environment, with SIGKILL.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log\n{}", self.read("log"));
        }
        // What is ended may just have started something else: until nobody is found, twice.
        let mut nobody = 0;
        for _ in 0..200 {
            let found = self.processes();
            nobody = if found.is_empty() { nobody + 1 } else { 0 };
            if nobody == 2 {
                break;
            }
            for pid in found {
                kill(pid, "KILL");
            }
            pause(Duration::from_millis(5));
        }
    }
}

impl World {
    /// Processes that know of this folder: by their command line, their environment, or an open file. Some daemons
    /// write over the first two.
    pub(crate) fn processes(&self) -> HashSet<i32> {
        let needle = self.dir.path().to_str().unwrap();
        let us = std::process::id().to_string();
        let found = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = found.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| *name != us);
        let know = |pid: &i32| {
            ["cmdline", "environ"].iter().any(|file| {
                let text = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&text).contains(needle)
            }) || std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|files| {
                let paths = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
                paths.into_iter().any(|path| path.starts_with(self.dir.path()))
            })
        };
        pids.filter_map(|name| name.parse().ok()).filter(know).collect()
    }
}

/// What a finished command came to.
pub(crate) fn finished(output: Output) -> Done {
    Done {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Sends a signal, by the name that kill(1) knows.
pub(crate) fn kill(pid: i32, signal: &str) {
    let _ =
        Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).stderr(Stdio::null()).status();
}

/// Whether a process lives; one that nobody has collected yet does not.
pub(crate) fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A TCP port of 127.0.0.1 that nobody listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until this is so, or fails after [`PATIENCE`].
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    wait_for(what, || so().then_some(()));
}

/// Waits until there is one, or fails after [`PATIENCE`].
pub(crate) fn wait_for<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / 20 {
        if let Some(found) = there() {
            return found;
        }
        pause(Duration::from_millis(20));
    }
    panic!("waited {} s for {what}", PATIENCE.as_secs());
}

/// Lets time pass: for what must not happen, and between two looks at what must.
pub(crate) fn pause(time: Duration) {
    // A channel that nobody sends on: the project's lints rightly distrust a plain sleep.
    let (_keep, nobody) = mpsc::channel::<()>();
    let _ = nobody.recv_timeout(time);
}

/// A control file that watches one shell-script daemon called `svc`, with a cycle of one second.
pub(crate) const CONTROL_FILE: &str = r#"
set daemon 1
set log @/log
set pidfile @/pid
set idfile @/id
set statefile @/state
check process svc with pidfile @/svc.pid
  start program = "/bin/sh -c 'sleep 1000 & echo $! > @/svc.pid'"
  stop program = "/bin/sh -c 'kill `cat @/svc.pid`; rm @/svc.pid'"
  group web
"#;

/// The same in TOML.
pub(crate) const TOML: &str = r#"
every = "1s"
[files]
pidfile = "@/pid"
idfile = "@/id"
statefile = "@/state"
[log]
file = "@/log"
[service.svc]
pidfile = "@/svc.pid"
groups = ["web"]
start = ["/bin/sh", "-c", "sleep 1000 & echo $! > @/svc.pid"]
stop = ["/bin/sh", "-c", "kill $(cat @/svc.pid); rm @/svc.pid"]
"#;
