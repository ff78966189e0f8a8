//! A place in a file: how far it was read, and by what the file is known again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::Stat;

/// So many bytes at the beginning, and before the place, are remembered by their fingerprint.
const BEFORE: u64 = 64;

/// FNV-1a of nothing.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

/// How far a file was read: to the end of a line, or into one that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) ino: u64,
    pub(super) at: u64,
    /// Of what stands at the beginning and before `at`: inodes are used again, and a file that was cut may have grown again.
    print: u64,
    /// The rest of a long line follows, which is not looked at.
    pub(super) skips: bool,
}

impl Spot {
    /// So long is one as bytes.
    pub(super) const LENGTH: usize = 25;

    pub(super) fn begin(ino: u64) -> Self {
        Self { ino, at: 0, print: EMPTY, skips: false }
    }

    pub(super) fn bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.ino.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.at.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.print.to_le_bytes());
        bytes[24] = u8::from(self.skips);
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self { ino: word(0)?, at: word(8)?, print: word(16)?, skips: *bytes.get(24)? != 0 })
    }

    /// Whether this is the file that was read so far, and what was read is still there.
    pub(super) fn is_in(&self, file: &File, size: u64) -> io::Result<bool> {
        Ok(size >= self.at && print(file, self.at)? == self.print)
    }
}

/// The fingerprint of what stands at the beginning and before this place: most logs have a date in each line.
fn print(file: &File, at: u64) -> io::Result<u64> {
    let length = at.min(BEFORE);
    let mut bytes = [0; 2 * BEFORE as usize];
    let (head, tail) = bytes.split_at_mut(length as usize);
    let tail = &mut tail[..length as usize];
    let read = read_at(file, head, 0)? + read_at(file, tail, at - length)?;
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    Ok(bytes[..read].iter().fold(EMPTY, mix))
}

/// Reads until the buffer is full or the file ends.
fn read_at(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], from + read as u64)? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

/// An open file, and how far it was read.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) file: Arc<File>,
    pub(super) dev: u64,
    pub(super) spot: Spot,
    /// Its length and times when all of it had been read; `None`: it was not.
    pub(super) rest: Option<Rest>,
}

/// What says that nothing was written meanwhile.
pub(super) type Rest = (i64, i64, u64, i64, u64);

pub(super) fn rest(stat: &Stat) -> Rest {
    (stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec)
}

impl Open {
    /// Marks how far it is read.
    pub(super) fn moved_to(&mut self, at: u64, skips: bool) -> io::Result<()> {
        if at != self.spot.at {
            self.spot.print = print(&self.file, at)?;
            self.spot.at = at;
        }
        self.spot.skips = skips;
        Ok(())
    }

    /// Whether what lies at the path is this file.
    pub(super) fn is(&self, stat: &Stat) -> bool {
        self.dev == stat.st_dev && self.spot.ino == stat.st_ino
    }
}
