//! The daemon as it really runs: in the background, with signals, a pidfile, a journal and processes to watch.

mod common;

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use common::{CONTROL_FILE, TOML, World, alive, free_port, kill, pause, wait_until};

/// A daemon that has started its service.
fn started(world: &World, file: &str) -> (i32, i32) {
    world.ok(&format!("-c {file}"));
    (world.pid("pid"), world.new_pid("svc.pid", 0))
}

#[test]
fn it_goes_to_the_background_and_brings_a_killed_service_back() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    // Who it is is made and told once.
    world.ok("-i -c rc");
    let done = world.ok("-c rc");
    assert_eq!(
        (done.out.as_str(), done.err.as_str()),
        (concat!("Starting Hinoban ", env!("CARGO_PKG_VERSION"), " daemon\n"), "")
    );
    // It was up when its parent ended: there is no need to wait for anything.
    let daemon: i32 = world.read("pid").trim().parse().unwrap();
    assert!(alive(daemon));
    world.ok("-c rc summary");
    let stat = std::fs::read_to_string(format!("/proc/{daemon}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_ne!(fields[3], daemon.to_string(), "it leads no session, so it cannot get a terminal");
    assert_eq!(fields[4], "0", "it has no terminal");
    assert_eq!(std::fs::read_link(format!("/proc/{daemon}/cwd")).unwrap().to_str(), Some("/"));
    assert_eq!(std::fs::read_link(format!("/proc/{daemon}/fd/1")).unwrap().to_str(), Some("/dev/null"));

    let first = world.new_pid("svc.pid", 0);
    // Killed before its start has seen it, it would keep that from ending.
    world.logged(&format!("process is running with pid {first}"), 1);
    kill(first, "KILL");
    world.new_pid("svc.pid", first);
    world.logged("'svc' process is not running", 2);
    assert!(world.read("log").contains("SIGKILL"), "{}", world.read("log"));
}

#[test]
fn term_ends_it_in_order_and_leaves_the_service_alone() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    let (daemon, service) = started(&world, "rc");
    kill(daemon, "TERM");
    wait_until("the daemon's end", || !alive(daemon));
    assert!(!world.path("pid").exists() && !world.path("state.sock").exists());
    assert!(alive(service));
    world.logged(&format!("Monit daemon with pid [{daemon}] stopped"), 1);
}

#[test]
fn what_is_stopped_for_a_restart_is_started_before_the_daemon_ends() {
    let world = World::new();
    world.write("c.toml", &TOML.replace("kill $(cat", "sleep 1; kill $(cat"));
    let (daemon, service) = started(&world, "c.toml");
    world.logged(&format!("process is running with pid {service}"), 1);
    world.ok("-c c.toml restart svc");
    world.logged("'svc' stop:", 1);
    kill(daemon, "TERM");
    wait_until("the daemon's end", || !alive(daemon));
    assert!(alive(world.new_pid("svc.pid", service)), "{}", world.read("log"));
    world.logged("'svc' restart action done", 1);
}

#[test]
fn what_is_left_half_done_is_named_and_a_second_signal_does_not_wait() {
    let world = World::new();
    world.write("c.toml", &TOML.replace("kill $(cat", "sleep 25; kill $(cat"));
    let (daemon, service) = started(&world, "c.toml");
    world.logged(&format!("process is running with pid {service}"), 1);
    world.ok("-c c.toml restart svc");
    world.logged("'svc' stop:", 1);
    kill(daemon, "TERM");
    world.logged("svc was stopped for a restart and has not been started again", 1);
    wait_until("the daemon's end", || !alive(daemon));

    let again = World::new();
    again.write("c.toml", &TOML.replace("kill $(cat", "sleep 25; kill $(cat"));
    let (daemon, service) = started(&again, "c.toml");
    again.logged(&format!("process is running with pid {service}"), 1);
    again.ok("-c c.toml restart svc");
    again.logged("'svc' stop:", 1);
    kill(daemon, "TERM");
    kill(daemon, "HUP");
    kill(daemon, "INT");
    wait_until("the daemon's end", || !alive(daemon));
    assert!(!again.read("log").contains("has not been started again"), "it ended before its time was over");
}

