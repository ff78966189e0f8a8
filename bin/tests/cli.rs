//! The command line: options, texts, exit codes; nothing here needs a daemon that runs for long.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{CONTROL_FILE, TOML, World, alive};

#[test]
fn good_files_are_ok_in_both_languages() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    world.write("c.toml", TOML);
    for line in ["-c c.toml -t", "-vt -c c.toml"] {
        assert_eq!(world.ok(line).err, "", "{line}");
    }
    assert_eq!(world.files(), ["c.toml", "rc"], "a check of TOML leaves no traces");
    for line in ["-t -c rc", "-c c.toml -t", "--conf rc --test", "-vt -c c.toml"] {
        let done = world.ok(line);
        assert!(done.out.ends_with("Control file syntax OK\n"), "{line}: {done:?}");
        assert_eq!(done.err, "", "{line}");
    }
    assert_eq!(world.files(), ["c.toml", "id", "rc"], "one of a control file makes the id, as Monit's");
}

#[test]
fn every_mistake_is_told_first_in_a_line_for_programs() {
    let world = World::new();
    let rc =
        world.write("rc", "set daemon 5\ncheck process a with pidfile /x\n  if cpu > 80% then restrat\n");
    let done = world.run("-t -c rc");
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    let first = done.err.lines().next().unwrap();
    assert_eq!(first, format!("{}:3: syntax error 'restrat'", rc.display()));
    assert!(done.err.contains("restart"), "the nearest spelling is named: {}", done.err);

    world.write("c.toml", "evry = \"5s\"\n[service.a]\npidfil = \"/x\"\n");
    let done = world.run("-t -c c.toml");
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("evry") && done.err.contains("pidfil"), "both at once: {}", done.err);
}

#[test]
fn rules_over_readings_nobody_gives_are_mistakes() {
    let world = World::new();
    world.write(
        "c.toml",
        &format!("{TOML}\n[[service.svc.check]]\nwhen = \"queue.depth > 5\"\nthen = \"alert\"\n"),
    );
    let done = world.run("-t -c c.toml");
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("queue.depth"), "{done:?}");
    // The line it is in is shown as well.
    assert!(done.err.contains("when = "), "{done:?}");
}

#[test]
fn a_name_behind_a_command_that_takes_none_never_ends_the_daemon() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    world.write("c.toml", TOML);
    for file in ["rc", "c.toml"] {
        world.ok(&format!("-c {file}"));
        let daemon = world.pid("pid");
        let done = world.run(&format!("-c {file} quit svc"));
        assert_eq!(done.code, Some(1), "{done:?}");
        assert_eq!(done.err, "quit takes no name; to stop a service: hinoban stop svc\n");
        assert!(alive(daemon));
        for word in ["reload", "validate"] {
            let done = world.run(&format!("-c {file} {word} svc"));
            let refused = done.err.starts_with(&format!("{word} takes no name; "));
            match (file, word) {
                ("c.toml", _) => assert!(refused && done.code == Some(1), "{done:?}"),
                // As Monit: scripts may rely on it.
                (_, "reload") => assert!(refused && done.code == Some(0), "{done:?}"),
                _ => assert!(!refused && done.out.contains("'svc'") && done.code == Some(1), "{done:?}"),
            }
        }
        assert_eq!(world.pid("pid"), daemon);
        world.ok(&format!("-c {file} quit"));
    }
}

#[test]
fn a_control_file_that_others_may_read_is_refused() {
    let world = World::new();
    let rc = world.write("rc", CONTROL_FILE);
    std::fs::set_permissions(&rc, std::fs::Permissions::from_mode(0o644)).unwrap();
    let done = world.run("-t -c rc");
    assert_eq!(done.code, Some(1));
    let path = rc.display();
    assert_eq!(
        done.err,
        format!(
            "The control file '{path}' permission 0644 is wrong, maximum 0700 allowed\n\
             \x20 = help: close it to others: chmod 600 {path}\n"
        )
    );
}

#[test]
fn a_password_that_others_may_read_is_worth_a_warning() {
    let world = World::new();
    let text = format!("{TOML}\n[web]\nusers = [{{ name = \"admin\", password = \"s3cret-word\" }}]\n");
    let path = world.write("c.toml", &text);
    assert_eq!(world.ok("-t -c c.toml").err, "");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let done = world.ok("-t -c c.toml");
    assert!(done.err.contains("chmod 600") && !done.err.contains("s3cret-word"), "{done:?}");
    assert!(done.err.lines().all(|line| line.trim() != "|"), "{done:?}");
    // Who never checks the file finds it in the log.
    world.ok("-c c.toml");
    world.logged("holds a password, and others may read it", 1);
    assert!(!world.read("log").contains("s3cret-word"));
}

#[test]
fn a_toml_file_that_others_may_change_is_refused() {
    let world = World::new();
    let path = world.write("c.toml", TOML);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o646)).unwrap();
    for line in ["-t -c c.toml", "-c c.toml", "-c c.toml stop svc"] {
        let done = world.run(line);
        assert_eq!(done.code, Some(1), "{line}: {done:?}");
        assert!(
            done.err.contains("others may change it (permission 0646); `chmod go-w "),
            "{line}: {done:?}"
        );
    }
}

