//! Reading a file for its checksum so that nobody notices: with pauses, past the page cache, and without a trace.

use std::fs::File;
use std::io::IoSliceMut;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};
use rustix::process::{geteuid, getpriority_process, setpriority_process};
use rustix::thread::nanosleep;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::Sum;

/// Reads a file from its beginning.
pub(super) struct Reader<'f> {
    file: &'f File,
    at: u64,
    /// What was not in the page cache before is not to be there afterwards.
    quietly: bool,
}

impl<'f> Reader<'f> {
    pub(super) fn new(file: &'f File) -> Self {
        Self { file, at: 0, quietly: true }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        // RWF_DONTCACHE of preadv2(2), Linux 6.14, on file systems that have it.
        const DONT_CACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);
        let flags = if self.quietly { DONT_CACHE } else { ReadWriteFlags::empty() };
        let read = preadv2(self.file, &mut [IoSliceMut::new(buffer)], self.at, flags);
        match read {
            Ok(read) => {
                self.at += read as u64;
                Ok(read)
            }
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) if self.quietly => {
                self.quietly = false;
                self.read(buffer)
            }
            // A kernel before 4.6 has no such call.
            Err(Errno::NOSYS) => {
                let read = pread(self.file, &mut *buffer, self.at)?;
                self.at += read as u64;
                Ok(read)
            }
            Err(error) => Err(error),
        }
    }
}

/// Pauses between chunks. Where processes or services share the processors in groups, a thread that computes uses up what its
/// whole group may have, and the others of that group come late to their looks, whatever their priority.
pub(super) struct Rest {
    /// How long this thread had computed when it rested last.
    computed: Duration,
    read: usize,
}

/// Rests after each so many bytes …
const BURST: usize = 512 << 10;

/// … so many times as long as it took to compute them.
const RESTS: u32 = 3;

impl Rest {
    pub(super) fn new() -> Self {
        Self { computed: computed(), read: 0 }
    }

    pub(super) fn after(&mut self, bytes: usize, rests: &mut impl FnMut() -> bool) {
        self.read += bytes;
        if self.read < BURST {
            return;
        }
        if !rests() {
            return *self = Self::new();
        }
        let spent = computed().saturating_sub(self.computed);
        let pause = Timespec::try_from(spent * RESTS).unwrap_or_default();
        let _ = nanosleep(&pause);
        *self = Self::new();
    }
}

/// How long this thread has computed.
fn computed() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Makes way for every other thread, for as long as it lives. Only root can take that back, so only root does it.
pub(super) struct Gentle {
    before: Option<i32>,
    /// It has no time to be gentle any more.
    hurries: bool,
}

impl Gentle {
    pub(super) fn new() -> Self {
        // In Linux the nice value is one of the thread (setpriority(2)).
        let before = getpriority_process(None).ok().filter(|_| geteuid().is_root());
        Self { before: before.filter(|_| setpriority_process(None, 19).is_ok()), hurries: false }
    }

    /// From now on it takes its turn like everybody else.
    pub(super) fn give_up(&mut self) {
        if !std::mem::replace(&mut self.hurries, true) {
            self.restore();
        }
    }

    /// Whether there is time for pauses.
    pub(super) fn rests(&self) -> bool {
        !self.hurries
    }

    fn restore(&mut self) {
        if let Some(before) = self.before.take() {
            let _ = setpriority_process(None, before);
        }
    }
}

impl Drop for Gentle {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Opens a file without a trace, if it is ours or we are root.
pub(super) fn open_quietly(path: &Path) -> Result<File, Errno> {
    // Not to hang at a pipe that took its place.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match open(path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => open(path, flags, Mode::empty()),
        other => other,
    }?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file.into()),
        FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::INVAL),
    }
}

/// One that is being computed.
pub(super) enum Digest {
    Md5(Box<md5::Context>),
    Sha(Box<ring::digest::Context>),
}

impl Digest {
    pub(super) fn new(sum: Sum) -> Self {
        use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
        match sum {
            Sum::Md5 => Digest::Md5(Box::new(md5::Context::new())),
            Sum::Sha1 => Digest::Sha(Box::new(Context::new(&SHA1_FOR_LEGACY_USE_ONLY))),
            Sum::Sha256 => Digest::Sha(Box::new(Context::new(&SHA256))),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Digest::Md5(digest) => digest.consume(bytes),
            Digest::Sha(digest) => digest.update(bytes),
        }
    }

    /// In hexadecimal, small letters.
    pub(super) fn finish(self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Digest::Md5(digest) => hex(&digest.finalize().0),
            Digest::Sha(digest) => hex(digest.finish().as_ref()),
        }
    }
}
