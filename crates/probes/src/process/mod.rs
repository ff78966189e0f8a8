//! A process that names itself in a pidfile.
//!
//! A look reads the pidfile, makes sure that the process it names is the one it meant, and measures it. What is wrong
//! is told apart by [`ReasonKind`]: no pidfile, garbage in it, a process that is gone, one that ended but is still
//! listed, and a pid that meanwhile belongs to somebody else. Nothing is ever signalled.
//!
//! The identity of a process is its pid and its start time. A pidfd is opened and then the start time is read again:
//! if it is still the same, the descriptor is of that process. The descriptor wakes us within microseconds of its end,
//! and afterwards tells how it ended.

mod ending;
mod reuse;
mod sample;
mod task;
mod words;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use hinoban_probe::{Look, Probe, ProbeError, Wake};
use hinoban_reading::{Identity, Metric, Observation, Reason, ReasonKind, Standing, metrics};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::elsewhere::Elsewhere;
use crate::mounts::{Place, Remembered};
use crate::pidfile::{self, Pidfile, Stamp};
use crate::proc::{Stat, says_gone};
use crate::storm::Storm;
use ending::Endings;
use reuse::born_after;
use sample::Meter;
use task::Task;
use words::{blindness, could_not_look, down, gone, hidden, name_in_brackets, zombie};

/// The identity of whatever process has this pid now, a zombie included.
pub fn identity_of(pid: u32) -> Option<Identity> {
    Stat::of(pid).ok().map(|stat| Identity { pid, start: stat.start })
}

/// Whether this very process still runs; a zombie does not.
pub fn is_alive(identity: &Identity) -> bool {
    Stat::of(identity.pid).is_ok_and(|stat| stat.start == identity.start && !stat.is_zombie())
}

/// Looks at the process that a pidfile names. See the [module](self).
///
/// On a local file system a look never waits; a pidfile behind a network is read by a blocking thread of the runtime,
/// one at a time.
#[derive(Debug)]
pub struct PidfileProcess {
    path: PathBuf,
    place: Remembered,
    reader: pidfile::Reader,
    elsewhere: Elsewhere<Result<Pidfile, ProbeError>>,
    watched: Option<Watched>,
    /// Whom we adopted last, and from which writing of the pidfile.
    adopted: Option<(Identity, Stamp)>,
    endings: Endings,
    blind: Option<String>,
    storm: Storm,
    /// Whether the last look found it alive, and its end will be told.
    is_followed: bool,
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

impl Watched {
    fn identity(&self) -> Identity {
        Identity { pid: self.task.pid, start: self.task.start }
    }
}

#[async_trait]
impl Probe for PidfileProcess {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        self.storm.note(look);
        self.is_followed = false;
        let place = self.place.place_of(&self.path);
        let file = match place {
            Place::Remote => self.read_elsewhere(look).await,
            Place::Memory | Place::Local => self.reader.read(&self.path),
        };
        let living = self.notice_end();
        let lives = matches!(living, Ok(Some(_)));
        let mut seen = match file? {
            Pidfile::Absent => Observation::new(Standing::Absent(Reason::new(
                ReasonKind::PidfileAbsent,
                format!("there is no pidfile {}", self.path.display()),
            ))),
            Pidfile::Garbage(text) => down(ReasonKind::PidfileGarbage, text),
            Pidfile::Names { pid, stamp } => {
                let mut seen = self.look_at(pid, stamp, place, living)?;
                seen.named = Some(pid);
                seen
            }
        };
        seen.ending = self.endings.next();
        let unnamed =
            self.watched.as_ref().filter(|_| lives && seen.identity.is_none()).map(Watched::identity);
        seen.former = unnamed.or_else(|| self.endings.still_alive());
        if let (Standing::Absent(reason) | Standing::Down(reason), Some(former)) =
            (&mut seen.standing, unnamed)
        {
            reason.text += &format!("; process {}, which it had named, still runs", former.pid);
        }
        self.is_followed = seen.standing.is_up() && self.watched.as_ref().is_some_and(|w| w.pidfd.is_some());
        Ok(seen)
    }

    fn metrics(&self) -> &[Metric] {
        sample::METRICS
    }

