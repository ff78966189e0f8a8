use std::fs;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::mpsc;

use super::*;

const LONG: Duration = Duration::from_secs(30);

fn at(second: i64) -> Stamp {
    Stamp::from_micros((1_793_701_974 + second) * 1_000_000)
}

fn log(targets: Vec<Target>) -> Log {
    Log::start(LogOptions { targets, ..LogOptions::default() })
}

fn syslog_at(socket: &Path) -> Target {
    Target::Syslog(SyslogOptions { socket: socket.to_owned(), ..SyslogOptions::default() })
}

fn daemon(socket: &Path) -> UnixDatagram {
    let daemon = UnixDatagram::bind(socket).unwrap();
    daemon.set_read_timeout(Some(LONG)).unwrap();
    daemon
}

/// The text of the next line, without its header.
fn next(daemon: &UnixDatagram) -> String {
    let mut space = [0; 16 * 1024];
    let n = daemon.recv(&mut space).unwrap();
    let line = String::from_utf8(space[..n].to_vec()).unwrap();
    line.split_once("]: ").unwrap().1.to_owned()
}

/// What follows the stamp in each line of a file.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split_once("] ").map_or(line, |(_, rest)| rest).to_owned()).collect()
}

#[test]
fn a_file_reads_as_scripts_expect_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    fs::write(&path, "before\n").unwrap();
    let log = log(vec![Target::File(path.clone())]);
    log.write(Level::Error, at(0), "'missing' file doesn't exist");
    log.write(Level::Info, at(0), "'web' start: '/bin/true'\nsecond line");
    log.write(Level::Debug, at(0), "not asked for");
    assert!(log.flush(LONG));
    let expected = [
        "before",
        "error    : 'missing' file doesn't exist",
        "info     : 'web' start: '/bin/true'",
        "    second line",
    ];
    assert_eq!(lines(&path), expected);
    let stamp = Local::of(None).iso(at(0));
    assert!(fs::read_to_string(&path).unwrap().contains(&format!("\n[{stamp}] error")));
}

#[test]
fn nothing_in_a_line_passes_for_another_or_speaks_to_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = log(vec![Target::File(path.clone())]);
    let text =
        "failed -- \x1b[2Jx\r\x07\u{9b}1m\n[2026-11-23T10:32:54+0000] info     : 'web' start done\n\tend";
    log.write(Level::Error, at(0), text);
    assert!(log.flush(LONG));
    let expected = "failed -- #033[2Jx#015#007#2331m\n    [2026-11-23T10:32:54+0000] info     : 'web' start done\n    \tend\n";
    let written = fs::read_to_string(&path).unwrap();
    assert_eq!(written.split_once(" : ").unwrap().1, expected);
    let mut terminal = Terminal { out: Vec::new(), err: Vec::new() };
    terminal.put(&Line { level: Level::Error, at: at(0), text: text.into() }).unwrap();
    assert_eq!(String::from_utf8(terminal.err).unwrap(), expected);
}

#[test]
fn a_rotated_file_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
    let log = log(vec![Target::File(path.clone())]);
    let write = |second, text: &str| {
        log.write(Level::Info, at(second), text);
        assert!(log.flush(LONG));
    };
    write(0, "one");
    fs::rename(&path, &old).unwrap();
    write(1, "two"); // seen in the next second without being told
    fs::rename(&path, &old).unwrap();
    log.reopen();
    write(1, "three"); // told in the same second
    fs::remove_file(&path).unwrap();
    write(2, "four");
    assert_eq!(lines(&old), ["info     : two"]);
    assert_eq!(lines(&path), ["info     : four"]);
}

#[test]
fn lines_wait_for_a_file_that_cannot_be_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later/log");
    let log = log(vec![Target::File(path.clone())]);
    log.write(Level::Info, at(0), "one");
    assert!(!log.flush(Duration::from_millis(50)));
    let trouble = loop {
        // Told as soon as the first attempt has failed; the runner's own limit ends a loop that never does.
        match log.trouble() {
            Some(trouble) => break trouble,
            None => assert!(!log.flush(Duration::from_millis(10))),
        }
    };
    let expected = format!("the log file {} cannot be written to: ", path.display());
    assert!(trouble.starts_with(&expected), "{trouble}");
    fs::create_dir(dir.path().join("later")).unwrap();
    assert!(log.flush(LONG));
    assert_eq!(lines(&path), ["info     : one"]);
    assert_eq!(log.trouble(), None);
}

