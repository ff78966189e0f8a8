//! A file: whether it is there, what it is, and what stat(2) says of it.
//!
//! Links are followed. A file counts as there if it is a regular file or a socket; anything else in its place is told as
//! [`ReasonKind::WrongType`]. A file that is not there is told with the part of its path that is missing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Cause, Look, Probe, ProbeError, Wake};
use hinoban_reading::{Metric, Observation, Reason, ReasonKind, Standing, metrics};
use rustix::fs::FileType;

use crate::elsewhere::Elsewhere;
use crate::mounts::{Place, Remembered};
use crate::node::{Node, first_missing, push_attributes, type_in_words};
use crate::storm::Storm;

/// Time for whoever took a thing away in order to put another in its place: log rotation and editors rename the old file
/// and then make the new one. Looks at their turn do not wait; they hardly ever fall into the gap.
pub(crate) const REPLACING: Duration = Duration::from_millis(100);

/// Looks at one file. See the [module](self).
///
/// Readings: `permission`, `uid`, `gid`, `size`, `links`, `access.time`, `change.time`, `modify.time`.
///
/// It is woken when the file appears, disappears or is replaced, but not by writing, and at most twenty times a second. A
/// file that disappeared is given a
/// tenth of a second to come back. On a local file system a look is a few system calls on the calling thread; behind a
/// network it is made by a blocking thread of the runtime.
#[derive(Debug)]
pub struct FileProbe {
    path: PathBuf,
    place: Remembered,
    elsewhere: Elsewhere<Result<Node, ProbeError>>,
    was_there: bool,
    storm: Storm,
    /// Besides the path itself: the links on its way, and where they lead or which part is missing.
    also: Vec<PathBuf>,
}

const METRICS: &[Metric] = &[
    metrics::PERMISSION,
    metrics::UID,
    metrics::GID,
    metrics::SIZE,
    metrics::LINKS,
    metrics::ACCESS_TIME,
    metrics::CHANGE_TIME,
    metrics::MODIFY_TIME,
];

#[async_trait]
impl Probe for FileProbe {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        self.storm.note(look);
        let mut node = self.look_once(look).await?;
        if self.was_there && look.cause() == Cause::Early && matches!(node, Node::Absent(_)) {
            tokio::time::sleep(REPLACING).await;
            node = self.look_once(look).await?;
        }
        self.was_there = matches!(node, Node::There(_));
        self.note_where_else();
        match node {
            Node::There(stat) => {
                let is_file =
                    matches!(FileType::from_raw_mode(stat.st_mode), FileType::RegularFile | FileType::Socket);
                if !is_file {
                    let text = format!(
                        "{} is {}, not a regular file or a socket",
                        self.path.display(),
                        type_in_words(&stat)
                    );
                    return Ok(Observation::new(Standing::Down(Reason::new(ReasonKind::WrongType, text))));
                }
                let mut seen = Observation::up();
                seen.readings.reserve_exact(METRICS.len());
                push_attributes(&mut seen, &stat);
                seen.push(&metrics::SIZE, stat.st_size);
                seen.push(&metrics::LINKS, stat.st_nlink);
                Ok(seen)
            }
            Node::Absent(text) => {
                Ok(Observation::new(Standing::Absent(Reason::new(ReasonKind::FileAbsent, text))))
            }
        }
    }

    fn metrics(&self) -> &[Metric] {
        METRICS
    }

    fn wakes(&self) -> Vec<Wake> {
        match self.place.last() {
            // To watch a path is to walk it, which may take for ever; and nobody tells what others do over there.
            Place::Remote => Vec::new(),
            _ if self.storm.rages() => Vec::new(),
            Place::Memory | Place::Local => {
                std::iter::once(&self.path).chain(&self.also).cloned().map(Wake::Presence).collect()
            }
        }
    }
}

impl FileProbe {
    /// A probe of the file at this path, which should be absolute. Nothing is read yet.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            place: Remembered::default(),
            elsewhere: Elsewhere::default(),
            was_there: false,
            storm: Storm::default(),
            also: Vec::new(),
        }
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
