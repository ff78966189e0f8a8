//! `[mail]`: who is told, from whom, and through which servers.

use ::toml::de::DeValue;

use super::address;
use super::reader::{Fields, Item, Reader};
use crate::{Config, MailServer, MailTls, Secret, Tls};

impl Reader<'_> {
    pub(super) fn mail(&mut self, item: &Item<'_>, config: &mut Config) {
        const HELP: &str =
            "write [mail] and below it servers = [\"smtp://localhost\"] and to = [\"admin@example.com\"]";
        let Some(mut fields) = self.fields(item, "[mail]", HELP) else { return };
        let (servers, to) = (fields.take("servers"), fields.take("to"));
        for server in servers.iter().flat_map(Item::list) {
            config.mail.servers.extend(self.mail_server(&server));
        }
        for recipient in to.iter().flat_map(Item::list) {
            config.alerts.extend(self.recipient(&recipient));
        }
        if let (Some(to), None) = (&to, &servers) {
            let message = "there is nobody to give the mail to: `servers` is missing";
            self.warning(
                to.span.clone(),
                message,
                "for the mail server of this machine: servers = [\"smtp://localhost\"]",
            );
        }
        let format = fields.take("format");
        if let Some(item) = &format
            && let Some(format) = self.mail_format(item, "[mail.format]")
        {
            config.mail.format = format;
        }
        if let Some(from) = fields.take("from") {
            if config.mail.format.from.is_some() {
                let message = "the sender is said twice: `from` of [mail] and `from` of its `format`";
                self.error(from.span.clone(), message, "take one of them out");
            }
            config.mail.format.from = self.mail_address(&from).map(str::to_owned);
        }
        if let Some(item) = fields.take("timeout") {
            config.mail.timeout = self.duration(&item).unwrap_or(config.mail.timeout);
        }
        if let Some(item) = fields.take("hostname") {
            config.mail.hostname =
                self.text(&item, "the name of this host", "\"www.example.com\"").map(str::to_owned);
        }
        config.mail.queue = fields.take("queue").and_then(|item| self.path(&item));
        config.mail.slots =
            fields.take("slots").and_then(|item| self.whole(&item, 1..1_000_001)).map(|n| n as usize);
        self.close(fields);
    }

    fn mail_server(&mut self, item: &Item<'_>) -> Option<MailServer> {
        let DeValue::Table(table) = item.value else {
            let text = self.text(item, "the addresses of mail servers", "[\"smtp://localhost\"]")?;
            return self.mail_url(item, text, None, Tls::default());
        };
        let mut fields = Fields::new("a mail server", table, item.span.clone());
        let url = fields.take("url");
        let user = fields.take("user");
        let password = fields.take("password");
        let verify = fields.take("verify").map(|item| self.flag(&item));
        let tls = fields.take("tls").map(|item| self.tls_table(&item));
        self.close(fields);
        let Some(url) = url else {
            let help = "{ url = \"smtps://mail.example.com\", user = \"…\", password = { file = \"…\" } }";
            self.missing(item.span.clone(), "this mail server has no `url`", help);
            return None;
        };
        let login = self.login(user, password);
        let text = self.text(&url, "the address of a mail server", "\"smtp://localhost\"")?;
        let mut options = tls.unwrap_or(Some(Tls::default()))?;
        if let Some(verify) = verify {
            options.verify = Some(verify?);
        }
        self.mail_url(&url, text, login?, options)
    }

    fn mail_url(
        &mut self,
        item: &Item<'_>,
        text: &str,
        login: Option<(String, Secret)>,
        options: Tls,
    ) -> Option<MailServer> {
        const SCHEMES: &str = "smtp:// (port 25), smtp+starttls:// (587) or smtps:// (465)";
        let shown = super::mask::secrets(text);
        let url = match address::url(text) {
            Ok(url) => url,
            Err(why) => {
                let help = if text.contains("://") {
                    SCHEMES.to_owned()
                } else {
                    format!("did you mean \"smtp://{shown}\"?")
                };
                self.error(item.span.clone(), format!("\"{shown}\" is no mail server: {why}"), help);
                return None;
            }
        };
        let (tls, port) = match url.scheme.as_str() {
            "smtp" => (MailTls::Off, 25),
            "smtp+starttls" => (MailTls::StartTls, 587),
            "smtps" => (MailTls::Implicit, 465),
            other => {
                let message = format!("mail is not sent over `{other}://`");
                self.error(item.span.clone(), message, format!("a mail server is one of {SCHEMES}"));
                return None;
            }
        };
        if let Some(user) = url.login {
            let user = user.split(':').next().unwrap_or(user);
            let message = if text == shown {
                "there is a user, but no password"
            } else {
                "a password in an address would be shown with it in logs"
            };
            let port = url.port.map(|p| format!(":{p}")).unwrap_or_default();
            self.error(
                item.span.clone(),
                message,
                format!(
                    "write {{ url = \"{}://{}{port}\", user = \"{user}\", password = {{ file = \"…\" }} }}",
                    url.scheme, url.host
                ),
            );
            return None;
        }
        if url.host.is_empty() {
            self.error(
                item.span.clone(),
                "this mail server has no host",
                "for example: \"smtp://localhost\"",
            );
            return None;
        }
        Some(MailServer { host: url.host.to_owned(), port: url.port.unwrap_or(port), tls, options, login })
    }

    pub(super) fn mail_address<'d>(&mut self, item: &Item<'d>) -> Option<&'d str> {
        let text = self.text(item, "a mail address", "\"admin@example.com\"")?;
        let good = text.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
            && !text.contains(char::is_control);
        if !good {
            let help = if text.contains('@') {
                "write NAME@HOST".to_owned()
            } else {
                format!("for a user of this machine: \"{text}@localhost\"")
            };
            self.error(item.span.clone(), format!("\"{}\" is no mail address", text.escape_debug()), help);
            return None;
        }
        Some(text)
    }
}
