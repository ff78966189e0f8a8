//! Rehearsals of failures: what the command prints, letter by letter.

#![allow(clippy::unwrap_used)] // helpers of tests may fail them

mod common;

use common::World;

/// A fixture of this repository in the folder of the test, where others may not change it, for a host called web1.
fn fixture(world: &World, path: &str) {
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path);
    let text = std::fs::read_to_string(from).unwrap();
    world.write("c.toml", &format!("{text}\n[service.web1]\nsystem = true\n"));
}

fn simulate(world: &World, line: &str) -> String {
    let done = world.ok(&format!("simulate -c c.toml {line}"));
    assert_eq!(done.err, "");
    done.out
}

const SHOP: &str = r#"
every = "30s"
[mail]
servers = ["smtp://localhost"]
to = ["admin@example.com"]
[service.db]
pidfile = "/run/db.pid"
start = "/bin/true db start"
stop = "/bin/true db stop"
  [[service.db.check]]
  when = "memory > 1 GB"
  for = "3 cycles"
  then = "restart"
  [[service.db.check]]
  tcp = "127.0.0.1:5432"
  then = "restart"
[service.app]
pidfile = "/run/app.pid"
start = "/bin/true app start"
stop = "/bin/true app stop"
depends-on = ["db"]
[service.here]
system = true
  [[service.here.check]]
  when = "load 5min > 8"
  then = { exec = "/bin/true page" }
"#;

#[test]
fn the_demonstration_dies() {
    let world = World::new();
    fixture(&world, "demo.toml");
    insta::assert_snapshot!(simulate(&world, "--fail service --for 1m"));
}

#[test]
fn a_web_server_does_not_come_up_for_ten_minutes() {
    let world = World::new();
    fixture(&world, "config/valid/httpd.toml");
    insta::assert_snapshot!(simulate(&world, "--fail httpd"));
}

#[test]
fn a_web_server_is_busy() {
    let world = World::new();
    fixture(&world, "config/valid/httpd.toml");
    insta::assert_snapshot!(simulate(&world, "--fail httpd:cpu.total.percent=95% --for 5m"));
}

#[test]
fn what_others_need_dies_and_takes_them_along() {
    let world = World::new();
    world.write("c.toml", SHOP);
    insta::assert_snapshot!(simulate(&world, "--fail db --for 45s"));
}

#[test]
fn what_lives_and_does_not_answer_is_given_up() {
    let world = World::new();
    world.write("c.toml", SHOP);
    insta::assert_snapshot!(simulate(&world, "--fail db:tests --for 20m"));
}

#[test]
fn two_things_at_once_and_a_reading_with_a_blank() {
    let world = World::new();
    world.write("c.toml", SHOP);
    let done = world
        .command("simulate -c c.toml --for 3m --fail app")
        .args(["--fail", "here:load 5min = 9.5"])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    insta::assert_snapshot!(String::from_utf8(done.stdout).unwrap());
}

#[test]
fn a_control_file_is_rehearsed_as_monit_would_do_it() {
    let world = World::new();
    world.write(
        "rc",
        "set daemon 30\nset mailserver localhost\nset alert admin@example.com\ncheck process web with pidfile /run/web.pid\n  \
         start program = \"/bin/true start\"\n  stop program = \"/bin/true stop\"\n  \
         if 3 restarts within 5 cycles then unmonitor\ncheck system web1\n",
    );
    let done = world.ok("simulate -c rc --fail web");
    insta::assert_snapshot!(done.out);
}

#[test]
fn nothing_is_run_and_nothing_is_left_behind() {
    let world = World::new();
    world.write("c.toml", &SHOP.replace("/bin/true", "/usr/bin/touch @/touched"));
    simulate(&world, "--fail db --for 1m");
    let left: Vec<_> =
        std::fs::read_dir(world.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["c.toml"]);
}

#[test]
fn what_means_nothing_is_refused_with_what_was_probably_meant() {
    let world = World::new();
    world.write("c.toml", SHOP);
    for (line, why) in [
        ("", "Say what fails: hinoban simulate --fail NAME"),
        ("db", "what fails: hinoban simulate --fail db"),
        ("--fail dbb", "There is no service named \"dbb\"; did you mean \"db\"?"),
        ("--fail zzzzz", "there are db, app, here"),
        ("--fail db:memry=2GB", "did you mean `memory`?"),
        (
            "--fail db:cpu=95%",
            "no rule of db is about cpu.percent, so nothing would happen; there are rules about memory.bytes",
        ),
        ("--fail db:memory", "compares nothing"),
        ("--fail db:memory=lots", "compare it with a percentage"),
        ("--fail here", "here:load.5=VALUE"),
        ("--fail app:tests", "app has no test"),
        ("--fail db --fail db", "said twice"),
        ("--fail db --for 10", "write it with its unit"),
        ("--fail db --for 0s", "no time up to 30 days"),
    ] {
        let done = world.run(&format!("simulate -c c.toml {line}"));
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{line}: {done:?}");
        assert!(done.err.contains(why), "{line}: {}", done.err);
    }
    let done = world.run("status -c c.toml --fail db");
    assert!(done.err.contains("go with `simulate`"), "{done:?}");
}
