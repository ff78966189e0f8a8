//! Following a file through what becomes of it: it grows, is cut, is renamed and made anew, is removed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirEntryExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FileType, OFlags, SeekFrom, Stat, fstat, seek, stat};
use rustix::io::Errno;

use super::lines::{Catch, Content};
use super::spot::{Open, Spot, rest};

/// So much is read in one look; the rest waits for the next one, which comes at once.
const SLICE: u64 = 4 << 20;

/// So much is asked of the kernel at a time.
const CHUNK: usize = 64 << 10;

/// A file that was renamed may be written to for a while, until its writer has heard of it.
const FAREWELL: Duration = Duration::from_secs(10);

/// How far a file was read, and what of the one before it is still to be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Follow {
    current: Option<Open>,
    /// What was at the path before, and since when it is not.
    former: Option<(Open, Duration)>,
    /// What an earlier life remembered, until the file has been found again.
    recalled: Option<[Option<Spot>; 2]>,
    /// There was a file before: what is found in its place is new, and all of it.
    known: bool,
    /// When a look found none, as time since the Unix epoch.
    absent: Option<Duration>,
}

/// What one look read.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) next: Follow,
    /// A text for each rule.
    pub(super) hits: Vec<String>,
    pub(super) stirred: bool,
    pub(super) more: bool,
    /// Why nothing could be read.
    pub(super) trouble: Option<String>,
}

impl Follow {
    /// What is to outlive the supervisor.
    pub(super) fn memory(&self) -> Option<Vec<u8>> {
        let spots = match &self.recalled {
            Some(spots) => *spots,
            None => [self.current.as_ref(), self.former.as_ref().map(|(open, _)| open)]
                .map(|open| open.map(|open| open.spot)),
        };
        if spots == [None, None] && !self.known {
            return None;
        }
        let mut bytes = vec![1];
        for spot in spots {
            bytes.push(u8::from(spot.is_some()));
            bytes.extend(spot.iter().flat_map(Spot::bytes));
        }
        Some(bytes)
    }

    /// Takes back what [`memory`](Self::memory) gave.
    pub(super) fn recall(&mut self, memory: &[u8]) {
        let Some((1, mut rest)) = memory.split_first() else { return };
        let mut spots = [None, None];
        for spot in &mut spots {
            let Some((there, behind)) = rest.split_first() else { return };
            rest = behind;
            if *there != 0 {
                *spot = Spot::read(rest);
                let Some(behind) = rest.get(Spot::LENGTH..) else { return };
                rest = behind;
            }
        }
        *self = Self { recalled: Some(spots), known: true, ..Self::default() };
    }

    /// How much there is to read at a path of which stat(2) says this, nothing if there is none; `None`: only a look can
    /// tell.
    pub(super) fn news(&self, stat: Option<&Stat>) -> Option<u64> {
        let size = |stat: &Stat| u64::try_from(stat.st_size).unwrap_or(0);
        match (&self.current, stat) {
            _ if self.former.is_some() || self.recalled.is_some() => None,
            (Some(open), Some(stat)) if open.is(stat) => match open.rest == Some(rest(stat)) {
                true => Some(0),
                false => Some(size(stat).saturating_sub(open.spot.at).max(1)),
            },
            (None, None) => Some(1),
            (None, Some(stat)) if self.absent.is_some() => Some(size(stat).max(1)),
            (None, Some(_)) => Some(1),
            _ => None,
        }
    }

    /// Reads what was written since. It blocks as long as the file system does.
    pub(super) fn look(mut self, path: &Path, content: &Content, wall: Duration, due: bool) -> Got {
        let mut catch = Catch::new(content);
        let before = self.clone();
        let read = self.read(path, &mut catch, wall, due);
        let hits = catch.hits;
        match read {
            Ok((stirred, more)) => Got { next: self, hits, stirred, more, trouble: None },
            Err(error) => {
                let why = crate::failure::plain(&error);
                let advice = match error.kind() {
                    io::ErrorKind::PermissionDenied => "run as root, or let this user read it",
                    _ => "the next look tries again",
                };
                let trouble = format!(
                    "cannot read {} ({why}), so rules see nothing of its content; {advice}",
                    path.display()
                );
                // What was read before the trouble is read again.
                let hits = vec![String::new(); content.rules()];
                Got { next: before, hits, stirred: false, more: false, trouble: Some(trouble) }
            }
        }
    }