#[test]
fn a_second_start_wakes_the_first() {
    let world = World::new();
    world.write("rc", &CONTROL_FILE.replace("set daemon 1", "set daemon 1000"));
    let (daemon, service) = started(&world, "rc");
    assert_eq!(world.ok("-c rc").out, format!("Monit daemon with PID {daemon} awakened\n"));
    world.logged("Awakened by User defined signal 1", 1);
    assert_eq!((world.pid("pid"), alive(service)), (daemon, true));
    // Monit does so whatever else is asked; a service manager that speaks TOML is told.
    assert_eq!(world.ok("-I -c rc").out, format!("Monit daemon with PID {daemon} awakened\n"));
    world.write("c.toml", TOML);
    let refused = world.run("-I -c c.toml");
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("runs already"), "{refused:?}");
}

#[test]
fn a_number_in_the_pidfile_is_no_daemon() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    // This test lives, and is no daemon, even if it locks what it may read.
    let path = world.write("pid", &std::process::id().to_string());
    let reader = std::fs::File::open(&path).unwrap();
    let everything = rustix::fs::FlockOperation::NonBlockingLockShared;
    rustix::fs::fcntl_lock(&reader, everything).unwrap();
    assert_eq!(world.run("-c rc status").err, "Monit: the monit daemon is not running\n");
    assert_eq!(world.ok("-c rc quit").out, "Monit daemon is not running\n");
    let (daemon, _) = started(&world, "rc");
    assert_ne!(daemon, std::process::id() as i32);
}

#[test]
fn a_reload_takes_on_what_changed_and_keeps_the_rest() {
    let world = World::new();
    world.write("c.toml", TOML);
    let (daemon, service) = started(&world, "c.toml");
    let port = free_port();
    let more = format!(
        "{TOML}\n[web]\nlisten = \"127.0.0.1:{port}\"\nusers = [{{ name = \"a\", password = \"b\" }}]\n\
         [service.other]\npidfile = \"@/other.pid\"\nstart = [\"/bin/sh\", \"-c\", \"sleep 1000 & echo $! > @/other.pid\"]\n"
    );
    world.write("c.toml", &more);
    assert_eq!(world.ok("-c c.toml reload").out, "Reinitializing hinoban daemon\n");
    world.new_pid("other.pid", 0);
    wait_until("the new port", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    assert_eq!((world.pid("pid"), world.pid("svc.pid")), (daemon, service));
    assert!(alive(service));
}

#[test]
fn relative_paths_mean_the_folder_it_was_started_in_after_a_reload_too() {
    let world = World::new();
    let text = CONTROL_FILE.replace("set log @/log", "").replace("set pidfile @/pid", "");
    world.write("rc", &text);
    world.ok("-c rc -l log -p pid -s st");
    let daemon = world.pid("pid");
    world.ok("-c rc -l log -p pid -s st reload");
    world.logged("reloaded", 1);
    world.ok("-c rc -l log -p pid -s st summary");
    assert_eq!(world.pid("pid"), daemon);
}

#[test]
fn a_reload_moves_the_pidfile() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    let (daemon, _) = started(&world, "rc");
    world.write("rc", &CONTROL_FILE.replace("@/pid", "@/moved"));
    kill(daemon, "HUP");
    assert_eq!(world.pid("moved"), daemon);
    wait_until("the old one's end", || !world.path("pid").exists());
    world.ok("-c rc quit");
    assert!(!world.path("moved").exists());
}

#[test]
fn a_bad_configuration_never_stops_it() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    let (daemon, service) = started(&world, "rc");
    world.write("rc", &format!("{CONTROL_FILE}\ncheck process broken with pidfle /x\n"));
    // The command line refuses to send it there,
    let refused = world.run("-c rc reload");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("syntax error 'pidfle'"), "{refused:?}");
    // and who sends the signal all the same is told in the log.
    kill(daemon, "HUP");
    world.logged("syntax error 'pidfle'", 1);
    world.logged("going on with the configuration of before", 1);
    kill(service, "KILL");
    world.new_pid("svc.pid", service);
    assert!(alive(daemon));
}

