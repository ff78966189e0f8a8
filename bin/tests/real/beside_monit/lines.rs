//! Command lines given to Monit and to us, each with a folder and files of its own: what both come to, and where not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::MONIT;
use crate::common::{Done, HINOBAN, World, finished, wait_until};
use crate::servers::installed;

const FILE: &str = "
set daemon 1
set log @/log
set pidfile @/pid
set idfile @/id
set statefile @/state
set httpd unixsocket @/s and allow admin:x
check system here
check process one with pidfile @/one.pid
  start program = \"/bin/sh -c 'sleep 1000 & echo $! > @/one.pid'\"
  stop program = \"/bin/sh -c 'kill `cat @/one.pid`; rm @/one.pid'\"
  group pair
check process two with pidfile @/two.pid
  start program = \"/bin/sh -c 'sleep 1000 & echo $! > @/two.pid'\"
  stop program = \"/bin/sh -c 'kill `cat @/two.pid`; rm @/two.pid'\"
  group pair
  depends on one
check file passwd with path /etc/passwd
";

/// What has to be the same.
#[derive(Clone, Copy, PartialEq)]
enum Same {
    /// The exit code alone: the words are for people, and each program's own.
    Code,
    /// Standard output as well: programs read it.
    Out,
    /// And how standard error begins: we say what to do about it below.
    Start,
    /// All of it.
    All,
}
use Same::{All, Code, Out, Start};

/// Lines that need no daemon.
const ALONE: &[(&str, Same)] = &[
    ("-t -c rc", Out),
    ("-c rc -t", All),
    ("-tc rc", All),
    ("-crc -t", All),
    ("--c rc --te", All),
    ("--conf=rc --test", All),
    ("-Bt -c rc", All),
    ("-It -c rc", All),
    ("-t -t -c rc", All),
    ("-tc rc status", All),
    ("-tc rc bogus", All),
    ("-ic rc", Out),
    ("-ic rc bogus", Out),
    ("-rc rc", Out),
    ("--resetid -c rc", Out),
    ("--re -c rc", Out),
    ("-g a -g b -c rc -t", All),
    ("-l a -l log -c rc -t", All),
    ("-p a -p pid -c rc -t", All),
    ("-s a -s state -c rc -t", All),
    ("-c rc -c rc -t", All),
    ("-c rc -c rc -c rc -t", All),
    ("-d 1 -d 2 -c rc -t", All),
    ("-c nosuch -c rc -t", All),
    ("-c nosuch -t", All),
    ("-c /tmp -t", All),
    ("-c open -t", Start),
    ("-d 5x -c rc -t", All),
    ("-d 1.5 -c rc -t", All),
    ("-d +5 -c rc -t", All),
    ("-d 0 -c rc -t", All),
    ("-d -1 -c rc -t", All),
    ("-d x", All),
    ("-d", All),
    ("-c", All),
    ("--conf", All),
    ("status --statefile", All),
    ("-Z", All),
    ("-tZ", All),
    ("-Z -V", All),
    ("--test=x", All),
    ("--bogus", Code),
    ("--ver", Code),
    ("--i", Code),
    ("-V", Code),
    ("-V -Z", Code),
    ("--version -c", Code),
    ("-h", Code),
    ("-hZ", Code),
    ("--help=x", All),
    ("-H nosuch", Code),
    ("-H /tmp", Code),
    ("-H -c", Code),
    ("-Hd", Code),
    ("-H d -Z", Code),
    ("-Z -H d", All),
    ("bogus -c rc", All),
    ("-- -t", Code),
    ("-c rc start", All),
    ("-c rc stop", All),
    ("-c rc restart", All),
    ("-c rc monitor", All),
    ("-c rc unmonitor", All),
    ("-c rc start nosuch", Code),
    ("-c rc start on", Code),
    ("-c rc stop (", Code),
    ("-c rc monitor all", All),
    ("-c rc unmonitor ALL", All),
    ("-c rc monitor PASSWD", All),
    ("-c rc -g nosuch stop", All),
    ("-c rc -g nosuch stop all", All),
    ("-c rc -g PAIR monitor", All),
    ("-c rc status", All),
    ("-c rc Status", All),
    ("-c rc status nosuch", All),
    ("-c rc summary", All),
    ("-c rc report", All),
    ("-c rc report bogus", All),
    ("-c rc reload", Code),
    ("-c rc quit", All),
    ("-c rc QUIT", All),
    ("-c once -I", Code),
    ("-c rc procmatch", Code),
    ("-c rc procmatch (", Code),
    ("-c rc procmatch ^nobody-is-called-so$", All),
    ("procmatch ^nobody-is-called-so$ more", All),
    ("-c rc -B procmatch ^nobody-is-called-so$", All),
    ("-c once validate passwd", Code),
    ("-c once", All),
];

