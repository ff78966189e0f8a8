//! Letters on disk: one file each, whole or not there.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinoban_action::Message;
use hinoban_reading::Stamp;
use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};

use super::Letter;

/// The directory of a queue. All calls block on the disk. Nobody else can open it until the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Store {
    directory: PathBuf,
    _lock: Arc<fs::File>,
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
    ///
    /// # Errors
    /// If others could put letters there, which would be sent in our name; [`io::ErrorKind::WouldBlock`] while another
    /// store has it open; and what the system says.
    pub(super) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        ours(&fs::symlink_metadata(&directory)?, rustix::process::geteuid().as_raw())?;
        let lock = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(directory.join("lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { directory, _lock: Arc::new(lock) }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "another daemon uses it; give each a queue of its own",
            )),
            Err(why) => Err(why.into()),
        }
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

/// Whether nobody but us can change what is in this directory.
fn ours(found: &fs::Metadata, us: u32) -> io::Result<()> {
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !found.is_dir() {
        return refused("it is no directory; name another one".to_owned());
    }
    if found.uid() != us {
        return refused(format!(
            "it belongs to user {}; make it ours with chown, or name another one",
            found.uid()
        ));
    }
    match found.mode() & 0o7777 {
        mode if mode & 0o022 != 0 => {
            refused(format!("others may write in it (permission {mode:04o}); chmod 700"))
        }
        _ => Ok(()),
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

    #[test]
    fn two_do_not_share_a_queue() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path().to_owned()).unwrap();
        let clone = first.clone();
        drop(first);
        let refused = Store::open(dir.path().to_owned()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(refused.to_string().contains("another daemon uses it"), "{refused}");
        drop(clone);
        assert!(Store::open(dir.path().to_owned()).is_ok());
    }

    #[test]
    fn a_directory_that_others_can_write_in_is_no_queue() {
        let dir = tempfile::tempdir().unwrap();
        let queue = dir.path().join("queue");
        let why = |path: &Path| Store::open(path.to_owned()).unwrap_err().to_string();
        fs::create_dir(&queue).unwrap();
        for mode in [0o720, 0o702, 0o1777] {
            fs::set_permissions(&queue, fs::Permissions::from_mode(mode)).unwrap();
            assert!(why(&queue).contains(&format!("others may write in it (permission {mode:04o})")));
        }
        assert_eq!(fs::read_dir(&queue).unwrap().count(), 0, "nothing was touched");
        fs::set_permissions(&queue, fs::Permissions::from_mode(0o700)).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&queue, &link).unwrap();
        assert!(why(&link).contains("it is no directory"));
        let found = fs::metadata(&queue).unwrap();
        assert!(ours(&found, found.uid()).is_ok());
        assert!(ours(&found, found.uid() + 1).unwrap_err().to_string().contains("it belongs to user"));
    }
}
