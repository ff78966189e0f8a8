//! Control files made up of statements of all kinds: each has a twin in TOML that makes the same plan.
#![allow(clippy::unwrap_used)] // these may panic

mod world;

use std::cell::Cell;
use std::path::Path;

use hinoban_monitrc::convert;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use world::World;

const SETTINGS: &[&str] = &[
    "set daemon 30",
    "set daemon 10 with start delay 60",
    "set init",
    "set log syslog facility log_local3",
    "set log /var/log/monit.log",
    "set pidfile /run/m.pid",
    "set idfile /var/lib/m/id",
    "set statefile /var/lib/m/state",
    "set onreboot nostart",
    "set onreboot laststate",
    "set terminal batch",
    "set fips",
    "set eventqueue basedir /var/q slots 10",
    "set eventqueue basedir /var/q",
    "set limits { programOutput: 1 kB, fileContentBuffer: 2 kB, networkTimeout: 9 seconds }",
    "set limits { startTimeout: 45 seconds, stopTimeout: 500 ms, programTimeout: 30 seconds, httpContentBuffer: 3 MB }",
    "set ssl { verify: enable, selfsigned: allow, version: tlsv12 }",
    "set mailserver localhost, mail.example.com port 587 username \"x\" password 'p\"w' using tls with timeout 9 seconds using hostname \"me\"",
    "set mailserver ::1 port 465 using tls with options { verify: enable }",
    "set mail-format { from: Me <me@$HOST>\n subject: $EVENT \"now\"\n message: one\ntwo \\ 'three' }",
    "set mail-format { from: a@example.com reply-to: b@example.com }",
    "set alert a@example.com",
    "set alert b@example.com { timeout, nonexist } with reminder on 3 cycles",
    "set alert c@example.com not on { action, instance } with mail-format { subject: it's $SERVICE }",
    "set httpd port 2812 address 127.0.0.1 allow localhost allow admin:\"mo nit\" read-only allow 10.0.0.0/8",
    "set httpd unixsocket /run/m.sock uid root permission 0660 allow @wheel read-only",
    "set httpd port 2813 signature disable allow x:y",
    "set mmonit https://monit:monit@example.com:8443/collector with timeout 9 seconds and register without credentials",
];

const OPTIONS: &[&str] = &[
    "start program = \"/bin/start 'a b' c\" with timeout 90 seconds",
    "start program = \"/bin/sh -c 'a | b > c'\" as uid root and gid 7",
    "stop program = \"/bin/stop\" as uid 12",
    "restart program = \"/bin/restart it's\"",
    "group www",
    "mode passive",
    "mode manual",
    "onreboot nostart",
    "every 3 cycles",
    "every 1 cycles",
    "every \"*/5 8-19 * * 1-5\"",
    "not every \"* 0-3 * * 7\"",
    "depends on last",
    "alert d@example.com only on { timeout }",
    "noalert a@example.com",
    "alert e@example.com with mail-format { message: a\nb }",
    "if 3 restarts within 5 cycles then unmonitor",
    "if 2 restarts within 4 cycles then exec \"/bin/tell\" repeat every 2 cycles",
];

const PROCESS: &[&str] = &[
    "if does not exist for 2 cycles then exec \"/bin/x\" else alert",
    "if not exist then restart else if succeeded 2 times within 3 cycles then start",
    "if exist then alert",
    "if cpu > 80% for 3 cycles then alert",
    "if total cpu >= 12.5% 3 times within 5 cycles then restart else if succeeded for 2 cycles then exec \"/bin/ok\"",
    "if memory usage > 200 MB then alert",
    "if total memory = 1.5 GB then stop",
    "if children > 250 then restart",
    "if threads != 3 then unmonitor",
    "if uptime < 3 minutes then start",
    "if loadavg(5min) per core > 2.5 then alert",
    "if loadavg(1min) > 4 then alert",
    "if filedescriptors > 80% then alert",
    "if total filedescriptors > 1000 then alert",
    "if disk read > 10 operations/s then alert",
    "if read > 1 MB/s then alert",
    "if changed pid then alert",
    "if changed ppid for 2 cycles then exec \"/bin/x\"",
    "if failed uid root then unmonitor",
    "if failed gid 5 then alert",
    "if failed security attribute \"x:y\" then alert",
];

const FILE: &[&str] = &[
    "if not exist then alert",
    "if exist then alert",
    "if size > 10 MB then alert",
    "if changed size then alert",
    "if changed checksum then exec \"/bin/x\"",
    "if failed checksum then unmonitor",
    "if failed sha1 checksum expect da39a3ee5e6b4b0d3255bfef95601890afd80709 then alert",
    "if failed permission 0644 then alert",
    "if changed permission then alert",
    "if failed uid root then alert",
    "if timestamp > 2 hours then alert",
    "if changed mtime then alert",
    "if match \"^err[[]or .*\\.log]$\" then alert",
    "if not match \"x{2}\" for 2 cycles then exec \"/bin/x\"",
    "if content = \"it's\" then alert",
    "if content != \"^[^a].[\\d]\" then alert",
    "ignore match \"DEBUG.\"",
    "ignore not match \"app\"",
];

