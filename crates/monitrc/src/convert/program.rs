//! Programs, and what a rule does.

use std::time::Duration;

use hinoban_config::{Branch, Config, Program, Then};

use super::notes::Notes;
use super::text;

/// Time for a program of a rule where nothing is said.
const EXEC: Duration = Duration::from_secs(30);

/// The entries of the table that a program is, the command under `key`. `usual` is its time-out where nothing is said.
pub(super) fn entries(
    program: &Program,
    key: &'static str,
    usual: Duration,
    notes: &Notes,
) -> Vec<(&'static str, String)> {
    let mut words = program.words.clone();
    // Programs are run in `/`, and TOML would take the folder of its file.
    if let Some(first) = words.first_mut()
        && first.contains('/')
        && !first.starts_with('/')
    {
        *first = format!("/{}", first.strip_prefix("./").unwrap_or(first));
    }
    let line = text::command(&words).map(|line| text::string(&line));
    let list = || text::list(&words.iter().map(|word| text::string(word)).collect::<Vec<_>>());
    let mut entries = vec![(key, line.unwrap_or_else(list))];
    if let Some(uid) = program.uid {
        entries.push(("user", text::string(&notes.user(uid))));
    }
    match program.gid {
        Some(gid) => entries.push(("group", text::string(&notes.group(gid)))),
        // Without a word it would be the user's.
        None if program.uid.is_some() => entries.push(("group", "false".to_owned())),
        None => {}
    }
    match program.timeout {
        time if time == usual => {}
        Program::FOR_EVER if key == "exec" => entries.push(("timeout", "false".to_owned())),
        time => entries.push(("timeout", text::duration(time))),
    }
    entries
}

/// A program that is started, stopped or run: its command alone, if that is all.
pub(super) fn program(program: &Program, usual: Duration, notes: &Notes) -> String {
    match &entries(program, "run", usual, notes)[..] {
        [(_, command)] => command.clone(),
        entries => text::table(entries),
    }
}

/// All that one side of a rule does.
pub(super) fn deeds(branch: &Branch, config: &Config, notes: &Notes) -> String {
    let deeds: Vec<String> =
        branch.also.iter().chain([&branch.then]).map(|then| deed(then, config, notes)).collect();
    text::one_or_many(&deeds)
}

fn deed(then: &Then, config: &Config, notes: &Notes) -> String {
    let word = match then {
        Then::Nothing => "nothing",
        Then::Start => "start",
        Then::Stop => "stop",
        Then::Restart => "restart",
        Then::Unmonitor => "unmonitor",
        Then::Custom(name) => name,
        Then::Exec { program, repeat } => {
            let mut entries = entries(program, "exec", config.limits.exec.unwrap_or(EXEC), notes);
            entries.extend(repeat.map(|n| ("repeat", n.to_string())));
            return text::table(&entries);
        }
        _ => "alert",
    };
    text::string(word)
}

/// How often, or how long: `for` and `else-for`.
pub(super) fn lasts(branch: &Branch) -> Option<String> {
    match (branch.lasting, branch.rate.count, branch.rate.within) {
        (Some(time), ..) => Some(text::duration(time)),
        (None, 1, 1) => None,
        (None, count, within) if count == within => Some(format!("\"{count} cycles\"")),
        (None, count, within) => Some(format!("\"{count} of {within}\"")),
    }
}
