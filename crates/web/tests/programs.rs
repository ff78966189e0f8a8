//! Programs as readers of the status and of the XML know them from Monit.
#![allow(clippy::unwrap_used)]

#[allow(unreachable_pub)]
mod world;

use std::time::Duration;

use hinoban_reading::{Metric, Observation, Unit, metrics as m};
use hinoban_supervisor::{Kind, Program, ServiceView, Speech, Status};
use hinoban_web::monit;

fn program(seen: Observation) -> Status {
    let words = vec!["/usr/local/bin/check".to_owned()];
    let program = Program { words, uid: None, gid: None, timeout: Duration::from_secs(5) };
    let mut view = world::view("raid", Kind::Program { program, speech: Speech::Plain });
    view.observation = Some(seen);
    let mut status = world::status();
    status.services = vec![view];
    status
}

fn ended(status: i64, output: &str) -> Observation {
    Observation::up()
        .with(&m::RUN_ERROR, "")
        .with(&m::EXIT_STATUS, status)
        .with(&m::EXIT_SIGNAL, 0i64)
        .with(&m::RUN_TIME, 0.1)
        .with(&m::RUN_STARTED, 1_795_470_803i64)
        .with(&m::OUTPUT, output)
}

fn text(status: &Status) -> String {
    let all: Vec<&ServiceView> = status.services.iter().collect();
    monit::status(status, &world::about(), &all)
}

/// Seen of Monit 5.33, which prints the same of such a program.
#[test]
fn the_status_shows_the_last_exit_value_and_all_that_was_printed() {
    let shown = text(&program(ended(2, "err line\nout é line1")));
    let lines = "  last exit value              2\n  last output                  err line\n                               out é line1\n";
    assert!(plain(&shown).contains(lines), "{shown}");
    let shown = text(&program(ended(0, "")));
    assert!(plain(&shown).contains("  last output                  -\n"), "{shown}");
}

#[test]
fn what_cannot_be_run_and_what_measures_itself_have_lines_of_their_own() {
    let shown = text(&program(Observation::up().with(&m::RUN_ERROR, "/x is not executable")));
    assert!(plain(&shown).contains("  cannot be run                /x is not executable\n"), "{shown}");
    assert!(!shown.contains("last exit value"), "{shown}");
    let seen = ended(1, "WARNING").with(&m::PLUGIN_STATE, "warning");
    let seen = seen.with(&Metric::new("perf.size", Unit::Bytes), 2048i64);
    let shown = text(&program(seen));
    assert!(plain(&shown).contains("  state                        warning\n"), "{shown}");
    assert!(plain(&shown).contains("  perf.size                    2 KiB\n"), "{shown}");
}

#[test]
fn the_xml_has_what_was_printed_as_it_was() {
    let document = monit::document(&program(ended(2, "a <b>\n& ]]> c")), &world::about());
    let element = "<program><started>1795470803</started><status>2</status><output><![CDATA[a <b>\n& ]]&gt; c]]></output></program>";
    assert!(document.contains(element), "{document}");
    let document = monit::document(&program(ended(0, "é\u{1}\r")), &world::about());
    assert!(document.is_ascii());
    let element = "<output><![CDATA[]]>&#233;<![CDATA[?]]>&#13;<![CDATA[]]></output>";
    assert!(document.contains(element), "{document}");
    let unrun = program(Observation::up().with(&m::RUN_ERROR, "/x is not executable"));
    assert!(!monit::document(&unrun, &world::about()).contains("<program>"));
}

/// Without colours.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\u{1b}') {
        out += before;
        rest = behind.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}
