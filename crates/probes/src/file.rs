//! A file, a directory or a named pipe: whether it is there, what it is, and what stat(2) says of it.
//!
//! Links are followed. A file counts as there if it is a regular file or a socket; anything else in its place is told as
//! [`ReasonKind::WrongType`]. What is not there is told with the part of its path that is missing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Cause, Look, Probe, ProbeError, Wake};
use hinoban_reading::{Metric, Observation, Reason, ReasonKind, Standing, metrics};
use rustix::fs::{FileType, Stat};

use crate::elsewhere::Elsewhere;
use crate::mounts::{Place, Remembered};
use crate::node::{Node, first_missing, push_attributes, type_in_words};
use crate::storm::Storm;
use crate::sums::{Sum, Sums};

/// Time for whoever took a thing away in order to put another in its place: log rotation and editors rename the old file
/// and then make the new one. Looks at their turn do not wait; they hardly ever fall into the gap.
pub(crate) const REPLACING: Duration = Duration::from_millis(100);

/// Writing goes on while less than this has passed between one change and the next.
const SETTLING: Duration = Duration::from_millis(50);

/// So often a look waits for writing to be over.
const PATIENT: u32 = 10;

/// Looks at one file, directory or named pipe. See the [module](self).
///
/// Readings: `permission`, `uid`, `gid`, `links`, `access.time`, `change.time`, `modify.time`, and of a file `size`. Only if
/// [somebody asks for them](Self::asked): how many seconds ago those times were (`access.age`, `change.age`,
/// `modify.age`), the later one of the last two (`timestamp`, `timestamp.age`), and the checksums of a regular file,
/// `checksum.md5`, `checksum.sha1` and `checksum.sha256`, in small hexadecimal letters. As in Monit there are no ages while
/// one of the three times is 0, which stands for unknown.
///
/// It is woken when the file appears, disappears, is replaced or gets another owner or mode; by writing, and by what comes
/// and goes in a directory, only if somebody asks for a reading that this changes; and at most twenty times a second. A
/// file that disappeared is given a tenth of a second to come back, and one that is being written to as long to come to
/// rest. On a local file system a look is a few system calls on the calling thread; behind a network it is made by a
/// blocking thread of the runtime. A checksum is computed by such a thread: a look waits for it for half a second and then
/// leaves it out, and the probe is woken when it is ready; its answer is told then, whatever became of the file meanwhile.
/// It is computed again when length, inode or times have changed, and of a file that takes so long only at its turn. Who
/// has waited for more than a cycle is told, and then it is read as fast as it goes.
#[derive(Debug)]
pub struct FileProbe {
    path: PathBuf,
    sort: Sort,
    wants: Wants,
    sums: Sums,
    place: Remembered,
    elsewhere: Elsewhere<Result<Node, ProbeError>>,
    was_there: bool,
    /// Length and time of the last writing, as seen last.
    written: Option<(i64, i64, u64)>,
    storm: Storm,
    /// Besides the path itself: the links on its way, and where they lead or which part is missing.
    also: Vec<PathBuf>,
}

/// What should lie there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    File,
    Directory,
    Fifo,
}

impl Sort {
    fn is(self, stat: &Stat) -> bool {
        let found = FileType::from_raw_mode(stat.st_mode);
        match self {
            Sort::File => matches!(found, FileType::RegularFile | FileType::Socket),
            Sort::Directory => found == FileType::Directory,
            Sort::Fifo => found == FileType::Fifo,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Sort::File => "a regular file or a socket",
            Sort::Directory => "a directory",
            Sort::Fifo => "a named pipe",
        }
    }
}

/// What is read or watched only because somebody asks for it.
#[derive(Debug, Default)]
struct Wants {
    access_age: bool,
    change_age: bool,
    modify_age: bool,
    timestamp: bool,
    timestamp_age: bool,
    /// Writing, or what comes and goes in a directory, is news.
    stir: bool,
}