#[test]
fn no_line_is_lost_while_the_syslog_daemon_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (socket, file) = (dir.path().join("log.sock"), dir.path().join("file"));
    let log = log(vec![syslog_at(&socket), Target::File(file.clone())]);
    log.write(Level::Info, at(0), "before it is there");
    let first = daemon(&socket);
    assert_eq!(next(&first), "before it is there");
    log.write(Level::Info, at(0), "one");
    assert_eq!(next(&first), "one");
    drop(first); // the socket's file stays, and refuses
    log.write(Level::Info, at(0), "two");
    assert!(!log.flush(Duration::from_millis(50)));
    fs::remove_file(&socket).unwrap();
    log.write(Level::Info, at(0), "three");
    assert!(!log.flush(Duration::from_millis(500)));
    // The other target did not wait for it.
    assert_eq!(lines(&file).last().unwrap(), "info     : three");
    let second = daemon(&socket);
    assert_eq!([next(&second), next(&second)], ["two", "three"]);
    assert!(log.flush(LONG));
}

#[test]
fn lost_lines_are_counted_and_the_newest_kept() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("log.sock");
    let log = log(vec![syslog_at(&socket)]);
    for n in 0..LINES + 7 {
        log.write(Level::Info, at(0), format!("line {n}"));
    }
    let daemon = daemon(&socket);
    assert_eq!(next(&daemon), "7 lines lost: the log could not keep up");
    assert_eq!(next(&daemon), "line 7");
    for n in 8..LINES + 7 {
        assert_eq!(next(&daemon), format!("line {n}"));
    }
}

#[test]
fn a_daemon_with_a_stream_socket_is_understood() {
    use std::io::Read;
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("log.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let log = log(vec![syslog_at(&socket)]);
    log.write(Level::Warning, at(0), "one");
    log.write(Level::Warning, at(0), "two");
    let (mut stream, _) = listener.accept().unwrap();
    assert!(log.flush(LONG));
    drop(log);
    let mut all = String::new();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.read_to_string(&mut all).unwrap();
    let texts: Vec<&str> = all.split_terminator('\0').map(|l| l.split_once("]: ").unwrap().1).collect();
    assert_eq!(texts, ["one", "two"]);
    assert!(all.starts_with("<12>"), "{all}");
}

#[test]
fn a_target_that_hangs_holds_up_nobody() {
    /// Takes its first line only when told to.
    struct Stuck(mpsc::Receiver<()>, mpsc::Sender<String>);
    impl Sink for Stuck {
        fn put(&mut self, line: &Line) -> std::io::Result<()> {
            let _ = self.0.recv();
            let _ = self.1.send(line.text.clone());
            Ok(())
        }
        fn name(&self) -> String {
            "stuck".into()
        }
    }
    let (release, wait) = mpsc::channel();
    let (send, seen) = mpsc::channel();
    let log = Log::over(vec![Lane::new(Box::new(Stuck(wait, send)))], Level::Info);
    for n in 0..3 * LINES {
        log.write(Level::Info, at(0), n.to_string()); // would never return
    }
    drop(release);
    assert!(log.flush(LONG));
    let seen: Vec<String> = seen.try_iter().collect();
    assert!(seen.len() <= 2 * LINES + 2, "{} lines were kept", seen.len());
    assert!(seen.iter().any(|text| text.ends_with("lines lost: the log could not keep up")));
    assert_eq!(seen.last().unwrap(), &(3 * LINES - 1).to_string());
}

#[test]
fn the_terminal_gets_what_is_wrong_on_standard_error() {
    let mut terminal = Terminal { out: Vec::new(), err: Vec::new() };
    for (level, text) in
        [(Level::Info, "fine"), (Level::Warning, "hm"), (Level::Error, "no"), (Level::Debug, "x")]
    {
        terminal.put(&Line { level, at: at(0), text: text.into() }).unwrap();
    }
    assert_eq!((terminal.out, terminal.err), (b"fine\nx\n".to_vec(), b"hm\nno\n".to_vec()));
}

#[test]
fn facilities_have_the_names_of_control_files() {
    for name in ["log_user", "LOG_DAEMON", "daemon", "local0", "log_local7"] {
        assert!(facility(name).is_some(), "{name}");
    }
    assert!(facility("log_nonsense").is_none());
}
