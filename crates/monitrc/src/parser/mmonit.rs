//! `set mmonit …`

use hinoban_config::{Allow as Allowed, Collector, Entries, Listen, Mistake, Secret as Hidden};

use super::tls::Asked;
use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Kind;

impl Parser<'_> {
    /// One server or several, each with its options. Statements add up.
    pub(super) fn mmonit(&mut self) -> Parse<()> {
        if self.token.kind != Kind::Url {
            if self.token.is_string() {
                return self.refuse(
                    "write the whole address without quotes: http://user:password@host:8080/collector",
                );
            }
            return self.unexpected(&["a URL"]);
        }
        self.collecting.get_or_insert(self.here());
        while self.token.kind == Kind::Url {
            let collector = self.collector()?;
            self.config.collectors.push(collector);
            // The word between the two is noise: written or not, this is how it is spelled.
            if self.eat(Register) {
                self.need(Credentials, &["without credentials"])?;
                self.config.register_credentials = false;
            }
        }
        Ok(())
    }

    fn collector(&mut self) -> Parse<Collector> {
        let url = Hidden::new(self.url()?.0);
        let mut asked = Asked::default();
        let timeout = std::mem::replace(&mut self.captured.collector_timeout, self.captured.network);
        let mut collector = Collector { url, timeout, tls: None, groups: Vec::new() };
        loop {
            if self.eat(Timeout) {
                collector.timeout = self.seconds()?;
            } else if self.raw(&self.token).eq_ignore_ascii_case("hostgroups") {
                self.take();
                self.host_groups(&mut collector.groups)?;
            } else if !self.tls_part(&mut asked)? {
                collector.tls = asked.on.then_some(asked.tls);
                return Ok(collector);
            }
        }
    }

    /// `[a, "b c"]`, of Monit 5.34. The lexer knows no brackets: they are parts of words.
    fn host_groups(&mut self, groups: &mut Vec<String>) -> Parse<()> {
        if !self.raw(&self.token).starts_with('[') {
            return self.unexpected(&["["]);
        }
        loop {
            if !self.token.is_string() {
                return self.unexpected(&["the name of a group", "]"]);
            }
            let token = self.take();
            let name = self.text(&token);
            let (name, last) = match token.kind {
                Kind::Quoted => (name, false),
                _ => (name.trim_start_matches('[').trim_end_matches(']'), name.ends_with(']')),
            };
            if !name.is_empty() {
                groups.push(name.to_owned());
            }
            if last {
                return Ok(());
            }
        }
    }

    /// What M/Monit could not do, judged when the file has ended.
    pub(super) fn judge_collectors(&mut self) {
        let Some(place) = self.collecting.take() else { return };
        let web = &self.config.web;
        let tcp = web.listen.iter().any(|listen| matches!(listen, Listen::Tcp { .. }));
        let known = web.allow.iter().any(|allow| match allow {
            Allowed::User(user) => !user.read_only,
            Allowed::File(file) => file.entries == Entries::Cleartext && !file.users.is_empty(),
            _ => false,
        });
        let (message, help) = if web.listen.is_empty() {
            (
                "M/Monit enabled but no httpd allowed -- please add 'set httpd' statement",
                "add set httpd port 2812 allow NAME:\"PASSWORD\"",
            )
        } else if !tcp {
            (
                "M/Monit enabled but Monit httpd is using unix socket -- please change 'set httpd' statement to use TCP port in order to be able to manage services on Monit",
                "add a port to 'set httpd'",
            )
        } else if self.config.register_credentials && !known {
            (
                "M/Monit registration with credentials enabled, but no suitable credentials found in monit configuration file -- please add 'allow user:password' option to 'set httpd' statement",
                "add allow NAME:\"PASSWORD\", or write register without credentials",
            )
        } else {
            return;
        };
        self.note(Mistake::warning(place, message).late().help(help));
    }
}
