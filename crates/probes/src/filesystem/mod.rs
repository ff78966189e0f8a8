//! A mounted file system: how full it is, how it is mounted, and what its disk does.
//!
//! It is found by its mount point, its device (links to either are followed), the source it was mounted from, or the
//! numbers of its device. A name that means no mounted file system is [`ReasonKind::NotMounted`], told with what to name
//! instead.
//!
//! Space has Monit's meaning: what is kept for root counts as free. Sources: proc_pid_mountinfo(5), statvfs(3),
//! `/proc/diskstats`.

mod disk;
mod find;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Cause, Look, Probe, ProbeError, Wake};
use hinoban_reading::{Metric, Observation, Reason, ReasonKind, Standing, metrics};
use rustix::fs::{Stat, StatVfs, stat, statvfs};
use rustix::io::Errno;

use crate::elsewhere::{Elsewhere, Gate};
use crate::failure::plain;
use crate::file::REPLACING;
use crate::mounts::{self, Mount};
use crate::node::permission;
use crate::storm::Storm;
use disk::Disk;
use find::{Found, block_device_of, find, holding};

/// A copy of the mount table that is older is not believed at a due look. Cycles of a second come a little early at times.
const OLDEST: Duration = Duration::from_millis(900);

/// Looks at one file system. See the [module](self).
///
/// Readings: `filesystem.type`, `filesystem.flags` (the options as `/proc/mounts` shows them), `permission`, `uid` and
/// `gid` (of the mount point, or of the device if that was named), `block.size`, `space.*`, `inodes.*` where the file
/// system counts inodes, and where it lies on a block device `disk.*` and, from the second look on, the rates and
/// `service.time*`. A file system without blocks is 0 % full. In a changed root directory that is no mount point, `/` is
/// measured, but has neither type nor flags nor a disk.
///
/// It is woken when something is mounted or unmounted, at most twenty times a second. What is behind a network is asked on a blocking thread of the
/// runtime, one at a time for each mount.
#[derive(Debug)]
pub struct FilesystemProbe {
    name: PathBuf,
    /// Whether that is any path on it.
    holds: bool,
    elsewhere: Elsewhere<Result<Box<Measured>, Errno>>,
    disk: Disk,
    was_there: bool,
    storm: Storm,
    /// For a root directory that may lie behind a network: the table does not tell.
    unlisted: Gate,
    /// Wakes us when the mount table changes; `None` inside if it cannot be had.
    changes: Option<Option<Arc<OwnedFd>>>,
}

const METRICS: &[Metric] = &[
    metrics::FILESYSTEM_TYPE,
    metrics::FILESYSTEM_FLAGS,
    metrics::PERMISSION,
    metrics::UID,
    metrics::GID,
    metrics::BLOCK_SIZE,
    metrics::SPACE_TOTAL,
    metrics::SPACE,
    metrics::SPACE_PERCENT,
    metrics::SPACE_FREE,
    metrics::SPACE_FREE_PERCENT,
    metrics::SPACE_AVAILABLE,
    metrics::INODES_TOTAL,
    metrics::INODES,
    metrics::INODES_PERCENT,
    metrics::INODES_FREE,
    metrics::INODES_FREE_PERCENT,
    metrics::DISK_READ_BYTES,
    metrics::DISK_READ_RATE,
    metrics::DISK_READ_OPS,
    metrics::DISK_READ_OPS_RATE,
    metrics::DISK_WRITE_BYTES,
    metrics::DISK_WRITE_RATE,
    metrics::DISK_WRITE_OPS,
    metrics::DISK_WRITE_OPS_RATE,
    metrics::SERVICE_TIME,
    metrics::SERVICE_TIME_READ,
    metrics::SERVICE_TIME_WRITE,
];

/// What the kernel says of a mount point.
struct Measured {
    node: Stat,
    space: StatVfs,
}

/// What one look found.
enum Sight {
    /// What is mounted, unless the table does not show it, and what it shows.
    Mounted(Option<Arc<Mount>>, Result<Box<Measured>, Errno>),
    NotMounted(String),
}

