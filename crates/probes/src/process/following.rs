//! The process that a probe believes in, until it ends, and those it believed in before: the same however it was found.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use hinoban_probe::{ProbeError, Wake};
use hinoban_reading::{Ending, Identity, Observation};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::ending::{self, Endings};
use super::killer::Sources;
use super::sample::Meter;
use super::task::Task;
use super::wanted::Wanted;
use super::words::{blindness, could_not_look, hidden};
use crate::proc::{Stat, says_gone};

/// Whom a probe follows, and how those ended whom it followed.
#[derive(Debug, Default)]
pub(super) struct Following {
    watched: Option<Watched>,
    endings: Endings,
    /// Why nothing tells of an end at once.
    blind: Option<Box<str>>,
    wanted: Wanted,
    /// Whose ending was asked for last. A zombie is met again and again, and has ended once.
    asked: Option<Identity>,
}

/// The process we believe in.
#[derive(Debug)]
struct Watched {
    task: Task,
    pidfd: Option<Arc<OwnedFd>>,
    meter: Meter,
    hidden: Hidden,
}

/// What the last look did not get for want of permission.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hidden {
    traffic: bool,
    files: bool,
}

/// What was met under a pid.
#[derive(Debug)]
pub(super) enum Met {
    /// Nobody.
    Gone,
    /// A thread that is not the first of its process.
    Thread,
    /// A process that has ended, and was not collected yet; how it ended will be told.
    Zombie(Identity, Stat),
    /// One that lives.
    Alive(Fresh),
}

/// A process at first sight, not followed yet.
#[derive(Debug)]
pub(super) struct Fresh {
    task: Task,
    pidfd: Option<Arc<OwnedFd>>,
    pub(super) stat: Stat,
}

impl Fresh {
    pub(super) fn identity(&self) -> Identity {
        Identity { pid: self.task.pid, start: self.stat.start }
    }
}

impl Watched {
    fn identity(&self) -> Identity {
        Identity { pid: self.task.pid, start: self.task.start }
    }
}

impl Following {
    /// From the next process on, these readings are read at each look.
    pub(super) fn want(&mut self, wanted: Wanted) {
        self.wanted = wanted;
    }

    /// How endings are asked for.
    pub(super) fn ask(&mut self, sources: Sources) {
        self.endings.ask(sources);
    }

