//! Monit and we with the same control file at the same moment: what programs parse is compared piece by piece.

mod compare;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{Done, PATIENCE, World, finished, free_port, pause, wait_until};
use crate::servers::installed;
use crate::servers::nginx::{NGINX, Nginx};

pub(crate) const MONIT: &str = "/usr/bin/monit";

/// Runs Monit as a command line with this control file.
pub(crate) fn monit(world: &World, file: &str, line: &str) -> Done {
    let mut command = Command::new(MONIT);
    command.args(["-B", "-c"]).arg(world.path(file)).args(line.split_whitespace());
    // What it starts is known by the folder, and ends with the test.
    command.env("HOME", world.dir());
    finished(command.env("TZ", "UTC").stdin(Stdio::null()).output().unwrap())
}

/// A daemon of each kind, with the same services. Monit's file is `theirs`, ours is `ours`; `@@` in the text is the
/// daemon's own name.
struct Pair<'a> {
    world: &'a World,
    /// Ports: Monit's, ours.
    ports: [u16; 2],
}

impl<'a> Pair<'a> {
    fn start(world: &'a World, services: &str) -> Self {
        let ports = [free_port(), free_port()];
        for (name, port) in ["theirs", "ours"].into_iter().zip(ports) {
            let head = format!(
                "set daemon 1\nset log @/{name}.log\nset pidfile @/{name}.pid\nset idfile @/{name}.id\n\
                 set statefile @/{name}.state\n\
                 set httpd port {port} use address 127.0.0.1 allow admin:monit\n"
            );
            world.write(name, &(head + &services.replace("@@", name)));
        }
        let theirs = monit(world, "theirs", "");
        assert_eq!(theirs.code, Some(0), "{theirs:?}");
        world.ok("-c ours");
        let pair = Self { world, ports };
        wait_until("both to answer", || ["/_ping"; 2].map(|path| pair.get(path)[0] == "pong") == [true; 2]);
        pair
    }

    /// What each answers at this path.
    fn get(&self, path: &str) -> [String; 2] {
        self.ports.map(|port| ask(port, path).unwrap_or_default())
    }

    /// What each says on this command line, which must come to the same; our own command line too.
    fn both(&self, line: &str) -> Done {
        let theirs = monit(self.world, "theirs", line);
        let ours = monit(self.world, "ours", line);
        assert_eq!((theirs.code, &theirs.err), (ours.code, &ours.err), "{line}: {theirs:?} and {ours:?}");
        ours
    }

    /// Waits until both answer the same at this path.
    fn alike(&self, path: &str, differences: fn(&str, &str) -> Vec<String>) {
        until_alike(path, differences, || self.get(path));
    }

    /// Waits until Monit's command line says the same about both.
    fn says_alike(&self, line: &str) {
        until_alike(line, compare::text, || ["theirs", "ours"].map(|file| monit(self.world, file, line).out));
    }

    /// The words for a service's state in both summaries, once they are the same.
    fn state(&self, service: &str, wanted: &str) {
        // The columns of a summary have fixed widths.
        let word = |text: &str| {
            let mut lines =
                text.lines().filter(|line| line.get(1..32).is_some_and(|n| n.trim_end() == service));
            lines.next().map(|line| line[34..60].trim_end().to_owned())
        };
        let mut seen = [None, None];
        for _ in 0..PATIENCE.as_millis() / 100 {
            seen = ["theirs", "ours"].map(|file| word(&monit(self.world, file, "summary").out));
            if seen.iter().all(|state| state.as_deref() == Some(wanted)) {
                return;
            }
            pause(Duration::from_millis(100));
        }
        panic!("'{service}' is not {wanted} but {seen:?} (Monit, we)");
    }
}

fn until_alike(what: &str, differences: fn(&str, &str) -> Vec<String>, get: impl Fn() -> [String; 2]) {
    let mut last = Vec::new();
    for _ in 0..PATIENCE.as_millis() / 300 {
        let [theirs, ours] = get();
        last = differences(&theirs, &ours);
        if last.is_empty() && !ours.is_empty() {
            return;
        }
        // Cycles begin at different moments, and an element may move in between.
        pause(Duration::from_millis(300));
    }
    panic!("{what} differs:\n{}", last.join("\n"));
}

