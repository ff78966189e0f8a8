//! Who killed a process that died by SIGKILL: the kernel because memory ran out, or somebody else.
//!
//! The count of such kills in `/proc/vmstat` rises before the signal is sent. If it did not rise while we followed the
//! process, nobody needs to be asked further. If it did, the kernel's log names the process; it may be half a
//! millisecond late, so the question is asked again after a while. Where the log may not be read, the process's control
//! group says whether somebody in it was killed so; and where there is none, the risen count is a suspicion. Whoever asks
//! never waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use hinoban_reading::{Confidence, Identity, Killer, OutOfMemory, Reached, Source};

use super::kernel_log::{Drained, KernelLog};
use super::tally::{Tally, Told};
use crate::clock;
use crate::proc::labelled;

/// Where it is asked how a process ended. By default all that Linux has; a test, or somebody who may not, leaves out some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// `PIDFD_GET_INFO` (Linux 6.15).
    pub pidfd: bool,
    /// Field 52 of `/proc/PID/stat` while it is a zombie (root).
    pub zombie: bool,
    /// The proc connector (CAP_NET_ADMIN before Linux 6.6), where pidfds do not tell.
    pub connector: bool,
    /// The kernel's log: `/dev/kmsg` (CAP_SYSLOG).
    pub kernel_log: Option<PathBuf>,
    /// Where control groups are mounted. They are asked where the log may not be read.
    pub groups: Option<PathBuf>,
    /// A file in the form of `/proc/vmstat`.
    pub counts: PathBuf,
    /// How long the log is waited for after a kill that it should tell of. Nothing else waits for it.
    pub grace: Duration,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            pidfd: true,
            zombie: true,
            connector: true,
            kernel_log: Some("/dev/kmsg".into()),
            groups: Some("/sys/fs/cgroup".into()),
            counts: "/proc/vmstat".into(),
            grace: Duration::from_millis(5),
        }
    }
}

/// What is known of kills for want of memory, by all probes with the same sources together.
#[derive(Debug)]
pub(super) struct Kills {
    log: Result<KernelLog, String>,
    counts: PathBuf,
    /// The count, and when it was read.
    recent: Option<(Duration, Option<u64>)>,
}

/// Kills for want of memory that were counted while a process lived.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Which process.
    pub(super) of: Option<Identity>,
    /// On the host.
    pub(super) host: Option<u64>,
    /// In its control group.
    pub(super) group: Option<Box<Tally>>,
}

/// What can be said of a killer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// This; nothing if nothing can be known.
    Known(Option<Killer>),
    /// Ask again.
    Later,
}

/// The kills of the sources that are asked by default. The log is opened with the first process that is followed.
pub(super) fn shared(sources: &Sources) -> Arc<Mutex<Kills>> {
    static SHARED: LazyLock<Arc<Mutex<Kills>>> =
        LazyLock::new(|| Arc::new(Mutex::new(Kills::new(&Sources::default()))));
    if *sources == Sources::default() { SHARED.clone() } else { Arc::new(Mutex::new(Kills::new(sources))) }
}

pub(super) fn with<T>(kills: &Mutex<Kills>, ask: impl FnOnce(&mut Kills) -> T) -> T {
    ask(&mut kills.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Kills {
    fn new(sources: &Sources) -> Self {
        Self { log: open(sources.kernel_log.as_deref()), counts: sources.counts.clone(), recent: None }
    }

    /// How many processes were killed for want of memory since the boot, by a count that may be some seconds old: of a
    /// process that lives now, as good as the count of now. None before Linux 4.13.
    pub(super) fn before(&mut self) -> Option<u64> {
        const FRESH: Duration = Duration::from_secs(10);
        let now = clock::since_boot();
        match self.recent {
            Some((then, count)) if now.saturating_sub(then) < FRESH => count,
            _ => {
                let count = count(&self.counts);
                self.recent = Some((now, count));
                // What has gathered there is not to keep the look waiting that finds somebody dead.
                if let Ok(log) = &mut self.log {
                    log.drain();
                }
                count
            }
        }
    }

    /// Whether control groups are needed: the log cannot be read.
    pub(super) fn has_no_log(&self) -> bool {
        self.log.is_err()
    }

    /// Who killed this one, which lived when the counts were `before`. `last`: no source will be late any more.
    pub(super) fn who(&mut self, pid: u32, before: &Before, last: bool) -> Verdict {
        let now = count(&self.counts);
        if now.is_some() && now == before.host {
            return Verdict::Known(Some(Killer::Other));
        }
        if let Ok(log) = &mut self.log {
            let drained = log.drain();
            if let Some(memory) = log.take(pid) {
                return Verdict::Known(Some(Killer::Memory(memory)));
            }
            if !last || drained == Drained::More {
                return Verdict::Later;
            }
            // Of whom we never saw alive, the log may have told before we read it.
            if !log.has_lost() && before.host.is_some() {
                return Verdict::Known(Some(Killer::Other));
            }
        }
        let (source, reached) = match before.group.as_deref().map_or(Told::Nothing, Tally::told) {
            Told::Nobody => return Verdict::Known(Some(Killer::Other)),
            Told::Somebody(reached) => (Source::GroupCounter, reached),
            Told::Nothing if now.is_none() || before.host.is_none() => return Verdict::Known(None),
            Told::Nothing => (Source::HostCounter, Reached::Unknown),
        };
        let memory = OutOfMemory { reached, used: None, source, confidence: Confidence::Inferred };
        Verdict::Known(Some(Killer::Memory(memory)))
    }

    /// What cannot be known here, and what would help.
    pub(super) fn limit(&self) -> Option<String> {
        let why = self.log.as_ref().err()?;
        Some(format!(
            "whether a killed process was killed because memory ran out is only guessed here: {why}"
        ))
    }
}

fn open(path: Option<&Path>) -> Result<KernelLog, String> {
    let Some(path) = path else { return Err("the kernel's log is not to be read".to_owned()) };
    if !in_first_namespace() {
        return Err(
            "the kernel's log names processes by other pids than this container; watch from the host"
                .to_owned(),
        );
    }
    KernelLog::open(path).map_err(|error| {
        format!(
            "{} could not be read ({error}); run as root, or with the capability CAP_SYSLOG",
            path.display()
        )
    })
}

/// Whether pids are for us what they are for the kernel. In a container they mostly are not.
pub(super) fn in_first_namespace() -> bool {
    /// The inode of the first PID namespace, `include/linux/proc_ns.h`.
    const FIRST: &str = "pid:[4026531836]";
    !std::fs::read_link("/proc/self/ns/pid").is_ok_and(|own| own.as_os_str() != FIRST)
}

fn count(path: &Path) -> Option<u64> {
    labelled(&std::fs::read(path).ok()?, "oom_kill ")
}
