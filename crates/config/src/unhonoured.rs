//! What both languages can say and nothing here does yet. Whoever builds a thing takes its line away.

use crate::{
    Allow, Config, Dialect, Entries, Limits, Mistake, Place, PortTest, Protocol, Service, Test, Tls,
    TlsVersions, Transport,
};

impl Config {
    /// What is written, understood, and not done yet: a warning each, which says what happens instead.
    ///
    /// Both languages add this to their warnings: nothing is passed over without a word.
    pub fn unhonoured(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        self.settings(&mut found);
        self.pages(&mut found);
        for service in &self.services {
            tests(service, &mut found);
        }
        found
    }

    fn settings(&self, found: &mut Vec<Mistake>) {
        let mut say = |message: String, help: &str| {
            found.push(Mistake::warning(Place::default(), message).help(help));
        };
        if self.fips {
            say(
                "FIPS mode is not there yet: TLS is made by ring, which is not validated".to_owned(),
                "everything else works as it does without it",
            );
        }
        if !self.collectors.is_empty() {
            let help = "alerts, pages and the log work; take the setting out if that server is gone";
            say("M/Monit is not told anything yet".to_owned(), help);
        }
        let usual = Limits::of(self.dialect);
        let limits = [
            (
                self.limits.shutdown != usual.shutdown,
                ["shutdownTimeout", "shutdown"],
                "nothing is stopped when the host goes down",
            ),
            (
                self.limits.send_expect != usual.send_expect,
                ["sendExpectBuffer", "send-expect"],
                "256 bytes of an answer are matched",
            ),
            (
                self.limits.http_content != usual.http_content,
                ["httpContentBuffer", "http-content"],
                "1 MB of a body is read",
            ),
        ];
        for (_, names, instead) in limits.into_iter().filter(|(differs, ..)| *differs) {
            let name = names[usize::from(self.dialect == Dialect::Toml)];
            say(format!("the limit {name} is not kept yet: {instead}"), "nothing needs to be changed");
        }
        for option in tls_options(&self.tls) {
            say(
                format!("of TLS in general, {option} is not looked at yet"),
                "TLS 1.2 or 1.3 is spoken with the cipher suites of ring, and certificates are judged as 'verify' says",
            );
        }
        // Every server's own, and what is said of TLS in general: that was warned of above.
        for server in &self.mail.servers {
            for option in mail_options(&server.options) {
                say(
                    format!("of the mail server {}, {option} is not looked at yet", server.host),
                    "TLS 1.2 or 1.3 is spoken with the cipher suites of ring",
                );
            }
        }
    }

    fn pages(&self, found: &mut Vec<Mistake>) {
        let mut say = |message: String, help: &str| {
            found.push(Mistake::warning(Place::default(), message).help(help));
        };
        if self.web.tls.is_some() {
            say(
                "the pages are not encrypted yet: they are served to this host alone".to_owned(),
                "put a proxy that speaks TLS before them, or leave TLS out to serve them in the clear",
            );
        }
        for allow in &self.web.allow {
            match allow {
                Allow::Group { name, .. } => say(
                    format!("nobody of the group {name} can log in yet: there is no PAM here"),
                    "the pages stay closed to them; name users with a password",
                ),
                Allow::File(file) if file.entries != Entries::Cleartext => say(
                    format!("nobody in {} can log in yet: its passwords are digests", file.path.display()),
                    "the pages stay closed to them; name users with a password",
                ),
                _ => {}
            }
        }
    }
}

fn tests(service: &Service, found: &mut Vec<Mistake>) {
    for rule in &service.rules {
        let crate::Condition::Test { test, .. } = &rule.when else { continue };
        let mut say = |what: &str, instead: &str| {
            let message = format!("{}: {what} not done yet", service.name);
            found.push(Mistake::warning(rule.place.clone(), message).help(instead));
        };
        match test {
            Test::Port(port) => {
                port_options(port, &mut say);
                port.tls.iter().for_each(|tls| of_tls(tls, &mut say));
            }
            Test::Url(url) => {
                of_tls(&url.tls, &mut say);
            }
            Test::Unix(unix) => unspoken(&unix.protocol, &mut say),
            _ => {}
        }
    }
}

