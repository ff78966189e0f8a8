//! A process that names itself in a pidfile.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Cause, Look, Probe, ProbeError, Wake};
use hinoban_reading::{Identity, Metric, Observation, Reason, ReasonKind, Standing};

use super::following::{Following, Met};
use super::killer::Sources;
use super::reuse::{bears_its_name, born_after};
use super::sample;
use super::wanted::Wanted;
use super::words::{could_not_look, down, gone, name_in_brackets, zombie};
use crate::clock;
use crate::elsewhere::Elsewhere;
use crate::mounts::{Place, Remembered};
use crate::pidfile::{self, Pidfile, Stamp};
use crate::proc::Stat;
use crate::storm::Storm;

/// Looks at the process that a pidfile names. See the [module](super).
///
/// On a local file system a look never waits; a pidfile behind a network is read by a blocking thread of the runtime,
/// one at a time.
#[derive(Debug)]
pub struct PidfileProcess {
    path: PathBuf,
    place: Remembered,
    reader: pidfile::Reader,
    elsewhere: Elsewhere<Result<Pidfile, ProbeError>>,
    following: Following,
    /// Whom we adopted last, and from which writing of the pidfile.
    adopted: Option<(Identity, Stamp)>,
    storm: Storm,
    /// Whether the last look found it alive, and its end will be told.
    is_followed: bool,
    /// When the pidfile was last found to be as it was read, since boot, and where it lay.
    unchanged: Option<(Duration, Place)>,
}

/// For so long it is believed that a pidfile still names a process that lives and whose end will be told. That another file
/// took its place is told at once; what is left is that it was written anew without its process having ended.
const BELIEVED: Duration = Duration::from_secs(3);

#[async_trait]
impl Probe for PidfileProcess {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        self.storm.note(look);
        let living = self.following.notice_end();
        let unchanged =
            self.unchanged.filter(|_| std::mem::take(&mut self.is_followed) && look.cause() == Cause::Due);
        let now = clock::since_boot();
        let believed = unchanged.filter(|(at, _)| now.saturating_sub(*at) < BELIEVED);
        let believed = believed.and_then(|(_, place)| Some((place, self.reader.last()?)));
        let (place, file) = match believed {
            Some((place, file)) if matches!(living, Ok(Some(_))) => (place, Ok(file)),
            _ => {
                self.unchanged = None;
                let still = self.place.still(&self.path);
                match still.and_then(|place| Some((place, self.reader.unchanged(&self.path)?))) {
                    Some((place, file)) => {
                        self.unchanged = Some((now, place));
                        (place, Ok(file))
                    }
                    None => match self.place.place_of(&self.path) {
                        Place::Remote => (Place::Remote, self.read_elsewhere(look).await),
                        place => (place, self.reader.read(&self.path)),
                    },
                }
            }
        };
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
        seen.ending = self.following.ending();
        let unnamed = self.following.identity().filter(|_| lives && seen.identity.is_none());
        seen.former = unnamed.or_else(|| self.following.still_alive());
        if let (Standing::Absent(reason) | Standing::Down(reason), Some(former)) =
            (&mut seen.standing, unnamed)
        {
            reason.text += &format!("; process {}, which it had named, still runs", former.pid);
        }
        self.is_followed = seen.standing.is_up() && self.following.hears();
        Ok(seen)
    }

    fn metrics(&self) -> &[Metric] {
        sample::METRICS
    }

    fn wakes(&self) -> Vec<Wake> {
        let mut wakes: Vec<Wake> = self.following.wakes().collect();
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
        self.following.limits()
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
            following: Following::default(),
            adopted: None,
            storm: Storm::default(),
            is_followed: false,
            unchanged: None,
        }
    }

    /// Readings that rules name, by the names of their metrics. They are read at each look; of the others, open files,
    /// traffic and the security attribute are read every twenty seconds and shown as they were then, and those of the
    /// cgroup and the load of the host are not read at all.
    pub fn asked<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.following.want(Wanted::of(names));
        self
    }

    /// Asks these how a process ended, and no others. By default all.
    pub fn learning_from(mut self, sources: Sources) -> Self {
        self.following.ask(sources);
        self
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

    fn look_at(
        &mut self,
        pid: u32,
        stamp: Stamp,
        place: Place,
        living: io::Result<Option<Stat>>,
    ) -> Result<Observation, ProbeError> {
        if let Some(identity) = self.following.identity().filter(|identity| identity.pid == pid) {
            // A daemon that rewrites its own pidfile stays the same.
            self.adopted = Some((identity, stamp));
            let stat = living.map_err(|e| could_not_look(pid, &e))?;
            if let Some(seen) = stat.and_then(|stat| self.following.measure(&stat)) {
                return Ok(seen);
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
        let fresh = match self.following.meet(pid)? {
            Met::Alive(fresh) => fresh,
            Met::Gone => return Ok(gone(pid, &self.path)),
            Met::Thread => {
                return Ok(down(
                    ReasonKind::PidReused,
                    format!("the pid {pid} in {} is now a thread of another process", self.path.display()),
                ));
            }
            Met::Zombie(identity, stat) => {
                self.adopted = Some((identity, stamp));
                return Ok(zombie(pid, &stat));
            }
        };
        if let Some(late) = born_after(fresh.stat.start, stamp, place)
            && !bears_its_name(pid, &self.path)
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
        self.adopted = Some((fresh.identity(), stamp));
        Ok(self.following.follow(fresh))
    }
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

    /// There may be thousands of them.
    #[test]
    fn a_probe_takes_little_room() {
        assert!(size_of::<PidfileProcess>() <= 816, "{} bytes", size_of::<PidfileProcess>());
    }
}
