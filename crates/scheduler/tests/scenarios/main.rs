//! Scenarios: files whose names are sentences. Each holds a configuration, what happens on a simulated host, and the
//! whole timetable of what is done and told. A line too many or too few is a failure.
//!
//! `docs/ARCHITECTURE.md` says how to write one.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests may fail them, and say so

mod clock;
mod happening;
mod script;
mod stage;
mod timetable;

use std::fs;
use std::path::{Path, PathBuf};

use script::Script;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios")
}

/// All scenarios, in the order of their names: the name, which is a sentence, and the text.
fn scenarios() -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let sentence = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.strip_suffix(".scenario")
            .unwrap_or_else(|| panic!("{name} does not end in .scenario"))
            .to_owned()
    };
    files.iter().map(|path| (sentence(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn everything_happens_as_it_is_written() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 30, "only {} scenarios in {}", scenarios.len(), folder().display());
    let mut wrong = Vec::new();
    for (sentence, text) in &scenarios {
        let said = match Script::read(text) {
            Ok(script) => stage::play(&script).differences(&script),
            Err(mistakes) => Some(mistakes.join("\n")),
        };
        wrong.extend(said.map(|said| format!("--- {sentence}\n{said}")));
    }
    println!("{} scenarios", scenarios.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), scenarios.len(), wrong.join("\n"));
}

#[test]
fn a_line_that_is_cut_is_missed() {
    for (sentence, text) in scenarios() {
        let script = Script::read(&text).unwrap_or_else(|mistakes| panic!("{sentence}: {mistakes:?}"));
        let played = stage::play(&script);
        for cut in 0..script.expected.len() {
            let mut less = script.clone();
            less.expected.remove(cut);
            assert!(
                played.differences(&less).is_some(),
                "{sentence}: nobody misses line {cut} of the timetable"
            );
        }
        for cut in 0..script.finally.len() {
            let mut less = script.clone();
            less.finally.remove(cut);
            assert!(played.differences(&less).is_some(), "{sentence}: nobody misses line {cut} of the end");
        }
    }
}

/// A scenario with these lines, in their sections.
fn text(happens: &str, expected: &str) -> String {
    format!(
        "toml:\n    every = \"10s\"\n    [service.httpd]\n    pidfile = \"/run/httpd.pid\"\n    start = \"/bin/start\"\n\n\
         happens:\n{happens}    until 1m\n\nexpected:\n{expected}\nat the end:\n    httpd lives, watched\n"
    )
}

const KILLED: &str = "    at 0s: httpd lives\n    at 5s: httpd is killed by signal 9\n";
const REPAIRED: &str = "    at 5s: httpd fails: Does not exist\n    at 5s: start httpd\n    at 5.003s: httpd is restarted\n    \
                        at 5.003s: httpd is well: Exists\n";

#[test]
fn what_comes_too_late_or_is_not_written_is_shown() {
    let said = |expected: &str| {
        let script = Script::read(&text(KILLED, expected)).unwrap();
        stage::play(&script).differences(&script)
    };
    assert_eq!(said(REPAIRED), None);
    assert_eq!(said(&REPAIRED.replace("at 5s: start", "between 4s and 6s: start")), None);
    let late = said(&REPAIRED.replace("at 5s: start", "at 6s: start")).unwrap();
    assert!(late.contains("\n  - at 6s: start httpd") && late.contains("\n  + at 5s: start httpd"), "{late}");
    let more = said("").unwrap();
    assert_eq!(more.matches("\n  + at ").count(), 4, "{more}");
}

#[test]
fn a_line_that_means_nothing_is_a_mistake_with_its_number() {
    let mistakes = |happens: &str, expected: &str| Script::read(&text(happens, expected)).unwrap_err();
    assert_eq!(mistakes("    at 5s: httpd explodes\n", ""), ["line 8: nothing is called `httpd explodes`"]);
    assert_eq!(mistakes("    at noon: httpd lives\n", ""), ["line 8: `noon` is no time"]);
    assert_eq!(mistakes("    at 5s: htpd lives\n", ""), ["line 8: there is no service `htpd`"]);
    assert_eq!(
        mistakes("    from 1s to 2s: httpd lives\n", ""),
        ["line 8: `httpd lives` has no end; write `at`"]
    );
    assert_eq!(mistakes("", "    5s: start httpd\n"), ["line 11: `5s` is no time; write `at 5s`"]);
    assert_eq!(
        Script::read("toml:\n    every = 5\n").unwrap_err().len(),
        4,
        "the mistake in it, and three sections"
    );
    assert_eq!(Script::read("tml:\n").unwrap_err()[0], "line 1: no section is called `tml:`");
}

#[test]
fn the_scenario_in_the_documentation_is_one_of_them() {
    let documentation = fs::read_to_string(folder().join("../../docs/ARCHITECTURE.md")).unwrap();
    let (_, section) = documentation.split_once("\n## Scenarios\n").unwrap();
    let shown = section.split("```").nth(1).unwrap().trim();
    assert!(scenarios().iter().any(|(_, text)| text.trim() == shown), "no file is like this:\n{shown}");
}