fn of_tls(tls: &Tls, say: &mut dyn FnMut(&str, &str)) {
    for option in tls_options(tls) {
        say(
            &format!("{option} is"),
            "TLS 1.2 or 1.3 is spoken, and certificates are judged as 'verify' says",
        );
    }
}

fn port_options(port: &PortTest, say: &mut dyn FnMut(&str, &str)) {
    if port.transport == Transport::Udp && port.tls.is_some() {
        say("TLS over UDP is", "what is said is not encrypted");
    }
    unspoken(&port.protocol, say);
}

/// What of a conversation is not held.
fn unspoken(protocol: &Protocol, say: &mut dyn FnMut(&str, &str)) {
    let login = |login: &Option<_>, say: &mut dyn FnMut(&str, &str)| {
        if login.is_some() {
            let what = format!("to log in by {} is", protocol.name());
            say(&what, "the conversation is held without a login");
        }
    };
    match protocol {
        Protocol::Mysql { login: some, rsa_key } => {
            login(some, say);
            if rsa_key.is_some() {
                say("a digest of the server's RSA key is", "any key is taken");
            }
        }
        Protocol::Pgsql { login: Some(_), .. }
        | Protocol::Pgsql { database: Some(_), .. }
        | Protocol::Radius { .. } => {
            let what = format!("a conversation in {} is", protocol.name());
            say(&what, "the test connects, and to be connected is enough");
        }
        _ => {}
    }
}

/// The options of TLS with a mail server that nobody looks at yet.
fn mail_options(tls: &Tls) -> Vec<&'static str> {
    let newest = TlsVersions { v1_2: false, ..TlsVersions::AUTO };
    let versions = tls.versions.is_some_and(|versions| versions != TlsVersions::AUTO && versions != newest);
    let options = [
        (tls.self_signed == Some(true), "the permission of certificates that sign themselves"),
        (versions, "the choice of versions of TLS"),
        (tls.ciphers.is_some(), "the choice of cipher suites"),
        (tls.client_pem.is_some(), "a certificate of our own to show"),
    ];
    options.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name).collect()
}

/// The options of TLS in it that nobody looks at yet.
fn tls_options(tls: &Tls) -> Vec<&'static str> {
    // The others of one's choice are spoken.
    let older = tls.versions.is_some_and(|v| v.v1_0 || v.v1_1 || !(v.v1_2 || v.v1_3));
    let options =
        [(older, "a version of TLS before 1.2"), (tls.ciphers.is_some(), "the choice of cipher suites")];
    options.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::{Collector, PasswordFile, Secret};

    fn said(config: &Config) -> String {
        config.unhonoured().iter().map(|mistake| format!("{}\n", mistake.message)).collect()
    }

    #[test]
    fn what_is_not_done_is_said_and_nothing_else() {
        let mut config = Config::empty(Dialect::Monit, "h");
        assert_eq!(said(&config), "");
        config.fips = true;
        config.web.tls = Some(Tls::default());
        config.collectors.push(Collector {
            url: Secret::new("http://u:p@mm:8080/collector"),
            timeout: std::time::Duration::from_secs(5),
            tls: None,
            groups: Vec::new(),
        });
        config.web.allow.push(Allow::Group { name: "staff".into(), read_only: false });
        let file = |entries| PasswordFile {
            path: "/etc/htpasswd".into(),
            entries,
            only: Vec::new(),
            read_only: false,
            users: Vec::new(),
        };
        config.web.allow.push(Allow::File(file(Entries::Cleartext)));
        let before = said(&config);
        config.web.allow.push(Allow::File(file(Entries::Md5)));
        let text = said(&config);
        assert_eq!(text.lines().count(), 5, "{text}");
        assert_eq!(before.lines().count(), 4, "passwords in the clear work: {before}");
        assert!(!text.contains("u:p"), "{text}");
        let mut found = Vec::new();
        let rsa_key = crate::Digest::parse(&"0".repeat(32));
        assert!(rsa_key.is_some());
        unspoken(&Protocol::Mysql { login: None, rsa_key }, &mut |what, _| found.push(what.to_owned()));
        assert_eq!(found, ["a digest of the server's RSA key is"]);
        assert!(text.contains("served to this host alone") && text.contains("group staff"), "{text}");
    }
}