/// Those of a file; the others have all but the last four.
const METRICS: &[Metric] = &[
    metrics::PERMISSION,
    metrics::UID,
    metrics::GID,
    metrics::LINKS,
    metrics::ACCESS_TIME,
    metrics::CHANGE_TIME,
    metrics::MODIFY_TIME,
    metrics::TIMESTAMP,
    metrics::ACCESS_AGE,
    metrics::CHANGE_AGE,
    metrics::MODIFY_AGE,
    metrics::TIMESTAMP_AGE,
    metrics::SIZE,
    metrics::CHECKSUM_MD5,
    metrics::CHECKSUM_SHA1,
    metrics::CHECKSUM_SHA256,
];

/// How many of them every sort has.
const COMMON: usize = 12;

#[async_trait]
impl Probe for FileProbe {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        self.storm.note(look);
        let mut node = self.look_once(look).await?;
        if self.was_there && look.cause() == Cause::Early && matches!(node, Node::Absent(_)) {
            tokio::time::sleep(REPLACING).await;
            node = self.look_once(look).await?;
        }
        if self.wants.stir && self.sort == Sort::File && look.cause() == Cause::Early {
            node = self.settled(node, look).await?;
        }
        self.was_there = matches!(node, Node::There(_));
        self.note_where_else();
        match node {
            Node::There(stat) => {
                if !self.sort.is(&stat) {
                    let text = format!(
                        "{} is {}, not {}",
                        self.path.display(),
                        type_in_words(&stat),
                        self.sort.in_words()
                    );
                    return Ok(Observation::new(Standing::Down(Reason::new(ReasonKind::WrongType, text))));
                }
                let mut seen = Observation::up();
                seen.readings.reserve_exact(COMMON);
                push_attributes(&mut seen, &stat);
                seen.push(&metrics::LINKS, stat.st_nlink);
                self.push_ages(&mut seen, &stat, look);
                if self.sort == Sort::File {
                    seen.push(&metrics::SIZE, stat.st_size);
                    self.sums.push(&mut seen, &self.path, &stat, look).await;
                }
                Ok(seen)
            }
            Node::Absent(text) => {
                Ok(Observation::new(Standing::Absent(Reason::new(ReasonKind::FileAbsent, text))))
            }
        }
    }

    fn metrics(&self) -> &[Metric] {
        if self.sort == Sort::File { METRICS } else { &METRICS[..COMMON] }
    }

    fn wakes(&self) -> Vec<Wake> {
        let mut wakes: Vec<Wake> = self.sums.wake().map(Wake::Fd).into_iter().collect();
        // To watch a path is to walk it, which may take for ever; and nobody tells what others do over there.
        if self.place.last() == Place::Remote || self.storm.rages() {
            return wakes;
        }
        let stir = self.wants.stir && self.sort == Sort::File;
        for path in std::iter::once(&self.path).chain(&self.also).cloned() {
            wakes.push(if stir { Wake::Path(path) } else { Wake::Presence(path) });
        }
        if self.wants.stir && self.sort == Sort::Directory && self.was_there {
            wakes.push(Wake::Entries(self.path.clone()));
        }
        wakes
    }

    fn limits(&self) -> Vec<String> {
        self.sums.limits()
    }
}

impl FileProbe {
    /// A probe of the file at this path, which should be absolute. Nothing is read yet.
    pub fn new(path: PathBuf) -> Self {
        Self::of(path, Sort::File)
    }

    /// A probe of the directory at this path, which should be absolute. Nothing is read yet.
    pub fn directory(path: PathBuf) -> Self {
        Self::of(path, Sort::Directory)
    }

    /// A probe of the named pipe (fifo(7)) at this path, which should be absolute. Nothing is read yet, and never from the
    /// pipe.
    pub fn fifo(path: PathBuf) -> Self {
        Self::of(path, Sort::Fifo)
    }

