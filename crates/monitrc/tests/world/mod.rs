//! Surroundings made up for tests: a few files, one host.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use hinoban_config::Surroundings;

/// The text of a file that may not be read.
pub(crate) const LOCKED: &str = "locked";

/// The text of a folder.
#[allow(dead_code)] // not all tests include one
pub(crate) const FOLDER: &str = "folder";

/// Files by path; a pattern is a folder and `*`. Users and groups are `root` and numbers; everything else exists.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) files: BTreeMap<PathBuf, String>,
}

impl Surroundings for World {
    fn read(&self, path: &Path) -> io::Result<String> {
        match self.files.get(path) {
            Some(text) if text == FOLDER => Err(io::ErrorKind::IsADirectory.into()),
            Some(text) if text != LOCKED => Ok(text.clone()),
            Some(_) => Err(io::ErrorKind::PermissionDenied.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let matches = |path: &&PathBuf| match pattern.strip_suffix('*') {
            Some(folder) => path.to_string_lossy().starts_with(folder),
            None => path.as_path() == Path::new(pattern),
        };
        self.files.keys().filter(matches).cloned().collect()
    }
    fn user(&self, name: &str) -> Option<u32> {
        if name == "root" { Some(0) } else { name.parse().ok() }
    }
    fn group(&self, name: &str) -> Option<u32> {
        self.user(name)
    }
    fn host_name(&self) -> String {
        "tower".to_owned()
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn exists(&self, path: &Path, _: bool) -> bool {
        !path.starts_with("/missing")
    }
    fn is_directory(&self, path: &Path) -> Option<bool> {
        self.files.get(path).map(|text| text == FOLDER)
    }
    fn is_private(&self, path: &Path) -> Option<bool> {
        self.files.get(path).map(|text| text == LOCKED)
    }
    fn resolves(&self, host: &str) -> bool {
        !host.ends_with(".invalid")
    }
}
