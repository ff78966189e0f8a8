//! `set httpd …`

use std::net::IpAddr;

use hinoban_config::{Allow as Allowed, Listen, Mistake};

use super::tls::Asked;
use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Kind;

impl Parser<'_> {
    /// The options of `set httpd`, in any order. Several statements add up; the last port and address win.
    pub(super) fn httpd(&mut self) -> Parse<()> {
        let mut asked = Asked::default();
        if let Some(tls) = self.config.web.tls.take() {
            asked = Asked { on: true, tls, ..asked };
        }
        loop {
            match self.key() {
                Some(Port) => {
                    self.take();
                    let place = self.here();
                    let port = self.port()?;
                    self.port = Some((port, self.eat(ReadOnly), place));
                }
                Some(UnixSocket) => self.unix_socket()?,
                Some(Address) => {
                    let place = self.here();
                    self.take();
                    let address = self.string("an address")?;
                    if let Some(old) = self.address.replace(address.clone()) {
                        let mistake = Mistake::warning(
                            place,
                            "The 'address' option can be specified only once, the last value will be used",
                        )
                        .word(address);
                        self.note(mistake.help(format!("'{old}' is forgotten: one address is listened on")));
                    }
                }
                Some(Signature) => {
                    self.take();
                    let shown = self.at(Enable);
                    if !shown && !self.at(Disable) {
                        return self.unexpected(&["enable", "disable"]);
                    }
                    self.take();
                    self.config.web.anonymous = !shown;
                }
                Some(key @ (Enable | Disable)) => {
                    self.take();
                    self.need(Signature, &["signature"])?;
                    self.config.web.anonymous = key == Disable;
                }
                Some(Allow) => self.allow()?,
                Some(Ssl) => self.tls(&mut asked)?,
                // Options that stand in braces today.
                Some(PemFile) => {
                    let option = self.take();
                    let option = self.raw(&option).to_ascii_lowercase();
                    let slot = match option.as_str() {
                        "clientpemfile" => &mut asked.tls.client_pem,
                        "pemfile" => &mut asked.tls.pem,
                        _ => return self.refuse("this stands in braces: with ssl { pemchain: … pemkey: … }"),
                    };
                    self.tls_file(slot, &option)?;
                    asked.on = true;
                }
                Some(AllowSelf) => {
                    self.take();
                    asked.tls.self_signed = Some(true);
                    asked.on = true;
                }
                _ if self.ended() => {
                    self.encrypted(asked);
                    return Ok(());
                }
                _ => {
                    return self.unexpected(&[
                        "port",
                        "unixsocket",
                        "address",
                        "allow",
                        "signature",
                        "ssl",
                        "set",
                        "check",
                    ]);
                }
            }
        }
    }

    /// Notes that what listens on TCP is encrypted, if it is.
    fn encrypted(&mut self, asked: Asked) {
        let Asked { on: true, tls, .. } = asked else { return };
        if tls.pem.is_none() && (tls.pem_chain.is_none() || tls.pem_key.is_none()) {
            let mistake = Mistake::error(
                self.here(),
                "SSL server PEM file is required (please use ssl pemfile option)",
            )
            .word(self.raw(&self.token));
            self.note(mistake.help(
                "the pages need a certificate and its key: with ssl { pemfile: /etc/ssl/private/monit.pem }",
            ));
        } else if tls.pem.is_some() && (tls.pem_chain.is_some() || tls.pem_key.is_some()) {
            let mistake = Mistake::error(
                self.here(),
                "SSL server option pemfile and pemchain|pemkey are mutually exclusive",
            )
            .word(self.raw(&self.token));
            self.note(mistake.help("name one file with certificate and key, or two files"));
        } else if let Some((key, what)) = tls
            .pem
            .as_ref()
            .map(|pem| (pem, "SSL server PEM file"))
            .or(tls.pem_key.as_ref().map(|key| (key, "SSL server private key PEM file")))
            && self.around.is_private(key) == Some(false)
        {
            let mistake = Mistake::error(self.here(), format!("{what} permissions check failed"))
                .word(self.raw(&self.token));
            self.note(mistake.help(format!(
                "a key belongs to whoever runs us, and to nobody else: chmod 600 {}",
                key.display()
            )));
        }
        self.config.web.tls = Some(tls);
    }

    fn unix_socket(&mut self) -> Parse<()> {
        self.take();
        let path = self.path("a path")?;
        let (mut read_only, mut permission, mut uid, mut gid) = (false, None, None, None);
        loop {
            match self.key() {
                Some(ReadOnly) => {
                    self.take();
                    read_only = true;
                }
                Some(Uid) => uid = self.user()?,
                Some(Gid) => gid = self.group()?,
                Some(Permission) => {
                    self.take();
                    let token = self.token.clone();
                    self.int("an octal number")?;
                    let digits = self.raw(&token).to_owned();
                    permission = u32::from_str_radix(&digits, 8).ok().filter(|mode| *mode <= 0o7777);
                    if permission.is_none() {
                        let mistake = Mistake::error(
                            self.place(&token),
                            "Permission statements must have an octal value between 0 and 7777",
                        );
                        self.note(mistake.word(digits).help("such as 0600"));
                    }
                }
                _ => break,
            }
        }
        // The last socket counts; that one before it was for looking only is not forgotten, as in Monit.
        read_only |= self.config.web.listen.iter().any(|l| matches!(l, Listen::Unix { read_only: true, .. }));
        self.config.web.listen.retain(|l| !matches!(l, Listen::Unix { .. }));
        self.config.web.listen.push(Listen::Unix { path, read_only, permission, uid, gid });
        Ok(())
    }

    /// A host that is allowed to connect. One that means nobody stays in the list: without it, the list might be
    /// empty, and an empty list means everybody.
    pub(super) fn allow_host(&mut self, host: String, token: &crate::token::Token) -> Parse<()> {
        let usable = match host.split_once('/') {
            Some((address, mask)) => network(address, mask),
            None => host.parse::<IpAddr>().is_ok() || (!host.contains(':') && self.around.resolves(&host)),
        };
        if !usable {
            let help = match host.split_once(':') {
                Some((user, password)) if token.kind == Kind::Quoted && host.parse::<IpAddr>().is_err() => {
                    format!(
                        "in quotes this is the name of a host, and nobody may log in; write allow \"{user}\":\"{password}\" for a user"
                    )
                }
                _ => "it is no address, no network and no name that resolves: nobody is let in by it"
                    .to_owned(),
            };
            let word =
                if token.kind == Kind::Quoted && host.contains(':') { "\"…\"" } else { host.as_str() };
            let mistake = Mistake::warning(self.place(token), "invalid allow option").word(word);
            self.note(mistake.help(help));
        }
        self.config.web.allow.push(Allowed::Host(host));
        Ok(())
    }

    /// The number of a port. Monit takes any number and uses its last 16 bits.
    pub(super) fn port(&mut self) -> Parse<u16> {
        let place = self.here();
        let n = self.int("a port number")?;
        let port = (n & 0xffff) as u16;
        if n != i64::from(port) || port == 0 {
            let mistake = Mistake::warning(place, "a port is a number from 1 to 65535").word(n.to_string());
            self.advise(mistake.help(format!("Monit 5.33 takes this for {port}; correct it")));
        }
        Ok(port)
    }

    /// Joins the last port with the last address.
    pub(super) fn listen(&mut self) {
        if let Some((port, read_only, place)) = self.port.take() {
            let address = self.address.take();
            self.config.web.listen.insert(0, Listen::Tcp { address, port, read_only });
            if let Some(message) = self.config.web.open_to_others() {
                let help = "add a user: allow NAME:\"PASSWORD\"; or let others only look: port … read-only";
                self.advise(Mistake::warning(place, message).help(help));
            }
        }
    }
}

/// Whether this is a network: a prefix length, or a mask of the same family.
fn network(address: &str, mask: &str) -> bool {
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match mask.parse::<u8>() {
        Ok(length) => length <= longest,
        Err(_) => address.is_ipv4() && mask.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}
