//! Letters on disk: one file each, whole or not there.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hinoban_action::Message;
use hinoban_reading::Stamp;
use serde::{Deserialize, Serialize};

use super::Letter;

/// The directory of a queue. All calls block on the disk.
#[derive(Debug, Clone)]
pub(super) struct Store {
    directory: PathBuf,
}

/// What a queue holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// All letters, oldest first, each with those who have not got it.
    pub(super) letters: Vec<(Letter, Vec<String>)>,
    /// What could not be read, in words.
    pub(super) troubles: Vec<String>,
}

/// What a file holds. Fields may be added; they need a default then.
#[derive(Debug, Serialize, Deserialize)]
struct Filed {
    at: Stamp,
    id: String,
    from: String,
    #[serde(default)]
    reply_to: Option<String>,
    to: Vec<String>,
    subject: String,
    body: String,
    /// Those of `to` who have not got it yet.
    pending: Vec<String>,
}

impl Store {
    /// The queue in this directory, which is made if it is not there, for nobody else to read.
    pub(super) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        Ok(Self { directory })
    }

    /// Reads all files. Those that hold no letter are set aside under another name, so that they are told of once.
    pub(super) fn load(&self) -> io::Result<Loaded> {
        let mut names: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            match path.extension().and_then(|e| e.to_str()) {
                Some("json") => names.push(path),
                // We were interrupted before the message was ours.
                Some("tmp") => drop(fs::remove_file(path)),
                _ => {}
            }
        }
        names.sort();
        let mut loaded = Loaded::default();
        for path in names {
            match read(&path) {
                Ok(letter) => loaded.letters.push(letter),
                Err(e) => {
                    let aside = path.with_extension("bad");
                    let moved = match fs::rename(&path, &aside) {
                        Ok(()) => format!("it is kept as {}", aside.display()),
                        Err(e) => format!("it cannot be set aside either: {e}"),
                    };
                    loaded
                        .troubles
                        .push(format!("{} holds no message that can be read: {e}; {moved}", path.display()));
                }
            }
        }
        Ok(loaded)
    }

    /// Writes a letter, or writes it again with fewer `pending`.
    pub(super) fn put(&self, letter: &Letter, pending: &[String]) -> io::Result<()> {
        let message = &letter.message;
        let filed = Filed {
            at: letter.at,
            id: message.id.clone(),
            from: message.from.clone(),
            reply_to: message.reply_to.clone(),
            to: message.to.clone(),
            subject: message.subject.clone(),
            body: message.body.clone(),
            pending: pending.to_vec(),
        };
        let path = self.path(letter);
        let unfinished = path.with_extension("tmp");
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .and_then(|mut file| file.write_all(&serde_json::to_vec(&filed)?))
            .and_then(|()| fs::rename(&unfinished, &path));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Removes a letter. That there is none is fine.
    pub(super) fn remove(&self, letter: &Letter) -> io::Result<()> {
        match fs::remove_file(self.path(letter)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Sorts by time, and is the same for the same message.
    fn path(&self, letter: &Letter) -> PathBuf {
        let name = format!("{:020}-{:016x}.json", letter.at.micros().max(0), fnv1a(&letter.message.id));
        self.directory.join(name)
    }
}

/// FNV-1a of 64 bits: names must stay the same from version to version, which the standard hasher does not promise.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

fn read(path: &Path) -> io::Result<(Letter, Vec<String>)> {
    let filed: Filed = serde_json::from_slice(&fs::read(path)?)?;
    let Filed { at, id, from, reply_to, to, subject, body, pending } = filed;
    Ok((Letter { message: Message { id, from, reply_to, to, subject, body }, at }, pending))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::letter::tests::letter;
    use super::*;

    #[test]
    fn letters_come_back_as_they_were_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("queue")).unwrap();
        let mut late = letter("late", &["a@b.c", "d@e.f"]);
        late.message.reply_to = Some("r@s.t".into());
        let mut early = letter("early", &["a@b.c"]);
        early.at = Stamp::from_micros(5);
        let pending = vec!["d@e.f".to_owned()];
        store.put(&late, &late.message.to).unwrap();
        store.put(&late, &pending).unwrap();
        store.put(&early, &early.message.to).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&store.directory), mode(&store.path(&late))), (0o700, 0o600));
        let letters = vec![(early.clone(), early.message.to.clone()), (late.clone(), pending)];
        assert_eq!(store.load().unwrap(), Loaded { letters, troubles: vec![] });
        store.remove(&late).unwrap();
        store.remove(&late).unwrap();
        assert_eq!(store.load().unwrap().letters.len(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_of_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_owned()).unwrap();
        fs::write(dir.path().join("1.json"), "half of a mess").unwrap();
        fs::write(dir.path().join("2.tmp"), "").unwrap();
        let Loaded { letters, troubles } = store.load().unwrap();
        assert_eq!((letters.len(), troubles.len()), (0, 1));
        assert!(troubles[0].contains("1.json holds no message that can be read: "), "{}", troubles[0]);
        assert!(dir.path().join("1.bad").exists() && !dir.path().join("2.tmp").exists());
        assert_eq!(store.load().unwrap(), Loaded::default());
    }
}