#[test]
fn a_log_that_cannot_be_written_is_a_mistake() {
    let world = World::new();
    world.write("rc", &CONTROL_FILE.replace("set log @/log", "set log @/no/log"));
    let expected = format!("Error opening the log file '{}' for writing -- ", world.path("no/log").display());
    for line in ["-t -c rc", "-c rc", "-I -c rc"] {
        let done = world.run(line);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{line}: {done:?}");
        assert!(done.err.starts_with(&expected), "{line}: {done:?}");
    }
    assert!(!world.path("pid").exists());
    world.ok("-t -c rc -l log");
    assert!(!world.path("log").exists(), "a check leaves no traces");
}

#[test]
fn beside_a_monit_that_runs_nothing_is_done() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    // What makes it one is its name and its number in the pidfile.
    let monit = world.write("monit", "#!/bin/sh\nread line\n");
    std::fs::set_permissions(&monit, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut monit = std::process::Command::new(monit).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let pid = monit.id();
    world.write("pid", &pid.to_string());
    let comm = || std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    common::wait_until("its name", || comm() == "monit\n");
    let before = world.files();
    for line in [
        "-c rc",
        "-c rc -I",
        "-c rc start svc",
        "-c rc stop all",
        "-c rc status",
        "-c rc summary",
        "-c rc report",
        "-c rc reload",
        "-c rc quit",
        "-c rc validate",
        "-c rc unmonitor svc",
        "-r -c rc",
    ] {
        let done = world.run(line);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{line}: {done:?}");
        let expected = format!("monit runs with the pidfile '{}' (PID {pid}); ", world.path("pid").display());
        assert!(done.err.starts_with(&expected), "{line}: {done:?}");
    }
    assert!(alive(pid as i32));
    assert_eq!(world.files(), before);
    monit.kill().unwrap();
    monit.wait().unwrap();
}

#[test]
fn files_that_are_none_are_named() {
    let world = World::new();
    let done = world.run("-t -c nosuch");
    assert_eq!(done.code, Some(1));
    assert_eq!(done.err, format!("The control file 'nosuch' does not exist at {}\n", world.dir().display()));
    let done = world.run("-t -c /tmp");
    assert_eq!((done.code, done.err.as_str()), (Some(1), "The control file '/tmp' is not a file\n"));
}

#[test]
fn a_file_in_the_home_is_found_without_being_named() {
    let world = World::new();
    world.write(".hinoban.toml", TOML);
    world.write(".monitrc", "this is no control file");
    assert_eq!(world.ok("-t").out, "Control file syntax OK\n");
}

/// Of `abc` and the end of a line.
const DIGESTS: &str = "SHA1(a) = 03cfd743661f07975fa2f1220c5194cbaff48451\n\
                       MD5(a)  = 0bee89b07a248e27c83fc3d5951213c1\n\
                       SHA256(a) = edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb\n";

#[test]
fn monits_texts_and_exit_codes() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    world.write("a", "abc\n");
    assert_eq!(world.ok("-i -c rc").out.lines().count(), 3, "where the new id is stored is told once");
    let missing = format!("The control file 'x' does not exist at {}\n", world.dir().display());
    for (line, code, out, err) in [
        ("-Z", 1, "", "Invalid option -- Z  (-h will show valid options)\n"),
        ("-c", 1, "", "Option -- c requires an argument\n"),
        ("-d x", 1, "", "Option -d requires a natural number\n"),
        ("-c rc bogus", 1, "", "Invalid argument -- bogus  (-h will show valid arguments)\n"),
        ("-c rc start", 1, "", "Please specify a service name or 'all' after start\n"),
        ("-c rc start nosuch", 1, "", "There is no service named \"nosuch\"\n"),
        ("-c rc -g nosuch stop", 1, "", "Group 'nosuch' not found\n"),
        ("-c rc status", 1, "", "Monit: the monit daemon is not running\n"),
        ("-c rc summary svc", 1, "", "Monit: the monit daemon is not running\n"),
        ("report up -c rc", 1, "", "Monit: the monit daemon is not running\n"),
        ("-c x -c rc -t", 1, "", &missing),
        ("-tc rc bogus", 0, "Control file syntax OK\n", ""),
        ("-c rc -d 5x QUIT", 0, "Monit daemon is not running\n", ""),
        ("-c rc monitor ALL", 0, "", ""),
        ("-H a -Z", 0, DIGESTS, ""),
        ("-H nosuch", 1, "", "nosuch: No such file or directory (os error 2)\n"),
        ("-c rc quit", 0, "Monit daemon is not running\n", ""),
        ("-c rc reload", 0, "Reinitializing monit daemon\nMonit daemon is not running\n", ""),
        (
            "-c a -c rc -t",
            0,
            "Control file syntax OK\n",
            "WARNING: The -c option was specified multiple times, only the last value will be used\n",
        ),
    ] {
        let done = world.run(line);
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (Some(code), out, err), "{line}");
    }
}

