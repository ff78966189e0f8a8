//! `hinoban procmatch` beside Monit's.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output};

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn procmatch(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hinoban")).arg("procmatch").args(words).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The table, without what follows it.
fn table(output: &Output) -> Vec<String> {
    let text = told(output);
    let last = text.lines().position(|line| line.starts_with("Total matches")).unwrap();
    text.lines().take(last + 1).map(str::to_owned).collect()
}

#[test]
fn processes_are_listed_as_monit_lists_them() {
    let time = format!("4321.{}", std::process::id());
    let first = Killed(Command::new("sleep").arg(&time).spawn().unwrap());
    // Monit compares whole seconds.
    assert!(Command::new("sleep").arg("1.1").status().unwrap().success());
    let blanks = ["0"; 30];
    let _second = Killed(Command::new("sleep").arg(&time).args(blanks).spawn().unwrap());
    let pattern = format!("^sleep {time}");
    let ours = procmatch(&[&pattern]);
    assert!(ours.status.success());
    let lines = table(&ours);
    assert_eq!(lines.len(), 6, "{lines:?}"); // the second command takes two lines
    assert!(lines[2].starts_with(&format!(" *{:>10}{:>10}  sleep {time}", first.0.id(), std::process::id())));
    assert!(told(&ours).contains("A service of this pattern is the process marked with *"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("monitrc");
    std::fs::write(&file, "check process p matching x\n").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let monit = Command::new("monit").arg("-c").arg(&file).args(["-B", "procmatch", &pattern]).output();
    let Ok(monit) = monit else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "passed over: there is no monit");
        eprintln!("passed over: there is no monit");
        return;
    };
    assert_eq!(lines, table(&monit));
}

#[test]
fn what_matches_nothing_is_no_failure_and_what_is_no_pattern_is_one() {
    let none = procmatch(&["^nothing is called like this$"]);
    assert!(none.status.success());
    let expected =
        "List of processes matching pattern \"^nothing is called like this$\":\nTotal matches: 0\n";
    assert_eq!(told(&none), expected);
    for (words, why) in [(&["("][..], "'(' is no regular expression: "), (&[], "procmatch takes one pattern")]
    {
        let refused = procmatch(words);
        assert_eq!(refused.status.code(), Some(1));
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.starts_with(why), "{text}");
    }
}
