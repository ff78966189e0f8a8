//! All mounts, and which of them a path leads to.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mount::Mount;

/// The mount table at one moment.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    /// In the kernel's order.
    pub(crate) all: Vec<Arc<Mount>>,
}

/// So many links does the kernel follow for one path (path_resolution(7), ELOOP).
const MOST_LINKS: usize = 40;

/// Where the way of a path ends.
#[derive(Debug)]
pub(crate) struct Way {
    /// The path without links, `.` and `..`, as far as nothing remote had to be asked.
    pub(crate) path: PathBuf,
    /// The mount it lies on. There is none only in a changed root directory.
    pub(crate) mount: Option<Arc<Mount>>,
    /// The first remote mount on the way: nothing behind it was touched.
    pub(crate) remote: Option<Arc<Mount>>,
    /// The links that were followed.
    pub(crate) links: Vec<Link>,
    /// Whether the parts of `path` and `links` are all that was passed through; not if `..` left one of them again.
    pub(crate) whole: bool,
}

/// A link that was followed.
#[derive(Debug)]
pub(crate) struct Link {
    /// Where it lies, without a link before it.
    pub(crate) at: PathBuf,
    /// What is written in it.
    pub(crate) target: PathBuf,
}

impl Mounts {
    /// Reads the table. What was mounted before keeps its gate.
    pub(super) fn parse(text: &[u8], before: &Mounts) -> Self {
        let known: HashMap<u32, &Arc<Mount>> = before.all.iter().map(|m| (m.id, m)).collect();
        let mut all: Vec<Mount> = text.split(|b| *b == b'\n').filter_map(Mount::parse).collect();
        let ids: HashSet<u32> = all.iter().map(|m| m.id).collect();
        for mount in &mut all {
            mount.parent = mount.parent.filter(|parent| ids.contains(parent));
            if let Some(old) = known.get(&mount.id).filter(|old| old.is(mount)) {
                mount.gate = old.gate.clone();
            }
        }
        Self { all: all.into_iter().map(Arc::new).collect() }
    }