/// Lines that a daemon answers.
const ASKED: &[(&str, Same)] = &[
    ("-c rc", Out),
    ("-c rc -I", Out),
    ("-c rc -d 7", Out),
    ("-c rc -d 7 -I", Out),
    ("-c rc summary", All),
    ("-c rc summary one", All),
    ("-c rc summary ONE", All),
    ("-c rc summary o.*", All),
    ("-c rc summary ^o", All),
    ("-c rc summary (one|two)", All),
    ("-c rc summary [[:lower:]]{3}", All),
    ("-c rc summary o", All),
    ("-c rc summary (", All),
    ("-c rc summary all", All),
    ("-c rc summary nosuch", All),
    ("-c rc summary -g pair", All),
    ("-c rc summary -g PAIR passwd", All),
    ("-c rc summary -g nosuch", All),
    ("-c rc status nosuch", All),
    ("-c rc status -g nosuch", All),
    ("-c rc status a(", All),
    ("-c rc report", All),
    ("-c rc report up", All),
    ("-c rc report UP", All),
    ("-c rc report down", All),
    ("-c rc report initialising", All),
    ("-c rc report initializing", All),
    ("-c rc report unmonitored", All),
    ("-c rc report total", All),
    ("-c rc report up down", All),
    ("-c rc report -g pair", All),
    ("-c rc report up -g pair", All),
    ("-c rc report -g nosuch up", All),
    ("-c rc report -g nosuch", Code),
    ("-c rc report bogus", All),
    ("-c rc start", All),
    ("-c rc start nosuch", All),
    ("-c rc restart (", All),
    ("-c rc -g nosuch start", All),
    ("-c rc -g pair restart", All),
    ("-c rc validate nosuch", Out),
    ("-t -c rc", All),
    ("-c rc reload", All),
];

fn run(program: &str, folder: &Path, line: &str) -> Done {
    let mut command = Command::new(program);
    command.args(line.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    command.env("HOME", folder).env("TZ", "UTC").env("TERM", "dumb");
    let mut done = finished(command.output().unwrap());
    // Whose folder, which daemon and which id are each one's own.
    let pid = fs::read_to_string(folder.join("pid")).unwrap_or_default();
    let id = fs::read_to_string(folder.join("id")).unwrap_or_default();
    for text in [&mut done.out, &mut done.err] {
        *text = text.replace(&*folder.to_string_lossy(), "@");
        for (own, name) in [(pid.trim(), "PID"), (id.trim(), "ID")] {
            if !own.is_empty() {
                *text = text.replace(own, name);
            }
        }
    }
    done
}

/// Monit's folder and ours, with the same files.
fn twins(world: &World) -> [(&'static str, std::path::PathBuf); 2] {
    [("theirs", MONIT), ("ours", HINOBAN)].map(|(name, program)| {
        fs::create_dir(world.path(name)).unwrap();
        let text = FILE.replace("@/", &format!("@/{name}/"));
        world.write(&format!("{name}/rc"), &text);
        let once = "set idfile @/id\nset statefile @/state\ncheck file passwd with path /etc/passwd\n";
        world.write(&format!("{name}/once"), &once.replace("@/", &format!("@/{name}/")));
        world.write(&format!("{name}/d"), "abc\n");
        let open = world.write(&format!("{name}/open"), &text);
        fs::set_permissions(open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        (program, world.path(name))
    })
}

/// Gives each line to both, and gathers what differs.
fn compare(lines: &[(&str, Same)], twins: &[(&str, std::path::PathBuf); 2]) {
    let mut differ = Vec::new();
    for (line, same) in lines {
        let [theirs, ours] = [0, 1].map(|n| run(twins[n].0, &twins[n].1, line));
        let alike = theirs.code == ours.code
            && (*same == Code || theirs.out == ours.out)
            && match same {
                Code | Out => true,
                Start => !theirs.err.is_empty() && ours.err.starts_with(&theirs.err),
                All => theirs.err == ours.err,
            };
        if !alike {
            differ.push(format!("{line}\n  theirs: {theirs:?}\n  ours:   {ours:?}"));
        }
    }
    assert!(differ.is_empty(), "{} of {}:\n{}", differ.len(), lines.len(), differ.join("\n"));
}

#[test]
fn every_line_ends_as_monits_does_without_a_daemon() {
    if installed(&[MONIT]) {
        let world = World::new();
        compare(ALONE, &twins(&world));
    }
}

#[test]
fn every_line_ends_as_monits_does_with_a_daemon() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let twins = twins(&world);
    for (program, folder) in &twins {
        assert_eq!(run(program, folder, "-c rc").code, Some(0));
        wait_until("all to be up", || run(program, folder, "-c rc report up").out == "4\n");
    }
    compare(ASKED, &twins);
    for (program, folder) in &twins {
        assert_eq!(run(program, folder, "-c rc quit").code, Some(0));
    }
}

#[test]
fn digests_are_printed_in_monits_lines() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let twins = twins(&world);
    for line in ["-H d", "--hash d", "-c rc -H d", "-H"] {
        let [theirs, ours] = [0, 1].map(|n| run(twins[n].0, &twins[n].1, line));
        let lines: Vec<_> = ours.out.lines().collect();
        assert_eq!(theirs.out.lines().collect::<Vec<_>>(), lines[..2], "{line}");
        assert!(lines[2].starts_with("SHA256("), "{line}: {ours:?}");
        assert_eq!((theirs.code, ours.code), (Some(0), Some(0)), "{line}");
    }
}

#[test]
fn where_we_differ_on_purpose_is_known() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let twins = twins(&world);
    // Patterns and several names are understood without a daemon, too; a name behind `quit` is refused.
    for (line, codes) in [
        ("-c rc monitor pass.*", [1, 0]),
        ("-c rc monitor passwd nosuch", [0, 1]),
        ("-c rc quit one", [0, 1]),
    ] {
        let ended = [0, 1].map(|n| run(twins[n].0, &twins[n].1, line).code);
        assert_eq!(ended, codes.map(Some), "{line}");
    }
}
