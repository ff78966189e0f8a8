//! What is said of limits on restarts.

use hinoban_config::Dialect;
use hinoban_event::Doing;

use crate::limit::Tally;

/// What a limit saw. Without a start it has nothing to say.
pub(crate) fn limit(tally: Tally, reached: bool, is_process: bool, then: &Doing, dialect: Dialect) -> String {
    let Tally { restarts, cycles } = tally;
    match (dialect, reached) {
        // To the letter, the plural too.
        (Dialect::Monit, true) => {
            format!("service restarted {restarts} times within {cycles} cycles(s) - {}", then.word())
        }
        (Dialect::Toml, true) => format!("was restarted {} within {}", times(restarts), cycles_word(cycles)),
        (Dialect::Monit, false) if is_process => {
            "process is running after previous restart timeout (manually recovered?)".to_owned()
        }
        (_, false) => "is no longer restarted again and again".to_owned(),
    }
}

/// What follows when a rule ends the watching: nothing more happens by itself.
pub(crate) fn given_up(then: &Doing, service: &str) -> Option<String> {
    let word = match then {
        Doing::Unmonitor => "monitor",
        Doing::Stop => "start",
        _ => return None,
    };
    let happened = happened(service);
    Some(format!(
        "nobody looks at it any more; {happened}; once it is mended: hinoban {word} {}",
        self::word(service)
    ))
}

/// Where to look for what happened to it.
pub(crate) fn happened(service: &str) -> String {
    format!("what happened: hinoban explain {}, and its own log", word(service))
}

/// A name as one word of a shell's command line.
pub(crate) fn word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

fn cycles_word(n: u32) -> String {
    if n == 1 { "1 cycle".to_owned() } else { format!("{n} cycles") }
}