#[test]
fn a_renamed_log_is_begun_anew_by_a_reload() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    started(&world, "rc");
    std::fs::rename(world.path("log"), world.path("log.1")).unwrap();
    world.ok("-c rc reload");
    wait_until("a new log", || world.read("log").contains("reloaded"));
}

#[test]
fn a_new_log_that_cannot_be_written_is_told_in_the_old() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    let (_, service) = started(&world, "rc");
    world.write("rc", &CONTROL_FILE.replace("@/log", "@/no/log"));
    world.ok("-c rc reload");
    world.logged("Error opening the log file '", 1);
    world.logged("going on with the log of before", 1);
    world.logged("reloaded", 1);
    kill(service, "KILL");
    world.new_pid("svc.pid", service);
    world.logged("'svc' process is not running", 2);
}

#[test]
fn a_log_that_fails_later_is_told_elsewhere() {
    if !std::path::Path::new("/dev/full").exists() {
        println!("passed over: there is no /dev/full");
        return;
    }
    let world = World::new();
    // It can be opened, but takes nothing.
    world.write("rc", &CONTROL_FILE.replace("@/log", "/dev/full"));
    let err = std::fs::File::create(world.path("err")).unwrap();
    let mut child = world.command("-I -c rc").stdout(Stdio::null()).stderr(err).spawn().unwrap();
    wait_until("the trouble on the terminal", || {
        world.read("err").contains("the log file /dev/full cannot be written to: ")
    });
    kill(child.id() as i32, "TERM");
    assert!(child.wait().unwrap().success());
    assert_eq!(world.read("err").matches("cannot be written to").count(), 1, "{}", world.read("err"));
}

#[test]
fn what_was_stopped_stays_stopped_over_a_restart() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    let (daemon, service) = started(&world, "rc");
    world.ok("-c rc stop svc");
    wait_until("the service's end", || !alive(service));
    wait_until("the state", || world.read("state").contains("\"on\":false"));
    // Not in order: what must survive has been written before.
    kill(daemon, "KILL");
    wait_until("the daemon's end", || !alive(daemon));
    world.ok("-c rc");
    assert_ne!(world.pid("pid"), daemon);
    pause(Duration::from_secs(3));
    assert!(!world.path("svc.pid").exists(), "{}", world.read("log"));
    let summary = world.ok("-B -c rc summary svc").out;
    assert!(summary.contains(" svc ") && summary.contains("Not monitored"), "{summary}");
    world.ok("-c rc start svc");
    world.new_pid("svc.pid", 0);
}

#[test]
fn status_summary_and_report_are_monits() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    let (daemon, service) = started(&world, "rc");
    wait_until("the service to be well", || world.ok("-c rc report down").out == "0\n");
    wait_until("all to be known", || world.ok("-c rc report initialising").out == "0\n");
    let status = world.ok("-c rc status svc").out;
    assert!(status.starts_with("Monit "), "{status}");
    assert!(status.contains("\nProcess 'svc'\n  status                       OK\n"), "{status}");
    assert!(status.contains(&format!("\n  pid                          {service}\n")), "{status}");
    let summary = world.ok("summary -c rc -B").out;
    let row = format!(" {:<31}  {:<26}  {:<13}", "svc", "OK", "Process");
    assert!(summary.lines().any(|line| line.trim_end() == row.trim_end()), "{summary}");
    assert!(world.ok("-c rc -g web status").out.contains("Process 'svc'"));
    for (line, text) in [
        ("-c rc status nosuch", "Service 'nosuch' not found\n"),
        ("-c rc start nosuch", "There is no service named \"nosuch\"\n"),
        ("-c rc report bogus", "Invalid report type: 'bogus'\n"),
    ] {
        let done = world.run(line);
        assert_eq!((done.code, done.err.as_str()), (Some(1), text), "{line}");
    }
    let validated = world.run("-c rc validate");
    assert_eq!(validated.code, Some(1));
    assert!(
        validated.out.starts_with(&format!("Monit daemon with PID {daemon} awakened\nMonit ")),
        "{validated:?}"
    );
    assert_eq!(world.ok("-c rc quit").out, format!("Monit daemon with pid [{daemon}] killed\n"));
    assert!(!alive(daemon), "quit waits for the end");
}

