//! A hundred times the daemon is killed at any moment, while services fall and people ask: nothing is lost, nothing is
//! done or told twice.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::common::{World, alive, kill, pause, wait_until};
use crate::servers::sink::Sink;

/// How often the daemon is killed.
const DEATHS: usize = 100;

/// Starts a service `$1` that takes `$2` seconds for it, and tells on whoever starts it twice.
const START: &str = r#"#!/bin/sh
cd @/ || exit 1
mkdir $1.starting 2>/dev/null || echo "$1: two starts at a time" >> wrong
if [ -e $1.pid ] && grep -q '^State:.[RSD]' /proc/`cat $1.pid`/status 2>/dev/null; then echo "$1: it runs already" >> wrong; fi
echo $$ >> $1.starts
[ $2 = 0 ] || sleep $2
./daemon $1 </dev/null >/dev/null 2>&1 &
echo $! > $1.new
mv $1.new $1.pid
rmdir $1.starting
"#;

/// Ends it and waits until it is gone.
const STOP: &str = r#"#!/bin/sh
cd @/ || exit 1
echo $$ >> $1.stops
pid=`cat $1.pid`
kill -KILL $pid
while grep -q '^State:.[RSD]' /proc/$pid/status 2>/dev/null; do sleep 0.05; done
rm $1.pid
"#;

/// A service: it has one child, three more after SIGUSR1, and one again after SIGUSR2.
const DAEMON: &str = r#"#!/bin/sh
trap 'for i in 1 2 3; do sleep 1000 & more="$more $!"; done' USR1
trap 'kill $more; more=' USR2
sleep 1000 & base=$!
while :; do wait $base; done
"#;

/// What the rule of `laden` runs.
const PAGE: &str = "#!/bin/sh\necho $$ >> @/pages\n";

const CONFIGURATION: &str = r#"
every = "1s"
patience = { first = "1s", longest = "1s", stable = "1s", give-up = "never" }
[files]
pidfile = "@/pid"
idfile = "@/id"
statefile = "@/state"
[log]
file = "@/log"
[mail]
servers = ["smtp://127.0.0.1:PORT"]
to = ["admin@example.com"]
"#;

/// What falls and is to come back; `asked` is also what the operator asks about.
const SERVICES: [(&str, &str); 5] =
    [("swift", "0"), ("brisk", "0.05"), ("slow", "0.3"), ("asked", "0.05"), ("laden", "0")];

/// Positions of two of them.
const ASKED: usize = 3;
const LADEN: usize = 4;

/// What must have happened to a service by now.
#[derive(Debug, Default, Clone, PartialEq)]
struct Due {
    starts: usize,
    downs: usize,
    backs: usize,
}

struct Crashes {
    world: World,
    sink: Sink,
    random: u64,
    due: Vec<Due>,
    /// What became of `asked`: whether it is watched, and whether it runs.
    asked: (bool, bool),
    /// Whether `laden` has more children than it should, and how often it came to that.
    laden: (bool, usize),
    /// The configuration, but for the rules of `laden`.
    text: String,
    /// Whether another rule stands where its rule was.
    moved: bool,
    deaths: usize,
}

