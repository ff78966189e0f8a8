//! nginx falls in all the ways it can.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use crate::common::{World, alive, kill, wait_for, wait_until};
use crate::servers::installed;
use crate::servers::nginx::{NGINX, Nginx, control_file};

/// The daemon with `text`, and nginx started by it.
fn watched(world: &World, nginx: &Nginx<'_>, text: &str) -> i32 {
    world.write("rc", text);
    world.ok("-c rc");
    let pid = nginx.pid();
    nginx.answers();
    well(world);
    pid
}

/// Waits until nothing is wrong.
fn well(world: &World) {
    wait_until("httpd to be well", || {
        world.ok("-B -c rc status httpd").out.contains("\n  status                       OK\n")
    });
}

#[test]
fn a_killed_master_is_back_and_status_says_so() {
    if !installed(&[NGINX]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    let first = watched(&world, &nginx, &control_file(&nginx));
    kill(first, "KILL");
    let second = nginx.back(first);
    well(&world);
    let status = world.ok("-B -c rc status httpd").out;
    assert!(status.contains(&format!("\n  pid                          {second}\n")), "{status}");
    wait_until("the summary", || {
        let summary = world.ok("-B -c rc summary httpd").out;
        summary.lines().any(|line| line.split_whitespace().eq(["httpd", "OK", "Process"]))
    });
    world.logged(&format!("PID {first} was killed by signal 9 (SIGKILL)"), 1);
    world.logged(&format!("process is running with pid {second}"), 1);
    // It was dead: there was nothing to stop.
    assert_eq!((nginx.called("start"), nginx.called("stop")), (2, 0));
}

#[test]
fn a_halted_server_lives_but_does_not_answer_and_is_restarted() {
    if !installed(&[NGINX]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    let first = watched(&world, &nginx, &control_file(&nginx));
    let workers: Vec<_> = nginx.processes().into_iter().filter(|pid| *pid != first).collect();
    assert!(!workers.is_empty());
    kill(first, "STOP");
    for worker in &workers {
        kill(*worker, "STOP");
    }
    let second = nginx.back(first);
    well(&world);
    world.logged("Connection timed out", 1);
    assert!(!alive(first) && alive(second));
    assert_eq!((nginx.called("start"), nginx.called("stop")), (2, 1), "{}", world.read("log"));
    let log = world.read("log");
    assert_eq!(log.matches("process is not running").count(), 1, "before the first start only: {log}");
}

#[test]
fn a_taken_port_is_told_in_nginx_own_words_and_it_comes_back_when_it_is_free() {
    if !installed(&[NGINX]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    let thief = TcpListener::bind(("127.0.0.1", nginx.port)).unwrap();
    // nginx itself tries for 2.5 s.
    world.write("rc", &control_file(&nginx).replace("timeout 2 seconds", "timeout 6 seconds"));
    world.ok("-c rc");
    world.logged("'httpd' failed to start (exit status 1; ", 1);
    let log = world.read("log");
    let line = log.lines().find(|line| line.contains("failed to start")).unwrap();
    let said = format!("nginx: [emerg] bind() to 127.0.0.1:{} failed (98: ", nginx.port);
    assert!(line.contains(" error ") && line.contains(&said), "{line}");
    drop(thief);
    nginx.answers();
    well(&world);
}

#[test]
fn a_lost_pidfile_is_told_from_a_death() {
    if !installed(&[NGINX]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    let first = watched(&world, &nginx, &control_file(&nginx));
    std::fs::remove_file(world.path("httpd.pid")).unwrap();
    nginx.back(first);
    well(&world);
    let log = world.read("log");
    assert!(log.contains(&format!("there is no pidfile {}", world.path("httpd.pid").display())), "{log}");
}

#[test]
fn a_stranger_in_the_pidfile_is_never_signalled() {
    if !installed(&[NGINX]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    // What a reboot leaves behind: a number in a file that is older than the process with that number.
    let mut stranger = Stranger::new();
    let pid = stranger.0.id() as i32;
    world.write("httpd.pid", &format!("{pid}\n"));
    let old = Command::new("touch").args(["-d", "1 hour ago"]).arg(world.path("httpd.pid")).status();
    assert!(old.unwrap().success());
    world.write("rc", &control_file(&nginx));
    world.ok("-c rc");
    let nginx_pid = nginx.back(pid);
    well(&world);
    world.logged(&format!("the pid {pid} belongs to a process (sleep) that started "), 1);
    world.ok("-c rc restart httpd");
    nginx.back(nginx_pid);
    assert_eq!(nginx.called("stop"), 1);
    assert!(stranger.0.try_wait().unwrap().is_none(), "the stranger lives");
}

/// A process that has nothing to do with anything.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        let mut command = Command::new("sleep");
        command.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_start_that_hangs_is_ended_and_tried_again_and_delays_nobody_else() {
    if !installed(&[NGINX]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    let start = "/bin/sh -c 'echo $$ >> @/NAME.tries; echo waiting for the disk; exec sleep 1000'";
    let service = |name: &str, seconds: u32| {
        let start = start.replace("NAME", name);
        format!(
            "check process {name} with pidfile @/{name}.pid\n  start program = \"{start}\" with timeout {seconds} seconds\n"
        )
    };
    let text = format!("{}{}{}", control_file(&nginx), service("slow", 300), service("stuck", 2));
    let first = watched(&world, &nginx, &text);
    let tries = |name: &str| -> Vec<i32> {
        world.read(&format!("{name}.tries")).lines().map(|line| line.parse().unwrap()).collect()
    };
    let slow = wait_for("the slow start", || tries("slow").first().copied());
    kill(first, "KILL");
    nginx.back(first);
    assert!(alive(slow), "nobody waited for it");
    let stuck = wait_for("another try", || (tries("stuck").len() >= 2).then(|| tries("stuck")[0]));
    assert!(!alive(stuck), "one at a time");
    world.logged("'stuck' failed to start (timed out after 2 s) -- waiting for the disk", 1);
    assert!(alive(slow) && tries("slow").len() == 1);
}

#[test]
fn a_zombie_is_no_server() {
    let world = World::new();
    // Its parent lives on and does not collect it.
    let text = "set daemon 1
set log @/log
set pidfile @/pid
set idfile @/id
set statefile @/state
check process svc with pidfile @/svc.pid
  start program = \"/bin/sh -c 'setsid @/parent >/dev/null 2>&1 &'\" with timeout 5 seconds
";
    let parent = "/bin/sh -c 'sleep 1000 & echo $! > @/svc.pid; exec sleep 1000'";
    let script = world.write("parent", &format!("#!/bin/sh\nexec {parent}\n"));
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o700)).unwrap();
    world.write("rc", text);
    world.ok("-c rc");
    let first = world.new_pid("svc.pid", 0);
    world.logged("process is running", 1);
    kill(first, "KILL");
    let second = world.new_pid("svc.pid", first);
    assert!(!alive(first) && alive(second));
    assert!(std::path::Path::new(&format!("/proc/{first}")).exists(), "nobody has collected it");
    let log = world.read("log");
    assert!(log.contains(&format!("the process with pid {first} has ended")), "{log}");
    assert!(log.contains("zombie"), "{log}");

    // The same if it was there before us.
    world.ok("-c rc quit");
    kill(second, "KILL");
    wait_until("another zombie", || !alive(second));
    world.ok("-c rc");
    let third = world.new_pid("svc.pid", second);
    assert!(std::path::Path::new(&format!("/proc/{second}")).exists(), "nobody has collected it");
    world.logged(&format!("the process with pid {second} has ended"), 1);
    world.logged(&format!("process is running with pid {third}"), 1);
}