#[test]
fn commands_go_through_the_configured_interface_too() {
    let world = World::new();
    let port = free_port();
    let web = format!(
        "{CONTROL_FILE}\nset httpd port {port} address 127.0.0.1\n  allow viewer:look read-only\n  allow admin:pass\n"
    );
    world.write("rc", &web);
    let done = world.ok("-c rc");
    assert!(done.out.ends_with(&format!(" daemon with http interface at [127.0.0.1]:{port}\n")), "{done:?}");
    let service = world.new_pid("svc.pid", 0);
    wait_until("the port", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    // Without its own socket, it has to log in like everybody else.
    std::fs::remove_file(world.path("state.sock")).unwrap();
    world.ok("-c rc stop svc");
    wait_until("the service's end", || !alive(service));
}

#[test]
fn a_new_id_is_taken_on_at_once() {
    let world = World::new();
    let port = free_port();
    world.write(
        "rc",
        &format!("{CONTROL_FILE}\nset httpd port {port} address 127.0.0.1\n  allow 127.0.0.1\n"),
    );
    let (daemon, _) = started(&world, "rc");
    let served = || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.write_all(b"GET /_getid HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.rsplit("\r\n\r\n").next().map(str::to_owned)
    };
    let old = world.read("id");
    wait_until("the id", || served().as_ref() == Some(&old));
    let mut command = world.command("-r -c rc");
    command.stdin(std::fs::File::open(world.write("answer", "y\n")).unwrap());
    assert!(command.output().unwrap().status.success());
    let new = world.read("id");
    assert_ne!(new, old);
    wait_until("the new id", || served().as_ref() == Some(&new));
    assert_eq!(world.pid("pid"), daemon);
}

#[test]
fn in_the_foreground_it_tells_the_terminal() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    let out = std::fs::File::create(world.path("out")).unwrap();
    let mut child = world.command("-I -c rc").stdout(out).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(world.pid("pid"), child.id() as i32);
    wait_until("the start on the terminal", || world.read("out").contains("'svc' start: "));
    world.logged("'svc' start: ", 1);
    kill(child.id() as i32, "INT");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_daemon_that_cannot_come_up_says_why() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    let (first, _) = started(&world, "rc");
    // Another pidfile, but the same state: two would undo each other's work.
    let refused = world.run("-c rc -p other.pid");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("in use by another supervisor"), "{refused:?}");
    assert!(alive(first));
    let refused = world.run("-c rc -p /proc/no/pid -s other.state");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("/proc/no"), "{refused:?}");
}

#[test]
fn a_state_file_that_cannot_be_used_is_told_and_the_daemon_starts_all_the_same() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    world.write("state", "this is no state file\n");
    started(&world, "rc");
    world.logged("state file ", 1);
}

#[test]
fn two_daemons_of_one_folder_are_not_mistaken_for_each_other() {
    let world = World::new();
    let of = |name: &str| {
        let text = CONTROL_FILE.replace("@/state", &format!("@/state.{name}"));
        ["pid", "id", "log", "svc.pid"]
            .iter()
            .fold(text.replace("svc ", &format!("{name} ")), |text, file| {
                text.replace(&format!("@/{file}"), &format!("@/{name}.{file}"))
            })
    };
    for name in ["one", "two"] {
        world.write(name, &of(name));
        world.ok(&format!("-c {name}"));
    }
    for name in ["one", "two"] {
        let summary = world.ok(&format!("-B -c {name} summary")).out;
        assert!(summary.contains(&format!(" {name} ")), "{summary}");
        assert!(world.path(&format!("state.{name}.sock")).exists());
    }
    // The pidfile of one with the state file of the other.
    let mixed = world.run("-c one -s state.two summary");
    assert_eq!(mixed.code, Some(1), "{mixed:?}");
    assert!(mixed.err.contains("No way leads to the daemon with PID "), "{mixed:?}");
}

