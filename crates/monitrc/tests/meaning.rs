//! What texts mean that look as if they meant something else. Monit 5.33 was asked about each.

mod world;

use std::path::Path;
use std::time::Duration;

use hinoban_config::*;
use hinoban_reading::Value;
use world::World;

const WEB: &str = "check process web with pidfile /run/web.pid\n";

fn load(world: &World, text: &str) -> Loaded {
    match hinoban_monitrc::parse(Path::new("monitrc"), text, world) {
        Ok(loaded) => loaded,
        Err(mistakes) => panic!("{text}\n{mistakes}"),
    }
}

/// The first service of a text.
fn service(text: &str) -> Service {
    Service::clone(&load(&World::default(), text).config.services[0])
}

fn refused(text: &str) -> Vec<String> {
    match hinoban_monitrc::parse(Path::new("monitrc"), text, &World::default()) {
        Ok(loaded) => panic!("{text} is accepted as {:?}", loaded.config),
        Err(mistakes) => mistakes.lines(),
    }
}

#[test]
fn an_empty_file_watches_this_machine() {
    let config = load(&World::default(), "").config;
    assert_eq!(config.services, [Service::system("tower").into()]);
    assert_eq!(config.every, None);
}

#[test]
fn and_joins_nothing_and_is_warned_about() {
    let loaded = load(&World::default(), &format!("{WEB}if cpu > 10% and memory > 20% then alert"));
    let Condition::Compare { metric, .. } = &loaded.config.services[0].rules[0].when else {
        panic!("a comparison")
    };
    assert_eq!(metric, "memory.percent");
    assert_eq!(loaded.warnings.lines(), ["monitrc:2: only the last of these conditions counts"]);
}

