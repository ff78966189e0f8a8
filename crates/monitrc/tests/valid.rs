//! What the files of `fixtures/config/valid` mean.

mod world;

use std::path::Path;
use std::time::Duration;

use hinoban_config::*;
use hinoban_reading::Value;
use world::World;

fn fixture(name: &str) -> Loaded {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/config/valid");
    let text = std::fs::read_to_string(folder.join(name)).expect("a fixture");
    match hinoban_monitrc::parse(Path::new(name), &text, &World::default()) {
        Ok(loaded) => loaded,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn program(line: &str, timeout: u64) -> Option<Program> {
    Some(Program { words: words(line), uid: None, gid: None, timeout: secs(timeout) })
}

fn port(rule: &Rule) -> &PortTest {
    match &rule.when {
        Condition::Test { test: Test::Port(test), .. } => test,
        other => panic!("no test of a port: {other:?}"),
    }
}

#[test]
fn the_classic_file_means_what_it_says() {
    let Loaded { config, warnings } = fixture("httpd.monitrc");
    assert_eq!(warnings.lines(), Vec::<String>::new());
    assert_eq!(config.dialect, Dialect::Monit);
    assert_eq!((config.every, config.start_delay), (Some(secs(120)), secs(240)));
    assert_eq!(config.log, Some(LogTarget::Syslog(Facility::Daemon)));
    assert_eq!(config.mail.servers.len(), 1);
    assert_eq!((config.mail.servers[0].host.as_str(), config.mail.servers[0].port), ("localhost", 25));
    assert_eq!(config.alerts[0].address, "admin@example.com");
    let listen = Listen::Tcp { address: Some("localhost".to_owned()), port: 2812, read_only: false };
    assert_eq!(config.web.listen, [listen]);
    let admin = User { name: "admin".to_owned(), password: Secret::new("monit"), read_only: false };
    assert_eq!(config.web.allow, [Allow::User(admin)]);

    let httpd = &config.services[0];
    assert_eq!(httpd.name, "httpd");
    assert_eq!(httpd.kind, Kind::pidfile("/var/run/httpd.pid"));
    assert_eq!(httpd.start, program("/etc/init.d/httpd start", 60));
    assert_eq!(httpd.stop, program("/etc/init.d/httpd stop", 30));
    assert_eq!(httpd.rules.len(), 2);
    let rule = &httpd.rules[0];
    assert_eq!(rule.fail, Branch::once(Then::Restart));
    assert_eq!(rule.ok, Branch::once(Then::Alert));
    assert_eq!((rule.place.line, rule.place.column), (12, 5));
    let test = port(rule);
    assert_eq!((test.host.as_str(), test.port, test.timeout), ("www.example.com", 80, secs(5)));
    let http = HttpTest { request: Some("/".to_owned()), ..HttpTest::default() };
    assert_eq!(test.protocol, Protocol::Http(http.into()));
    assert_eq!(httpd.rules[1], Rule::existence());
    assert_eq!(config.services[1], Service::system("tower").into());
}

#[test]
fn the_files_that_speed_is_measured_with_are_understood() {
    let Loaded { config, warnings } = fixture("measured.monitrc");
    assert_eq!(warnings.lines(), Vec::<String>::new());
    let names: Vec<_> = config.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["p0", "p1", "h0", "h1", "tower"]);
    assert_eq!(
        config.services[1].rules[1].when,
        compare("memory.total.bytes", Operator::Greater, Value::Int(900 << 20))
    );
    assert_eq!(config.services[1].rules[1].fail.rate, Rate { count: 5, within: 5 });
    assert_eq!(port(&config.services[2].rules[0]).host, "127.0.0.1");
    assert_eq!(config.services[4].rules[0].when, compare("load.5", Operator::Greater, Value::Real(40.0)));
    assert_eq!(
        config.services[4].rules[1].when,
        compare("memory.percent", Operator::Greater, Value::Real(95.0))
    );
}

fn compare(metric: &str, operator: Operator, limit: Value) -> Condition {
    Condition::Compare { metric: metric.to_owned(), operator, limit }
}

#[test]
fn settings_are_read_in_all_their_spellings() {
    let Loaded { config, warnings } = fixture("everything.monitrc");
    let told = ["everything.monitrc:56: 'cpu()' is only what programs use, without the kernel"];
    assert_eq!(warnings.lines(), told);
    assert!(config.foreground);
    assert_eq!(config.log, Some(LogTarget::File("/var/log/hinoban.log".into())));
    assert_eq!(config.files.idfile, Some("/var/lib/hinoban/id".into()));
    let [first, second] = config.mail.servers.as_slice() else { panic!("two mail servers") };
    assert_eq!((first.port, first.tls, &first.login), (25, MailTls::Off, &None));
    assert_eq!((second.port, second.tls, second.options.verify), (587, MailTls::StartTls, Some(true)));
    assert_eq!(second.login, Some(("watch".to_owned(), Secret::new("fire"))));
    assert_eq!((config.mail.timeout, config.mail.hostname.as_deref()), (secs(45), Some("watch.example.com")));
    assert_eq!((config.mail.queue, config.mail.slots), (Some("/var/lib/hinoban/events".into()), Some(100)));
    assert_eq!(config.alerts[0].reminder, Some(10));
    assert_eq!(
        config.web.listen,
        [
            Listen::Tcp { address: Some("127.0.0.1".to_owned()), port: 2812, read_only: true },
            Listen::Unix {
                path: "/run/hinoban.sock".into(),
                read_only: false,
                permission: Some(0o600),
                uid: None,
                gid: None
            },
        ]
    );
    let guest = User { name: "guest".to_owned(), password: Secret::new("guest"), read_only: true };
    let hosts = ["10.0.0.0/8", "localhost"].map(|host| Allow::Host(host.to_owned()));
    assert_eq!(config.web.allow, [&hosts[..], &[Allow::User(guest)]].concat());
}

#[test]
fn a_service_is_read_in_all_its_spellings() {
    let config = fixture("everything.monitrc").config;
    let [web, router, system] = config.services.as_slice() else { panic!("three services") };
    let start = web.start.as_ref().expect("a start program");
    assert_eq!(start.words, ["/usr/bin/web", "--name", "two words", "#", "no", "comment"]);
    assert_eq!((start.uid, start.gid, start.timeout), (Some(33), Some(33), secs(60)));
    // Limits are those that were set before: half a second to stop, the default to restart.
    assert_eq!(web.stop.as_ref().map(|p| p.timeout), Some(Duration::from_millis(500)));
    assert_eq!(web.restart, program("/usr/bin/web restart", 30));
    assert_eq!(
        (web.mode, web.on_reboot, router.on_reboot),
        (Mode::Passive, OnReboot::NoStart, OnReboot::LastState)
    );
    assert_eq!(web.groups, ["www", "local"]);

    let rules = &web.rules;
    assert_eq!(rules.len(), 8, "an existence rule is written, so none is added");
    assert_eq!(rules[0].when, Condition::Missing);
    assert_eq!(
        (rules[0].fail.rate, rules[0].ok.rate),
        (Rate { count: 2, within: 2 }, Rate { count: 3, within: 3 })
    );
    let https = port(&rules[1]);
    assert_eq!((https.host.as_str(), https.retry, https.timeout), ("localhost", 2, secs(3)));
    assert_eq!(https.tls, Some(Tls { verify: Some(true), ..Tls::default() }));
    let headers = [("Host", "www.example.com"), ("X-From", "hinoban")];
    assert_eq!(
        https.protocol,
        Protocol::Http(
            HttpTest {
                masked: None,
                method: Method::Head,
                request: Some("/health".to_owned()),
                status: Some((Operator::Equal, 204)),
                headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
                login: None,
                ..HttpTest::default()
            }
            .into()
        )
    );
    assert_eq!(rules[1].fail.rate, Rate { count: 3, within: 5 });
    let v6 = port(&rules[2]);
    assert_eq!((v6.host.as_str(), v6.family, v6.timeout), ("::1", Family::V6, secs(7)));
    let Then::Exec { program, repeat } = &rules[2].fail.then else { panic!("exec") };
    assert_eq!((program.line(), program.uid, *repeat), ("/bin/notify web".to_owned(), Some(33), Some(5)));
    assert!(matches!(rules[3].when, Condition::Test { expect: Expect::Succeeded, .. }));
    assert_eq!(rules[3].ok, Branch::at(Then::Start, Rate { count: 2, within: 2 }));
    let Condition::Test { test: Test::Url(url), .. } = &rules[4].when else { panic!("a URL") };
    assert_eq!(url.url, "http://user:secret@www.example.com:81/path?q=1");
    assert_eq!(rules[5].when, compare("cpu.total.percent", Operator::Greater, Value::Real(80.5)));
    assert_eq!(rules[6].when, compare("memory.bytes", Operator::Greater, Value::Int(3 << 29)));

    assert_eq!(router.kind, Kind::Host { address: "192.0.2.1".to_owned() });
    assert_eq!(system.name, "fire tower");
    let metrics = system.rules.iter().map(|rule| match &rule.when {
        Condition::Compare { metric, .. } => metric.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(
        metrics.collect::<Vec<_>>(),
        ["cpu.wait.percent", "cpu.user.percent", "load.15", "swap.percent", "uptime"]
    );
}

#[test]
fn files_and_file_systems_are_read_in_all_their_spellings() {
    let Loaded { config, warnings } = fixture("files.monitrc");
    assert_eq!(warnings.lines(), ["files.monitrc:14: without an operator this means 'is equal to'"]);
    let [log, socket, root, nfs, pool, system] = config.services.as_slice() else { panic!("six services") };

    assert_eq!(log.kind, Kind::File { path: "/var/log/nginx/access.log".into() });
    assert_eq!(log.rules[0].when, compare("size", Operator::Greater, Value::Int(100 << 20)));
    assert!(matches!(log.rules[0].fail.then, Then::Exec { .. }));
    assert_eq!(log.rules[1].when, compare("size", Operator::Less, Value::Int(1)));
    assert_eq!(log.rules[1].fail.rate, Rate { count: 3, within: 3 });
    assert_eq!((&log.rules[2].when, &log.rules[2].fail.then), (&Condition::Missing, &Then::Alert));
    assert_eq!(log.rules[2].ok.rate, Rate { count: 2, within: 2 });
    assert_eq!(log.rules[3..], [Rule::wrong_type()], "a written existence rule replaces only that one");

    assert_eq!(socket.kind, Kind::File { path: "/run/my app.sock".into() });
    assert_eq!((socket.mode, socket.groups.as_slice()), (Mode::Passive, &["app".to_owned()][..]));
    assert_eq!(socket.start, program("/usr/sbin/app", 20));
    assert_eq!(socket.rules[0].when, compare("size", Operator::Equal, Value::Int(4096)));
    assert_eq!(socket.rules[1..], [Rule::existence(), Rule::wrong_type()]);

    assert_eq!(root.kind, Kind::filesystem("/"));
    assert_eq!(root.start, program("/bin/mount /", 30));
    assert_eq!(root.rules[0].fail.rate, Rate { count: 5, within: 15 });
    let compared: Vec<_> = root.rules[..15].iter().map(|rule| rule.when.clone()).collect();
    use Operator::{Greater, GreaterOrEqual, Less, LessOrEqual};
    assert_eq!(
        compared,
        [
            compare("space.percent", Greater, Value::Real(80.0)),
            compare("space.percent", Greater, Value::Real(99.5)),
            compare("space.bytes", Greater, Value::Int(3 << 29)),
            compare("space.free.bytes", Less, Value::Int(500 << 20)),
            compare("space.free.percent", LessOrEqual, Value::Real(5.0)),
            compare("inodes.used", Greater, Value::Int(30_000)),
            compare("inodes.percent", Greater, Value::Real(90.0)),
            compare("inodes.free.percent", Less, Value::Real(10.0)),
            compare("inodes.free", Less, Value::Int(1000)),
            compare("disk.read.rate", Greater, Value::Int(10 << 20)),
            compare("disk.write.rate", Greater, Value::Int(2048)),
            compare("disk.read.operations.rate", Greater, Value::Int(500)),
            compare("disk.write.operations.rate", GreaterOrEqual, Value::Int(300)),
            compare("service.time", Greater, Value::Real(0.25)),
            compare("service.time", Greater, Value::Real(1.5)),
        ]
    );
    assert_eq!(root.rules[15..], [Rule::existence(), remounted()], "no file, so no type to be wrong");

    assert_eq!(nfs.kind, Kind::filesystem("nas:/export"));
    assert_eq!(nfs.rules.len(), 2);
    assert_eq!(pool.kind, Kind::filesystem("tank/data"));
    assert_eq!(pool.rules.len(), 2, "a rule about existence of either sense replaces the implied one");
    assert_eq!(pool.rules[0].when, Condition::Exists);

    let loads: Vec<_> = system.rules.iter().map(|rule| rule.when.clone()).collect();
    assert_eq!(
        loads,
        [
            compare("load.1.core", Greater, Value::Real(2.0)),
            compare("load.5.core", Greater, Value::Real(1.5)),
            compare("load.15.core", Greater, Value::Real(1.0)),
        ]
    );
}

#[test]
fn names_behind_depends_are_read_as_monit_reads_them() {
    let Loaded { config, warnings } = fixture("dependencies.monitrc");
    assert_eq!(
        warnings.lines(),
        Vec::<String>::new(),
        "what others depend on can be restarted without a program"
    );
    let names = |at: usize| -> Vec<&str> {
        config.services[at].depends_on.iter().map(|wanted| wanted.name.as_str()).collect()
    };
    assert_eq!(config.services[0].name, "web");
    assert_eq!([names(0), names(1), names(3)], [vec!["app", "Data", "conf"], vec!["data"], vec!["here"]]);
    assert_eq!(config.services[0].depends_on[1].place.line, 6);
}

/// The rule that a file system has if none about its mount options is written.
fn remounted() -> Rule {
    Rule {
        when: changed("filesystem.flags"),
        fail: Branch::once(Then::Alert),
        ok: Branch::once(Then::Nothing),
        place: Place::default(),
    }
}

fn changed(metric: &str) -> Condition {
    Condition::Changed { metric: metric.to_owned(), expect: Change::Changed }
}

#[test]
fn changes_are_read_and_have_no_recovery() {
    let Loaded { config, warnings } = fixture("changes.monitrc");
    assert_eq!(warnings.lines(), Vec::<String>::new());
    assert_eq!(config.budget, None, "Monit has none");
    assert!(config.services.iter().all(|service| service.patience.is_none() && service.kill_after.is_none()));
    let [web, log, root, data, _] = config.services.as_slice() else { panic!("five services") };
    let rules = |service: &Service, metric: &str| -> Vec<Rule> {
        service.rules.iter().filter(|rule| rule.when == changed(metric)).cloned().collect()
    };
    let all = [rules(web, "pid"), rules(web, "ppid"), rules(log, "size"), rules(log, "permission")].concat();
    assert_eq!(all.len(), 5);
    assert!(all.iter().all(|rule| rule.ok == Branch::once(Then::Nothing)));
    assert!(matches!(all[0].fail.then, Then::Exec { repeat: Some(2), .. }));
    assert_eq!(all[1].fail.rate, Rate { count: 2, within: 3 });
    assert_eq!((&all[2].fail.then, all[3].fail.rate), (&Then::Restart, Rate { count: 3, within: 3 }));

    assert_eq!(rules(root, "filesystem.flags"), [remounted()], "added, as in Monit");
    let [written] = &rules(data, "filesystem.flags")[..] else {
        panic!("none is added to one that is written")
    };
    assert_eq!(written.fail.rate, Rate { count: 2, within: 2 });
    assert_eq!(rules(data, "permission").len(), 1);
}

#[test]
fn every_rule_may_have_a_rate_for_its_recovery() {
    let config = fixture("changes.monitrc").config;
    let back = |service: usize| -> Vec<(u8, u8)> {
        let rules =
            config.services[service].rules.iter().map(|rule| (rule.ok.rate.count, rule.ok.rate.within));
        rules.filter(|rate| *rate != (1, 1)).collect()
    };
    assert_eq!(back(0), [(2, 4), (2, 2), (3, 3), (4, 4)], "uptime, cpu, existence, port");
    assert_eq!((back(1), back(2), back(4)), (vec![(5, 5)], vec![(6, 6)], vec![(2, 3)]));
}

#[test]
fn programs_are_judged_by_their_end_and_by_what_they_print() {
    let Loaded { config, warnings } = fixture("programs-that-look.monitrc");
    assert_eq!(warnings.lines(), Vec::<String>::new());
    let [raid, odd, ..] = &config.services[..] else { panic!("two programs") };
    let words = ["/bin/true", "--quiet", "one word"].map(str::to_owned).to_vec();
    let run = Program { words, uid: Some(33), gid: None, timeout: secs(5) };
    assert_eq!(raid.kind, Kind::Program { program: run, speech: Speech::Plain });
    assert_eq!(raid.buffer, 4096);
    let status = "exit.status".to_owned();
    let limit = Value::Int(0);
    let failed = Condition::Compare { metric: status.clone(), operator: Operator::NotEqual, limit };
    assert_eq!((&raid.rules[0].when, raid.rules[0].fail.rate), (&failed, Rate { count: 2, within: 2 }));
    assert!(matches!(raid.rules[0].ok.then, Then::Exec { .. }));
    let changed = |metric: &str, expect| Condition::Changed { metric: metric.to_owned(), expect };
    assert_eq!(raid.rules[1].when, changed("exit.status", Change::Changed));
    assert_eq!(raid.rules[1].ok.then, Then::Nothing, "a change is over by itself");
    for (rule, text, on_match) in [(2, "degraded|failed", true), (3, "clean", false)] {
        match &raid.rules[rule].when {
            Condition::Content { metric, pattern, fails_on_match } => {
                assert_eq!((&**metric, pattern.text(), *fails_on_match), ("output", text, on_match));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(raid.rules[4], Rule::runnable(), "in any case it must be possible to run it");
    let Kind::Program { program, .. } = &odd.kind else { panic!("a program") };
    assert_eq!((program.words.len(), program.timeout), (3, secs(20)));
    assert_eq!(odd.rules[0].when, changed("exit.status", Change::Changed));
    assert_eq!(odd.rules[0].ok.then, Then::Alert, "this odd spelling has a recovery");
    assert_eq!(odd.rules[1].when, changed("output", Change::Changed));
    assert_eq!(odd.rules[2].when, changed("output", Change::Unchanged));
}

#[test]
fn a_program_without_a_rule_is_incomplete() {
    let told =
        hinoban_monitrc::parse("monitrc".as_ref(), "check program x path \"/bin/true\"\n", &World::default());
    let mistakes = told.expect_err("nothing is asked of it").to_string();
    assert!(mistakes.contains("'check program x' is incomplete"), "{mistakes}");
    for wrong in [
        "if status > x then alert",
        "if content then alert",
        "if changed content then alert",
        "if changed status then alert else alert",
        "if cpu > 5% then alert",
    ] {
        let text = format!("check program x path \"/bin/true\"\n{wrong}\n");
        assert!(hinoban_monitrc::parse("monitrc".as_ref(), &text, &World::default()).is_err(), "{wrong}");
    }
}
