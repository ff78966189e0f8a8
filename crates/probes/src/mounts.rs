//! Which paths may be touched on the runtime thread: a plain `open` on a hung network mount blocks for ever.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Where a path lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a file system of this machine that forgets at reboot (tmpfs, ramfs).
    Memory,
    /// On another file system of this machine.
    Local,
    /// Behind a network or another process.
    Remote,
}

/// What we remember about one path until the mount table changes.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Option<(u64, Place)>);

impl Remembered {
    /// Where `path` lies now. Costs one `poll` unless the mount table changed. If the table cannot be read the path
    /// counts as remote, which is only slower.
    pub(crate) fn place_of(&mut self, path: &Path) -> Place {
        let mut shared = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.is_none() {
            *shared = Table::open();
        }
        let Some(table) = shared.as_mut() else { return Place::Remote };
        table.refresh();
        match self.0 {
            Some((generation, place)) if generation == table.generation => place,
            _ => {
                let place = table.place_of(path, |p| std::fs::read_link(p).ok());
                self.0 = Some((table.generation, place));
                place
            }
        }
    }
}

/// One table for all probes: the kernel tells a change once to each descriptor (proc_pid_mountinfo(5): POLLPRI).
static TABLE: Mutex<Option<Table>> = Mutex::new(None);

#[derive(Debug)]
struct Table {
    file: File,
    generation: u64,
    /// Mount point and type, in order of mounting: a later one hides an earlier one.
    mounts: Vec<(PathBuf, String)>,
}

impl Table {
    fn open() -> Option<Self> {
        let mut file = File::open("/proc/self/mountinfo").ok()?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).ok()?;
        Some(Self { file, generation: 1, mounts: parse(&text) })
    }

    fn refresh(&mut self) {
        let mut fds = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::PRI)];
        let changed = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|n| n > 0);
        if changed {
            let mut text = vec![0; 1 << 16];
            let mut filled = 0;
            while let Ok(n) = self.file.read_at(&mut text[filled..], filled as u64)
                && n > 0
            {
                filled += n;
                text.resize(text.len().max(filled * 2), 0);
            }
            self.mounts = parse(&text[..filled]);
            self.generation += 1;
        }
    }

    /// Walks the path from the root, following links by hand, and stops at the first remote mount: nothing behind one
    /// is touched.
    fn place_of(&self, path: &Path, read_link: impl Fn(&Path) -> Option<PathBuf>) -> Place {
        let mut rest: Vec<PathBuf> = path.components().rev().map(|c| c.as_os_str().into()).collect();
        let mut at = PathBuf::from("/");
        let mut links = 0;
        let mut place = self.mount_of(&at);
        while let Some(component) = rest.pop() {
            match component.as_os_str().as_encoded_bytes() {
                b"." => continue,
                b".." => drop(at.pop()),
                _ => at.push(component), // a leading "/" begins anew
            }
            place = self.mount_of(&at);
            if place == Place::Remote {
                return place;
            }
            if let Some(target) = read_link(&at) {
                links += 1;
                if links > 40 {
                    return place; // the kernel gives up here too (ELOOP)
                }
                at.pop();
                rest.extend(target.components().rev().map(|c| PathBuf::from(c.as_os_str())));
            }
        }
        place
    }

    fn mount_of(&self, path: &Path) -> Place {
        let under = self.mounts.iter().filter(|(point, _)| path.starts_with(point));
        // The longest mount point; among equals the last.
        match under.max_by_key(|(point, _)| point.as_os_str().len()) {
            Some((_, kind)) if is_remote(kind) => Place::Remote,
            Some((_, kind)) if kind == "tmpfs" || kind == "ramfs" => Place::Memory,
            _ => Place::Local,
        }
    }
}

/// File systems whose answers may never come. autofs mounts a network file system when it is touched.
fn is_remote(kind: &str) -> bool {
    const BEGINNINGS: [&str; 3] = ["nfs", "fuse", "smb"];
    const NAMES: [&str; 17] = [
        "9p",
        "afs",
        "autofs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "virtiofs",
    ];
    BEGINNINGS.iter().any(|b| kind.starts_with(b)) || NAMES.contains(&kind)
}

/// proc_pid_mountinfo(5): field 5 is the mount point, the type follows the lone dash.
fn parse(text: &[u8]) -> Vec<(PathBuf, String)> {
    let line = |line: &[u8]| {
        let mut fields = line.split(|b| *b == b' ');
        let point = unescape(fields.nth(4)?);
        let kind = fields.skip_while(|f| *f != b"-").nth(1)?;
        Some((point, String::from_utf8_lossy(kind).into_owned()))
    };
    text.split(|b| *b == b'\n').filter_map(line).collect()
}

/// Blanks and the like are written as a backslash and three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|d| first == b'\\' && d.iter().all(|b| (b'0'..=b'7').contains(b)));
        match octal {
            Some(digits) => {
                bytes.push(digits.iter().fold(0u8, |n, d| n.wrapping_mul(8).wrapping_add(d - b'0')));
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /run rw - tmpfs tmpfs rw
30 22 0:40 / /srv/big\\040disk rw master:3 - nfs4 box:/x rw,vers=4.2
31 30 8:2 / /srv/big\\040disk/inner rw - ext4 /dev/sdb rw
32 22 0:41 / /mnt rw - ext4 /dev/sdc rw
33 32 0:42 / /mnt rw - fuse.sshfs me@box: rw
";

    fn place(path: &str) -> Place {
        let file = File::open("/dev/null").unwrap();
        let table = Table { file, generation: 1, mounts: parse(MOUNTS.as_bytes()) };
        table.place_of(Path::new(path), |p| match p.to_str().unwrap() {
            "/var/run" => Some("/run".into()),
            "/home/me/run" => Some("../../srv/big disk".into()),
            "/loop" => Some("/loop".into()),
            p if p.starts_with("/srv/big disk/") => panic!("touched {p}, which is behind a network"),
            _ => None,
        })
    }

    #[test]
    fn the_longest_and_latest_mount_counts() {
        assert_eq!(place("/etc/x.pid"), Place::Local);
        assert_eq!(place("/run/x.pid"), Place::Memory);
        assert_eq!(place("/runner/x.pid"), Place::Local);
        assert_eq!(place("/srv/big disk/x.pid"), Place::Remote);
        assert_eq!(place("/mnt/x.pid"), Place::Remote);
    }

    #[test]
    fn links_are_followed_but_nothing_remote_is_touched() {
        assert_eq!(place("/var/run/x.pid"), Place::Memory);
        assert_eq!(place("/home/me/run/x.pid"), Place::Remote);
        assert_eq!(place("/srv/big disk/inner/x.pid"), Place::Remote, "its way leads through the network");
        assert_eq!(place("/loop/x.pid"), Place::Local);
        assert_eq!(place("/run/../etc/./x.pid"), Place::Local);
    }

    #[test]
    fn this_machine_has_a_table() {
        assert_eq!(Remembered::default().place_of(Path::new("/proc/self")), Place::Local);
    }
}