const FILESYSTEM: &[&str] = &[
    "if not exist then stop",
    "if space usage > 80% 5 times within 64 cycles then alert",
    "if space free < 1.5 GB then exec \"/bin/x\"",
    "if inode usage > 90% then alert",
    "if inode free < 100 then alert",
    "if changed fsflags then exec \"/bin/x\"",
    "if read rate > 1 MB/s then alert",
    "if write rate > 500 operations/s then alert",
    "if service time > 10 milliseconds for 3 cycles then alert",
    "if failed permission 755 then alert",
];

const HOST: &[&str] = &[
    "if failed port 80 then alert",
    "if failed port 8080 protocol http request \"/x?token=a\" status = 200 for 2 cycles then alert",
    "if failed port 80 protocol http request \"/a b\" method head then alert",
    "if failed port 80 protocol http username \"u\" password \"p\" hostheader \"www.example.com\" then alert",
    "if failed port 80 protocol http with http headers [Accept: a/b, X: \"y z\"] content = \"^o.k\" then alert",
    "if failed port 80 protocol http status >= 400 content != \"it's\" then alert",
    "if failed port 80 protocol http request \"/f\" with checksum da39a3ee5e6b4b0d3255bfef95601890afd80709 then alert",
    "if failed port 443 protocol https with timeout 9 seconds retry 3 then alert",
    "if failed port 443 with ssl options {verify: enable, selfsigned: allow} certificate valid > 30 days then alert",
    "if failed port 443 protocol https and certificate checksum MD5 \"fcd5b43dd0c2a9c6ee0d15d0e5a8b2a4\" then alert",
    "if failed host example.org port 993 type tcpssl protocol imap then alert",
    "if failed port 25 protocol smtp using tls then alert",
    "if failed port 587 protocol smtp username \"u\" password \"p\" then alert",
    "if failed port 53 type udp protocol dns then alert",
    "if failed port 3306 protocol mysql username \"u\" password \"p\" then alert",
    "if failed port 5432 protocol pgsql username \"u\" password \"p\" database \"d\" then alert",
    "if failed port 80 protocol apache-status loglimit > 10% replylimit >= 50% path \"/s\" then alert",
    "if failed port 5060 type udp protocol sip target \"a@example.com\" maxforward 6 then alert",
    "if failed port 1812 type udp protocol radius secret \"s\" then alert",
    "if failed port 80 protocol websocket origin \"http://a\" request \"/s\" host \"h\" version 13 then alert",
    "if failed port 1883 protocol mqtt username \"u\" password \"p\" then alert",
    "if failed port 7 send \"PING\\r\\n\" expect \"PO.G[[:space:]]\" send 'x' then alert",
    "if failed port 7 address 127.0.0.1 ipv4 with responsetime > 500 milliseconds then alert",
    "if succeeded port 22 protocol ssh then alert",
    "if failed ping then alert",
    "if failed ping6 count 5 size 128 timeout 3 seconds address ::1 responsetime < 2 seconds then alert",
    "if succeeded ping4 then alert else if failed 2 times within 3 cycles then exec \"/bin/x\"",
    "if failed url http://u:p@example.com:81/x?key=y#z and content == \"a.c\" timeout 3 seconds retry 2 then alert",
    "if failed url https://example.com/ with ssl options {verify: disable} then alert",
];

const SOCKETS: &[&str] = &[
    "if failed unixsocket /run/x.sock then alert",
    "if failed unixsocket /run/x.sock type udp protocol redis with timeout 3 seconds retry 2 then alert",
    "if failed unixsocket \"/run/a b\" send \"a\" expect \"b\" then restart",
    "if failed host 127.0.0.1 port 6379 protocol redis then restart",
    "if failed port 80 protocol http for 3 times within 5 cycles then restart",
];

const PROGRAM: &[&str] = &[
    "if status != 0 then alert",
    "if changed status then alert",
    "if status > 1 for 2 cycles then exec \"/bin/x\"",
    "if content = \"a.b\" then alert",
    "if content != \"ok\" then alert",
];

const NETWORK: &[&str] = &[
    "if link down then alert",
    "if failed link then alert",
    "if changed link then alert",
    "if saturation > 90% then alert",
    "if upload > 1 MB/s then alert",
    "if download > 100 packets/s then alert",
    "if total upload > 1 GB in last 2 hours then alert",
    "if total download > 10 packets in last day then alert",
];

