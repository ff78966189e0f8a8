//! The syslog daemon of this host.
//!
//! The lines are those of RFC 3164 as syslog(3) sends them to a local daemon: priority, local time, ident, text, and no
//! host name. Writer and format are ours: the `syslog` crate, whose names of facilities and severities these are,
//! fails for ever once the daemon has restarted, and stamps its lines with UTC.

use std::io::{self, Write as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use ::syslog::Severity;
use hinoban_event::Level;

use super::lane::Sink;
use super::{Line, SyslogOptions, plain};
use crate::local::Clock;

/// Longest text sent in one line: daemons take 8 KiB (rsyslog's `$MaxMessageSize`) with the header.
const LONGEST: usize = 8000;

/// How long a daemon whose queue is full may keep us before the line is tried again later.
const PATIENCE: Duration = Duration::from_millis(200);

pub(super) struct Syslog {
    options: SyslogOptions,
    socket: Option<Socket>,
    local: Clock,
}

enum Socket {
    Datagram(UnixDatagram),
    /// Of some daemons it is a stream; lines end in a NUL there, as syslog(3) does it.
    Stream(UnixStream),
}

impl Syslog {
    pub(super) fn new(options: SyslogOptions, local: Clock) -> Self {
        Self { options, socket: None, local }
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(connect(&self.options)?),
        };
        let sent = match socket {
            Socket::Datagram(socket) => socket.send(line.as_bytes()).map(drop),
            Socket::Stream(socket) => socket.write_all(format!("{line}\0").as_bytes()),
        };
        if let Err(e) = &sent {
            // Only a datagram that found the queue full may be sent again on the same socket. After any other error
            // the daemon has gone, or has seen half a line.
            if !matches!((&self.socket, e.kind()), (Some(Socket::Datagram(_)), io::ErrorKind::WouldBlock)) {
                self.socket = None;
            }
        }
        sent
    }

    fn format(&self, line: &Line) -> String {
        let priority = self.options.facility as u32 | severity(line.level) as u32;
        let stamp = (self.local)().syslog(line.at);
        let text = &line.text[..line.text.floor_char_boundary(LONGEST)];
        let text = plain(text, None);
        format!("<{priority}>{stamp} {}[{}]: {text}", self.options.ident, std::process::id())
    }
}

impl Sink for Syslog {
    fn put(&mut self, line: &Line) -> io::Result<()> {
        let line = self.format(line);
        let connected = self.socket.is_some();
        match self.send(&line) {
            // A daemon that has restarted is there again under the same name: the first line after that is not late.
            Err(_) if connected && self.socket.is_none() => self.send(&line),
            sent => sent,
        }
    }

    fn reopen(&mut self) {
        self.socket = None;
    }

    fn name(&self) -> String {
        format!("syslog at {}", self.options.socket.display())
    }
}

fn connect(options: &SyslogOptions) -> io::Result<Socket> {
    let datagram = UnixDatagram::unbound()?;
    match datagram.connect(&options.socket) {
        Ok(()) => {
            datagram.set_write_timeout(Some(PATIENCE))?;
            Ok(Socket::Datagram(datagram))
        }
        Err(e) if e.raw_os_error() == Some(libc::EPROTOTYPE) => {
            let stream = UnixStream::connect(&options.socket)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Socket::Stream(stream))
        }
        Err(e) => Err(e),
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::LOG_ERR,
        Level::Warning => Severity::LOG_WARNING,
        Level::Info => Severity::LOG_INFO,
        Level::Debug => Severity::LOG_DEBUG,
    }
}

#[cfg(test)]
mod tests {
    use hinoban_reading::Stamp;

    use super::*;

    #[test]
    fn a_line_is_one_line_of_rfc_3164_in_local_time() {
        let options =
            SyslogOptions { facility: super::super::facility("log_local3").unwrap(), ..Default::default() };
        let syslog = Syslog::new(options, Box::new(|| crate::local::Local::east(9)));
        let at = Stamp::from_micros(1_793_701_974_000_000);
        let text = "'web' failed to start -- first\nsecond\u{7}".to_owned();
        let expected = format!(
            "<155>Nov  3 19:32:54 hinoban[{}]: 'web' failed to start -- first#012second#007",
            std::process::id()
        );
        assert_eq!(syslog.format(&Line { level: Level::Error, at, text }), expected);
    }
}
