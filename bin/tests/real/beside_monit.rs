//! Monit and we with the same control file at the same moment: what programs parse is compared piece by piece.

mod commands;
mod compare;
mod content;
mod dependencies;
mod dumps;
mod fixtures;
mod lines;
mod networks;
mod nodes;
mod programs;
mod rates;
mod turns;
mod vectors;

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
        Self::start_every(world, services, 1)
    }

    /// With so many seconds from cycle to cycle.
    fn start_every(world: &'a World, services: &str, seconds: u32) -> Self {
        let ports = [free_port(), free_port()];
        for (name, port) in ["theirs", "ours"].into_iter().zip(ports) {
            let head = format!(
                "set daemon {seconds}\nset log @/{name}.log\nset pidfile @/{name}.pid\nset idfile @/{name}.id\n\
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

    /// Waits until both answer the same at the paths of the whole status, the text with its colours.
    fn documents(&self) {
        self.alike("/_status?format=xml", compare::xml);
        self.alike("/_status2?format=xml", compare::xml);
        self.alike("/_status", compare::text);
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
check file odd with path @/odd
  if size > 1 GB then alert
check file link with path @/link
check file null with path /dev/null
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

/// Large with nothing in it, as old as can be, with all the bits of a mode; and a link to it.
fn odd_file(world: &World) {
    use std::os::unix::fs::PermissionsExt;
    let path = world.write("odd", "");
    std::os::unix::fs::symlink(&path, world.path("link")).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(3 << 40).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o7640)).unwrap();
}

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
    odd_file(&world);
    let _socket = std::os::unix::net::UnixListener::bind(world.path("socket")).unwrap();
    let text = SERVICES.replace("PORT", &nginx.port.to_string()).replace("CLOSED", &free_port().to_string());
    let pair = Pair::start(&world, &text);
    pair.both("unmonitor left");
    pair.state("left", "Not monitored");
    pair.state("folder", "Invalid type");
    pair.state("lhost", "Connection failed");

    pair.documents();
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
    assert_eq!(pair.both("report total").out, "17\n");

    // What was well no longer is, and the other way round.
    world.write("notes", &"x".repeat(1_500_000));
    world.write("missing", "here\n");
    std::fs::remove_dir(world.path("folder")).unwrap();
    std::fs::remove_file(world.path("socket")).unwrap();
    std::fs::create_dir(world.path("socket")).unwrap();
    pair.both("monitor left");
    pair.both("unmonitor pseudo");
    for (service, state) in [
        ("missing", "OK"),
        // What cannot be told any more stands as it was.
        ("folder", "Invalid type | Does not..."),
        ("socket", "Invalid type"),
        ("left", "Does not exist"),
        ("pseudo", "Not monitored"),
    ] {
        pair.state(service, state);
    }
    world.write("folder", "a file at last\n");
    pair.state("folder", "OK");
    pair.documents();
}
