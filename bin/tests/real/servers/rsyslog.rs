//! rsyslogd as the daemon behind `/dev/log`.

use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{passed_over, root};
use crate::common::{World, wait_until};

pub(crate) const RSYSLOGD: &str = "/usr/sbin/rsyslogd";

/// Where every program of this host writes to.
const SOCKET: &str = "/dev/log";

/// A syslog daemon with its own configuration. Its lines are in the file `syslog`, facility and severity first.
pub(crate) struct Rsyslog<'a> {
    world: &'a World,
    daemon: Option<Child>,
    /// Held by one test of this host at a time: there is one socket only.
    _turn: File,
}

const CONFIGURATION: &str = "\
global(workDirectory=\"@/\")
module(load=\"imuxsock\" SysSock.Name=\"/dev/log\" SysSock.RateLimit.Interval=\"0\")
template(name=\"plain\" type=\"string\" string=\"%syslogfacility-text%.%syslogseverity-text% %syslogtag%%msg%\\n\")
*.* action(type=\"omfile\" file=\"@/syslog\" template=\"plain\")
";

impl<'a> Rsyslog<'a> {
    /// Writes its file; nothing runs yet. `None` if this host has a syslog daemon already, or we may not be it.
    pub(crate) fn new(world: &'a World) -> Option<Self> {
        if !root("to make /dev/log") {
            return None;
        }
        let turn = File::create("/tmp/hinoban-tests.dev-log").unwrap();
        turn.lock().unwrap();
        if taken() {
            passed_over("another program listens at /dev/log");
            return None;
        }
        world.write("rsyslog.conf", CONFIGURATION);
        Some(Self { world, daemon: None, _turn: turn })
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(RSYSLOGD);
        command.args(["-n", "-iNONE", "-f"]).arg(self.world.path("rsyslog.conf"));
        let errors = File::create(self.world.path("rsyslog.errors")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        self.daemon = Some(command.spawn().unwrap());
        wait_until("rsyslogd to listen", taken);
    }

    /// Ends it as a crash would: its socket stays behind, and nobody listens.
    pub(crate) fn crash(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    /// Lines that this process wrote.
    pub(crate) fn lines(&self, pid: i32) -> Vec<String> {
        let tag = format!(" hinoban[{pid}]: ");
        self.world.read("syslog").lines().filter(|line| line.contains(&tag)).map(str::to_owned).collect()
    }
}

/// Whether somebody listens at the socket.
fn taken() -> bool {
    UnixDatagram::unbound().unwrap().connect(SOCKET).is_ok()
}

impl Drop for Rsyslog<'_> {
    fn drop(&mut self) {
        let ran = self.daemon.is_some();
        self.crash();
        if ran && Path::new(SOCKET).exists() {
            let _ = std::fs::remove_file(SOCKET);
        }
        if std::thread::panicking() {
            println!("--- syslog\n{}{}", self.world.read("syslog"), self.world.read("rsyslog.errors"));
        }
    }
}
