//! Without root: everything that a user may do, and a plain word about the rest.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::common::{HINOBAN, TOML, World, finished, free_port, kill, wait_until};
use crate::servers::nginx::{NGINX, Nginx, control_file};
use crate::servers::{installed, root};

#[test]
fn a_user_watches_what_is_his() {
    if !installed(&[NGINX]) || !root("to become another user") {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    let others = "check process closed with pidfile @/closed/pid
check process lofty with pidfile @/lofty.pid
  start program = \"/bin/true\" as uid root and gid root with timeout 1 seconds
";
    world.write("rc", &format!("{}{others}", control_file(&nginx)));
    // The binary may lie where others cannot go.
    std::fs::copy(HINOBAN, world.path("hinoban")).unwrap();
    let mode = |name: &str, mode| {
        std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("hinoban", 0o755);
    let owned = Command::new("chown").args(["-R", "65534:65534"]).arg(world.dir()).status();
    assert!(owned.unwrap().success());
    std::fs::create_dir(world.path("closed")).unwrap();
    mode("closed", 0o700);
    let run = |line: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(world.path("hinoban"));
        command.args(line.split(' ')).current_dir(world.dir()).env("HOME", world.dir()).stdin(Stdio::null());
        let done = finished(command.output().unwrap());
        assert_eq!(done.code, Some(0), "{line}: {done:?}\nlog: {}", world.read("log"));
        done
    };
    run("-c rc");
    let first = nginx.pid();
    nginx.answers();
    kill(first, "KILL");
    let second = nginx.back(first);
    wait_until("httpd to be well", || {
        let status = run("-B -c rc status httpd").out;
        status.contains("\n  status                       OK\n")
            && status.contains(&format!("\n  pid                          {second}\n"))
    });
    world.logged(&format!("PID {first} was killed by signal 9 (SIGKILL)"), 1);
    // What it cannot do, it says, with the way out; and it does not take it for a failure of the service.
    let closed = world.path("closed/pid");
    world.logged(
        &format!("'closed' could not be looked at -- the pidfile {} may not be read", closed.display()),
        1,
    );
    let log = world.read("log");
    assert!(log.contains("; run as root, or let this user read the file"), "{log}");
    assert!(!log.contains("'closed' process is not running"), "{log}");
    let status = run("-B -c rc status closed").out;
    assert!(status.contains("\n  not seen                     the pidfile "), "{status}");
    assert!(!status.contains("\n  status                       OK\n"), "{status}");
    world.logged("'lofty' failed to start (/bin/true cannot be run with other groups: ", 1);
    assert!(world.read("log").contains("; only root may change them)"), "{log}");
}

/// The binary where everybody may run it, and how another user does.
fn by_another(world: &World) -> impl Fn(&str) -> crate::common::Done {
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(world.dir(), 0o755);
    let (binary, dir) = (world.path("hinoban"), world.dir().to_owned());
    std::fs::copy(HINOBAN, &binary).unwrap();
    mode(&binary, 0o755);
    let home = world.path("home");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
    move |line| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&binary);
        command.args(line.split(' ')).current_dir(&dir).env("HOME", &home).stdin(Stdio::null());
        finished(command.output().unwrap())
    }
}

#[test]
fn status_says_what_cannot_be_seen_of_another_users_process() {
    if !root("to become another user") {
        return;
    }
    let world = World::new();
    let by_another = by_another(&world);
    let mut roots = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    world.write("home/roots.pid", &format!("{}\n", roots.id()));
    let text = "set daemon 1
check process roots with pidfile @/home/roots.pid
";
    let rc = world.write("home/rc", text);
    for path in [rc, world.path("home/roots.pid")] {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    let done = by_another("-c home/rc -l home/log");
    assert_eq!(done.code, Some(0), "{done:?}");
    wait_until("what is missing", || {
        let status = by_another("-B -c home/rc status roots").out;
        assert!(!status.contains("\n  read bytes "), "{status}");
        status.contains("\n  status                       OK\n")
            && status.contains(
                "\n  not visible                  of another user's process what it reads and writes",
            )
            && status.contains("; run as root, or with the capability CAP_SYS_PTRACE\n")
    });
    let told = world.read("home/log").matches("CAP_SYS_PTRACE").count();
    assert_eq!(told, 1, "{}", world.read("home/log"));
    // Root sees everything of everybody.
    let own = world.path("own.pid");
    std::fs::copy(world.path("home/roots.pid"), &own).unwrap();
    world.write("rc", "set daemon 1\nset pidfile @/pid\nset idfile @/id\nset statefile @/state\nset log @/log\ncheck process roots with pidfile @/own.pid\n");
    world.ok("-c rc");
    wait_until("traffic", || world.ok("-B -c rc status roots").out.contains("\n  read bytes "));
    assert!(!world.ok("-B -c rc status roots").out.contains("not visible"));
    roots.kill().unwrap();
    roots.wait().unwrap();
}

#[test]
fn another_users_daemon_answers_where_it_lets_one_in_and_else_the_way_in_is_told() {
    if !root("to become another user") {
        return;
    }
    let world = World::new();
    let by_another = by_another(&world);
    let file = world.write("c.toml", TOML);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    world.ok("-c c.toml");
    world.new_pid("svc.pid", 0);
    for verb in ["status", "summary", "stop svc"] {
        let done = by_another(&format!("-B -c c.toml {verb}"));
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.err.contains("run this as root, or have the configuration listen ([web])"), "{done:?}");
    }
    for verb in ["reload", "quit", "validate"] {
        let done = by_another(&format!("-B -c c.toml {verb}"));
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.err.contains("is another user's; only that user and root can do this"), "{done:?}");
    }
    let port = free_port();
    let text = format!("{TOML}\n[web]\nlisten = \"127.0.0.1:{port}\"\nallow = [\"127.0.0.1\"]\n");
    world.write("c.toml", &text);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    world.ok("-c c.toml reload");
    wait_until("the way in", || {
        let done = by_another("-B -c c.toml summary");
        done.code == Some(0) && done.out.contains(" svc ")
    });
}