    fn wakes(&self) -> Vec<Wake> {
        let living = self.watched.iter().filter_map(|w| w.pidfd.clone()).map(Wake::Fd);
        let mut wakes: Vec<Wake> = living.chain(self.endings.wakes()).collect();
        // To watch a remote path is to walk it, which may take for ever. Some programs write their pidfile all the time.
        if self.place.last() != Place::Remote && !self.storm.rages() {
            // Whoever follows a living process writes the pidfile before it ends, or by a new file; its end is told. Only
            // without one each writing counts, some keep the file open; and what is written beside it is not told for long.
            let wake = if self.is_followed { Wake::Presence } else { Wake::Path };
            wakes.push(wake(self.path.clone()));
        }
        wakes
    }

    fn limits(&self) -> Vec<String> {
        let hidden = self.watched.as_ref().and_then(|w| hidden(w.hidden.traffic, w.hidden.files));
        self.blind.iter().cloned().chain(hidden).collect()
    }
}

impl PidfileProcess {
    /// A probe of the process that this pidfile names. The path should be absolute. Nothing is read yet.
    pub fn new(pidfile: PathBuf) -> Self {
        Self {
            path: pidfile,
            place: Remembered::default(),
            reader: pidfile::Reader::default(),
            elsewhere: Elsewhere::default(),
            watched: None,
            adopted: None,
            endings: Endings::default(),
            blind: None,
            storm: Storm::default(),
            is_followed: false,
        }
    }

    /// The pidfile.
    pub fn pidfile(&self) -> &Path {
        &self.path
    }

    /// Reads a pidfile that may hang.
    async fn read_elsewhere(&mut self, look: &Look) -> Result<Pidfile, ProbeError> {
        let path = self.path.clone();
        self.elsewhere.ask(&self.place.gate(), look, move || pidfile::read(&path)).await?
    }