    fn read(
        &mut self,
        path: &Path,
        catch: &mut Catch<'_>,
        wall: Duration,
        due: bool,
    ) -> io::Result<(bool, bool)> {
        let mut room = SLICE;
        let known = self.former.is_some();
        let (mut stirred, mut more) = self.finish(catch, &mut room, wall, due)?;
        if more {
            return Ok((stirred, more));
        }
        self.find(path, wall)?;
        if self.former.is_some() && !known {
            (stirred, more) = self.finish(catch, &mut room, wall, false)?;
        }
        if let Some(open) = self.current.as_mut().filter(|_| !more) {
            let seen = fstat(&*open.file)?;
            let size = u64::try_from(seen.st_size).unwrap_or(0);
            if open.rest != Some(rest(&seen)) {
                if !open.spot.is_in(&open.file, size)? {
                    open.spot = Spot::begin(open.spot.ino);
                }
                let at = open.spot.at;
                more = !read_on(open, &mut room, catch)?;
                stirred |= open.spot.at != at;
                open.rest = (!more).then(|| rest(&seen));
            }
        }
        Ok((stirred, more))
    }

    /// Reads what is left of the file that was at the path before, and lets go of it when nothing more comes. Gives whether
    /// something was read, and whether there is more.
    fn finish(
        &mut self,
        catch: &mut Catch<'_>,
        room: &mut u64,
        wall: Duration,
        due: bool,
    ) -> io::Result<(bool, bool)> {
        let Some((open, since)) = &mut self.former else { return Ok((false, false)) };
        let at = open.spot.at;
        let all = read_on(open, room, catch)?;
        let stirred = open.spot.at != at;
        let gone = fstat(&*open.file)?.st_nlink == 0;
        if all && !stirred && due && (gone || wall.saturating_sub(*since) >= FAREWELL) {
            last_line(open, catch)?;
            self.former = None;
        }
        Ok((stirred, !all))
    }

