//! One target, and the lines it has not taken yet.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use hinoban_event::Level;

use super::{LINES, Line};

/// Something that lines are written to.
pub(super) trait Sink: Send {
    /// Writes one line, all of it. After an error the same line comes again later.
    fn put(&mut self, line: &Line) -> io::Result<()>;

    /// Opens anew what was opened by name.
    fn reopen(&mut self) {}

    /// What it is, to begin a sentence.
    fn name(&self) -> String;
}

pub(super) struct Lane {
    sink: Box<dyn Sink>,
    waiting: VecDeque<Arc<Line>>,
    /// Lines dropped before the first that waits.
    lost: u64,
}

impl Lane {
    pub(super) fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, waiting: VecDeque::new(), lost: 0 }
    }

    /// Whether it has not taken everything.
    pub(super) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn reopen(&mut self) {
        self.sink.reopen();
    }

    /// Takes over lines, before which `lost` had to be dropped.
    pub(super) fn accept(&mut self, lines: &VecDeque<Arc<Line>>, lost: u64) {
        self.lost += lost;
        self.waiting.extend(lines.iter().cloned());
        while self.waiting.len() > LINES {
            self.waiting.pop_front();
            self.lost += 1;
        }
    }

    /// Writes what waits, as far as that goes. If it does not go: why.
    pub(super) fn drive(&mut self) -> Option<String> {
        while let Some(line) = self.waiting.front() {
            let told = if self.lost > 0 {
                let text = format!("{} lines lost: the log could not keep up", self.lost);
                let notice = Line { level: Level::Warning, at: line.at, text };
                self.sink.put(&notice).map(|()| self.lost = 0)
            } else {
                Ok(())
            };
            if let Err(e) = told.and_then(|()| self.sink.put(line)) {
                return Some(format!("{} cannot be written to: {e}", self.sink.name()));
            }
            self.waiting.pop_front();
        }
        None
    }
}