#[async_trait]
impl Probe for FilesystemProbe {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        self.storm.note(look);
        self.changes.get_or_insert_with(open_changes);
        let mut sight = self.look_once(look).await?;
        if self.was_there && look.cause() == Cause::Early && matches!(sight, Sight::NotMounted(_)) {
            tokio::time::sleep(REPLACING).await;
            sight = self.look_once(look).await?;
        }
        self.was_there = matches!(sight, Sight::Mounted(..));
        match sight {
            Sight::Mounted(mount, Ok(measured)) => {
                let mut seen = Observation::up();
                seen.readings.reserve_exact(METRICS.len());
                push(&mut seen, mount.as_deref(), &measured);
                self.disk.read(mount.as_deref().and_then(block_device_of), &mut seen);
                Ok(seen)
            }
            Sight::Mounted(mount, Err(error)) => failed(point_of(mount.as_deref()), error),
            Sight::NotMounted(text) => {
                self.disk = Disk::default();
                Ok(Observation::new(Standing::Absent(Reason::new(ReasonKind::NotMounted, text))))
            }
        }
    }

    fn metrics(&self) -> &[Metric] {
        METRICS
    }

    fn wakes(&self) -> Vec<Wake> {
        let changes = self.changes.iter().flatten().filter(|_| !self.storm.rages());
        changes.cloned().map(Wake::Fd).collect()
    }
}

impl FilesystemProbe {
    /// A probe of the file system of this name: a mount point, a device, what it was mounted from, or `MAJOR:MINOR`.
    /// Nothing is read yet.
    pub fn new(name: PathBuf) -> Self {
        Self {
            name,
            holds: false,
            elsewhere: Elsewhere::default(),
            disk: Disk::default(),
            was_there: false,
            storm: Storm::default(),
            unlisted: Gate::default(),
            changes: None,
        }
    }

    /// A probe of the file system that this absolute path is on, whichever that is at each look. Nothing is read yet.
    pub fn holding(path: PathBuf) -> Self {
        Self { holds: true, ..Self::new(path) }
    }

    /// The name it is looked for by.
    pub fn name(&self) -> &Path {
        &self.name
    }

    async fn look_once(&mut self, look: &Look) -> Result<Sight, ProbeError> {
        let unreadable =
            || ProbeError::Failed(format!("{} could not be read; is /proc mounted?", mounts::PATH));
        // What the kernel changes in silence is found at our turn.
        let age = (look.cause() == Cause::Due).then_some(OLDEST);
        let (mut generation, mut table) = mounts::now(age).ok_or_else(unreadable)?;
        // What was measured was this file system only if nothing was mounted or unmounted meanwhile.
        for _ in 0..3 {
            let found = if self.holds { holding(&table, &self.name) } else { find(&table, &self.name) };
            let (mount, node, remote) = match found {
                Found::NotMounted(text) => return Ok(Sight::NotMounted(text)),
                Found::Mounted { mount, node, remote } => (Some(mount), node, remote),
                Found::Unlisted => (None, None, Some(self.unlisted.clone())),
            };
            let point = point_of(mount.as_deref());
            let measured = match remote {
                None => measure(point, node.as_deref()),
                Some(gate) => {
                    let point = point.to_owned();
                    self.elsewhere.ask(&gate, look, move || measure(&point, node.as_deref())).await?
                }
            };
            let (after, changed) = mounts::now(None).ok_or_else(unreadable)?;
            if after == generation {
                return Ok(Sight::Mounted(mount, measured));
            }
            (generation, table) = (after, changed);
        }
        Err(ProbeError::Failed(format!(
            "{} could not be looked at: file systems are mounted and unmounted all the time",
            self.name.display()
        )))
    }
}

/// Blocks as long as the file system does.
fn measure(point: &Path, node: Option<&Path>) -> Result<Box<Measured>, Errno> {
    Ok(Box::new(Measured { node: stat(node.unwrap_or(point))?, space: statvfs(point)? }))
}

fn point_of(mount: Option<&Mount>) -> &Path {
    mount.map_or(Path::new("/"), |mount| &mount.point)
}