    /// What the watched process shows, if it lives. If it has ended we let go of it, and ask how.
    fn notice_end(&mut self) -> Result<Option<Stat>, io::Error> {
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
            self.endings.want(ended.identity(), ended.pidfd, self.blind.as_deref());
        }
        Ok(None)
    }

    fn look_at(
        &mut self,
        pid: u32,
        stamp: Stamp,
        place: Place,
        living: io::Result<Option<Stat>>,
    ) -> Result<Observation, ProbeError> {
        if let Some(watched) = self.watched.as_mut().filter(|w| w.task.pid == pid) {
            // A daemon that rewrites its own pidfile stays the same.
            self.adopted = Some((watched.identity(), stamp));
            if let Some(stat) = living.map_err(|e| could_not_look(pid, &e))? {
                if watched.open_late() {
                    self.blind = None;
                }
                return Ok(watched.measure(&stat));
            }
        }
        match self.adopted {
            Some((identity, then)) if identity.pid == pid && then == stamp => {
                Ok(self.look_at_successor(identity))
            }
            _ => self.adopt(pid, stamp, place),
        }
    }

    /// The pidfile is the one that named a process which has ended since.
    fn look_at_successor(&self, ended: Identity) -> Observation {
        match Stat::of(ended.pid) {
            Ok(stat) if stat.start == ended.start => zombie(ended.pid, &stat),
            Ok(_) => down(
                ReasonKind::PidReused,
                format!(
                    "the process with pid {} has ended; the pid now belongs to another process{}, and the pidfile {} \
                     was not written again",
                    ended.pid,
                    name_in_brackets(ended.pid),
                    self.path.display()
                ),
            ),
            Err(_) => gone(ended.pid, &self.path),
        }
    }

    /// First sight of the process that this writing of the pidfile names.
    fn adopt(&mut self, pid: u32, stamp: Stamp, place: Place) -> Result<Observation, ProbeError> {
        let (mut task, _) = match Task::open(pid) {
            Ok(opened) => opened,
            Err(error) if says_gone(&error) => {
                return match open_pidfd(pid) {
                    Ok(pidfd) if !ending::fired(&pidfd) => Err(ProbeError::Denied(format!(
                        "process {pid} exists, but /proc does not show it to this user (mount option hidepid); run as \
                         root, or join the group that the mount option gid names"
                    ))),
                    _ => Ok(gone(pid, &self.path)),
                };
            }
            Err(error) => return Err(could_not_look(pid, &error)),
        };
        let pidfd = match open_pidfd(pid) {
            Ok(pidfd) => {
                self.blind = None;
                Some(Arc::new(pidfd))
            }
            Err(Errno::SRCH) => return Ok(gone(pid, &self.path)),
            // What the kernel says of a thread that is not the first of its process (EINVAL; ENOENT since 6.14).
            Err(Errno::INVAL | Errno::NOENT) => {
                return Ok(down(
                    ReasonKind::PidReused,
                    format!("the pid {pid} in {} is now a thread of another process", self.path.display()),
                ));
            }
            Err(error) => {
                self.blind = Some(blindness(error));
                None
            }
        };
        // invariant 9: if the same process still answers now, the pidfd is its own.
        let stat = match task.stat() {
            Ok(stat) => stat,
            Err(error) if says_gone(&error) => return Ok(gone(pid, &self.path)),
            Err(error) => return Err(could_not_look(pid, &error)),
        };
        let identity = Identity { pid, start: stat.start };
        if stat.is_zombie() {
            self.adopted = Some((identity, stamp));
            self.endings.want(identity, pidfd, self.blind.as_deref());
            return Ok(zombie(pid, &stat));
        }
        if let Some(late) = born_after(stat.start, stamp, place)
            && !reuse::bears_its_name(pid, &self.path)
        {
            return Ok(down(
                ReasonKind::PidReused,
                format!(
                    "the pid {pid} belongs to a process{} that started {} s after the pidfile {} was written",
                    name_in_brackets(pid),
                    late.as_secs(),
                    self.path.display()
                ),
            ));
        }
        // The one before may still be on its way out, as in a restart that overlaps: its ending is worth knowing.
        if let Some(before) = self.watched.take() {
            self.endings.want(before.identity(), before.pidfd, self.blind.as_deref());
        }
        self.adopted = Some((identity, stamp));
        Ok(self
            .watched
            .insert(Watched { task, pidfd, meter: Meter::default(), hidden: Hidden::default() })
            .measure(&stat))
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
        self.meter.read(&mut self.task, stat, self.pidfd.as_deref(), &mut seen);
        // Asked again only where something is missing: a process may change its user.
        let forbidden = |metric: &Metric, file: &str| {
            seen.get(&metric.name).is_none() && is_forbidden(&format!("/proc/{}/{file}", self.task.pid))
        };
        self.hidden =
            Hidden { traffic: forbidden(&metrics::READ_BYTES, "io"), files: forbidden(&metrics::FDS, "fd") };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pidfile_behind_a_network_is_read_elsewhere_to_the_same_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        std::fs::write(&path, "42").unwrap();
        let mut probe = PidfileProcess::new(path.clone());
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        let look = Look::new(deadline.into_std(), std::time::Duration::ZERO, hinoban_probe::Cause::Due);
        assert_eq!(probe.read_elsewhere(&look).await, pidfile::read(&path));
    }

    /// A look for each would be a load of its own; the end of the process is heard of all the same.
    #[tokio::test]
    async fn a_pidfile_that_is_written_all_the_time_is_read_at_its_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        std::fs::write(&path, std::process::id().to_string()).unwrap();
        let mut probe = PidfileProcess::new(path);
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        let look = Look::new(deadline.into_std(), std::time::Duration::ZERO, hinoban_probe::Cause::Early);
        let paths =
            |probe: &PidfileProcess| probe.wakes().iter().filter(|wake| !matches!(wake, Wake::Fd(_))).count();
        probe.observe(&look).await.unwrap();
        assert_eq!(paths(&probe), 1);
        while paths(&probe) == 1 {
            assert!(tokio::time::Instant::now() < deadline, "each writing is looked at");
            probe.observe(&look).await.unwrap();
        }
        assert!(probe.wakes().iter().any(|wake| matches!(wake, Wake::Fd(_))));
    }

    #[test]
    fn what_may_hang_is_not_watched_either() {
        let mut probe = PidfileProcess::new("/proc/self/x.pid".into());
        assert!(probe.wakes().is_empty(), "not looked at yet, it may be anywhere");
        probe.place.place_of(&probe.path);
        assert_eq!(probe.wakes().len(), 1);
    }
}
