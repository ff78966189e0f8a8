use std::io;
use std::path::{Path, PathBuf};

/// What loading a configuration may ask about the world. The binary answers truthfully; tests make it up.
pub trait Surroundings {
    /// The text of a file.
    ///
    /// # Errors
    /// As reading the file does; text that is not UTF-8 is [`io::ErrorKind::InvalidData`].
    fn read(&self, path: &Path) -> io::Result<String>;

    /// The text of a control file, or of a file of patterns that one names: Monit takes bytes as they are, so text that is
    /// not UTF-8 may be read as something else, but must be read.
    ///
    /// # Errors
    /// As reading the file does.
    fn text(&self, path: &Path) -> io::Result<String> {
        self.read(path)
    }

    /// The paths that match a pattern of glob(7), in alphabetical order; empty if none does.
    fn glob(&self, pattern: &str) -> Vec<PathBuf>;

    /// The id of a user, by name or by number written out; `None` if there is none.
    fn user(&self, name: &str) -> Option<u32>;

    /// The id of a group, by name or by number written out; `None` if there is none.
    fn group(&self, name: &str) -> Option<u32>;

    /// Whether somebody has this id; yes, if that is not known.
    fn has_user(&self, _uid: u32) -> bool {
        true
    }

    /// Whether a group has this id; yes, if that is not known.
    fn has_group(&self, _gid: u32) -> bool {
        true
    }

    /// The primary group of the user with this id; `None` if that is not known.
    fn primary_group(&self, _uid: u32) -> Option<u32> {
        None
    }

    /// The name of this host.
    fn host_name(&self) -> String;

    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// Whether a file exists and, if `executable`, may be executed.
    fn exists(&self, path: &Path, executable: bool) -> bool;

    /// Whether what exists here is a directory; `None` if that is not known.
    fn is_directory(&self, _path: &Path) -> Option<bool> {
        None
    }

    /// Whether a file belongs to us, others may not touch it, and its group may not write it: mode 0750 at most. `None` if
    /// that is not known.
    fn is_private(&self, _path: &Path) -> Option<bool> {
        None
    }

    /// Whether a name or address resolves, for lists of allowed hosts.
    fn resolves(&self, host: &str) -> bool;
}

/// Surroundings in which there is nothing but a host called `localhost`: for configurations that need no more, and
/// for tests to build on.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSurroundings;

impl Surroundings for NoSurroundings {
    fn read(&self, path: &Path) -> io::Result<String> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("{} cannot be read here", path.display())))
    }
    fn glob(&self, _: &str) -> Vec<PathBuf> {
        Vec::new()
    }
    fn user(&self, name: &str) -> Option<u32> {
        name.parse().ok()
    }
    fn group(&self, name: &str) -> Option<u32> {
        name.parse().ok()
    }
    fn host_name(&self) -> String {
        "localhost".to_owned()
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn exists(&self, _: &Path, _: bool) -> bool {
        true
    }
    fn resolves(&self, _: &str) -> bool {
        true
    }
}
