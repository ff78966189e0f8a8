//! Words for whoever typed the command. A terminal or pipe that is gone is no reason to fail.

use std::io::{IsTerminal, Write};

/// A line on standard output.
pub(crate) fn say(text: impl AsRef<str>) {
    show(&format!("{}\n", text.as_ref()));
}

/// Text on standard output, as it is.
pub(crate) fn show(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A line on standard error.
pub(crate) fn complain(text: impl AsRef<str>) {
    let _ = std::io::stderr().lock().write_all(format!("{}\n", text.as_ref()).as_bytes());
}

/// Whether colours and boxes can be seen: standard output is a terminal that has them.
pub(crate) fn has_colours() -> bool {
    let able = std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb");
    able && std::io::stdout().is_terminal()
}
