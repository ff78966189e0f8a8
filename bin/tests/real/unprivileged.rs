//! Without root: everything that a user may do, and a plain word about the rest.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::common::{HINOBAN, World, finished, kill, wait_until};
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