    fn of(path: PathBuf, sort: Sort) -> Self {
        Self {
            path,
            sort,
            wants: Wants::default(),
            sums: Sums::default(),
            place: Remembered::default(),
            elsewhere: Elsewhere::default(),
            was_there: false,
            written: None,
            storm: Storm::default(),
            also: Vec::new(),
        }
    }

    /// Reads these metrics too if they are among those that are read only for whoever asks, and looks early at what
    /// changes them. Others are left aside.
    pub fn asked<'a>(mut self, metrics: impl IntoIterator<Item = &'a str>) -> Self {
        for name in metrics {
            let is = |metric: Metric| *metric.name == *name;
            self.wants.access_age |= is(metrics::ACCESS_AGE);
            self.wants.change_age |= is(metrics::CHANGE_AGE);
            self.wants.modify_age |= is(metrics::MODIFY_AGE);
            self.wants.timestamp |= is(metrics::TIMESTAMP);
            self.wants.timestamp_age |= is(metrics::TIMESTAMP_AGE);
            let still = [metrics::PERMISSION, metrics::UID, metrics::GID, metrics::ACCESS_TIME];
            let known = METRICS.iter().any(|metric| *metric.name == *name);
            self.wants.stir |= known && !still.into_iter().any(is) && !is(metrics::ACCESS_AGE);
            let sum = Sum::ALL.into_iter().find(|sum| is(sum.metric()));
            sum.into_iter().for_each(|sum| self.sums.want(sum));
        }
        self
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What else tells of it: a link that is switched, a file that vanishes while its link stays, a folder that appears.
    fn note_where_else(&mut self) {
        self.also.clear();
        if self.place.last() == Place::Remote {
            return;
        }
        let (links, end) = self.place.links().unwrap_or((&[], &self.path));
        let missing = if self.was_there { None } else { first_missing(end) };
        let also = links.iter().map(|link| link.at.as_path()).chain([missing.unwrap_or(end)]);
        for path in also.filter(|path| *path != self.path) {
            if !self.also.iter().any(|known| known == path) {
                self.also.push(path.to_owned());
            }
        }
    }

    /// Waits until a file that is being written to comes to rest: half of it says nothing.
    async fn settled(&mut self, mut node: Node, look: &Look) -> Result<Node, ProbeError> {
        for _ in 0..PATIENT {
            let Node::There(before) = &node else { break };
            let now = Some((before.st_size, before.st_mtime, before.st_mtime_nsec));
            if std::mem::replace(&mut self.written, now) == now {
                break;
            }
            tokio::time::sleep(SETTLING).await;
            node = self.look_once(look).await?;
        }
        Ok(node)
    }

    /// How long ago the times were that are asked for, in whole seconds of the clock on the wall.
    fn push_ages(&self, seen: &mut Observation, stat: &Stat, look: &Look) {
        let (access, change, modify) = (stat.st_atime, stat.st_ctime, stat.st_mtime);
        let asked = &self.wants;
        if [access, change, modify].contains(&0) {
            return;
        }
        let now = i64::try_from(look.wall().as_secs()).unwrap_or(i64::MAX);
        let latest = change.max(modify);
        let ages = [
            (asked.timestamp, metrics::TIMESTAMP, latest),
            (asked.access_age, metrics::ACCESS_AGE, now - access),
            (asked.change_age, metrics::CHANGE_AGE, now - change),
            (asked.modify_age, metrics::MODIFY_AGE, now - modify),
            (asked.timestamp_age, metrics::TIMESTAMP_AGE, now - latest),
        ];
        for (_, metric, value) in ages.into_iter().filter(|(asked, ..)| *asked) {
            seen.push(&metric, value);
        }
    }

    async fn look_once(&mut self, look: &Look) -> Result<Node, ProbeError> {
        match self.place.place_of(&self.path) {
            Place::Memory | Place::Local => Node::at(&self.path),
            Place::Remote => {
                let path = self.path.clone();
                self.elsewhere.ask(&self.place.gate(), look, move || Node::at(&path)).await?
            }
        }
    }
}