fn push(seen: &mut Observation, mount: Option<&Mount>, Measured { node, space }: &Measured) {
    if let Some(mount) = mount {
        seen.push(&metrics::FILESYSTEM_TYPE, mount.kind.as_str());
        seen.push(&metrics::FILESYSTEM_FLAGS, mount.flags().as_str());
    }
    seen.push(&metrics::PERMISSION, permission(node));
    seen.push(&metrics::UID, node.st_uid);
    seen.push(&metrics::GID, node.st_gid);

    let block = space.f_frsize;
    let bytes = |blocks: u64| blocks.saturating_mul(block);
    let used = space.f_blocks.saturating_sub(space.f_bfree);
    let full = share(used, space.f_blocks);
    seen.push(&metrics::BLOCK_SIZE, block);
    seen.push(&metrics::SPACE_TOTAL, bytes(space.f_blocks));
    seen.push(&metrics::SPACE, bytes(used));
    seen.push(&metrics::SPACE_PERCENT, full);
    seen.push(&metrics::SPACE_FREE, bytes(space.f_bfree));
    seen.push(&metrics::SPACE_FREE_PERCENT, 100.0 - full);
    seen.push(&metrics::SPACE_AVAILABLE, bytes(space.f_bavail));

    if space.f_files > 0 {
        let used = space.f_files.saturating_sub(space.f_ffree);
        let full = share(used, space.f_files);
        seen.push(&metrics::INODES_TOTAL, space.f_files);
        seen.push(&metrics::INODES, used);
        seen.push(&metrics::INODES_PERCENT, full);
        seen.push(&metrics::INODES_FREE, space.f_ffree);
        seen.push(&metrics::INODES_FREE_PERCENT, 100.0 - full);
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// A file system that is mounted and cannot be asked is broken; one that we may not ask says nothing.
fn failed(point: &Path, error: Errno) -> Result<Observation, ProbeError> {
    let (point, why) = (point.display(), plain(&io::Error::from(error)));
    let advice = match error {
        Errno::ACCESS | Errno::PERM => {
            return Err(ProbeError::Denied(format!(
                "the file system mounted at {point} may not be looked at ({why}); run as root, or let this user enter \
                 the folders on the way to it"
            )));
        }
        Errno::NOMEM | Errno::NFILE | Errno::MFILE | Errno::INTR => {
            let text = format!("the file system mounted at {point} could not be looked at: {why}");
            return Err(ProbeError::Failed(text));
        }
        Errno::NOTCONN => "the program behind it has ended; mount it again",
        Errno::STALE => "its server no longer knows it; mount it again",
        _ => "see the kernel's log (dmesg)",
    };
    let text = format!("the file system mounted at {point} does not work ({why}); {advice}");
    Ok(Observation::new(Standing::Down(Reason::new(ReasonKind::Other, text))))
}

/// A descriptor of the mount table of our own: each is told of a change once. None of the last descriptors is taken.
fn open_changes() -> Option<Arc<OwnedFd>> {
    let file = File::open(mounts::PATH).ok()?;
    (!crate::proc::is_reserved(&file)).then(|| Arc::new(file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount() -> Mount {
        Mount::of("9 1 0:9 / /mnt/x rw - fuse.sshfs me@box: rw")
    }

    fn space(blocks: u64, free: u64, files: u64) -> StatVfs {
        let mut space = statvfs("/").unwrap();
        (space.f_frsize, space.f_blocks, space.f_bfree, space.f_bavail) = (1024, blocks, free, free / 2);
        (space.f_files, space.f_ffree) = (files, files / 4);
        space
    }

    fn value(seen: &Observation, metric: &Metric) -> Option<f64> {
        seen.get(&metric.name).and_then(hinoban_reading::Value::as_f64)
    }

    fn sight(space: StatVfs) -> Observation {
        let mut seen = Observation::up();
        push(&mut seen, Some(&mount()), &Measured { node: stat("/").unwrap(), space });
        seen
    }

    #[test]
    fn what_is_kept_for_root_counts_as_free() {
        let seen = sight(space(1000, 400, 200));
        assert_eq!(value(&seen, &metrics::SPACE_TOTAL), Some(1_024_000.0));
        assert_eq!(value(&seen, &metrics::SPACE), Some(614_400.0));
        assert_eq!(value(&seen, &metrics::SPACE_PERCENT), Some(60.0));
        assert_eq!(value(&seen, &metrics::SPACE_FREE_PERCENT), Some(40.0));
        assert_eq!(value(&seen, &metrics::SPACE_AVAILABLE), Some(204_800.0));
        assert_eq!(value(&seen, &metrics::INODES), Some(150.0));
        assert_eq!(value(&seen, &metrics::INODES_PERCENT), Some(75.0));
    }

    #[test]
    fn no_blocks_are_no_blocks_in_use_and_no_inodes_are_not_told() {
        let seen = sight(space(0, 0, 0));
        assert_eq!(value(&seen, &metrics::SPACE_PERCENT), Some(0.0));
        assert_eq!(value(&seen, &metrics::INODES_TOTAL), None);
        assert_eq!(value(&seen, &metrics::INODES_PERCENT), None);
    }

    #[test]
    fn a_broken_file_system_is_down_and_a_forbidden_one_is_not_seen() {
        let seen = failed(&mount().point, Errno::NOTCONN).unwrap();
        let text = "the file system mounted at /mnt/x does not work (Transport endpoint is not connected); the program \
                    behind it has ended; mount it again";
        assert_eq!(seen.standing, Standing::Down(Reason::new(ReasonKind::Other, text)));
        assert!(matches!(failed(&mount().point, Errno::ACCESS), Err(ProbeError::Denied(_))));
    }
}
