//! What loading a configuration asks about the world, answered truthfully.

use std::io;
use std::net::ToSocketAddrs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hinoban::config::Surroundings;

use crate::sys;

/// The world.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct World;

impl Surroundings for World {
    fn read(&self, path: &Path) -> io::Result<String> {
        // Reading a pipe or a terminal would wait for somebody to write.
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        std::fs::read_to_string(path)
    }

    /// What is not UTF-8 is taken for Latin-1, in which every byte is a letter.
    fn text(&self, path: &Path) -> io::Result<String> {
        match self.read(path) {
            Err(why) if why.kind() == io::ErrorKind::InvalidData => {
                Ok(std::fs::read(path)?.into_iter().map(char::from).collect())
            }
            read => read,
        }
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        sys::glob(pattern)
    }

    fn user(&self, name: &str) -> Option<u32> {
        sys::user(name).map(|account| account.uid).or_else(|| name.parse().ok())
    }

    fn group(&self, name: &str) -> Option<u32> {
        sys::group(name).or_else(|| name.parse().ok())
    }

    fn has_user(&self, uid: u32) -> bool {
        sys::user_of(uid).is_some()
    }

    fn has_group(&self, gid: u32) -> bool {
        sys::is_group(gid)
    }

    fn primary_group(&self, uid: u32) -> Option<u32> {
        sys::user_of(uid).map(|account| account.gid)
    }

    fn host_name(&self) -> String {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if name.is_empty() { "localhost".to_owned() } else { name }
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn exists(&self, path: &Path, executable: bool) -> bool {
        let access = if executable { rustix::fs::Access::EXEC_OK } else { rustix::fs::Access::EXISTS };
        rustix::fs::access(path, access).is_ok() && !(executable && path.is_dir())
    }

    fn is_directory(&self, path: &Path) -> Option<bool> {
        std::fs::metadata(path).ok().map(|found| found.is_dir())
    }

    fn is_private(&self, path: &Path) -> Option<bool> {
        let found = std::fs::metadata(path).ok()?;
        Some(found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o777 & !0o750 == 0)
    }

    fn resolves(&self, host: &str) -> bool {
        (host, 0).to_socket_addrs().is_ok_and(|mut found| found.next().is_some())
    }
}

/// Our home directory: `$HOME`, or what the user database says.
pub(crate) fn home() -> Option<PathBuf> {
    let variable = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    variable.or_else(|| sys::user_of(rustix::process::geteuid().as_raw()).map(|account| account.home))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_users() {
        assert_eq!(
            (World.user("root"), World.user("12345"), World.user("no such")),
            (Some(0), Some(12345), None)
        );
        assert_eq!((World.group("root"), World.group("no such")), (Some(0), None));
    }

    #[test]
    fn a_file_is_private_if_it_is_ours_and_closed_to_others() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, "").unwrap();
        for (mode, private) in [(0o600, true), (0o750, true), (0o644, false), (0o660, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(World.is_private(&path), Some(private), "{mode:o}");
        }
        assert_eq!(World.is_private(Path::new("/no/such")), None);
    }

    #[test]
    fn only_regular_files_are_read() {
        assert_eq!(World.read(Path::new("/")).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(World.read(Path::new("/dev/null")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(World.read(Path::new("/no/such")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(World.exists(Path::new("/bin/sh"), true));
        assert!(!World.exists(Path::new("/bin"), true) && World.exists(Path::new("/bin"), false));
    }
}
