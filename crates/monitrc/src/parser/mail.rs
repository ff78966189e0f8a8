//! `set mailserver …` and `set alert …`

use hinoban_config::{MailServer as Server, MailTls, Mistake, Recipient, Secret as Hidden, Tls};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Kind;

impl Parser<'_> {
    /// A list of servers, then one time-out, then one name for ourselves, in this order. Several statements add up.
    pub(super) fn mail_servers(&mut self) -> Parse<()> {
        self.mail_server()?;
        while self.token.is_string() {
            self.mail_server()?;
        }
        // A second statement without a time-out goes back to the default, as Monit's does.
        self.config.mail.timeout = hinoban_config::Mail::default().timeout;
        if self.eat(Timeout) {
            self.config.mail.timeout = self.seconds()?;
        }
        if self.eat(HostName) {
            self.config.mail.hostname = Some(self.string("a host name")?);
        }
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
        let (mut user, mut password, mut tls, mut verify) = (None, None, false, false);
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
                Some(Ssl) => {
                    let options = self.tls()?;
                    tls = true;
                    if options.ca_file.is_some() {
                        return self.unsupported(options.place, "cacertificatefile of a mail server");
                    }
                    verify = options.verify;
                }
                Some(NewTls | OldTls | DeadSsl) => {
                    self.tls_version()?;
                    tls = true;
                }
                Some(Certificate | CertMd5 | MinusTls) => {
                    return self.unsupported_here("certificate and version options of a mail server");
                }
                _ => break,
            }
        }
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => {
                let mistake = Mistake::warning(self.place(&name), "this mail server has half a login")
                    .word(host.clone());
                self.note(mistake.help("nobody logs in without both 'username' and 'password'"));
                None
            }
        };
        // On the two ports where servers begin in the clear, TLS is asked for once connected.
        let tls = match (tls, port) {
            (false, _) => MailTls::Off,
            (true, 25 | 587) => MailTls::StartTls,
            (true, _) => MailTls::Implicit,
        };
        self.config.mail.servers.push(Server {
            host,
            port,
            tls,
            options: Tls { verify: Some(verify), ..Tls::default() },
            login,
        });
        Ok(())
    }

    /// `set alert ADDRESS [reminder N]`.
    pub(super) fn set_alert(&mut self) -> Parse<()> {
        let token = self.token.clone();
        let place = self.place(&token);
        match token.kind {
            Kind::Mail => {}
            Kind::Quoted => return self.refuse("write the address without quotes"),
            Kind::Word => {
                let word = self.text(&token).to_owned();
                return self
                    .refuse(format!("an address has an @: {word}@localhost reaches '{word}' of this host"));
            }
            _ => return self.unexpected(&["a mail address"]),
        }
        self.take();
        let address = self.text(&token).to_owned();
        if self.token.kind == Kind::Open || self.at(Not) {
            return self.unsupported(place, "set alert with a list of events");
        }
        if self.at(MailFormat) {
            return self.unsupported(place, "set alert with a mail-format");
        }
        let mut reminder = None;
        if self.eat(Reminder) {
            let n = self.int("a number of cycles")?;
            reminder = u32::try_from(n).ok().filter(|n| *n > 0);
            self.eat(Cycle);
        }
        self.config.alerts.push(Recipient { address, reminder, place, ..Recipient::new("") });
        Ok(())
    }
}
