//! Going to the background: the parent goes on only when the daemon is up, and says so if it did not come up.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::process::{Pid, WaitOptions, setsid, waitpid};

use crate::sys;

/// Which of the two we are after [`detach`].
#[derive(Debug)]
pub(crate) enum Side {
    /// The one that was started from the terminal; it knows how the daemon fared: `Ok` has what does not
    /// work all the same, a line each, `Err` why it did not come up.
    Parent(Result<String, String>),
    /// The daemon.
    Daemon(Ready),
}

/// The daemon's side of the line to its parent.
#[derive(Debug)]
pub(crate) struct Ready(Option<File>);

/// What the daemon writes when it is up, before what does not work all the same; anything else is why it is not.
const UP: &[u8] = b"\0up";

/// Forks twice, so that the daemon has no terminal and cannot get one. To be called before any thread exists.
///
/// # Errors
/// If there can be no more processes.
pub(crate) fn detach() -> io::Result<Side> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (mut read, write) = (File::from(read), File::from(write));
    if let Some(middle) = sys::fork()? {
        drop(write);
        if let Some(pid) = Pid::from_raw(middle) {
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
        let mut told = Vec::new();
        let _ = read.read_to_end(&mut told);
        return Ok(Side::Parent(match told.as_slice() {
            [] => Err("The daemon ended before it was up; start it with -I to see why".to_owned()),
            told => match told.strip_prefix(UP) {
                Some(lacks) => Ok(String::from_utf8_lossy(lacks).into_owned()),
                None => Err(String::from_utf8_lossy(told).into_owned()),
            },
        }));
    }
    drop(read);
    let mut ready = Ready(Some(write));
    if let Err(why) = setsid() {
        ready.tell(format!("Cannot begin a session: {why}").as_bytes());
        sys::leave(1);
    }
    match sys::fork() {
        Ok(Some(_)) => sys::leave(0),
        Ok(None) => Ok(Side::Daemon(ready)),
        Err(why) => {
            ready.tell(format!("Cannot go to the background: {why}").as_bytes());
            sys::leave(1)
        }
    }
}

impl Ready {
    /// For those who stay in the foreground: nobody waits.
    pub(crate) fn nobody() -> Self {
        Self(None)
    }

    /// Says that the daemon is up, and what does not work all the same, and lets go of the terminal.
    pub(crate) fn up(mut self, lacks: &[String]) {
        if self.0.is_none() {
            return;
        }
        if let Ok(nowhere) = File::options().read(true).write(true).open("/dev/null") {
            let _ = rustix::stdio::dup2_stdin(&nowhere);
            let _ = rustix::stdio::dup2_stdout(&nowhere);
            let _ = rustix::stdio::dup2_stderr(&nowhere);
        }
        self.tell(&[UP, lacks.join("\n").as_bytes()].concat());
    }

    /// Says why the daemon does not come up.
    pub(crate) fn failed(mut self, why: &str) {
        if self.0.is_some() {
            self.tell(why.as_bytes());
        } else {
            crate::terminal::complain(why);
        }
    }

    fn tell(&mut self, text: &[u8]) {
        if let Some(mut line) = self.0.take() {
            // A parent that was killed does not listen; the daemon goes on all the same.
            let _ = line.write_all(text);
        }
    }
}
