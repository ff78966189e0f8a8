//! What settings mean, and who hears of what. Monit 5.33 was asked about each.

mod world;

use std::path::Path;
use std::time::Duration;

use hinoban_config::*;
use world::World;

fn load(text: &str) -> Loaded {
    let mut world = World::default();
    let users = "ann:secret:word # the boss\nbob:look\n:nobody\nno colon\n";
    world.files.insert("/etc/users".into(), users.to_owned());
    world.files.insert("/etc/digests".into(), "carl:$1$abc$def:x\n".to_owned());
    world.files.insert("/etc/empty".into(), "# nobody yet\n".to_owned());
    match hinoban_monitrc::parse(Path::new("monitrc"), text, &world) {
        Ok(loaded) => loaded,
        Err(mistakes) => panic!("{text}\n{mistakes}"),
    }
}

fn config(text: &str) -> Config {
    load(text).config
}

/// The lines that are said to a text that is refused.
fn refused(text: &str) -> Vec<String> {
    match hinoban_monitrc::parse(Path::new("monitrc"), text, &World::default()) {
        Ok(loaded) => panic!("{text} is accepted as {:?}", loaded.config),
        Err(mistakes) => mistakes.lines(),
    }
}

fn names(events: Events) -> Vec<&'static str> {
    events.names().collect()
}

#[test]
fn filters_name_classes_by_any_of_their_words() {
    let alerts = config(
        "set alert a@b
         set alert c@d only on { time, perm; fsflag exists execute nonexists }
         set alert e@f but not on {instance action} with mail-format {subject: x} with reminder on 3 cycles",
    )
    .alerts;
    assert_eq!((alerts[0].events, alerts[0].reminder), (Events::ALL, None));
    assert_eq!(names(alerts[1].events), ["exec", "exist", "fsflags", "nonexist", "permission", "timestamp"]);
    assert_eq!(names(alerts[2].events.others()), ["action", "instance"]);
    assert_eq!(alerts[2].reminder, Some(3));
    assert_eq!(alerts[2].format.as_ref().and_then(|f| f.subject.as_deref()), Some("x"));
}

#[test]
fn every_class_that_events_have_can_be_named() {
    for (name, bit) in Events::NAMES {
        let alerts = config(&format!("set alert a@b {{ {name} }}")).alerts;
        assert!(alerts[0].events.has(bit) && names(alerts[0].events) == [name], "{name}");
    }
}

#[test]
fn a_service_has_readers_of_its_own() {
    let config = config("check system x\n alert a@b {timeout}\n noalert c@d\n if cpu > 10% then alert");
    let alerts = &config.services[0].alerts;
    assert_eq!((names(alerts[0].events), alerts[1].events), (vec!["timeout"], Events::NONE));
    assert_eq!(alerts[1].address, "c@d");
    assert_eq!(config.services[0].rules.len(), 1, "what follows is a rule again");
    for wrong in [
        "noalert c@d {timeout}",
        "alert a@b {timeout} {exec}",
        "alert a@b reminder 3 {timeout}",
        "alert a@b {}",
    ] {
        assert_eq!(refused(&format!("check system x\n {wrong}\n")).len(), 1, "{wrong}");
    }
}

#[test]
fn a_format_counts_as_a_whole_and_a_message_runs_to_the_brace() {
    let format = config(
        "set mail-format { from: lost@b }
         set mail-format {
           from: Foo Bar <a@$HOST>
           subject: $SERVICE # $EVENT
           subject: second
           message: one
             two, subject: no }",
    )
    .mail
    .format;
    assert_eq!(format.from.as_deref(), Some("Foo Bar <a@$HOST>"));
    assert_eq!(format.subject.as_deref(), Some("second"));
    assert!(
        format
            .message
            .as_deref()
            .is_some_and(|text| text.starts_with("one\n") && text.ends_with("subject: no"))
    );
    assert_eq!(format.reply_to, None);
    let format = config("set mail-format { subject: x }\nset mail-format { from: a@b }").mail.format;
    assert_eq!((format.subject, format.from.as_deref()), (None, Some("a@b")));
    let carriage = refused("set mail-format {\r\n from: a@b\r\n}\r\n");
    assert!(carriage[0].starts_with("monitrc:2: invalid mail format"), "{carriage:?}");
    let format = config("set mail-format {\r\n subject: x\r\n}\r\n").mail.format;
    assert_eq!(format.subject.as_deref(), Some("x"));
}

#[test]
fn limits_hold_from_where_they_stand_and_the_last_is_kept() {
    let config = config(
        "check process a with pidfile /a
           start program = \"/bin/a\"
         set limits { startTimeout: 90 s, networkTimeout: 500 ms programOutput: 2 kb execTimeout: 7 s }
         set expectbuffer 3 kb
         check process b with pidfile /b
           start program = \"/bin/b\"
           if cpu > 90% then exec \"/bin/c\"
         set limits { startTimeout: 10 seconds }",
    );
    let start = |at: usize| config.services[at].start.as_ref().map(|program| program.timeout);
    assert_eq!((start(0), start(1)), (Some(Duration::from_secs(30)), Some(Duration::from_secs(90))));
    let Then::Exec { program, .. } = &config.services[1].rules[0].fail.then else { panic!("an exec") };
    assert_eq!(program.timeout, Duration::from_secs(7));
    let limits = &config.limits;
    assert_eq!((limits.start, limits.network), (Duration::from_secs(10), Duration::from_millis(500)));
    assert_eq!((limits.program_output, limits.send_expect, limits.file_content), (2048, 3072, 512));
}

