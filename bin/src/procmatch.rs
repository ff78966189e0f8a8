//! `procmatch PATTERN`: which processes a pattern finds, and which of them a service would be.

use std::fmt::Write;
use std::process::ExitCode;

use hinoban::config::Pattern;
use hinoban::probes::process::{Matches, matching};

use crate::terminal::{say, show};

/// Characters of a command in one line.
const WIDTH: usize = 50;

/// Prints the table. It needs neither a configuration nor a daemon.
pub(crate) fn procmatch(words: &[String]) -> Result<ExitCode, String> {
    // As Monit: the first counts.
    let [_, text, ..] = words else {
        return Err(
            "procmatch takes one pattern, in quotes: hinoban procmatch \"^/usr/sbin/nginx\"".to_owned()
        );
    };
    let pattern = Pattern::posix(text).map_err(|why| format!("'{text}' is no regular expression: {why}"))?;
    let matches = matching(|line| pattern.is_match(line));
    show(&table(text, &matches));
    if matches.found.len() > 1 && matches.chosen.is_some() {
        say(
            "\nA service of this pattern is the process marked with *: of those whose parent does not match, it has run the \
             longest. A longer pattern tells them apart.",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// As Monit prints it.
fn table(text: &str, matches: &Matches) -> String {
    let mut out = format!("List of processes matching pattern \"{text}\":\n");
    if !matches.found.is_empty() {
        let _ = writeln!(out, "    {:<10}{:<10}{:<WIDTH$} ", "PID", "PPID", "Command");
    }
    for process in &matches.found {
        let mark = if matches.chosen == Some(process.pid) { '*' } else { ' ' };
        let _ = write!(out, " {mark}{:>10}{:>10}  ", process.pid, process.ppid);
        // What a program calls itself is not to write on the terminal of whoever asks.
        let shown: Vec<char> =
            process.command.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        for (n, line) in shown.chunks(WIDTH).enumerate() {
            let indent = if n == 0 { 0 } else { 24 };
            let line: String = line.iter().collect();
            let _ = writeln!(out, "{:indent$}{line:<WIDTH$} ", "");
        }
    }
    let _ = writeln!(out, "Total matches: {}", matches.found.len());
    out
}