#[test]
fn a_queue_that_others_can_write_in_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let mail = format!("set mailserver 127.0.0.1 port {}\nset alert a@example.com\n", free_port());
    world.write("rc", &format!("{mail}{CONTROL_FILE}"));
    let queue = world.path("state.mail");
    std::fs::create_dir(&queue).unwrap();
    std::fs::set_permissions(&queue, std::fs::Permissions::from_mode(0o777)).unwrap();
    started(&world, "rc");
    world.logged("others may write in it (permission 0777)", 1);
    assert_eq!(std::fs::read_dir(queue).unwrap().count(), 0);
}

#[test]
fn a_start_that_fails_leaves_no_pidfile() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    world.write("id", "no id");
    let refused = world.run("-c rc");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("remove it, and a new one is made"), "{refused:?}");
    assert!(!world.path("pid").exists());
    assert_eq!(world.run("-c rc status").err, "Monit: the monit daemon is not running\n");
}

#[test]
fn the_demonstration_works() {
    let world = World::new();
    let port = free_port();
    let demo = include_str!("../../fixtures/demo.toml")
        .replace("/tmp/hinoban-demo", "@")
        // While it is younger than that, tests that it fails are forgiven.
        .replace("start = [", "start = { timeout = \"5s\", run = [")
        .replace("18080\"]", "18080\"] }")
        .replace("18080", &port.to_string())
        .replace("12812", &free_port().to_string());
    world.write("demo.toml", &demo);
    let out = std::fs::File::create(world.path("log")).unwrap();
    let mut child = world.command("-I -c demo.toml").stdout(out).stderr(Stdio::null()).spawn().unwrap();
    let first = world.new_pid("service.pid", 0);
    wait_until("the service's answer", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    kill(first, "KILL");
    let second = world.new_pid("service.pid", first);
    // Halted before it is up, it would keep its start from ending.
    world.logged(&format!("process is running with pid {second}"), 1);
    kill(second, "STOP");
    world.new_pid("service.pid", second);
    kill(child.id() as i32, "TERM");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_pidfile_that_appears_is_seen_long_before_the_next_look() {
    let world = World::new();
    world.write(
        "rc",
        "set daemon 600\nset pidfile @/pid\nset idfile @/id\nset statefile @/state\nset log @/log\n\
         check process svc with pidfile @/svc.pid\n",
    );
    world.ok("-c rc");
    world.logged("'svc' process is not running", 1);
    // Nobody tells the daemon: inotify does.
    let mut service = std::process::Command::new("sleep").arg("60").env("HOME", world.dir()).spawn().unwrap();
    world.write("svc.pid", &service.id().to_string());
    world.logged(&format!("'svc' process is running with pid {}", service.id()), 1);
    service.kill().unwrap();
    service.wait().unwrap();
    world.logged("'svc' process is not running", 2);
}

#[test]
fn all_and_groups_mean_what_the_daemon_runs_and_not_what_the_file_says_since() {
    let world = World::new();
    let text = CONTROL_FILE.replace("set daemon 1", "set daemon 1000");
    world.write("rc", &text);
    let (_, service) = started(&world, "rc");
    // Out of the group, and under another name, in the file alone.
    let renamed = text.replace("check process svc", "check process other").replace("group web", "group mail");
    world.write("rc", &renamed);
    let refused = world.run("-c rc -g mail stop");
    assert_eq!((refused.code, refused.err.as_str()), (Some(1), "Group 'mail' not found\n"));
    world.ok("-c rc -g WEB stop");
    wait_until("the service's end", || !alive(service));
    world.ok("-c rc start all");
    let again = world.new_pid("svc.pid", service);
    world.ok("-c rc stop all");
    wait_until("the service's end", || !alive(again));
}

#[test]
fn who_is_turned_away_is_in_the_log() {
    let world = World::new();
    let port = free_port();
    let web = format!("set httpd port {port} address 127.0.0.1 allow localhost allow admin:monit\n");
    world.write("rc", &format!("{CONTROL_FILE}\n{web}"));
    world.ok("-c rc");
    // admin:wrong
    let request = "GET / HTTP/1.0\r\nAuthorization: Basic YWRtaW46d3Jvbmc=\r\n\r\n";
    let mut answer = String::new();
    let mut stream = common::wait_for("the port", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 401 "), "{answer}");
    world.logged(
        "error    : HttpRequest: access denied -- client [127.0.0.1]: wrong password for user 'admin'",
        1,
    );
}
