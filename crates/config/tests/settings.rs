//! Settings of the TOML form beside services: who hears of what, limits, TLS, users, M/Monit.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hinoban_config::{
    Allow, Config, Entries, Events, Limits, Mistakes, NoSurroundings, OnReboot, Surroundings, TlsVersions,
    toml,
};

/// A host with one file of passwords.
struct Host;

impl Surroundings for Host {
    fn read(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("/etc/hinoban/users") => Ok("ann:secret\r\nbob:look  \n".to_owned()),
            _ => NoSurroundings.read(path),
        }
    }
    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        NoSurroundings.glob(pattern)
    }
    fn user(&self, name: &str) -> Option<u32> {
        NoSurroundings.user(name)
    }
    fn group(&self, name: &str) -> Option<u32> {
        NoSurroundings.group(name)
    }
    fn host_name(&self) -> String {
        "vm".to_owned()
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn exists(&self, _: &Path, _: bool) -> bool {
        true
    }
    fn resolves(&self, _: &str) -> bool {
        true
    }
}

fn load(text: &str) -> Result<Config, Mistakes> {
    toml::parse(Path::new("/etc/hinoban/hinoban.toml"), text, &Host).map(|loaded| loaded.config)
}

fn config(text: &str) -> Config {
    load(text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn refused(text: &str) -> String {
    match load(text) {
        Ok(_) => panic!("{text} is accepted"),
        Err(mistakes) => mistakes.to_string(),
    }
}

#[test]
fn readers_have_events_reminders_and_forms() {
    let config = config(
        r#"
        [mail]
        servers = ["smtp://localhost"]
        to = ["a@b", { address = "c@d", events = ["timeout", "nonexist"], reminder = 10 }]
        format = { from = "Watch <w@$HOST>", subject = "", message = "one\ntwo" }
        [service.web]
        pidfile = "/run/web.pid"
        alerts = [{ address = "a@b", events = [] }, { address = "e@f", not-events = "instance", format = { subject = "$EVENT" } }]
        "#,
    );
    assert_eq!(config.alerts[0].events, Events::ALL);
    assert_eq!(config.alerts[1].events.names().collect::<Vec<_>>(), ["nonexist", "timeout"]);
    assert_eq!(config.alerts[1].reminder, Some(10));
    let format = &config.mail.format;
    assert_eq!((format.from.as_deref(), format.subject.as_deref()), (Some("Watch <w@$HOST>"), Some("")));
    assert_eq!((format.message.as_deref(), format.reply_to.as_deref()), (Some("one\ntwo"), None));
    let own = &config.services[0].alerts;
    assert_eq!(own[0].events, Events::NONE);
    assert_eq!(own[1].events.others().names().collect::<Vec<_>>(), ["instance"]);
    assert_eq!(own[1].format.as_ref().and_then(|form| form.subject.as_deref()), Some("$EVENT"));
}

#[test]
fn mistakes_about_readers_are_told() {
    for (wrong, want) in [
        (r#"to = [{ address = "a@b", events = ["nonexst"] }]"#, "did you mean \"nonexist\"?"),
        (r#"to = [{ address = "a@b", events = [], not-events = [] }]"#, "either `events` or `not-events`"),
        (r#"to = [{ events = [] }]"#, "this recipient has no `address`"),
        (r#"format = { subject = "a\nb" }"#, "`subject` holds a control character"),
        ("from = \"a@b\"\nformat = { from = \"c@d\" }", "the sender is said twice"),
        (r#"format = { form = "x" }"#, "did you mean `from`?"),
    ] {
        let said = refused(&format!("[mail]\nservers = \"smtp://localhost\"\n{wrong}\n"));
        assert!(said.contains(want), "{wrong}: {said}");
    }
}

#[test]
fn limits_hold_where_nothing_else_is_said() {
    let text = r#"
        on-reboot = "no-start"
        batch = true
        [limits]
        start = "90s"
        network = "500ms"
        program-output = "1 KiB"
        send-expect = "2 KiB"
        exec = "7s"
        [service.a]
        pidfile = "/a"
        start = "/bin/a"
        stop = { run = "/bin/b", timeout = "3s" }
        [[service.a.check]]
        tcp = "localhost:80"
        then = { exec = "/bin/c" }
        [service.b]
        program = "/bin/b"
        on-reboot = "start"
        [[service.b.check]]
        when = "status != 0"
        "#;
    let config = config(text);
    let [a, b] = [&config.services[0], &config.services[1]];
    let time = |program: &Option<hinoban_config::Program>| program.as_ref().map(|program| program.timeout);
    assert_eq!(time(&a.start), Some(Duration::from_secs(90)));
    assert_eq!(time(&a.stop), Some(Duration::from_secs(3)));
    let rule = format!("{:?}", a.rules.last());
    assert!(rule.contains("timeout: 500ms") && rule.contains("timeout: 7s"), "{rule}");
    assert_eq!((b.buffer, config.limits.send_expect), (1024, 2048));
    assert_eq!(
        (a.on_reboot, b.on_reboot, config.on_reboot),
        (OnReboot::NoStart, OnReboot::Start, OnReboot::NoStart)
    );
    assert!(config.batch);
    assert_eq!(self::config("").limits, Limits::of(hinoban_config::Dialect::Toml));
    assert!(refused("[limits]\nstart = \"0s\"\n").contains("longer than nothing"));
    assert!(refused("[limits]\nprogram-output = \"1 TB\"\n").contains("from 1 B to 16 MiB"));
}

#[test]
fn tls_is_said_for_all_and_for_one() {
    let config = config(
        r#"
        [tls]
        ca-file = "own.pem"
        versions = ["1.3"]
        fips = true
        [mail]
        servers = [{ url = "smtps://mail", tls = { verify = false, checksum = "d41d8cd98f00b204e9800998ecf8427e" } }, "smtps://other"]
        to = "a@b"
        "#,
    );
    assert!(config.fips);
    let mail = config.mail.over(&config.tls_defaults());
    assert_eq!((mail.servers[0].options.verify, mail.servers[1].options.verify), (Some(false), Some(true)));
    let only = TlsVersions { v1_3: true, ..TlsVersions::default() };
    for server in &mail.servers {
        assert_eq!(server.options.ca_file.as_deref(), Some(Path::new("/etc/hinoban/own.pem")));
        assert_eq!(server.options.versions, Some(only));
    }
    assert!(config.mail.servers[1].options.checksum.is_none());
    let said = refused("[tls]\nverify = 1\nciphers = \"HIGH\"\n");
    assert!(said.contains("`verify` must be true or false") && !said.contains("ciphers"), "{said}");
}

#[test]
fn users_come_from_files_and_groups_too() {
    let config = config(
        r#"
        [web]
        listen = "127.0.0.1:2812"
        users = [{ name = "bob", password = "mine" }]
        user-files = ["users", { file = "users", entries = "crypt", only = ["ann"], read-only = true }]
        groups = ["adm", { name = "staff", read-only = true }]
        signature = false
        tls = { pem = "both.pem", client-pem = "clients.pem" }
        "#,
    );
    let web = &config.web;
    let files: Vec<_> =
        web.allow.iter().filter_map(|a| if let Allow::File(f) = a { Some(f) } else { None }).collect();
    assert_eq!(files[0].users[0].1.reveal(), "secret");
    let users: Vec<Vec<&str>> =
        files.iter().map(|f| f.users.iter().map(|(name, _)| &**name).collect()).collect();
    assert_eq!(users, [vec!["ann"], vec![]], "whoever was named before has his password already");
    assert_eq!(
        (files[1].entries, files[1].read_only, &files[1].only[..]),
        (Entries::Crypt, true, &["ann".to_owned()][..])
    );
    let staff = Allow::Group { name: "staff".into(), read_only: true };
    assert!(web.anonymous && web.allow.contains(&staff));
    assert_eq!(web.tls.as_ref().and_then(|tls| tls.pem.as_deref()), Some(Path::new("/etc/hinoban/both.pem")));
    for (wrong, want) in [
        ("tls = {}", "these pages have no certificate"),
        ("user-files = [\"nosuch\"]", "/etc/hinoban/nosuch cannot be read"),
        ("user-files = [{ only = [\"ann\"] }]", "this file of passwords has no `file`"),
        ("groups = [{ read-only = true }]", "this group has no `name`"),
    ] {
        let said = refused(&format!("[web]\nlisten = \"127.0.0.1:1\"\nallow = \"localhost\"\n{wrong}\n"));
        assert!(said.contains(want), "{wrong}: {said}");
    }
}

#[test]
fn the_password_of_a_collector_is_in_its_address_and_nowhere_else() {
    let text = r#"
        [[mmonit]]
        url = "https://mm:8443/collector"
        user = "monit"
        password = "p@ss"
        timeout = "3s"
        groups = ["a", "b c"]
        register = false
        [[mmonit]]
        url = "http://other/collector"
        "#;
    let config = config(text);
    assert_eq!(config.collectors[0].url.reveal(), "https://monit:p%40ss@mm:8443/collector");
    assert_eq!(config.collectors[0].groups, ["a", "b c"]);
    assert_eq!(
        (config.collectors[0].timeout, config.collectors[1].timeout),
        (Duration::from_secs(3), Duration::from_secs(5))
    );
    assert!(!config.register_credentials);
    let said = refused("[[mmonit]]\nurl = \"https://u:hush@mm/collector\"\n");
    assert!(said.contains("would be shown") && !said.contains("hush"), "{said}");
    assert!(refused("[[mmonit]]\nurl = \"mm:8080\"\n").contains("no M/Monit server"));
}
