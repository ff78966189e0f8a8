//! Reading back what is found on disk, which may be torn, damaged, or somebody else's.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::file::with_suffix;
use crate::{Entry, State};

/// Longer than any entry; what has no line end for so long is no journal.
const LONGEST_LINE: u64 = 1 << 20;

/// What a file turned out to hold.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    /// What its readable entries say.
    pub(crate) state: State,
    /// Bytes of those entries.
    pub(crate) length: u64,
    pub(crate) condition: Condition,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Condition {
    /// Each line is an entry.
    Whole,
    /// Its last line was not finished: the sign of a crash, and no loss, since nothing was acted on yet.
    Torn,
    /// Something else stands in this line.
    Damaged { line: u64 },
    /// It is Monit's.
    Monit,
}

/// Reads a file from its beginning.
pub(crate) fn read(file: &File) -> io::Result<Found> {
    let length = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    if is_monit(reader.fill_buf()?, length) {
        return Ok(Found { state: State::default(), length: 0, condition: Condition::Monit });
    }
    let mut found = Found { state: State::default(), length: 0, condition: Condition::Whole };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            let over = read as u64 == LONGEST_LINE;
            found.condition = if over { Condition::Damaged { line: number } } else { Condition::Torn };
            break;
        }
        match serde_json::from_slice::<Entry>(&line) {
            Ok(entry) => found.state.apply(&entry),
            Err(_) => {
                found.condition = Condition::Damaged { line: number };
                break;
            }
        }
        found.length += read as u64;
    }
    Ok(found)
}

/// The processes that are entered from the byte `from` on, and how far that was read: to the end of a line.
pub(crate) fn spawned(file: &File, from: u64) -> io::Result<(Vec<Entry>, u64)> {
    let length = file.metadata()?.len().saturating_sub(from);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    let read = file.read_at(&mut bytes, from)?;
    let whole = bytes[..read].iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let lines =
        bytes[..whole].split(|b| *b == b'\n').filter(|line| line.starts_with(br#"{"entry":"spawned""#));
    Ok((lines.filter_map(|line| serde_json::from_slice(line).ok()).collect(), from + whole as u64))
}

/// Whether the file is Monit's own binary state: from version 1 on an i32 0 and an i32 with the version, in the byte
/// order of the machine; before that an i32 with the number of equally long records that follow.
fn is_monit(start: &[u8], length: u64) -> bool {
    let word = |at: usize| Some(i32::from_ne_bytes(start.get(at..at + 4)?.try_into().ok()?));
    match (word(0), word(4)) {
        (Some(0), Some(version)) => (1..=4).contains(&version),
        // A record holds a name of 256 bytes and some numbers. Text, ours included, reads as a count far above this.
        (Some(count @ 1..=65_535), _) => {
            let (records, count) = (length - 4, count as u64);
            records.is_multiple_of(count) && records / count > 256
        }
        _ => false,
    }
}

/// Gives what is no journal a second name, under which it stays when a new journal takes its first one.
///
/// The first name is not taken away: without it another supervisor could begin a journal of its own in between.
/// Gives a sentence about it for people; none if the file is in order.
pub(crate) fn set_aside(path: &Path, condition: &Condition) -> io::Result<Option<String>> {
    let notice = match condition {
        Condition::Whole | Condition::Torn => return Ok(None),
        Condition::Monit => {
            let aside = second_name(path, ".monit", "")?;
            format!("it was Monit's, and is kept as {}; all starts as after a first start", aside.display())
        }
        Condition::Damaged { line } => {
            let aside = second_name(path, ".damaged", "-1")?;
            let aside = aside.display();
            format!(
                "damaged in line {line}; it is kept as {aside}; what stood before that line goes on, the rest starts afresh"
            )
        }
    };
    Ok(Some(format!("state file {}: {notice}", path.display())))
}

/// Gives the file a second name: its own with `suffix` and `first`, or else the first number from 2 on that is free,
/// so that nothing set aside before is lost.
pub(crate) fn second_name(path: &Path, suffix: &str, first: &str) -> io::Result<PathBuf> {
    let numbers = std::iter::once(first.to_owned()).chain((2..u32::MAX).map(|n| format!("-{n}")));
    for number in numbers {
        let aside = with_suffix(path, &format!("{suffix}{number}"));
        match std::fs::hard_link(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Some file systems have no second names; there the first one is given up for a moment.
            Err(_) if !aside.try_exists()? => return std::fs::rename(path, &aside).map(|()| aside),
            Err(_) => {}
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name to keep it under"))
}