    /// A table as a test writes it.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self::parse(text.as_bytes(), &Self::default())
    }

    /// What lies on top of `mount` at `point`, or `mount` itself if nothing is mounted there.
    fn enter<'a>(&'a self, mut mount: Option<&'a Arc<Mount>>, point: &Path) -> Option<&'a Arc<Mount>> {
        // Each step goes from a mount to one on it; the table of a moment has no circles, but a text may.
        for _ in 0..self.all.len() {
            let below = mount.map(|m| m.id);
            match self.all.iter().rfind(|m| m.parent == below && m.point == point) {
                Some(upper) => mount = Some(upper),
                None => break,
            }
        }
        mount
    }

    /// The mount that a path without links lies on.
    pub(crate) fn at(&self, path: &Path) -> Option<&Arc<Mount>> {
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        ancestors.into_iter().fold(None, |mount, point| self.enter(mount, point))
    }

    /// Whether the mount point leads to this mount, and not to one that hides it.
    pub(crate) fn is_visible(&self, mount: &Mount) -> bool {
        self.at(&mount.point).is_some_and(|top| top.id == mount.id)
    }

    /// Walks an absolute path from the root, following links by hand. Behind the first remote mount nothing is touched:
    /// from there on links are taken for what they seem.
    pub(crate) fn way(&self, path: &Path, read_link: impl Fn(&Path) -> Option<PathBuf>) -> Way {
        let mut rest: Vec<PathBuf> = path.components().rev().map(|c| c.as_os_str().into()).collect();
        let mut at = PathBuf::from("/");
        let mut mount = self.at(&at);
        let mut remote = mount.filter(|m| m.is_remote());
        let mut links = Vec::new();
        let mut whole = true;
        while let Some(component) = rest.pop() {
            match component.as_os_str().as_encoded_bytes() {
                b"." => continue,
                b".." => {
                    at.pop();
                    whole = false;
                    mount = self.at(&at);
                    continue;
                }
                b"/" => {
                    at = PathBuf::from("/");
                    mount = self.at(&at);
                    continue;
                }
                _ => at.push(component),
            }
            let here = self.enter(mount, &at);
            remote = remote.or_else(|| here.filter(|m| m.is_remote()));
            if remote.is_none()
                && let Some(target) = read_link(&at)
            {
                if links.len() >= MOST_LINKS {
                    break;
                }
                rest.extend(target.components().rev().map(|c| PathBuf::from(c.as_os_str())));
                links.push(Link { at: at.clone(), target });
                at.pop();
                continue;
            }
            mount = here;
        }
        Way { mount: self.at(&at).cloned(), path: at, remote: remote.cloned(), links, whole }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::mounts) const MOUNTS: &str = "\
23 22 0:5 / /run rw - tmpfs tmpfs rw
22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv/big\\040disk rw master:3 - nfs4 box:/x rw,vers=4.2
31 30 8:2 / /srv/big\\040disk/inner rw - ext4 /dev/sdb rw
32 22 0:41 / /mnt rw - ext4 /dev/sdc rw
34 32 8:3 / /mnt/hidden rw - ext4 /dev/sdd rw
33 32 0:42 / /mnt rw - fuse.sshfs me@box: rw
";

    pub(in crate::mounts) fn table() -> Mounts {
        Mounts::of(MOUNTS)
    }

    pub(in crate::mounts) fn link(path: &Path) -> Option<PathBuf> {
        match path.to_str().unwrap() {
            "/var/run" => Some("/run".into()),
            "/home/me/run" => Some("../../srv/big disk".into()),
            "/loop" => Some("/loop".into()),
            p if p.starts_with("/srv/big disk") => panic!("touched {p}, which is behind a network"),
            _ => None,
        }
    }

    #[test]
    fn the_order_of_the_lines_does_not_matter_but_what_lies_on_what() {
        let table = table();
        let at = |path: &str| table.at(Path::new(path)).map(|m| m.id);
        assert_eq!(at("/run/x"), Some(23), "mounted by the initramfs, and moved: listed before the root");
        assert_eq!(at("/mnt"), Some(33));
        assert_eq!(at("/mnt/hidden/x"), Some(33), "what is beneath an upper mount cannot be reached");
        assert_eq!(at("/runner"), Some(22));
        let hidden = |id| !table.is_visible(table.all.iter().find(|m| m.id == id).unwrap());
        assert_eq!([32, 34, 33, 31].map(hidden), [true, true, false, false]);
    }

    #[test]
    fn a_way_ends_without_links() {
        let way = |path: &str| table().way(Path::new(path), link);
        assert_eq!(way("/var/run/./x").path, PathBuf::from("/run/x"));
        assert_eq!(way("/var/run/../etc").path, PathBuf::from("/etc"), "above the link's target");
        let way = way("/home/me/run/inner");
        assert_eq!(way.path, PathBuf::from("/srv/big disk/inner"));
        assert_eq!(way.mount.map(|m| m.id), Some(31));
        assert_eq!(way.remote.map(|m| m.id), Some(30));
        let [link] = way.links.as_slice() else { panic!("{:?}", way.links) };
        assert_eq!(link.at, PathBuf::from("/home/me/run"));
        assert!(!way.whole, "it left /home again, which may become a link unseen");
    }

    #[test]
    fn a_mount_keeps_its_gate_and_a_new_one_has_its_own() {
        let before = table();
        let moved = MOUNTS.replace("box:/x", "box:/y");
        let after = Mounts::parse(moved.as_bytes(), &before);
        let same = |i: usize| before.all[i].gate.is(&after.all[i].gate);
        assert!(same(0));
        assert!(!same(2));
    }

    #[test]
    fn a_table_that_makes_no_sense_ends_all_the_same() {
        let text = "1 2 0:1 / / rw - x x rw\n2 1 0:1 / / rw - x x rw\n3 3 0:1 / / rw - x x rw\n";
        let mounts = Mounts::of(text);
        assert!(mounts.at(Path::new("/a")).is_some());
    }
}