    /// Sees which file is at the path now, and where to begin in it.
    fn find(&mut self, path: &Path, wall: Duration) -> io::Result<()> {
        let there = match stat(path) {
            Ok(stat) => Some(stat).filter(|s| FileType::from_raw_mode(s.st_mode) == FileType::RegularFile),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => None,
            Err(error) => return Err(error.into()),
        };
        let Some(there) = there else {
            self.leave(wall);
            self.absent = Some(wall);
            return Ok(());
        };
        if self.current.as_ref().is_some_and(|open| open.is(&there)) {
            return Ok(());
        }
        // What lies there may have become something else since: not to wait for whoever opens the other end of a pipe.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags as i32).open(path)?;
        let seen = fstat(&file)?;
        if FileType::from_raw_mode(seen.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        let mut open =
            Open { file: Arc::new(file), dev: seen.st_dev, spot: Spot::begin(seen.st_ino), rest: None };
        let size = u64::try_from(seen.st_size).unwrap_or(0);
        self.leave(wall);
        match self.recalled.take() {
            Some([current, former]) => {
                let same = |spot: &Spot| spot.ino == seen.st_ino;
                match current.filter(same) {
                    Some(spot) if spot.is_in(&open.file, size)? => open.spot = spot,
                    _ => {}
                }
                let gone = if current.is_some_and(|spot| open.spot != spot) { current } else { former };
                self.former = gone.and_then(|spot| sibling(path, &spot)).map(|open| (open, wall));
            }
            None if self.known || self.is_born(&seen) => {}
            // What stood there before anybody watched is nobody's business.
            None => open.moved_to(size, false)?,
        }
        self.known = true;
        self.absent = None;
        self.current = Some(open);
        Ok(())
    }

    /// Whether the file came after a look that found none. One that is older was mounted, or its folder renamed.
    fn is_born(&self, seen: &Stat) -> bool {
        let Some(absent) = self.absent else { return false };
        // The kernel's stamps may be behind the clock by a tick.
        seen.st_ctime >= i64::try_from(absent.as_secs()).unwrap_or(i64::MAX).saturating_sub(1)
    }

    /// What was at the path is there no longer, and what is left of it is still to be read.
    fn leave(&mut self, wall: Duration) {
        if let Some(mut open) = self.current.take() {
            open.rest = None;
            self.former = Some((open, wall));
        }
    }
}

/// Reads whole lines from where it was left on. Gives whether that was all.
fn read_on(open: &mut Open, room: &mut u64, catch: &mut Catch<'_>) -> io::Result<bool> {
    let longest = catch.longest();
    let (mut at, mut skips) = (open.spot.at, open.spot.skips);
    let mut held: Vec<u8> = Vec::new();
    let all = loop {
        let (begin, want) = (held.len(), CHUNK.min(usize::try_from(*room).unwrap_or(CHUNK)));
        if want == 0 {
            break false;
        }
        held.resize(begin + want, 0);
        let read = open.file.read_at(&mut held[begin..], at + begin as u64)?;
        held.truncate(begin + read);
        *room -= read as u64;
        if read == 0 {
            break true;
        }
        // What is held already has no end of a line.
        let (mut line, mut from) = (0, begin);
        while let Some(length) = held[from..].iter().position(|byte| *byte == b'\n') {
            if !std::mem::take(&mut skips) {
                catch.line(&held[line..from + length]);
            }
            line = from + length + 1;
            from = line;
        }
        // Zeros before a line are a hole, and no part of it: somebody cut the file, and its writer goes on where it was.
        let zeros = if skips { 0 } else { held[line..].iter().take_while(|byte| **byte == 0).count() };
        line += zeros;
        let in_hole = zeros > 0 && line == held.len();
        if !skips && held.len() - line > longest {
            catch.line(&held[line..line + longest]);
            skips = true;
        }
        if skips {
            line = held.len();
        }
        at += line as u64;
        held.drain(..line);
        if read < want {
            break true;
        }
        if in_hole {
            at = behind_hole(&open.file, at)?;
        }
    };
    open.moved_to(at, skips)?;
    Ok(all)
}

/// Where the hole ends that there may be at this place: what was cut may have been larger than is ever read.
fn behind_hole(file: &File, at: u64) -> io::Result<u64> {
    let size = u64::try_from(fstat(file)?.st_size).unwrap_or(0);
    match seek(file, SeekFrom::Data(at)) {
        Ok(data) => Ok(data.max(at)),
        Err(Errno::NXIO) => Ok(size.max(at)),
        // Not every file system knows its holes.
        Err(_) => Ok(at),
    }
}

/// What stands behind the last end of a line will have none any more.
fn last_line(open: &Open, catch: &mut Catch<'_>) -> io::Result<()> {
    let mut line = vec![0; catch.longest()];
    let read = open.file.read_at(&mut line, open.spot.at)?;
    if read > 0 && !open.spot.skips {
        catch.line(&line[..read]);
    }
    Ok(())
}

/// The file that was read so far and has another name now, in the same folder.
fn sibling(path: &Path, spot: &Spot) -> Option<Open> {
    let path = std::fs::canonicalize(path).ok()?;
    let same = |entry: &std::fs::DirEntry| entry.ino() == spot.ino && entry.path() != path;
    let entry = std::fs::read_dir(path.parent()?).ok()?.flatten().find(same)?;
    let file = File::open(entry.path()).ok().filter(|_| entry.file_type().is_ok_and(|t| t.is_file()))?;
    let seen = file.metadata().ok()?;
    let is_it = seen.ino() == spot.ino && spot.is_in(&file, seen.len()).unwrap_or(false);
    is_it.then(|| Open { file: Arc::new(file), dev: seen.dev(), spot: *spot, rest: None })
}

/// The whole of a file of the kernel's, which is made anew by each reading: `/proc/mdstat`.
pub(super) fn whole(path: &Path, content: &Content) -> Got {
    let mut catch = Catch::new(content);
    let read = File::open(path).and_then(|file| {
        let mut open = Open { file: Arc::new(file), dev: 0, spot: Spot::begin(0), rest: None };
        let mut room = SLICE;
        read_on(&mut open, &mut room, &mut catch)
    });
    let trouble = read.err().map(|error| {
        format!(
            "cannot read {} ({}), so rules see nothing of its content",
            path.display(),
            crate::failure::plain(&error)
        )
    });
    Got { next: Follow::default(), hits: catch.hits, stirred: false, more: false, trouble }
}
