//! A program that runs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use hinoban_reading::{How, Identity};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_send_signal, waitid};

use super::keeper::{Keeper, Tail};
use crate::sys::{self, Born};

/// A child that has been started. Dropped before its end, it runs on and is collected when it ends.
#[derive(Debug)]
pub(crate) struct Child {
    pid: u32,
    identity: Option<Identity>,
    /// Taken when the child is dropped.
    pidfd: Option<OwnedFd>,
    /// Whether there is nothing left to collect.
    collected: bool,
    tail: Arc<Tail>,
    /// What it prints as errors, where that is kept apart.
    errors: Option<Arc<Tail>>,
    keeper: Arc<Keeper>,
}

impl Child {
    /// Reads the start time; the child cannot be collected by us before that, so the pid is still its own.
    pub(super) fn new(born: Born, tail: Arc<Tail>, errors: Option<Arc<Tail>>, keeper: Arc<Keeper>) -> Self {
        let identity = start_time(born.pid).map(|start| Identity { pid: born.pid, start });
        Self { pid: born.pid, identity, pidfd: Some(born.pidfd), collected: false, tail, errors, keeper }
    }

    /// Its number, which is its own until it has been collected.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Which process. `None` only where the parent ignores SIGCHLD, so that the kernel collects children at once.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Waits for its end, which is learned through the pidfd. May be dropped and called again.
    ///
    /// # Errors
    /// When the runtime cannot watch the pidfd.
    pub(crate) async fn wait(&mut self) -> io::Result<How> {
        let Some(pidfd) = &self.pidfd else { return Ok(unknown("it has been given up")) };
        let how = {
            let watched = sys::watch(pidfd.as_fd())?;
            loop {
                if let Some(how) = ending(pidfd) {
                    break how;
                }
                watched.readable().await?.clear_ready();
            }
        };
        if !std::mem::replace(&mut self.collected, true) {
            self.keeper.collected(self.pid);
        }
        Ok(how)
    }

    /// Waits until it has ended, and leaves it to be collected: so long its number is its own, and that of its group.
    ///
    /// # Errors
    /// When the runtime cannot watch the pidfd.
    pub(crate) async fn ended(&self) -> io::Result<()> {
        let Some(pidfd) = &self.pidfd else { return Ok(()) };
        sys::watch(pidfd.as_fd())?.readable().await.map(drop)
    }

    /// Sends a signal to it and to all of its process group that are left, if it has not been collected yet.
    pub(crate) fn signal_group(&self, signal: Signal) {
        // Invariant 9: the group is called by the number of a process that is still there, if only as a zombie.
        let own = !self.collected && self.identity.is_some_and(|i| start_time(i.pid) == Some(i.start));
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw).filter(|_| own) {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Sends SIGKILL to it, and to it alone.
    pub(crate) fn kill(&self) {
        if let Some(pidfd) = &self.pidfd {
            // It fails only if the child has ended by itself.
            let _ = pidfd_send_signal(pidfd, Signal::KILL);
        }
    }

    /// The last part of what it printed. Afterwards nothing more is remembered.
    pub(crate) fn output(&self) -> String {
        self.tail.finish()
    }

    /// The beginnings of what it printed, as it came: standard output, then standard error; and whether either is cut.
    /// Afterwards nothing more is remembered.
    pub(crate) fn outputs(&self) -> (Vec<u8>, Vec<u8>, bool) {
        let (out, cut) = self.tail.take();
        let (errors, also) = self.errors.as_ref().map(|tail| tail.take()).unwrap_or_default();
        (out, errors, cut || also)
    }

    /// Ends a child that nobody waits for any more.
    pub(super) fn unwanted(self) {
        self.kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pidfd) = self.pidfd.take().filter(|_| !self.collected) {
            self.tail.forget();
            self.errors.iter().for_each(|tail| tail.forget());
            self.keeper.adopt(pidfd, self.pid);
        }
    }
}

/// How the child ended, if it has; collects it.
fn ending(pidfd: &OwnedFd) -> Option<How> {
    match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
        Ok(Some(status)) => Some(if let Some(code) = status.exit_status() {
            How::Exited { status: code.to_le_bytes()[0] }
        } else if let Some(signal) = status.terminating_signal() {
            How::Signalled { signal: signal.to_le_bytes()[0], core: status.dumped() }
        } else {
            unknown("the kernel reported neither exit nor signal")
        }),
        Ok(None) | Err(Errno::INTR) => None,
        Err(Errno::CHILD) => Some(unknown("another part of this program collected it")),
        Err(e) => Some(unknown(&e.to_string())),
    }
}

fn unknown(why: &str) -> How {
    How::Unknown { why: why.to_owned() }
}

/// Field 22 of `/proc/PID/stat` (proc(5)); the name before it may hold blanks and brackets.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    use rustix::fs::{Mode, OFlags};
    let file = rustix::fs::open(format!("/proc/{pid}/stat"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .ok()?;
    let mut space = [0; 1024]; // the kernel writes it in one piece; 52 numbers and a name of 64 bytes at most
    let n = rustix::io::read(&file, &mut space).ok()?;
    let stat = space.get(..n)?;
    let after_name = stat.iter().rposition(|b| *b == b')')? + 1;
    std::str::from_utf8(&stat[after_name..]).ok()?.split_ascii_whitespace().nth(19)?.parse().ok()
}
