//! One line of the mount table.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::elsewhere::Gate;
use crate::proc::number;

/// A mounted file system, as proc_pid_mountinfo(5) shows it.
#[derive(Debug)]
pub(crate) struct Mount {
    /// Unique while it is mounted.
    pub(crate) id: u32,
    /// The mount it lies on; `None` if that is not in our table (the root of all).
    pub(crate) parent: Option<u32>,
    /// Major and minor number: of the block device, if there is one, else made up by the kernel (major 0).
    pub(crate) device: (u32, u32),
    /// Which part of the file system is mounted: `/`, but for bind mounts and subvolumes.
    pub(crate) root: PathBuf,
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// Type, such as `ext4`, `nfs4` or `fuse.sshfs`.
    pub(crate) kind: String,
    /// What was mounted: a device, an export, any text.
    pub(crate) source: OsString,
    /// Options of this mount.
    options: String,
    /// Options of the file system.
    super_options: String,
    /// Only one of us at a time waits behind it, if it is remote.
    pub(crate) gate: Gate,
}

impl Mount {
    /// Reads one line: id, parent, major:minor, root, mount point, options, tags up to a lone dash, type, source,
    /// options of the file system.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|b| *b == b' ');
        let id = number(fields.next()?)?;
        let parent = number(fields.next()?).filter(|parent| *parent != id);
        let device = device(fields.next()?)?;
        let root = unescape(fields.next()?).into();
        let point: PathBuf = unescape(fields.next()?).into();
        let options = text(fields.next()?);
        let mut rest = fields.skip_while(|f| *f != b"-").skip(1);
        let kind = text(rest.next()?);
        // Some file systems have an empty source; some very old kernels leave out the rest.
        let source = unescape(rest.next().unwrap_or_default());
        let super_options = text(rest.next().unwrap_or_default());
        let gate = Gate::new(format!("the {kind} file system mounted at {}", point.display()));
        Some(Self { id, parent, device, root, point, kind, source, options, super_options, gate })
    }

    /// A mount as a test writes it.
    #[cfg(test)]
    pub(crate) fn of(line: &str) -> Self {
        Self::parse(line.as_bytes()).expect("a line of mountinfo")
    }

    /// Whether both are the same mounting of the same thing.
    pub(super) fn is(&self, other: &Self) -> bool {
        (self.id, self.device, &self.point, &self.kind, &self.source)
            == (other.id, other.device, &other.point, &other.kind, &other.source)
    }

    /// Whether its answers may never come. autofs mounts a network file system when it is touched.
    pub(crate) fn is_remote(&self) -> bool {
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
        // A block device under FUSE (ntfs-3g) hangs with its server process, too.
        BEGINNINGS.iter().any(|b| self.kind.starts_with(b)) || NAMES.contains(&self.kind.as_str())
    }

    /// Whether it forgets everything at reboot.
    pub(crate) fn is_memory(&self) -> bool {
        matches!(self.kind.as_str(), "tmpfs" | "ramfs")
    }

    /// All options in the words and the order of `/proc/mounts`: read-only or not, what the kernel keeps for every file
    /// system, the mount's own, the file system's own (Linux 6.18, `fs/proc_namespace.c`).
    pub(crate) fn flags(&self) -> String {
        let (access, own) = head(&self.options);
        let (super_access, mut of_type) = head(&self.super_options);
        let mut flags = if access == "ro" || super_access == "ro" { "ro" } else { "rw" }.to_owned();
        while let (word, rest) = head(of_type)
            && is_of_every_file_system(word)
        {
            flags = flags + "," + word;
            of_type = rest;
        }
        for words in [own, of_type].into_iter().filter(|words| !words.is_empty()) {
            flags = flags + "," + words;
        }
        flags
    }
}

/// The first word of a list, and the rest. A comma within quotes (SELinux categories) separates nothing.
fn head(list: &str) -> (&str, &str) {
    let mut quoted = false;
    let comma = list.find(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    comma.map_or((list, ""), |at| (&list[..at], &list[at + 1..]))
}

/// Whether the kernel itself, or its security module, shows this option, before the mount's own.
fn is_of_every_file_system(option: &str) -> bool {
    const BEGINNINGS: [&str; 5] = ["context=", "fscontext=", "defcontext=", "rootcontext=", "smackfs"];
    matches!(option, "sync" | "dirsync" | "mand" | "lazytime" | "seclabel")
        || BEGINNINGS.iter().any(|b| option.starts_with(b))
}

/// `MAJOR:MINOR`.
pub(crate) fn device(text: &[u8]) -> Option<(u32, u32)> {
    let colon = text.iter().position(|b| *b == b':')?;
    Some((number(&text[..colon])?, number(&text[colon + 1..])?))
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(unescape(field).as_bytes()).into_owned()
}

/// Blanks and the like are written as a backslash and three octal digits.
fn unescape(field: &[u8]) -> OsString {
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
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_read() {
        let mount =
            Mount::of(r"36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - nfs4 box:/a\040b rw,vers=4.2");
        assert_eq!((mount.id, mount.parent, mount.device), (36, Some(35), (98, 0)));
        assert_eq!(mount.root, PathBuf::from("/mnt1"));
        assert_eq!(mount.point, PathBuf::from("/mnt 2"));
        assert_eq!((mount.kind.as_str(), mount.source.as_os_str().as_bytes()), ("nfs4", &b"box:/a b"[..]));
        assert!(mount.is_remote());
    }

    #[test]
    fn flags_are_those_of_the_other_table() {
        let flags = |own: &str, of_type: &str| {
            Mount::of(&format!("9 1 0:9 / /x {own} shared:1 - xfs /dev/x {of_type}")).flags()
        };
        assert_eq!(flags("rw,relatime", "rw,discard"), "rw,relatime,discard");
        assert_eq!(flags("ro,nosuid", "rw"), "ro,nosuid");
        assert_eq!(flags("rw,noatime", "ro,sync,seclabel,attr2"), "ro,sync,seclabel,noatime,attr2");
        assert_eq!(flags("rw", r#"rw,context="a:s0:c1,c2",size=4k"#), r#"rw,context="a:s0:c1,c2",size=4k"#);
        assert_eq!(flags("rw", "rw"), "rw");
    }

    /// Both tables are of one moment only if nothing was mounted between: lines that are in both must agree.
    #[test]
    fn this_machine_shows_the_same_flags_in_both_tables() {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let ours = std::fs::read("/proc/self/mountinfo").unwrap();
        let ours: Vec<String> = ours
            .split(|b| *b == b'\n')
            .filter_map(Mount::parse)
            .map(|m| format!("{} {} {}", m.point.display(), m.kind, m.flags()))
            .collect();
        let theirs: Vec<String> = mounts
            .lines()
            .map(|line| line.split(' ').skip(1).take(3).collect::<Vec<_>>().join(" "))
            .filter(|line| !line.contains('\\'))
            .collect();
        let common = theirs.iter().filter(|line| ours.contains(line)).count();
        assert!(common > 0 && common + 3 >= theirs.len(), "{ours:#?} {theirs:#?}");
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "[ -~]{0,80}") {
            if let Some(mount) = Mount::parse(line.as_bytes()) {
                let _ = mount.flags();
            }
        }
    }
}
