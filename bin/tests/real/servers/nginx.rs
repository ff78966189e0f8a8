//! nginx, with an init script as a distribution has it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::common::{World, free_port, wait_until};

pub(crate) const NGINX: &str = "/usr/sbin/nginx";

/// A web server with its own configuration, script and port. Its files are `httpd`, `httpd.pid`, `error.log`.
pub(crate) struct Nginx<'a> {
    world: &'a World,
    pub(crate) port: u16,
}

const CONFIGURATION: &str = "\
error_log @/error.log notice;
pid @/httpd.pid;
lock_file @/nginx.lock;
worker_processes 1;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path @/tmp-body;
  proxy_temp_path @/tmp-proxy;
  fastcgi_temp_path @/tmp-fastcgi;
  uwsgi_temp_path @/tmp-uwsgi;
  scgi_temp_path @/tmp-scgi;
  server { listen 127.0.0.1:PORT; location / { return 200 \"well\\n\"; } }
}
";

/// A master that was killed leaves workers behind that hold its port, and a halted one does not take SIGTERM before
/// SIGCONT: a script has to know.
const SCRIPT: &str = "#!/bin/sh
echo \"$1\" >> @/script.log
case \"$1\" in
start)
  for fd in `find /proc/[0-9]*/fd/2 -lname @/error.log 2>/dev/null`; do
    pid=${fd#/proc/}
    kill -KILL ${pid%%/*}
  done
  exec /usr/sbin/nginx -e @/error.log -c @/nginx.conf
  ;;
stop)
  pid=`cat @/httpd.pid`
  kill -TERM $pid
  kill -CONT $pid
  ;;
esac
";

impl<'a> Nginx<'a> {
    /// Writes its files; nothing runs yet.
    pub(crate) fn new(world: &'a World) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let port = free_port();
        world.write("nginx.conf", &CONFIGURATION.replace("PORT", &port.to_string()));
        let script = world.write("httpd", SCRIPT);
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o700)).unwrap();
        Self { world, port }
    }

    /// Starts it as an administrator would, without the daemon. Gives its process id.
    pub(crate) fn start(&self) -> i32 {
        let status = Command::new(self.world.path("httpd")).arg("start").status().unwrap();
        assert!(status.success(), "{}", self.world.read("error.log"));
        self.answers();
        self.pid()
    }

    /// Its process id, once there is one.
    pub(crate) fn pid(&self) -> i32 {
        self.world.new_pid("httpd.pid", 0)
    }

    /// Waits for another process than `old` that answers. Gives its process id.
    pub(crate) fn back(&self, old: i32) -> i32 {
        let pid = self.world.new_pid("httpd.pid", old);
        self.answers();
        pid
    }

    /// Waits until it answers.
    pub(crate) fn answers(&self) {
        wait_until("nginx to answer", || self.ask().is_some_and(|answer| answer.ends_with("well\n")));
    }

    /// What it answers within two seconds.
    pub(crate) fn ask(&self) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Its master and workers: whoever writes errors to its log.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let log = self.world.path("error.log");
        let known = self.world.processes();
        let is = |pid: &i32| std::fs::read_link(format!("/proc/{pid}/fd/2")).is_ok_and(|path| path == log);
        known.into_iter().filter(is).collect()
    }

    /// How often its script was called with this word.
    pub(crate) fn called(&self, word: &str) -> usize {
        self.world.read("script.log").lines().filter(|line| *line == word).count()
    }
}

/// A control file that watches it, with a cycle of one second.
pub(crate) fn control_file(nginx: &Nginx<'_>) -> String {
    format!(
        "set daemon 1
set log @/log
set pidfile @/pid
set idfile @/id
set statefile @/state
check process httpd with pidfile @/httpd.pid
  start program = \"@/httpd start\" with timeout 2 seconds
  stop program = \"@/httpd stop\" with timeout 20 seconds
  if failed host 127.0.0.1 port {} protocol http with timeout 1 seconds then restart
",
        nginx.port
    )
}