    /// Whom we follow.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.watched.as_ref().map(Watched::identity)
    }

    /// Whether the end of the one we follow will be told.
    pub(super) fn hears(&self) -> bool {
        self.watched.as_ref().is_some_and(|w| w.pidfd.is_some())
    }

    /// What the watched process shows, if it lives. If it has ended we let go of it, and ask how.
    pub(super) fn notice_end(&mut self) -> io::Result<Option<Stat>> {
        let Some(watched) = &mut self.watched else { return Ok(None) };
        match watched.task.stat() {
            Ok(stat) if !stat.is_zombie() => return Ok(Some(stat)),
            Err(error) if !says_gone(&error) => return Err(error),
            _ => {}
        }
        if let Some(ended) = self.watched.take() {
            if let Some(pidfd) = &ended.pidfd {
                ending::let_it_be_collected(pidfd);
            }
            self.asked = Some(ended.identity());
            self.endings.want(ended.identity(), ended.pidfd, self.blind.as_deref());
        }
        Ok(None)
    }

    /// Looks whom this pid belongs to now.
    ///
    /// # Errors
    /// If that could not be seen.
    pub(super) fn meet(&mut self, pid: u32) -> Result<Met, ProbeError> {
        let (mut task, _) = match Task::open(pid) {
            Ok(opened) => opened,
            Err(error) if says_gone(&error) => {
                return match open_pidfd(pid) {
                    Ok(pidfd) if !ending::fired(&pidfd) => Err(ProbeError::Denied(format!(
                        "process {pid} exists, but /proc does not show it to this user (mount option hidepid); run as \
                         root, or join the group that the mount option gid names"
                    ))),
                    _ => Ok(Met::Gone),
                };
            }
            Err(error) => return Err(could_not_look(pid, &error)),
        };
        let pidfd = match open_pidfd(pid) {
            Ok(pidfd) => {
                self.blind = None;
                Some(Arc::new(pidfd))
            }
            Err(Errno::SRCH) => return Ok(Met::Gone),
            // What the kernel says of a thread that is not the first of its process (EINVAL; ENOENT since 6.14).
            Err(Errno::INVAL | Errno::NOENT) => return Ok(Met::Thread),
            Err(error) => {
                self.blind = Some(blindness(error).into());
                None
            }
        };
        // invariant 9: if the same process still answers now, the pidfd is its own.
        let stat = match task.stat() {
            Ok(stat) => stat,
            Err(error) if says_gone(&error) => return Ok(Met::Gone),
            Err(error) => return Err(could_not_look(pid, &error)),
        };
        if stat.is_zombie() {
            let identity = Identity { pid, start: stat.start };
            if self.asked.replace(identity) != Some(identity) {
                self.endings.want(identity, pidfd, self.blind.as_deref());
            }
            return Ok(Met::Zombie(identity, stat));
        }
        Ok(Met::Alive(Fresh { task, pidfd, stat }))
    }

    /// From now on we follow this one, and this is what it shows.
    pub(super) fn follow(&mut self, fresh: Fresh) -> Observation {
        // The one before may still be on its way out, as in a restart that overlaps.
        self.let_go();
        let Fresh { task, pidfd, stat } = fresh;
        let watched = Watched { task, pidfd, meter: Meter::new(self.wanted), hidden: Hidden::default() };
        self.endings.prepare(watched.identity(), watched.pidfd.as_deref());
        self.endings.it_lives(&stat);
        self.watched.insert(watched).measure(&stat)
    }

    /// We follow nobody any more. How that one ends is worth knowing still.
    pub(super) fn let_go(&mut self) {
        if let Some(before) = self.watched.take() {
            self.endings.want(before.identity(), before.pidfd, self.blind.as_deref());
        }
    }

    /// What the one we follow shows, having just answered with `stat`; `None` if we follow nobody.
    pub(super) fn measure(&mut self, stat: &Stat) -> Option<Observation> {
        let watched = self.watched.as_mut()?;
        self.endings.it_lives(stat);
        if watched.open_late() {
            self.blind = None;
        }
        Some(watched.measure(stat))
    }

    /// How one of those ended whom we followed, if that is known by now.
    pub(super) fn ending(&mut self) -> Option<Ending> {
        self.endings.next()
    }

    /// One that we followed before, and that still lives.
    pub(super) fn still_alive(&self) -> Option<Identity> {
        self.endings.still_alive()
    }

    /// The descriptors that tell of an end.
    pub(super) fn wakes(&self) -> impl Iterator<Item = Wake> {
        let living = self.watched.iter().filter_map(|w| w.pidfd.clone()).map(Wake::Fd);
        living.chain(self.endings.wakes())
    }

    /// What cannot be seen here.
    pub(super) fn limits(&self) -> Vec<String> {
        let hidden = self.watched.as_ref().and_then(|w| hidden(w.hidden.traffic, w.hidden.files));
        self.blind
            .as_deref()
            .map(str::to_owned)
            .into_iter()
            .chain(hidden)
            .chain(self.endings.limits())
            .collect()
    }
}

impl Watched {
    /// Opens the pidfd that could not be opened before, if there is room by now.
    fn open_late(&mut self) -> bool {
        if self.pidfd.is_some() {
            return false;
        }
        // invariant 9: it is of our process only if that still answers after the opening.
        self.pidfd = open_pidfd(self.task.pid).ok().map(Arc::new).filter(|_| self.task.stat().is_ok());
        self.pidfd.is_some()
    }

    fn measure(&mut self, stat: &Stat) -> Observation {
        let mut seen = Observation::up();
        seen.identity = Some(self.identity());
        let tried = self.meter.read(&mut self.task, stat, self.pidfd.as_deref(), &mut seen);
        // Asked again only where something is missing: a process may change its user.
        let forbidden = |file: &str| is_forbidden(&format!("/proc/{}/{file}", self.task.pid));
        if let Some(read) = tried.traffic {
            self.hidden.traffic = !read && forbidden("io");
        }
        if let Some(read) = tried.files {
            self.hidden.files = !read && forbidden("fd");
        }
        seen
    }
}

/// Whether it is our lack of rights that keeps us from reading this, and not a kernel without it. Some files of a process
/// open for everybody, and say no only when they are read.
fn is_forbidden(path: &str) -> bool {
    std::fs::read(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn open_pidfd(pid: u32) -> Result<OwnedFd, Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    if crate::proc::is_reserved(&pidfd) {
        // Its end is worth more than what a file kept open saves.
        crate::proc::ask_back();
        return Err(Errno::MFILE);
    }
    Ok(pidfd)
}