const SYSTEM: &[&str] = &[
    "if cpu usage (user) > 80% then alert",
    "if cpu(wait) > 20% for 5 cycles then alert",
    "if memory usage > 75% then alert",
    "if swap usage > 25% then alert",
    "if loadavg(15min) > 4 then alert",
    "if uptime < 1 hour then alert",
    "if filedescriptors > 80% then alert",
];

/// A service of this name: its head, and what may stand in it.
const KINDS: [(&str, &[&str]); 11] = [
    ("check process NAME with pidfile /run/NAME.pid", SOCKETS),
    ("check process NAME with pidfile /run/NAME.pid", PROCESS),
    ("check process NAME matching \"^/bin/[a-z]+ .*'x'\"", PROCESS),
    ("check file NAME with path /var/NAME", FILE),
    (
        "check directory NAME with path \"/var/a b\"",
        &["if changed timestamp then alert", "if failed gid 0 then alert"],
    ),
    ("check fifo NAME with path /run/NAME", &["if failed uid 0 then alert"]),
    ("check filesystem NAME with path \"nas:/export\"", FILESYSTEM),
    ("check host NAME with address example.com", HOST),
    ("check program NAME with path \"/bin/NAME --x 'y z'\" timeout 20 seconds", PROGRAM),
    ("check network NAME with interface eth0", NETWORK),
    ("check system NAME", SYSTEM),
];

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    let most = of.len().min(7);
    prop::sample::subsequence(of, 0..=most)
}

fn service() -> impl Strategy<Value = (usize, Vec<&'static str>)> {
    (0..KINDS.len()).prop_flat_map(|kind| {
        let rules = some(KINDS[kind].1);
        (Just(kind), rules, some(OPTIONS)).prop_map(|(kind, mut rules, options)| {
            if let (true, Some(first)) = (rules.is_empty(), KINDS[kind].1.first()) {
                rules.push(first);
            }
            (kind, options.into_iter().chain(rules).collect())
        })
    })
}

fn control_file() -> impl Strategy<Value = String> {
    (some(SETTINGS), prop::collection::vec(service(), 0..5)).prop_map(|(settings, services)| {
        let settings = settings.into_iter().zip(1..);
        let mut text: String =
            settings.map(|(line, n)| format!("# above {n}.\n{line} # behind {n}.\n")).collect();
        let mut systems = 0;
        for (number, (kind, body)) in services.into_iter().enumerate() {
            if KINDS[kind].0.contains("system") {
                systems += 1;
                if systems > 1 {
                    continue;
                }
            }
            text +=
                &format!("\n# number {number}.\n{}", KINDS[kind].0.replace("NAME", &format!("s{number}")));
            for (line, n) in body.into_iter().zip(1..) {
                text += &format!("\n  {line} # line {number}.{n}.");
            }
        }
        text + "\ncheck process last with pidfile /run/last.pid\n"
    })
}

#[test]
fn what_is_understood_has_a_twin_that_means_the_same() {
    let world = World::default();
    let path = Path::new("/etc/monitrc");
    let (all, understood) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig { cases: 400, ..ProptestConfig::default() });
    let tried = runner.run(&control_file(), |text| {
        all.set(all.get() + 1);
        // Some rules do not go with others.
        if hinoban_monitrc::parse(path, &text, &world).is_ok() {
            understood.set(understood.get() + 1);
            let twin =
                convert(path, &text, &world).map_err(|why| TestCaseError::fail(format!("{why}\n{text}")))?;
            for line in text.lines() {
                if let Some(at) = line.find("# ") {
                    prop_assert_eq!(twin.text.matches(&line[at..]).count(), 1, "{} in {}", line, twin.text);
                }
            }
            prop_assert_eq!(&twin.text, &convert(path, &text, &world).unwrap().text);
        }
        Ok(())
    });
    tried.unwrap_or_else(|why| panic!("{why}"));
    let (all, understood): (u32, u32) = (all.get(), understood.get());
    assert!(understood > all / 2, "{understood} of {all}");
}

#[test]
fn every_statement_above_is_understood() {
    let world = World::default();
    let path = Path::new("/etc/monitrc");
    let wrong = |text: &str| {
        let text = format!("{text}\ncheck process last with pidfile /run/last.pid\n");
        let read = hinoban_monitrc::parse(path, &text, &world).map(drop);
        read.and_then(|()| convert(path, &text, &world).map(drop)).err().map(|why| format!("{why}\n{text}"))
    };
    let mut found = Vec::new();
    for setting in SETTINGS {
        let daemon = if setting.contains("init") { "set daemon 5\n" } else { "" };
        found.extend(wrong(&format!("{daemon}{setting}")));
    }
    for (head, rules) in KINDS {
        let first = if head.contains("host") || head.contains("program") { rules[0] } else { "" };
        for line in rules.iter().chain(OPTIONS) {
            found.extend(wrong(&format!("{}\n  {first}\n  {line}", head.replace("NAME", "it"))));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