impl Crashes {
    fn new(seed: u64) -> Self {
        let (world, sink) = (World::new(), Sink::start());
        for (name, text) in [("start", START), ("stop", STOP), ("daemon", DAEMON), ("page", PAGE)] {
            let script = world.write(name, text);
            std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        let mut text = CONFIGURATION.replace("PORT", &sink.port.to_string());
        for (name, takes) in SERVICES {
            text += &format!(
                "[service.{name}]\npidfile = \"@/{name}.pid\"\n\
                 start = {{ run = [\"@/start\", \"{name}\", \"{takes}\"], timeout = \"10s\" }}\n\
                 stop = {{ run = [\"@/stop\", \"{name}\"], timeout = \"10s\" }}\n"
            );
        }
        world.write("rc.toml", &format!("{text}{}", checks(false)));
        // Each is found missing at first.
        let due = vec![Due { starts: 1, downs: 1, backs: 1 }; SERVICES.len()];
        Self {
            world,
            sink,
            random: seed,
            due,
            asked: (true, true),
            laden: (false, 0),
            text,
            moved: false,
            deaths: 0,
        }
    }

    /// A number below `n`: splitmix64.
    fn below(&mut self, n: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn perhaps(&mut self) -> bool {
        self.below(2) == 0
    }

    fn count(&self, file: &str) -> usize {
        self.world.read(file).lines().count()
    }

    fn pid(&self, service: usize) -> Option<i32> {
        self.world.read(&format!("{}.pid", SERVICES[service].0)).trim().parse().ok()
    }

    fn lives(&self, service: usize) -> bool {
        self.pid(service).is_some_and(alive)
    }

    fn is(&self, service: usize) -> Due {
        let name = SERVICES[service].0;
        Due {
            starts: self.count(&format!("{name}.starts")),
            downs: self.sink.count(&[&format!("] {name} is down")]),
            backs: self.sink.count(&[&format!("] {name} is back")]),
        }
    }

    /// Waits until everything is as it must be, and says what is not.
    fn settle(&self) {
        for (service, (name, _)) in SERVICES.iter().enumerate() {
            let runs = service != ASKED || self.asked.1;
            let so = || self.is(service) == self.due[service] && self.lives(service) == runs;
            if !within_patience(so) {
                let (subjects, _) = self.sink.all();
                let about: Vec<_> = subjects.iter().filter(|s| s.contains(name)).collect();
                panic!(
                    "{name} (runs: {}): {:?}, but there should be {:?} after {} deaths; wrong: {:?}; mails: {about:#?}\n\
                     state: {}",
                    self.lives(service),
                    self.is(service),
                    self.due[service],
                    self.deaths,
                    self.world.read("wrong"),
                    self.world.read("state"),
                );
            }
        }
        let (laden, times) = self.laden;
        let told = || {
            let problems = self.sink.count(&["] laden has a problem"]);
            (problems, self.sink.count(&["] laden is well again"]), self.count("pages"))
        };
        let ends = times - usize::from(laden);
        assert!(
            within_patience(|| told() == (times, ends, times)),
            "laden: {:?}, not {:?}",
            told(),
            (times, ends, times)
        );
        self.shown();
        assert_eq!(self.world.read("wrong"), "");
    }

    /// What `status` says of who is watched.
    fn shown(&self) {
        let watched = if self.asked.0 { "Monitored" } else { "Not monitored" };
        let mut said = String::new();
        let so = || {
            said = self.world.ok("-B -c rc.toml status asked").out;
            said.lines().any(|line| {
                line.trim().strip_prefix("monitoring status").is_some_and(|state| state.trim() == watched)
            })
        };
        assert!(within_patience(so), "{watched}, not {said}");
    }

    /// Kills a service that must come back.
    fn fell(&mut self, service: usize) {
        kill(self.pid(service).unwrap(), "KILL");
        let due = &mut self.due[service];
        *due = Due { starts: due.starts + 1, downs: due.downs + 1, backs: due.backs + 1 };
    }

    /// Asks for something, and has it promised.
    fn ask(&mut self) {
        let doing = match (self.asked, self.perhaps()) {
            ((_, false), true) => "start",
            ((_, false), false) => "monitor",
            ((false, true), true) => "monitor",
            ((false, true), false) => "stop",
            ((true, true), true) => "stop",
            ((true, true), false) => "unmonitor",
        };
        self.world.ok(&format!("-c rc.toml {doing} asked"));
        match doing {
            "start" => {
                self.due[ASKED].starts += 1;
                self.asked = (true, true);
            }
            "stop" => self.asked = (false, false),
            "monitor" => {
                if !self.asked.1 {
                    let due = &mut self.due[ASKED];
                    *due = Due { starts: due.starts + 1, downs: due.downs + 1, backs: due.backs + 1 };
                }
                self.asked = (true, true);
            }
            _ => self.asked.0 = false,
        }
    }

    /// Kills `asked` while nobody watches it: nobody is to care.
    fn end_unwatched(&mut self) {
        if self.asked == (false, true) {
            kill(self.pid(ASKED).unwrap(), "KILL");
            self.asked.1 = false;
        }
    }

    /// Has `laden` begin to fail its rule, or hold it again.
    fn load(&mut self) {
        let (laden, times) = self.laden;
        kill(self.pid(LADEN).unwrap(), if laden { "USR2" } else { "USR1" });
        self.laden = (!laden, times + usize::from(!laden));
    }

    /// Changes the configuration, so that the rule of `laden` stands elsewhere.
    fn change(&mut self) {
        self.moved = !self.moved;
        self.world.write("rc.toml", &format!("{}{}", self.text, checks(self.moved)));
        self.world.ok("-c rc.toml reload");
    }

    fn die(&mut self) {
        let daemon = self.world.pid("pid");
        kill(daemon, "KILL");
        wait_until("the daemon's end", || !alive(daemon));
        self.deaths += 1;
    }

    /// One round: some of what can happen, at any time around one or two deaths of the daemon.
    fn round(&mut self) {
        let mut left: Vec<usize> = (0..3).filter(|_| self.perhaps()).collect();
        if self.below(3) == 0 {
            self.ask();
        }
        if self.below(3) == 0 {
            self.load();
        }
        if self.below(4) == 0 {
            self.end_unwatched();
        }
        if self.below(4) == 0 {
            self.change();
        }
        let mut again = true;
        while again {
            let before = self.below(left.len() as u64 + 1) as usize;
            for service in left.drain(..before).collect::<Vec<_>>() {
                self.fell(service);
            }
            // Most at once, where the most is under way.
            let longest = [5, 30, 120, 500][self.below(4) as usize];
            let wait = Duration::from_micros(self.below(longest * 1000));
            pause(wait);
            self.die();
            again = self.perhaps();
            if self.perhaps() {
                for service in std::mem::take(&mut left) {
                    self.fell(service);
                }
            }
            self.world.ok("-c rc.toml");
        }
        for service in left {
            self.fell(service);
        }
        self.settle();
    }
}

/// The rules of `laden`.
fn checks(moved: bool) -> String {
    let check = |most: u32| {
        format!("[[service.laden.check]]\nwhen = \"children > {most}\"\nthen = {{ exec = \"@/page\" }}\n")
    };
    format!("{}{}", if moved { check(1000) } else { String::new() }, check(2))
}

/// Whether this becomes so, in good time.
fn within_patience(mut so: impl FnMut() -> bool) -> bool {
    (0..1000).any(|_| {
        let so = so();
        if !so {
            pause(Duration::from_millis(20));
        }
        so
    })
}

#[test]
fn nothing_is_lost_or_doubled_however_often_the_daemon_is_killed() {
    let given = std::env::var("HINOBAN_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("to have it again: HINOBAN_SEED={seed}");
    let mut crashes = Crashes::new(seed);
    crashes.world.ok("-c rc.toml");
    crashes.settle();
    while crashes.deaths < DEATHS {
        crashes.round();
    }
    assert_eq!(crashes.sink.all().1, [] as [String; 0], "one id, two messages");
    let (known, log) = (crashes.world.ok("-c rc.toml incidents").out, crashes.world.read("log"));
    assert!(known.lines().count() > 40 && !log.contains("state.history"), "{known}\n{log}");
    crashes.world.ok("-c rc.toml quit");
}