#[test]
fn no_operator_means_equal_and_no_unit_means_bytes() {
    let rules = service(&format!(
        "{WEB}if cpu 10% then alert\nif memory > 10 then alert\nif memory > 1 KB/s then alert"
    ))
    .rules;
    let compare = |i: usize| match &rules[i].when {
        Condition::Compare { operator, limit, .. } => (*operator, limit.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(compare(0), (Operator::Equal, Value::Real(10.0)));
    assert_eq!(compare(1), (Operator::Greater, Value::Int(10)));
    assert_eq!(compare(2), (Operator::Greater, Value::Int(1024)));
}

#[test]
fn a_rate_needs_no_words_but_its_last() {
    let rules = service(&format!(
        "{WEB}if does not exist 3 5 cycles then alert\nif does not exist 4 cycle then alert"
    ))
    .rules;
    assert_eq!(rules[0].fail.rate, Rate { count: 3, within: 5 });
    assert_eq!(rules[1].fail.rate, Rate { count: 4, within: 4 });
}

#[test]
fn commands_are_split_by_rules_of_their_own() {
    for (text, want) in [
        (r#"start program = "/bin/sh -c 'a "b" c'""#, vec!["/bin/sh", "-c", "a \"b\" c"]),
        (r#"start="/bin/x""#, vec!["/bin/x"]),
        ("start /bin/x y1 y2", vec!["/bin/x", "y1", "y2"]),
        (r#"start program "/bin/x a\nb" c1 with d1"#, vec!["/bin/x", r"a\nb", "c1", "d1"]),
        (r#"start program = "/bin/x a'b c'd 'e'f""#, vec!["/bin/x", "a'b", "c'd", "'e'f"]),
        (
            "start program = \"/bin/x\n  'two\nlines' # no comment\"",
            vec!["/bin/x", "two\nlines", "#", "no", "comment"],
        ),
        ("start program = \"/bin/x\"\r\nstop program = \"/bin/y\"\r\n", vec!["/bin/x"]),
        ("start program = \"/bin/y\"\nstart program = \"/bin/x\"", vec!["/bin/x"]),
    ] {
        let start = service(&format!("{WEB}{text}")).start.expect("a start program");
        assert_eq!(start.words, want, "{text}");
    }
    let most = format!("{WEB}start program = \"/bin/x{}\"", " a".repeat(62));
    assert_eq!(service(&most).start.expect("a start program").words.len(), 63);
    let more = format!("{WEB}start program = \"/bin/x{}\"", " a".repeat(63));
    assert_eq!(refused(&more), ["monitrc:2: Exceeded maximum number of program arguments"]);
}

#[test]
fn names_may_be_words_of_the_language() {
    assert_eq!(service("check process alert with pidfile /run/a.pid group http").name, "alert");
    assert_eq!(service("check process with with pidfile /run/a.pid").name, "with");
    assert_eq!(service("check web with pidfile /run/a.pid").name, "web");
    assert_eq!(service("check process 'a b' with pidfile /run/a.pid").name, "a b");
    assert_eq!(service("check process “a” with pidfile /run/a.pid").name, "“a”");
}

#[test]
fn settings_hold_from_where_they_stand() {
    let text = "check process a with pidfile /run/a.pid\nstart program = \"/bin/a\"\nif failed port 80 then alert\n\
        set limits { networkTimeout: 9 seconds, startTimeout: 3 s }\nset onreboot nostart\n\
        check process b with pidfile /run/b.pid\nstart program = \"/bin/b\"\nif failed port 80 then alert\n\
        check process c with pidfile /run/c.pid\nstart program = \"/bin/c\"\nif failed port 80 then alert";
    let config = load(&World::default(), text).config;
    let of = |i: usize| {
        let service: &Service = &config.services[i];
        let Condition::Test { test: Test::Port(test), .. } = &service.rules[0].when else { panic!("a port") };
        (
            service.start.as_ref().expect("a program").timeout.as_secs(),
            test.timeout.as_secs(),
            service.on_reboot,
        )
    };
    assert_eq!(of(0), (30, 5, OnReboot::Start));
    // What a connection may take is captured when the test before it ends.
    assert_eq!(of(1), (3, 5, OnReboot::NoStart));
    assert_eq!(of(2), (3, 9, OnReboot::NoStart));
    assert_eq!(config.services[3].on_reboot, OnReboot::NoStart, "the system service comes last");
}

#[test]
fn the_last_of_two_settings_wins_and_lists_grow() {
    let text = "set daemon 30 with start delay 5 set daemon 20 set httpd port 1 use address a1 set httpd port 2 read-only\n\
        set alert a@b set alert c@d set mailserver m1 set mailserver m2 with timeout 4 seconds set log /a set log syslog";
    let config = load(&World::default(), text).config;
    assert_eq!((config.every, config.start_delay), (Some(Duration::from_secs(20)), Duration::ZERO));
    assert_eq!(config.web.listen, [Listen::Tcp { address: Some("a1".to_owned()), port: 2, read_only: true }]);
    assert_eq!((config.alerts.len(), config.mail.servers.len()), (2, 2));
    assert_eq!(config.log, Some(LogTarget::Syslog(Facility::User)));
}

#[test]
fn included_files_are_read_last_first_and_where_they_stand() {
    let mut world = World::default();
    let mut file = |path: &str, text: &str| world.files.insert(path.into(), text.to_owned());
    file("/d/a.conf", "check process a with pidfile /run/a.pid");
    file("/d/b.conf", "check process b with pidfile /run/b.pid include /d2/rules");
    file("/d/c.conf~", "this is not read");
    file("/d2/rules", "if cpu > 10% then alert include /d2/rules");
    let loaded = load(
        &world,
        "check process first pidfile /run/f.pid\ninclude /d/*\nif cpu > 90% then unmonitor\ninclude /none/x",
    );
    let services: Vec<_> = loaded.config.services.iter().map(|s| (s.name.as_str(), s.rules.len())).collect();
    assert_eq!(services, [("first", 1), ("b", 2), ("a", 2), ("tower", 0)]);
    assert_eq!(loaded.config.services[1].rules[0].place.to_string(), "/d2/rules:1:1");
    let lines = loaded.warnings.lines();
    assert_eq!(
        lines,
        ["/d2/rules:1: this file is being read already; the include is passed over '/d2/rules'"]
    );
}

#[test]
fn an_include_of_what_is_not_there_is_a_warning_and_an_unreadable_one_an_error() {
    let loaded = load(&World::default(), "include /missing/file");
    assert_eq!(
        loaded.warnings.lines(),
        ["monitrc:1: Include failed -- No such file or directory '/missing/file'"]
    );
    assert!(load(&World::default(), "include /there/*.conf").warnings.lines().is_empty());
    let mut world = World::default();
    world.files.insert("/d/a".into(), world::LOCKED.to_owned());
    let mistakes =
        hinoban_monitrc::parse(Path::new("monitrc"), "\ninclude /d/*", &world).expect_err("a locked file");
    assert_eq!(mistakes.lines(), ["monitrc:2: Cannot include file: permission denied '/d/a'"]);
}

#[test]
fn missing_programs_are_warned_about_once_each_place() {
    let loaded =
        load(&World::default(), &format!("{WEB}start program = \"/missing/a b\"\nstop program = \"/bin/a\""));
    assert_eq!(loaded.warnings.lines(), ["monitrc:2: Program does not exist: '/missing/a'"]);
}

#[test]
fn a_user_in_one_pair_of_quotes_lets_nobody_in() {
    let loaded = load(&World::default(), "set httpd port 1 allow \"admin:secret\"");
    assert_eq!(loaded.config.web.allow, [Allow::Host("admin:secret".to_owned())]);
    let lines = loaded.warnings.lines();
    assert_eq!(lines, ["monitrc:1: invalid allow option '\"…\"'"], "and the password is not repeated");
}

#[test]
fn protocols_carry_tls_and_old_words_still_mean_it() {
    let test =
        |text: &str| match service(&format!("{WEB}if failed port {text} then alert")).rules.remove(0).when {
            Condition::Test { test: Test::Port(test), .. } => test,
            other => panic!("{other:?}"),
        };
    assert_eq!(test("1 protocol https").tls, Some(Tls::default()));
    assert_eq!(test("1 type tcpssl").tls, Some(Tls::default()));
    assert_eq!(test("1 ssl disable").tls, None);
    assert_eq!(test("1 protocol https protocol http").tls, Some(Tls::default()), "what was asked for stays");
    assert!(!test("1 with ssl").starttls && !test("25").starttls);
    assert!(test("587 with ssl").starttls && test("25 protocol smtps").starttls);
    assert_eq!(test("1 retry 0").retry, 1);
    assert_eq!(
        test("1 protocol http http headers [A: b:c d, Host : x]").protocol,
        Protocol::Http(
            HttpTest {
                headers: vec![("A".to_owned(), "b:c d".to_owned()), ("Host".to_owned(), "x".to_owned())],
                ..HttpTest::default()
            }
            .into()
        )
    );
}

#[test]
fn rules_of_another_type_of_service_are_refused() {
    for (text, word) in [
        ("check host h with address a1 if does not exist then alert", "not"),
        ("check host h with address a1 if cpu > 1% then alert", "cpu"),
        ("check host h with address a1 if failed unixsocket /x then alert", "unixsocket"),
        ("check system s if failed port 80 then alert", "failed"),
        ("check file f with path /f if failed port 80 then alert", "port"),
        ("check file f with path /f if succeeded uid root then alert", "succeeded"),
        ("check file f with path /f if inode > 1 then alert", "inode"),
        ("check filesystem r with path / if size > 1 then alert", "size"),
        ("check filesystem r with path / if disk read > 1 MB/s then alert", "disk"),
        ("check filesystem r with path / if loadavg > 1 then alert", "loadavg"),
        ("check process p with pidfile /p if space > 80% then alert", "space"),
        ("check system s if total cpu > 1% then alert", "total cpu"),
    ] {
        assert_eq!(refused(text), [format!("monitrc:1: syntax error '{word}'")], "{text}");
    }
}

#[test]
fn a_service_may_not_take_the_name_of_the_host_unless_the_system_is_written() {
    let lines = refused("check process Tower with pidfile /run/t.pid");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("failed to add automatic configuration"), "{}", lines[0]);
    let config = load(&World::default(), "check process tower with pidfile /run/t.pid check system s").config;
    assert_eq!(config.services.len(), 2);
}

#[test]
fn turns_are_read_and_the_last_one_counts() {
    let turns = |text: &str| service(&format!("{WEB}{text}")).turns;
    assert_eq!(turns("every 3 cycles"), Turns::Nth(3));
    assert_eq!(turns("every 0 cycles"), Turns::Nth(0));
    let pattern = |text: &str| Cron::parse(text).unwrap().0;
    assert_eq!(turns("every \"0,30 8-19 * * 1-5\""), Turns::At(pattern("0,30 8-19 * * 1-5")));
    assert_eq!(turns("not  every '* 2-4 * * 0'"), Turns::Except(pattern("* 2-4 * * 0")));
    // 5.33 knows no steps; later versions do.
    assert_eq!(turns("every \"*/5 * * * *\""), Turns::At(pattern("*/5 * * * *")));

    let loaded = load(&World::default(), &format!("{WEB}every 2 cycles\nevery \"0 4 * * 7\""));
    assert_eq!(loaded.config.services[0].turns, Turns::At(pattern("0 4 * * 7")));
    assert_eq!(
        loaded.warnings.lines(),
        [
            "monitrc:3: The 'every' statement can be specified only once, the last value will be used",
            "monitrc:3: part of this pattern never matches '0 4 * * 7'",
        ]
    );
}

#[test]
fn limits_on_restarts_are_read_for_every_type() {
    let rule = |text: &str| {
        let restarts = |rule: &Rule| matches!(rule.when, Condition::Restarts { .. });
        service(text).rules.into_iter().find(restarts).expect("a limit")
    };
    for head in [
        WEB,
        "check host web with address 127.0.0.1 if failed ping then alert\n",
        "check system web\n",
        "check file web with path /x\n",
    ] {
        let rule = rule(&format!("{head}if 3 restarts within 5 cycles then timeout"));
        assert_eq!(rule.when, Condition::Restarts { count: 3, within: 5 });
        assert_eq!((rule.fail, rule.ok), (Branch::once(Then::Unmonitor), Branch::once(Then::Alert)));
    }
    let rule = rule(&format!("{WEB}if 100 restart within 100 cycle then exec \"/bin/page\""));
    assert_eq!(rule.when, Condition::Restarts { count: 100, within: 100 });
    assert!(matches!(rule.fail.then, Then::Exec { .. }));
}

fn warned(text: &str) -> Vec<String> {
    load(&World::default(), text).warnings.lines()
}

#[test]
fn what_only_a_shell_does_is_warned_of() {
    for word in ["`cat /run/a.pid`", "$(cat /run/a.pid)", "${HOME}/x", "$MONIT_SERVICE"] {
        let told = warned(&format!("check process a with pidfile /a\nstop program = \"/bin/kill {word}\"\n"));
        assert!(told.iter().any(|line| line.contains("there is no shell")), "{word}: {told:?}");
    }
    let told = warned("check process a with pidfile /a\nstop = \"/bin/sh -c 'kill $(cat /run/a.pid)'\"\n");
    assert!(!told.iter().any(|line| line.contains("there is no shell")), "{told:?}");
}

#[test]
fn numbers_that_monit_cuts_are_warned_of_whatever_they_count() {
    for rule in ["memory > 3000000000 B", "disk read > 3000000000 B/s", "uptime > 3000000000 seconds"] {
        let told = warned(&format!("check process a with pidfile /a\nif {rule} then alert\n"));
        assert_eq!(told, ["monitrc:2: this number is above 2147483647"], "{rule}");
    }
    // A fraction is not cut, and neither is what a unit makes large.
    for rule in ["memory > 3000000000.5 B", "memory > 3000 MB"] {
        let none = warned(&format!("check process a with pidfile /a\nif {rule} then alert\n"));
        assert!(none.is_empty(), "{rule}: {none:?}");
    }
}

#[test]
fn a_directory_that_is_included_by_its_name_is_warned_of() {
    let folders = ["/conf", "/conf/", "/conf/inner"].map(|path| (path.into(), world::FOLDER.to_owned()));
    let world = World { files: folders.into() };
    for path in ["/conf", "/conf/"] {
        let warnings = load(&world, &format!("include {path}\n")).warnings;
        let told = format!("monitrc:1: this is a directory, and nothing in it is read '{path}'");
        assert_eq!(warnings.lines(), [told]);
        assert!(warnings.to_string().contains("write include /conf/*"), "{warnings}");
    }
    assert_eq!(load(&world, "include /conf/*\n").warnings.lines(), [""; 0]);
}

#[test]
fn names_that_commands_and_addresses_need_are_warned_of() {
    for name in ["all", "..", "_status"] {
        let told = warned(&format!("check process {name} with pidfile /a\n"));
        assert!(
            told[0].starts_with("monitrc:1: this name is hard to reach: ")
                && told[0].ends_with(&format!("'{name}'")),
            "{told:?}"
        );
    }
}

#[test]
fn who_can_stop_services_from_elsewhere_without_a_password_is_warned_of() {
    let told = warned("\nset httpd port 2812\n allow 10.0.0.0/8\n");
    assert_eq!(told, ["monitrc:2: there are no users: everybody at 10.0.0.0/8 may stop services"]);
    for text in [
        "set httpd port 2812 allow localhost allow 127.0.0.1",
        "set httpd port 2812 read-only allow 10.0.0.0/8",
        "set httpd port 2812 address 127.0.0.1 allow 10.0.0.0/8",
        "set httpd port 2812 allow 10.0.0.0/8 allow admin:monit",
    ] {
        assert_eq!(warned(text), [""; 0], "{text}");
    }
}

#[test]
fn the_first_of_two_users_that_differ_in_case_alone_counts() {
    let loaded = load(&World::default(), "set httpd port 2812 allow admin:one allow ADMIN:two");
    assert_eq!(loaded.config.web.allow.len(), 1);
    assert_eq!(loaded.warnings.list.len(), 1);
}

#[test]
fn the_last_rule_about_a_permission_counts_and_its_else_does_nothing() {
    let text = "check file f with path /f\nif changed permission then stop\nif changed perm for 2 cycles then alert else restart\n";
    let loaded = load(&World::default(), text);
    let rules = &loaded.config.services[0].rules;
    let about =
        |rule: &&Rule| matches!(&rule.when, Condition::Changed { metric, .. } if metric == "permission");
    let [rule] = rules.iter().filter(about).collect::<Vec<_>>()[..] else { panic!("{rules:?}") };
    assert_eq!((&rule.fail.then, rule.fail.rate.count, &rule.ok.then), (&Then::Alert, 2, &Then::Nothing));
    assert_eq!(
        loaded.warnings.lines(),
        [
            "monitrc:2: only the last rule about the permission counts",
            "monitrc:3: 'else' is without effect here 'else'",
        ]
    );
}

#[test]
fn a_key_that_others_may_read_is_refused_for_our_own_pages() {
    let mut world = World::default();
    world.files.insert("/etc/open.pem".into(), "a key".to_owned());
    world.files.insert("/etc/mine.pem".into(), world::LOCKED.to_owned());
    let read = |options: &str| {
        let text = format!("set daemon 5 set httpd port 2812 with ssl {{{options}}}");
        hinoban_monitrc::parse(Path::new("monitrc"), &text, &world).map_err(|mistakes| mistakes.lines())
    };
    assert!(read("pemfile: /etc/mine.pem").is_ok());
    assert!(read("pemchain: /etc/open.pem pemkey: /etc/mine.pem").is_ok(), "a certificate is no secret");
    for options in ["pemfile: /etc/open.pem", "pemchain: /etc/mine.pem pemkey: /etc/open.pem"] {
        let lines = read(options).expect_err("the key is open");
        assert!(lines[0].contains("permissions check failed"), "{lines:?}");
    }
}

#[test]
fn mode_manual_is_about_boots_and_not_about_repairs() {
    let of = |text: &str| {
        let service = service(&format!("{WEB}{text}"));
        (service.mode, service.on_reboot)
    };
    assert_eq!(of("mode manual"), (Mode::Active, OnReboot::LastState));
    assert_eq!(of("mode passive mode manual"), (Mode::Passive, OnReboot::LastState));
    assert_eq!(of("mode manual mode passive"), (Mode::Passive, OnReboot::LastState));
    assert_eq!(of("mode manual onreboot start"), (Mode::Active, OnReboot::Start));
}

#[test]
fn what_stands_first_is_told_first() {
    let text = "check process a with pidfile /run/a.pid\nstart program = \"/missing/a\"\n\"no end";
    let mistakes = hinoban_monitrc::parse(Path::new("monitrc"), text, &World::default()).expect_err("no end");
    let lines: Vec<_> = mistakes.lines().iter().map(|line| line[..10].to_owned()).collect();
    assert_eq!(lines, ["monitrc:2:", "monitrc:3:"]);
}

#[test]
fn a_checksum_of_nothing_is_warned_of() {
    for rule in ["if changed checksum then alert", "if failed sha1 checksum then alert"] {
        let lines = warned(&format!("check file f with path /missing/f\n{rule}"));
        assert_eq!(lines, ["monitrc:2: Cannot compute a checksum for file /missing/f"], "{rule}");
    }
    let expected = "if failed checksum expect 0123456789abcdef0123456789abcdef then alert";
    assert!(warned(&format!("check file f with path /missing/f\n{expected}")).is_empty());
}
