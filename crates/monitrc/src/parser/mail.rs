//! `set mailserver …`, and `set ssl …`

use hinoban_config::{MailServer as Server, MailTls, Mistake, Secret as Hidden};

use super::tls::{Asked, is_version};
use super::{Parse, Parser};
use crate::keyword::Keyword::*;

impl Parser<'_> {
    /// A list of servers, then one time-out, then one name for ourselves, in this order. Several statements add up.
    pub(super) fn mail_servers(&mut self) -> Parse<()> {
        self.mail_server()?;
        while self.token.is_string() {
            self.mail_server()?;
        }
        // Monit 5.33 takes what is written, or the limit of the network, if that is more than it has to begin with; else it
        // keeps what it has.
        let least = hinoban_config::Mail::default().timeout;
        let mut timeout = self.captured.network;
        if self.at(Timeout) {
            let place = self.here();
            self.take();
            timeout = self.seconds()?;
            if timeout < least {
                let mistake = Mistake::warning(place, "a mail server is given 30 seconds at least");
                let mistake = mistake.word(timeout.as_secs().to_string());
                self.advise(mistake.help("Monit 5.33 waits as long too, and shows 30 s"));
            }
        }
        if timeout > least {
            self.config.mail.timeout = timeout;
        }
        let named = self.eat(HostName);
        self.config.mail.hostname = if named { Some(self.string("a host name")?) } else { None };
        match self.key() {
            Some(Timeout) => self.refuse("the order is fixed: 'timeout' stands before 'hostname'"),
            Some(Port) => {
                self.refuse("the port stands directly behind the server: mail.example.com port 587")
            }
            _ => Ok(()),
        }
    }

    fn mail_server(&mut self) -> Parse<()> {
        let name = self.token.clone();
        let host = self.string("the name of a mail server")?;
        let port = if self.eat(Port) { self.port()? } else { 25 };
        let (mut user, mut password, mut asked) = (None, None, Asked::default());
        loop {
            match self.key() {
                Some(Username) => {
                    self.take();
                    user = Some(self.login_name()?);
                }
                Some(Password) => {
                    self.take();
                    password = Some(Hidden::new(self.string("a password")?));
                }
                _ if self.tls_part(&mut asked)? => {}
                _ => break,
            }
        }
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => {
                let mistake = Mistake::warning(self.place(&name), "this mail server has half a login")
                    .word(host.clone());
                self.advise(mistake.help("nobody logs in without both 'username' and 'password'"));
                None
            }
        };
        // On the two ports where servers begin in the clear, TLS is asked for once connected.
        let tls = match (asked.on, port) {
            (false, _) => MailTls::Off,
            (true, 25 | 587) => MailTls::StartTls,
            (true, _) => MailTls::Implicit,
        };
        self.config.mail.servers.push(Server { host, port, tls, options: asked.tls, login });
        Ok(())
    }

    /// One of the words that ask for TLS, outside of its braces and with them; whether there was one.
    pub(super) fn tls_part(&mut self, asked: &mut Asked) -> Parse<bool> {
        match self.key() {
            Some(Ssl) => self.tls(asked)?,
            Some(CertMd5) => self.cert_md5(asked)?,
            Some(Certificate) => {
                self.take();
                asked.tls.checksum = Some(self.expected_digest()?);
                asked.on = true;
            }
            key if is_version(key) => self.tls_version(asked)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `set ssl {…}`, for whatever says nothing else; `ssl` is the next token. A later one counts as a whole.
    pub(super) fn set_tls(&mut self) -> Parse<()> {
        self.take();
        let mut asked = Asked::default();
        self.tls_options(&mut asked)?;
        self.config.tls = asked.tls;
        Ok(())
    }
}
