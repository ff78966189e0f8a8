//! Which mounted file system a name means.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, major, minor, stat};

use crate::elsewhere::Gate;
use crate::mounts::{Mount, Mounts, Way, device, read_link};
use crate::node::type_in_words;

/// What a name means.
#[derive(Debug)]
pub(super) enum Found {
    /// This mounted file system.
    Mounted {
        mount: Arc<Mount>,
        /// The device node, if that is what was named: permission and owner are asked of it, as Monit does.
        node: Option<PathBuf>,
        /// The gate of the first remote mount on the way to its mount point.
        remote: Option<Gate>,
    },
    /// The root directory we were given (chroot(2)), which lies within a file system that this table does not show.
    Unlisted,
    /// None; the text says what there is instead.
    NotMounted(String),
}

/// Finds by mount point, by device node, by what was mounted, and by `MAJOR:MINOR`. Blocks no longer than local file
/// systems do.
pub(super) fn find(mounts: &Mounts, name: &Path) -> Found {
    let way = name.is_absolute().then(|| mounts.way(name, read_link));
    if let Some(Way { path, mount: Some(mount), .. }) = &way
        && *path == mount.point
    {
        return found(mounts, mount.clone(), None);
    }
    if way.as_ref().is_some_and(|way| way.mount.is_none() && way.path == Path::new("/")) {
        return Found::Unlisted;
    }
    // What is behind a network is a path there, and no device of ours.
    let local = way.as_ref().filter(|way| way.remote.is_none());
    let node = local.and_then(|way| block_device(&way.path).map(|numbers| (way.path.clone(), numbers)));
    let bytes = trimmed(name.as_os_str());
    let by_source = best(mounts, |m| trimmed(&m.source) == bytes);
    let by_numbers = || {
        let numbers = node.as_ref().map(|(_, numbers)| *numbers).or_else(|| device(bytes))?;
        best(mounts, |m| m.device == numbers)
            .or_else(|| best(mounts, |m| block_device_of(m) == Some(numbers)))
    };
    match by_source.or_else(by_numbers) {
        Some(mount) if mounts.is_visible(mount) => found(mounts, mount.clone(), node.map(|(path, _)| path)),
        Some(mount) => Found::NotMounted(format!(
            "{} is mounted at {}, but another file system that was mounted over it hides it",
            name.display(),
            mount.point.display()
        )),
        None => Found::NotMounted(what_else(name, way.as_ref())),
    }
}

/// Finds the file system that a path is on.
pub(super) fn holding(mounts: &Mounts, path: &Path) -> Found {
    let way = mounts.way(path, read_link);
    // What is behind a network may not answer, and is not asked here whether it is there.
    if way.remote.is_none() && stat(&way.path).is_err() {
        let text = format!("there is no {}, so no file system holds it", path.display());
        return Found::NotMounted(text);
    }
    match way.mount {
        Some(mount) => found(mounts, mount, None),
        None => Found::Unlisted,
    }
}

fn found(mounts: &Mounts, mount: Arc<Mount>, node: Option<PathBuf>) -> Found {
    let remote = mounts.way(&mount.point, |_| None).remote.map(|m| m.gate.clone());
    Found::Mounted { mount, node, remote }
}

/// Among several mounts of one thing: one that can be reached, of all of it rather than of a part (a bind mount), and of
/// those the latest.
fn best(mounts: &Mounts, fits: impl Fn(&Mount) -> bool) -> Option<&Arc<Mount>> {
    let whole = Path::new("/");
    mounts.all.iter().filter(|m| fits(m)).max_by_key(|m| (mounts.is_visible(m), m.root == whole))
}

/// The block device that a file system lies on. Some (btrfs) go by a number that the kernel made up.
pub(super) fn block_device_of(mount: &Mount) -> Option<(u32, u32)> {
    match mount.device.0 {
        0 => {
            Some(Path::new(&mount.source)).filter(|source| source.starts_with("/dev")).and_then(block_device)
        }
        _ => Some(mount.device),
    }
}

fn block_device(path: &Path) -> Option<(u32, u32)> {
    let stat = stat(path).ok()?;
    let is_block = FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice;
    is_block.then(|| (major(stat.st_rdev), minor(stat.st_rdev)))
}

/// Without slashes at the end: `box:/export/` is `box:/export`.
fn trimmed(name: &OsStr) -> &[u8] {
    let bytes = name.as_bytes();
    let end = bytes.iter().rposition(|b| *b != b'/').map_or(bytes.len().min(1), |last| last + 1);
    &bytes[..end]
}

