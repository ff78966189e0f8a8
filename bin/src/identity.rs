//! Who we are among many instances: 32 hexadecimal digits in a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::terminal::say;

/// Our identity, made and written if the file does not exist.
///
/// # Errors
/// A sentence that names the file and says why it can be neither read nor made.
pub(crate) fn know(path: &Path) -> Result<String, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let id = text.trim();
            let good = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
            if good {
                Ok(id.to_owned())
            } else {
                Err(format!(
                    "The id file '{}' does not hold 32 hexadecimal digits; remove it, and a new one is made",
                    path.display()
                ))
            }
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => make(path),
        Err(why) => Err(format!("Cannot read the id file '{}': {why}", path.display())),
    }
}

/// As [`know`], for whoever typed a command under a control file: one that is made is told in Monit's two lines.
///
/// # Errors
/// As [`know`].
pub(crate) fn introduce(path: &Path) -> Result<(), String> {
    if !path.exists() {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|why| format!("Cannot make the folder '{}': {why}", folder.display()))?;
        }
        say(told(path, &make(path)?));
    }
    Ok(())
}

/// Monit's two lines about a new identity.
pub(crate) fn told(path: &Path, id: &str) -> String {
    format!(" New Monit id: {id}\n Stored in '{}'", path.display())
}

/// A new identity, in place of the one there may be.
///
/// # Errors
/// A sentence that names the file and says why it cannot be written.
pub(crate) fn make(path: &Path) -> Result<String, String> {
    let unwritable = |why: io::Error| format!("Cannot write the id file '{}': {why}", path.display());
    let mut bytes = [0_u8; 16];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    got.map_err(|why| format!("No random bytes from the kernel for a new id: {why}"))?;
    let id: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    // Whole or not at all: half an id would be refused for ever.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside).map_err(unwritable)?;
    file.write_all(id.as_bytes()).map_err(unwritable)?;
    std::fs::rename(&beside, path).map_err(unwritable)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        let id = know(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), id);
        assert_eq!((id.len(), know(&path)), (32, Ok(id.clone())));
        assert_ne!(make(&path), Ok(id));
        std::fs::write(&path, "short").unwrap();
        assert!(know(&path).unwrap_err().contains("remove it"));
    }
}
