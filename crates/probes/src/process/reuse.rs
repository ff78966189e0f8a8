//! Whether a pid still means the process that its pidfile meant.

use std::path::Path;
use std::time::Duration;

use crate::clock;
use crate::mounts::Place;
use crate::pidfile::Stamp;

/// Whether a process is called like its pidfile: `nginx` in `/run/nginx.pid`, `cron` in `crond.pid`.
///
/// Such a one is believed, whatever the times say: a step of the clock makes every daemon look younger than its pidfile,
/// and a stranger who got the pid by chance is hardly called so.
pub(super) fn bears_its_name(pid: u32, pidfile: &Path) -> bool {
    let comm = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let comm = String::from_utf8_lossy(comm.trim_ascii_end()).to_lowercase();
    let stem = pidfile.file_stem().map(|s| s.to_string_lossy().to_lowercase()).unwrap_or_default();
    comm.len().min(stem.len()) >= 3 && (stem.contains(&comm) || comm.contains(&stem))
}

/// By how much a process started after its pidfile was written, if that shows that the pid was reused.
///
/// Both times are of the kernel's wall clock, but the start is reckoned back from boot: if the clock was set forward
/// after the pidfile was written (time synchronisation early after boot), the start moves and the file's time does not.
/// On a file system in memory a file older than the boot proves such a step, and is believed. On a disk it is a pidfile
/// from before a reboot, the usual case. A smaller step cannot be seen; it is why a process once adopted is never judged
/// again while it lives.
pub(super) fn born_after(start: u64, stamp: Stamp, place: Place) -> Option<Duration> {
    const TOLERANCE: Duration = Duration::from_secs(2);
    let boot = clock::boot_wall();
    if place == Place::Memory && stamp.modified() + TOLERANCE < boot {
        return None;
    }
    let late = (boot + clock::ticks(start)).checked_sub(stamp.modified())?;
    (late > TOLERANCE).then_some(late)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidfile::{self, Pidfile};
    use crate::proc::Stat;

    #[test]
    fn a_file_older_than_the_boot_is_judged_on_disks_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        std::fs::write(&path, "42").unwrap();
        std::fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(std::time::UNIX_EPOCH)
            .unwrap();
        let Ok(Pidfile::Names { stamp, .. }) = pidfile::read(&path) else { panic!("no pidfile") };
        assert!(born_after(100, stamp, Place::Local).is_some(), "left from before a reboot");
        assert!(born_after(100, stamp, Place::Memory).is_none(), "only a step of the clock explains this");
    }

    #[test]
    fn a_process_called_like_its_pidfile_is_known_by_its_name() {
        let own = std::process::id();
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        let named = |stem: &str| bears_its_name(own, Path::new(&format!("/run/{stem}.pid")));
        assert!(named(comm.trim()) && named(&format!("{}d", comm.trim())));
        assert!(!named("somethingelse") && !named("x"));
    }

    #[test]
    fn a_pidfile_written_after_the_start_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        std::fs::write(&path, "42").unwrap();
        let Ok(Pidfile::Names { stamp, .. }) = pidfile::read(&path) else { panic!("no pidfile") };
        let own = Stat::of(std::process::id()).unwrap().start;
        assert_eq!(born_after(own, stamp, Place::Local), None);
    }
}