#[test]
fn help_and_version_need_no_configuration() {
    let world = World::new();
    let help = world.ok("--help");
    assert!(help.out.contains("--statefile") && help.out.contains("unmonitor") && help.err.is_empty());
    let version = world.ok("-V");
    assert!(version.out.starts_with(concat!("This is Hinoban version ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn the_id_is_made_once_and_changed_only_on_a_yes() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    let said = world.ok("-i -c rc").out;
    let (told, first) = said.split_at(said.find("Monit ID: ").unwrap());
    let id = first.trim_end().trim_start_matches("Monit ID: ");
    assert_eq!(id.len(), 32, "{said}");
    let stored = world.path("id");
    assert_eq!(told, format!(" New Monit id: {id}\n Stored in '{}'\n", stored.display()));
    assert_eq!(world.ok("-i -c rc").out, first);
    // Nobody says yes.
    world.ok("-r -c rc");
    assert_eq!(world.ok("-i -c rc").out, first);
    let mut command = world.command("-r -c rc");
    command.stdin(std::fs::File::open(world.write("answer", "y\n")).unwrap());
    assert!(command.output().unwrap().status.success());
    assert_ne!(world.ok("-i -c rc").out, first);
}

#[test]
fn without_a_daemon_commands_are_done_here_and_remembered() {
    let world = World::new();
    world.write("c.toml", TOML);
    world.ok("-c c.toml start svc");
    let pid = world.pid("svc.pid");
    assert!(alive(pid));
    world.ok("-c c.toml -g web stop");
    assert!(!alive(pid) && !world.path("svc.pid").exists());
    assert!(world.read("state").contains("\"on\":false"), "{}", world.read("state"));
    world.ok("-c c.toml monitor all");
    assert!(!world.path("pid").exists(), "that was no daemon");
}

#[test]
fn under_a_control_file_what_is_done_without_a_daemon_is_not_remembered() {
    let world = World::new();
    world.write("rc", CONTROL_FILE);
    world.ok("-c rc start svc");
    let first = world.pid("svc.pid");
    world.ok("-c rc stop all");
    assert!(!alive(first));
    // As with Monit: whoever starts a daemon wants it to watch.
    world.ok("-c rc");
    world.new_pid("svc.pid", first);
    world.ok("-c rc quit");
}

#[test]
fn a_pass_over_what_nobody_watches_ends() {
    let world = World::new();
    world.write("c.toml", TOML);
    world.ok("-c c.toml unmonitor all");
    let done = world.ok("-c c.toml validate");
    assert_eq!((done.out.as_str(), done.err.as_str()), ("", ""));
}

#[test]
fn in_the_foreground_a_control_file_says_how_often() {
    let world = World::new();
    world.write("rc", &CONTROL_FILE.replace("set daemon 1", ""));
    let done = world.run("-I -c rc");
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{done:?}");
    assert!(done.err.contains("set daemon 30"), "{done:?}");
    assert!(!world.path("pid").exists());
}

#[test]
fn a_start_that_fails_is_told_and_fails() {
    let world = World::new();
    world.write("rc", &CONTROL_FILE.replace("/bin/sh -c 'sleep 1000 & echo $! > @/svc.pid'", "/bin/false"));
    let rc = world.read("rc").replace("\"/bin/false\"", "\"/bin/false\" with timeout 1 seconds");
    world.write("rc", &rc);
    let done = world.run("-c rc start svc");
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("'svc' failed to start (exit status 1"), "{done:?}");
}

#[test]
fn without_a_period_everything_is_looked_at_once() {
    let world = World::new();
    world.write("rc", &CONTROL_FILE.replace("set daemon 1", ""));
    let done = world.ok("-c rc");
    assert!(done.err.contains("'svc' process is not running"), "{done:?}");
    assert!(done.out.contains("'svc' start: '/bin/sh"), "{done:?}");
    assert!(alive(world.pid("svc.pid")));
    assert!(!world.path("pid").exists());
    // Everything is well now: nothing to say.
    let again = world.ok("-c rc");
    assert_eq!((again.out.as_str(), again.err.as_str()), ("", ""));
    // Monit's clients know that validate ends with 1 whatever it finds.
    assert_eq!(world.run("-c rc validate").code, Some(1));
}

#[test]
fn a_directory_that_is_included_by_its_name_is_warned_of() {
    let world = World::new();
    std::fs::create_dir(world.path("conf")).unwrap();
    world.write("conf/a", "check file a with path /etc/passwd\n");
    for path in ["@/conf", "@/conf/"] {
        world.write("rc", &format!("{CONTROL_FILE}\ninclude {path}\n"));
        let done = world.ok("-t -c rc");
        assert!(done.err.contains("this is a directory, and nothing in it is read"), "{path}: {done:?}");
    }
    world.write("rc", &format!("{CONTROL_FILE}\ninclude @/conf/*\n"));
    assert_eq!(world.ok("-t -c rc").err, "");
}
