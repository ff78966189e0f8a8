//! Lines for whoever sits before the program.

use std::io::{self, Write};

use hinoban_event::Level;

use super::lane::Sink;
use super::{Line, MORE, plain};

pub(super) struct Terminal<O, E> {
    /// For what happened.
    pub(super) out: O,
    /// For what is wrong.
    pub(super) err: E,
}

impl<O: Write + Send, E: Write + Send> Sink for Terminal<O, E> {
    fn put(&mut self, line: &Line) -> io::Result<()> {
        let to: &mut dyn Write = if line.level <= Level::Warning { &mut self.err } else { &mut self.out };
        // A terminal that was closed does not come back; its lines go nowhere.
        let _ =
            to.write_all(format!("{}\n", plain(&line.text, Some(MORE))).as_bytes()).and_then(|()| to.flush());
        Ok(())
    }

    fn name(&self) -> String {
        "the terminal".to_owned()
    }
}
