//! How a program ended, and what it printed.

use hinoban_config::{Dialect, Kind};
use hinoban_reading::{Metric, Observation, Value, metrics as m};

/// A rule about how a program ended that fails or holds: under a control file in Monit's words, seen of its log. `None`: the
/// reading is about something else.
pub(crate) fn outcome(
    kind: &Kind,
    metric: &str,
    seen: &Observation,
    failed: bool,
    dialect: Dialect,
) -> Option<String> {
    let Kind::Program { program, .. } = kind else { return None };
    let of = |metric: Metric| seen.get(&metric.name);
    let is = |other: Metric| *metric == *other.name;
    if is(m::RUN_ERROR) {
        let path = program.words.first().map(String::as_str).unwrap_or_default();
        let why = of(m::RUN_ERROR)?;
        return Some(match (failed, dialect) {
            (true, Dialect::Monit) => format!("failed to execute '{path}' -- {why}"),
            (false, Dialect::Monit) => "program started".to_owned(),
            (true, Dialect::Toml) => format!("cannot be run: {why}"),
            (false, Dialect::Toml) => "can be run".to_owned(),
        });
    }
    if is(m::EXIT_STATUS) && dialect == Dialect::Monit {
        let verb = if failed { "failed" } else { "succeeded" };
        return Some(format!("status {verb} ({}) -- {}", of(m::EXIT_STATUS)?, printed(seen)));
    }
    let end = if is(m::PLUGIN_STATE) {
        of(m::PLUGIN_STATE)?.to_string()
    } else if [m::EXIT_STATUS, m::EXIT_SIGNAL, m::EXIT_REASON].into_iter().any(is) {
        match of(m::EXIT_REASON) {
            Some(reason) => reason.to_string(),
            None => format!("ended with status {}", of(m::EXIT_STATUS)?),
        }
    } else {
        return None;
    };
    Some(match text(seen).lines().next() {
        Some(line) => format!("{end} -- {}", cut(line)),
        None => end,
    })
}

/// The exit status beside the one before it, in Monit's words.
pub(crate) fn status_changed(seen: &Observation, before: &Value, value: &Value) -> String {
    match before == value {
        true => format!("status didn't change ({value}) -- {}", printed(seen)),
        false => format!("status changed ({before} -> {value}) -- {}", printed(seen)),
    }
}

/// All that was printed, as Monit tells it.
fn printed(seen: &Observation) -> &str {
    match text(seen) {
        "" => "no output",
        output => output,
    }
}

fn text(seen: &Observation) -> &str {
    match seen.get(&m::OUTPUT.name) {
        Some(Value::Text(output)) => output,
        _ => "",
    }
}

/// The beginning of a line that may be long.
pub(crate) fn cut(line: &str) -> String {
    const MOST: usize = 200;
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use hinoban_config::{Program, Speech};

    fn kind() -> Kind {
        let words = vec!["/usr/bin/check".to_owned()];
        let program = Program { words, uid: None, gid: None, timeout: Duration::from_secs(5) };
        Kind::Program { program, speech: Speech::Plain }
    }

    fn says(dialect: Dialect, metric: Metric, seen: &Observation, failed: bool) -> String {
        outcome(&kind(), &metric.name, seen, failed, dialect).expect("it is about that")
    }

    fn ended(status: i64, output: &str) -> Observation {
        Observation::up().with(&m::EXIT_STATUS, status).with(&m::OUTPUT, output)
    }

    /// Seen of Monit 5.33: its log while programs fail, succeed, and cannot be run.
    #[test]
    fn outcomes_read_as_monit_tells_them() {
        let says = |metric, seen: Observation, failed| says(Dialect::Monit, metric, &seen, failed);
        let lines = "err line\nout é line1";
        assert_eq!(says(m::EXIT_STATUS, ended(1, lines), true), "status failed (1) -- err line\nout é line1");
        assert_eq!(says(m::EXIT_STATUS, ended(0, ""), false), "status succeeded (0) -- no output");
        let [zero, two] = [0, 2].map(Value::Int);
        assert_eq!(status_changed(&ended(2, "x"), &zero, &two), "status changed (0 -> 2) -- x");
        assert_eq!(status_changed(&ended(0, ""), &zero, &zero), "status didn't change (0) -- no output");
        let unrun = Observation::up().with(&m::RUN_ERROR, "it is not executable");
        let told = "failed to execute '/usr/bin/check' -- it is not executable";
        assert_eq!(says(m::RUN_ERROR, unrun, true), told);
    }

    #[test]
    fn in_our_own_words_an_end_is_told_by_its_reason_and_one_line() {
        let says = |metric, seen: Observation, failed| says(Dialect::Toml, metric, &seen, failed);
        assert_eq!(says(m::EXIT_STATUS, ended(3, "no disk\nmore"), true), "ended with status 3 -- no disk");
        assert_eq!(says(m::EXIT_STATUS, ended(0, ""), false), "ended with status 0");
        let killed = ended(9, "begun").with(&m::EXIT_REASON, "timed out after 5 s");
        assert_eq!(says(m::EXIT_STATUS, killed, true), "timed out after 5 s -- begun");
        let critical = ended(2, "DISK CRITICAL - free space: / 5%").with(&m::PLUGIN_STATE, "critical");
        assert_eq!(says(m::PLUGIN_STATE, critical, true), "critical -- DISK CRITICAL - free space: / 5%");
        let unrun = Observation::up().with(&m::RUN_ERROR, "/x does not exist");
        assert_eq!(says(m::RUN_ERROR, unrun, true), "cannot be run: /x does not exist");
        assert!(says(m::EXIT_STATUS, ended(1, &"é".repeat(1000)), true).chars().count() < 300);
        assert_eq!(outcome(&kind(), "perf.load1", &ended(0, ""), true, Dialect::Toml), None);
    }
}