#[test]
fn a_mail_server_begins_tls_as_its_port_has_it() {
    let servers = config(
        "set mailserver aa, bb port 587 username u@x password \"p\" using tls {verify: enable version: tlsv12},
           cc port 465 certificate checksum \"d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42:7e\"
           timeout 40 seconds using hostname me",
    )
    .mail;
    let tls: Vec<_> = servers.servers.iter().map(|server| (server.port, server.tls)).collect();
    assert_eq!(tls, [(25, MailTls::Off), (587, MailTls::StartTls), (465, MailTls::Implicit)]);
    assert_eq!(servers.servers[1].options.verify, Some(true));
    let digest = servers.servers[2].options.checksum.as_ref().map(|digest| digest.digits.as_str());
    assert_eq!(digest, Some("d41d8cd98f00b204e9800998ecf8427e"));
    assert_eq!((servers.timeout, servers.hostname.as_deref()), (Duration::from_secs(40), Some("me")));
}

#[test]
fn of_tls_in_general_the_last_statement_counts() {
    let config = config("set ssl {verify: enable}\nset tls options {version: tlsv12 selfsigned: allow}");
    assert_eq!((config.tls.verify, config.tls.self_signed), (None, Some(true)));
    assert_eq!(config.tls_defaults().verify, Some(false), "Monit 5.33 verifies nothing by itself");
}

#[test]
fn whoever_a_file_of_passwords_names_may_log_in() {
    let config = config(
        "set httpd port 2812 allow bob:mine allow /etc/users allow md5 /etc/digests carl nobody
           allow @staff read-only allow localhost signature disable",
    );
    let users = |allow: &Allow| match allow {
        Allow::File(file) => file.users.iter().map(|(n, p)| format!("{n}:{}", p.reveal())).collect(),
        Allow::User(user) => vec![user.name.clone()],
        Allow::Group { name, read_only } => vec![format!("@{name} {read_only}")],
        Allow::Host(host) => vec![host.clone()],
    };
    let found: Vec<Vec<String>> = config.web.allow.iter().map(users).collect();
    // Bob has a password already; a second colon is a part of a password, and ends a digest.
    let want: [&[&str]; 5] =
        [&["bob"], &["ann:secret:word "], &["carl:$1$abc$def"], &["@staff true"], &["localhost"]];
    assert_eq!(found, want);
    assert!(config.web.anonymous);
    let Allow::File(file) = &config.web.allow[2] else { panic!("a file") };
    assert_eq!((file.entries, &file.only[..]), (Entries::Md5, &["carl".to_owned(), "nobody".to_owned()][..]));
}

#[test]
fn an_empty_file_of_passwords_lets_nobody_in_and_is_told() {
    let loaded = load("set httpd port 2812 allow /etc/empty");
    assert!(matches!(&loaded.config.web.allow[..], [Allow::File(file)] if file.users.is_empty()));
    assert_eq!(loaded.warnings.lines(), ["monitrc:1: the file of passwords holds no user '/etc/empty'"]);
    assert!(refused("set httpd port 2812 allow /etc/nosuch")[0].contains("Cannot read htpasswd"));
}

#[test]
fn pages_with_tls_need_a_certificate_and_its_key() {
    for good in [
        "with ssl { pemfile: /etc/both.pem }",
        "with ssl { pemchain: /etc/c.pem pemkey: /etc/k.pem }",
        "ssl enable pemfile /etc/both.pem clientpemfile /etc/c.pem allowselfcertification",
        "ssl disable pemfile /etc/both.pem",
    ] {
        let loaded = load(&format!("set httpd port 2812 {good} allow x1:y2"));
        assert!(loaded.config.web.tls.is_some(), "{good}");
        let lines = loaded.warnings.lines();
        assert_eq!(lines, ["the pages are not encrypted yet: they are served to this host alone"], "{good}");
    }
    for bad in [
        "with ssl",
        "with ssl { verify: enable }",
        "with ssl { pemchain: /etc/c.pem }",
        "with ssl { pemfile: /etc/both.pem pemchain: /etc/c.pem pemkey: /etc/k.pem }",
    ] {
        assert_eq!(refused(&format!("set httpd port 2812 {bad}\n")).len(), 1, "{bad}");
    }
}

#[test]
fn collectors_are_kept_with_their_secrets() {
    let text = "set httpd port 2812 allow x1:y2
        set mmonit http://u:p@mm:8080/collector timeout 3 seconds
          https://other/collector with ssl {verify: enable} hostgroups [a, \"b c\"] and register without credentials";
    let loaded = load(text);
    let collectors = &loaded.config.collectors;
    assert_eq!(collectors[0].url.reveal(), "http://u:p@mm:8080/collector");
    assert_eq!(collectors[0].timeout, Duration::from_secs(3));
    assert_eq!(collectors[1].groups, ["a", "b c"]);
    assert_eq!(collectors[1].tls.as_ref().and_then(|tls| tls.verify), Some(true));
    assert!(!loaded.config.register_credentials);
    assert!(!format!("{:?}", loaded.config).contains("u:p"));
    let alone = load("set mmonit http://mm/collector").warnings.lines().join("\n");
    assert!(alone.contains("'set httpd'") && alone.contains("not told anything yet"), "{alone}");
}

#[test]
fn the_rest_is_kept_too() {
    let config = config(
        "set fips\nset terminal batch\nset onreboot nostart\nset eventqueue slots 7\nset log syslog facility LOG_LOCAL3",
    );
    assert!(config.fips && config.batch);
    assert_eq!(config.on_reboot, OnReboot::NoStart);
    assert_eq!((config.mail.slots, config.mail.queue), (Some(7), Some("/var/monit".into())));
    assert_eq!(config.log, Some(LogTarget::Syslog(Facility::Local(3))));
}