fn ask(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let head = "HTTP/1.0\r\nAuthorization: Basic YWRtaW46bW9uaXQ=\r\n\r\n";
    stream.write_all(format!("GET {path} {head}").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.0 200 ").then(|| body.to_owned())
}

/// A service of each type that both know, well and not.
const SERVICES: &str = "
check system here
  if loadavg (1min) > 1000 then alert
  if memory usage > 99.9% then alert
check process httpd with pidfile @/httpd.pid
  group web
  if cpu > 99.9% for 60 cycles then alert
  if total memory > 1 kB then alert
  if failed host 127.0.0.1 port PORT protocol http request \"/\" then alert
  if failed host 127.0.0.1 port PORT type tcp then alert
check process gone with pidfile @/gone.pid
  mode passive
  group web
  group Data
check process left with pidfile @/left.pid
  onreboot laststate
check file notes with path @/notes
  group Data
  if size > 1 MB then alert
  if size < 1 kB then alert
check file folder with path @/folder
check file socket with path @/socket
check file missing with path @/missing
  group other
check file under with path @/notes/below
check filesystem root with path /
  if space usage > 99.9% then alert
  if inode usage > 1 then alert
check filesystem pseudo with path /proc
check filesystem memory with path /dev/shm
check filesystem nothing with path @/folder
check host lhost with address 127.0.0.1
  if failed port PORT protocol http then alert
  if failed port CLOSED type tcp with timeout 1 second then alert
";

#[test]
fn documents_are_the_same_element_by_element() {
    if !installed(&[NGINX, MONIT]) {
        return;
    }
    let world = World::new();
    let nginx = Nginx::new(&world);
    nginx.start();
    std::fs::create_dir(world.path("folder")).unwrap();
    world.write("notes", "12345\n");
    let _socket = std::os::unix::net::UnixListener::bind(world.path("socket")).unwrap();
    let text = SERVICES.replace("PORT", &nginx.port.to_string()).replace("CLOSED", &free_port().to_string());
    let pair = Pair::start(&world, &text);
    pair.both("unmonitor left");
    pair.state("left", "Not monitored");
    pair.state("folder", "Invalid type");
    pair.state("lhost", "Connection failed");

    pair.alike("/_status?format=xml", compare::xml);
    pair.alike("/_status2?format=xml", compare::xml);
    // With its colours.
    pair.alike("/_status", compare::text);
    pair.alike("/_status?group=data", compare::text);
    pair.alike("/_summary", compare::text);
    pair.alike("/_summary?group=web", compare::text);
    pair.alike("/_report", compare::text);
    for word in ["up", "down", "initialising", "unmonitored", "total"] {
        pair.alike(&format!("/_report?type={word}"), compare::text);
    }
    for line in
        ["status", "summary", "report", "status HTTPD", "-g web status", "-g data summary", "summary g.*"]
    {
        pair.says_alike(line);
    }
    assert_eq!(pair.both("report total").out, "14\n");
}

/// A daemon that is started and stopped. Each supervisor has its own.
const DAEMON: &str = "
check process NAME with pidfile @/@@.NAME.pid
  start program = \"/bin/sh -c 'sleep 1000 & echo $! > @/@@.NAME.pid'\"
  stop program = \"/bin/sh -c 'kill `cat @/@@.NAME.pid`; rm @/@@.NAME.pid'\"
";

#[test]
fn every_command_comes_to_the_same() {
    if !installed(&[MONIT]) {
        return;
    }
    let world = World::new();
    let daemon = |name: &str, more: &str| DAEMON.replace("NAME", name) + more;
    let group = "  group Pair\n";
    let text = ["check system here\n", &daemon("one", group), &daemon("two", group), &daemon("three", "")];
    let pair = Pair::start(&world, &text.concat());
    let all = ["one", "two", "three"];
    let states =
        |wanted: [&str; 3]| all.into_iter().zip(wanted).for_each(|(name, word)| pair.state(name, word));
    let pids = |name: &str| ["theirs", "ours"].map(|who| world.pid(&format!("{who}.{name}.pid")));
    let gone = |name: &str| {
        ["theirs", "ours"].map(|who| world.path(&format!("{who}.{name}.pid"))).iter().all(|p| !p.exists())
    };
    let accepted = |line: &str| {
        let done = pair.both(line);
        assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{line}: {done:?}");
    };
    let (well, off) = ("OK", "Not monitored");
    states([well; 3]);

    accepted("stop one");
    states([off, well, well]);
    wait_until("the end of one", || gone("one"));
    accepted("start one");
    states([well; 3]);
    let before = pids("one");
    accepted("restart ONE");
    wait_until("another one", || {
        ["theirs", "ours"].iter().zip(before).all(|(who, old)| {
            let pid = world.read(&format!("{who}.one.pid"));
            pid.trim().parse::<i32>().is_ok_and(|pid| pid != old)
        })
    });
    states([well; 3]);
    accepted("unmonitor t.*");
    states([well, off, off]);
    accepted("monitor all");
    states([well; 3]);
    let kept = pids("three");
    accepted("-g pair stop");
    states([off, off, well]);
    wait_until("the end of the group", || gone("one") && gone("two"));
    accepted("-g PAIR start");
    states([well; 3]);
    let before = [pids("one"), pids("two")];
    accepted("-g Pair restart");
    wait_until("others", || {
        ["one", "two"].iter().zip(before).all(|(name, old)| {
            ["theirs", "ours"].iter().zip(old).all(|(who, old)| {
                let pid = world.read(&format!("{who}.{name}.pid"));
                pid.trim().parse::<i32>().is_ok_and(|pid| pid != old)
            })
        })
    });
    states([well; 3]);
    accepted("-g pair unmonitor");
    states([off, off, well]);
    accepted("-g pair monitor");
    states([well; 3]);
    assert_eq!(pids("three"), kept, "who is not in the group is left alone");
    accepted("stop all");
    pair.state("here", off);
    states([off; 3]);
    wait_until("the end of all", || all.into_iter().all(gone));
    accepted("start all");
    pair.state("here", well);
    states([well; 3]);
    accepted("restart all");
    pair.says_alike("report");

    for line in [
        "start",
        "restart nosuch",
        "stop on",
        "unmonitor (",
        "-g nosuch start",
        "-g nosuch status",
        "-g nosuch summary",
        "status nosuch",
        "summary nosuch",
        "report bogus",
        "bogus",
    ] {
        let refused = pair.both(line);
        assert_eq!(refused.code, Some(1), "{line}: {refused:?}");
        assert!(!refused.err.is_empty(), "{line}");
    }
    // Monit's own oddity: what is asked for is done, and yet the exit code is 1.
    assert_eq!(monit(&world, "ours", "validate").code, monit(&world, "theirs", "validate").code);
    for line in ["reload", "quit"] {
        assert_eq!(pair.both(line).code, Some(0));
    }
    wait_until("the end of both", || {
        ["theirs.pid", "ours.pid"].iter().all(|file| !world.path(file).exists())
    });
    for line in ["status", "summary", "report", "start one", "quit"] {
        pair.both(line);
    }
}