/// Why nothing was found, and what to name instead.
fn what_else(name: &Path, way: Option<&Way>) -> String {
    let shown = name.display();
    let Some(way) = way else { return format!("no file system is mounted from {shown}") };
    let on = way.mount.as_ref().map_or("the root file system, /".to_owned(), |mount| {
        format!("the file system mounted at {}", mount.point.display())
    });
    if let Some(remote) = &way.remote {
        let point = remote.point.display();
        return format!(
            "{shown} is no mount point, but a path on the file system mounted at {point}; use that"
        );
    }
    match stat(&way.path) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice => {
            format!("the device {shown} is not mounted")
        }
        Ok(stat) => format!("{shown} is no mount point, but {} on {on}; use that", type_in_words(&stat)),
        Err(_) => format!("there is no {shown}: neither a mount point nor a device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw - ext4 /dev/root rw
23 22 0:5 / /run rw - tmpfs tmpfs rw
24 22 0:6 / /tmp rw - tmpfs tmpfs rw
30 22 0:40 / /srv/export rw - nfs4 box:/export/ rw
40 22 8:1 / /data rw - ext4 /dev/sda1 rw
41 22 8:1 /sub /bound ro - ext4 /dev/sda1 rw
50 22 8:2 / /upper rw - ext4 /dev/sdb1 rw
51 50 8:3 / /upper rw - ext4 /dev/sdc1 rw
52 30 8:4 / /srv/export/inner rw - ext4 /dev/sdd1 rw
";

    fn look(name: &str) -> Found {
        find(&Mounts::of(MOUNTS), Path::new(name))
    }

    fn point(name: &str) -> String {
        match look(name) {
            Found::Mounted { mount, .. } => mount.point.display().to_string(),
            Found::Unlisted => panic!("it has a root"),
            Found::NotMounted(text) => text,
        }
    }

    #[test]
    fn by_mount_point() {
        assert_eq!(point("/"), "/");
        assert_eq!(point("/data/"), "/data");
        assert_eq!(point("/bound"), "/bound");
        assert_eq!(point("/nowhere/../run"), "/run");
    }

    #[test]
    fn by_a_path_on_it() {
        let mounts = Mounts::of(MOUNTS);
        let point = |path: &str| match holding(&mounts, Path::new(path)) {
            Found::Mounted { mount, .. } => mount.point.display().to_string(),
            Found::Unlisted => panic!("it has a root"),
            Found::NotMounted(text) => text,
        };
        assert_eq!(point("/etc/passwd"), "/");
        assert_eq!(point("/run"), "/run");
        assert_eq!(point("/srv/export/some/where"), "/srv/export", "not asked whether it is there");
        assert_eq!(point("/no/such"), "there is no /no/such, so no file system holds it");
    }

    #[test]
    fn by_what_was_mounted() {
        assert_eq!(point("box:/export"), "/srv/export");
        assert_eq!(point("tmpfs"), "/tmp", "the latest");
        assert_eq!(point("/dev/sda1"), "/data", "the whole, not the later part of it");
        assert_eq!(
            point("8:2"),
            "8:2 is mounted at /upper, but another file system that was mounted over it hides it"
        );
        assert_eq!(point("254:0"), "/");
        assert_eq!(point("/upper"), "/upper");
        let Found::Mounted { mount, .. } = look("/upper") else { panic!("it is mounted") };
        assert_eq!(mount.device, (8, 3), "the upper one");
    }

    #[test]
    fn a_root_that_the_table_does_not_show_is_a_file_system_all_the_same() {
        let mounts = Mounts::of("24 22 0:22 / /proc rw - proc proc rw\n");
        assert!(matches!(find(&mounts, Path::new("/")), Found::Unlisted));
        assert!(matches!(find(&mounts, Path::new("/proc/..")), Found::Unlisted));
        assert!(matches!(find(&mounts, Path::new("/proc")), Found::Mounted { .. }));
        let Found::NotMounted(text) = find(&mounts, Path::new("/etc")) else { panic!("it is a folder") };
        assert_eq!(text, "/etc is no mount point, but a directory on the root file system, /; use that");
    }

    #[test]
    fn what_lies_behind_a_network_is_asked_elsewhere() {
        let mounts = Mounts::of(MOUNTS);
        let remote = |name: &str| match find(&mounts, Path::new(name)) {
            Found::Mounted { remote, .. } => remote,
            other => panic!("{other:?}"),
        };
        let export = &mounts.all[3].gate;
        assert!(remote("/srv/export").is_some_and(|gate| gate.is(export)));
        assert!(
            remote("/dev/sdd1").is_some_and(|gate| gate.is(export)),
            "its disk is ours, the way to it is not"
        );
        assert!(remote("/data").is_none());
    }

    #[test]
    fn what_is_not_mounted_is_told_with_what_would_be_right() {
        let etc = "/etc is no mount point, but a directory on the file system mounted at /; use that";
        assert_eq!(point("/etc"), etc);
        let far =
            "/srv/export/x is no mount point, but a path on the file system mounted at /srv/export; use that";
        assert_eq!(point("/srv/export/x"), far);
        assert_eq!(point("/no/such"), "there is no /no/such: neither a mount point nor a device");
        assert_eq!(point("backup:/x"), "no file system is mounted from backup:/x");
    }
}
