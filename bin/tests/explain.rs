//! `hinoban explain`, as the daemon answers it.

mod common;

use common::{CONTROL_FILE, TOML, World};

#[test]
fn a_service_explains_itself() {
    for (file, text, called) in [("rc", CONTROL_FILE, "monit"), ("c.toml", TOML, "hinoban")] {
        let world = World::new();
        world.write(file, text);
        let done = world.run(&format!("-c {file} explain svc"));
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{done:?}");
        assert!(
            done.err.contains(&format!("the {called} daemon is not running, and only it knows")),
            "{done:?}"
        );
        assert!(done.err.contains("`simulate`"), "{done:?}");

        world.ok(&format!("-c {file}"));
        let pid = world.new_pid("svc.pid", 0);
        let said = common::wait_for("the service to be known", || {
            let said = world.ok(&format!("-c {file} explain SVC")).out;
            said.contains(&format!("It is up with pid {pid}")).then_some(said)
        });
        for part in [
            "svc\n\nHow it stands\n  It is a process, found by the pidfile ",
            "if does not exist then restart",
            "\nWhat would happen next\n  If it died now, it would be started",
            "/bin/sh",
            "Nobody is told of anything",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("sleep 1000"), "arguments may hold secrets: {said}");

        world.ok(&format!("-c {file} unmonitor svc"));
        let said = common::wait_for("the end of the watching", || {
            let said = world.ok(&format!("-c {file} explain svc")).out;
            said.contains("It is not watched").then_some(said)
        });
        assert!(said.contains("`hinoban monitor svc` only watches it"), "{said}");

        let done = world.run(&format!("-c {file} explain svd"));
        assert_eq!(
            (done.code, done.err.as_str()),
            (Some(1), "There is no service named \"svd\"; did you mean \"svc\"?\n")
        );
        let done = world.run(&format!("-c {file} explain"));
        assert_eq!(done.err, "explain takes the name of a service: hinoban explain NAME\n");
    }
}
