//! `hinoban convert`: what is printed where, and exit codes.
#![allow(clippy::unwrap_used)] // these may panic

mod common;

use common::World;

const RC: &str = "# Ours.\n\nset daemon 30\nset log @/log\nset httpd port 2812 allow admin:monit\n\
    # The shell.\ncheck process sh with pidfile @/sh.pid # one\n  start program = \"/bin/sh -c true\" as uid root\n";

#[test]
fn the_twin_is_printed_and_can_be_used() {
    let world = World::new();
    world.write("rc", RC);
    let done = world.ok("convert rc");
    assert_eq!(done.err, "");
    for part in
        ["# Ours.", "# The shell.\n[service.sh]  # one\n", "every = \"30s\"", "chmod 600", "group = false"]
    {
        assert!(done.out.contains(part), "{part}: {}", done.out);
    }
    world.write("c.toml", &done.out);
    assert!(world.ok("-t -c c.toml").out.ends_with("syntax OK\n"));
    assert_eq!(world.ok("-c rc convert").out, done.out, "the file may be named as to any command");
    assert!(
        !world.path("log").exists() && world.files().len() == 2,
        "nothing but the files of the test: {:?}",
        world.files()
    );
}

#[test]
fn files_with_mistakes_have_no_twin() {
    let world = World::new();
    world.write("rc", "check proces a with pidfile /a\n");
    let done = world.run("convert rc");
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(done.err.contains("rc:1:"), "{}", done.err);

    world.write("c.toml", "every = \"30s\"\n");
    let done = world.run("convert c.toml");
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(done.err.contains("is TOML already"), "{}", done.err);

    let done = world.run("convert nothing");
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("Cannot read the control file"), "{}", done.err);

    let done = world.run("convert rc rc");
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("takes one file"), "{}", done.err);
}

#[test]
fn warnings_leave_by_the_other_door() {
    let world = World::new();
    world.write("rc", "set daemon 30\ncheck process a with pidfile /a\n  start program = \"/no/such\"\n");
    let done = world.ok("convert rc");
    assert!(done.err.contains("warning"), "{}", done.err);
    assert!(done.out.starts_with("# ") && !done.out.contains("warning"), "{}", done.out);
}
