//! What lies at a path: found by stat(2), which follows links, and if nothing does, why.

use std::io;
use std::path::Path;

use hinoban_probe::ProbeError;
use hinoban_reading::{Observation, metrics};
use rustix::fs::{FileType, Stat, lstat, stat};
use rustix::io::Errno;

use crate::failure::plain;

/// What a look at a path found.
#[derive(Debug)]
pub(crate) enum Node {
    /// Something is there, of which stat(2) says this.
    There(Box<Stat>),
    /// Nothing is there; the text says why.
    Absent(String),
}

impl Node {
    /// Looks at a path. It blocks as long as the file system does.
    ///
    /// # Errors
    /// [`ProbeError::Denied`] or [`ProbeError::Failed`] if there may be something that could not be looked at.
    pub(crate) fn at(path: &Path) -> Result<Self, ProbeError> {
        match stat(path) {
            Ok(stat) => Ok(Self::There(Box::new(stat))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(Self::Absent(absence(path))),
            Err(error) => Err(could_not_look(path, error)),
        }
    }
}

/// Adds what every kind of file has: permission bits, owner, group and the three times, those in whole seconds.
pub(crate) fn push_attributes(seen: &mut Observation, stat: &Stat) {
    seen.push(&metrics::PERMISSION, permission(stat));
    seen.push(&metrics::UID, stat.st_uid);
    seen.push(&metrics::GID, stat.st_gid);
    seen.push(&metrics::ACCESS_TIME, stat.st_atime);
    seen.push(&metrics::CHANGE_TIME, stat.st_ctime);
    seen.push(&metrics::MODIFY_TIME, stat.st_mtime);
}

/// The bits that chmod(1) sets.
pub(crate) fn permission(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

/// What it is, with its article.
pub(crate) fn type_in_words(stat: &Stat) -> &'static str {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a directory",
        FileType::Socket => "a socket",
        FileType::Fifo => "a named pipe",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        FileType::Symlink => "a link",
        _ => "of an unknown type",
    }
}

/// Says which part of the path is missing. What appears meanwhile is for the next look to find.
fn absence(path: &Path) -> String {
    let whole = path.display();
    let mut ancestors: Vec<&Path> = path.ancestors().filter(|p| !p.as_os_str().is_empty()).collect();
    ancestors.reverse();
    for part in ancestors {
        let Err(error) = stat(part) else { continue };
        let is_last = part == path;
        let shown = part.display();
        let place = if is_last { String::new() } else { format!("there is no {whole}: ") };
        return match (error, std::fs::read_link(part)) {
            (Errno::LOOP, _) => {
                format!("{place}{shown} is a link that leads through too many links, perhaps to itself")
            }
            (Errno::NOTDIR, Err(_)) => {
                let parent = part.parent().unwrap_or(part).display();
                format!("there is no {whole}: {parent} is not a directory")
            }
            (_, Ok(target)) => {
                format!("{place}{shown} is a link to {}, which does not exist", target.display())
            }
            (_, Err(_)) if is_last => format!("there is no {whole}"),
            (_, Err(_)) => format!("there is no {whole}: its folder {shown} does not exist"),
        };
    }
    format!("there is no {whole}")
}

/// The first part of a path that is missing: once it is there, a look may find more. `None` if all of it is there.
pub(crate) fn first_missing(path: &Path) -> Option<&Path> {
    let there = path.ancestors().position(|part| lstat(part).is_ok())?;
    path.ancestors().take(there).last()
}

/// The error of a look that could not be made.
pub(crate) fn could_not_look(path: &Path, error: Errno) -> ProbeError {
    let (whole, why) = (path.display(), plain(&io::Error::from(error)));
    match error {
        Errno::ACCESS | Errno::PERM => {
            let closed = path.ancestors().skip(1).find(|folder| lstat(*folder).is_ok());
            let folder = closed.unwrap_or(path).display();
            ProbeError::Denied(format!(
                "{whole} may not be looked at ({why}); run as root, or let this user enter the folder {folder}"
            ))
        }
        Errno::STALE => ProbeError::Failed(format!(
            "{whole} could not be looked at ({why}): its server no longer knows it; mount it again"
        )),
        Errno::NOTCONN => ProbeError::Failed(format!(
            "{whole} could not be looked at ({why}): the program behind its mount has ended; mount it again"
        )),
        Errno::IO => ProbeError::Failed(format!(
            "{whole} could not be looked at ({why}): its disk or file system is damaged; see the kernel's log (dmesg)"
        )),
        _ => ProbeError::Failed(format!("{whole} could not be looked at: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    fn absence(path: &Path) -> (String, Option<PathBuf>) {
        match Node::at(path).unwrap() {
            Node::Absent(text) => (text, first_missing(path).map(Path::to_owned)),
            there => panic!("{there:?}"),
        }
    }

    #[test]
    fn absence_names_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let shown = |name: &str| at(name).display().to_string();

        assert_eq!(absence(&at("x")), (format!("there is no {}", shown("x")), Some(at("x"))));
        let below = format!("there is no {}: its folder {} does not exist", shown("a/b/c"), shown("a"));
        assert_eq!(absence(&at("a/b/c")), (below, Some(at("a"))));

        std::fs::write(at("file"), "").unwrap();
        let (text, _) = absence(&at("file/c"));
        assert_eq!(text, format!("there is no {}: {} is not a directory", shown("file/c"), shown("file")));

        symlink("nowhere", at("dangling")).unwrap();
        let dangling = format!("{} is a link to nowhere, which does not exist", shown("dangling"));
        assert_eq!(absence(&at("dangling")), (dangling.clone(), None), "the link itself is there");
        let (text, _) = absence(&at("dangling/c"));
        assert_eq!(text, format!("there is no {}: {dangling}", shown("dangling/c")));

        symlink(at("one"), at("other")).unwrap();
        symlink(at("other"), at("one")).unwrap();
        let (text, _) = absence(&at("one"));
        assert_eq!(
            text,
            format!("{} is a link that leads through too many links, perhaps to itself", shown("one"))
        );
    }

    #[test]
    fn links_are_followed_to_what_they_lead_to() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::write(root.join("real"), "12345").unwrap();
        symlink("real", root.join("one")).unwrap();
        symlink("one", root.join("two")).unwrap();
        let Node::There(stat) = Node::at(&root.join("two")).unwrap() else { panic!("it is there") };
        assert_eq!(stat.st_size, 5);
    }

    #[test]
    fn not_being_allowed_names_the_folder_and_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let ProbeError::Denied(text) = could_not_look(&path, Errno::ACCESS) else { panic!("not denied") };
        let end = format!(
            "(Permission denied); run as root, or let this user enter the folder {}",
            dir.path().display()
        );
        assert!(text.ends_with(&end), "{text}");
        assert!(matches!(could_not_look(&path, Errno::IO), ProbeError::Failed(_)));
    }
}
