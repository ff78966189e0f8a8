//! `protocol NAME` and the options that some protocols have behind their names.

use hinoban_config::{
    ApacheStatus, Mistake, Operator, Place, Plain, Protocol as Talk, Scoreboard, Secret as Hidden, Transport,
    Websocket,
};

use super::options::Draft;
use super::{Parse, Parser};
use crate::help;
use crate::keyword::Keyword::*;
use crate::token::Kind;

/// What may stand after `protocol`, to be told if nothing that does comes near.
const COMMON: [&str; 12] =
    ["http", "https", "default", "smtp", "imap", "pop", "ftp", "ssh", "dns", "mysql", "pgsql", "redis"];

/// The names beside those of [`Plain`] and [`COMMON`], for suggestions.
const OTHERS: [&str; 10] = [
    "apache-status",
    "mysqls",
    "smtps",
    "imaps",
    "pops",
    "mqtt",
    "radius",
    "sip",
    "websocket",
    "postfix-policy",
];

/// What `username` and `password` say.
#[derive(Default)]
struct Login {
    user: Option<String>,
    password: Option<Hidden>,
}

impl Parser<'_> {
    /// The name of a protocol, which is next, and its own options.
    pub(super) fn protocol(&mut self, draft: &mut Draft) -> Parse<()> {
        let place = self.here();
        let word = self.raw(&self.token).to_ascii_lowercase();
        draft.flaw = None;
        let secured = matches!(word.as_str(), "https" | "imaps" | "pops" | "smtps" | "mysqls");
        match self.key() {
            Some(Default) => {
                self.take();
                draft.talk = Talk::Default;
            }
            Some(Http | Https) => {
                self.take();
                self.http(&mut draft.http)?;
                draft.talk = Talk::Http(Box::default());
            }
            Some(OtherProtocol) => {
                self.take();
                draft.talk = self.conversation(&word, place.clone(), &mut draft.flaw)?;
            }
            _ => {
                let all = COMMON.iter().chain(&OTHERS).copied().chain(Plain::ALL.iter().map(|row| row.1));
                let all: Vec<&str> = all.collect();
                if self.token.kind == Kind::Word
                    && let Some(near) = help::nearest(&word, &all)
                {
                    return self.refuse(format!("did you mean '{near}'?"));
                }
                return self.unexpected(&COMMON);
            }
        }
        if secured {
            if word != "mysqls" {
                draft.transport = Transport::Tcp;
            }
            draft.asked.on = true;
            draft.asked.place.get_or_insert(place);
        } else if word == "ntp3" {
            draft.transport = Transport::Udp;
        }
        Ok(())
    }

    /// What stands behind the name `word`, which was read.
    fn conversation(&mut self, word: &str, place: Place, flaw: &mut Option<Mistake>) -> Parse<Talk> {
        let plain = word.strip_suffix('s').filter(|_| matches!(word, "imaps" | "pops")).unwrap_or(word);
        if let Some((plain, ..)) = Plain::ALL.iter().find(|row| row.1 == plain) {
            return Ok(Talk::Plain(*plain));
        }
        match word {
            "apache-status" => Ok(Talk::ApacheStatus(Box::new(self.apache_status()?))),
            "websocket" => Ok(Talk::Websocket(Box::new(self.websocket()?))),
            "mysql" | "mysqls" => self.mysql(word == "mysqls", place, flaw),
            "pgsql" => {
                let mut login = Login::default();
                let mut database = None;
                loop {
                    if self.eat(Database) {
                        database = Some(self.string("the name of a database")?);
                    } else if !self.login(&mut login)? {
                        break;
                    }
                }
                Ok(Talk::Pgsql { login: self.logged_in(login, place), database })
            }
            "radius" => {
                let secret = self.eat(Secret).then(|| self.string("a secret")).transpose()?;
                Ok(Talk::Radius { secret: secret.map(Hidden::new) })
            }
            "sip" => self.sip(),
            _ => {
                let mut login = Login::default();
                while self.login(&mut login)? {}
                if word == "mqtt" {
                    return Ok(Talk::Mqtt { login: self.logged_in(login, place) });
                }
                if login.user.is_some() != login.password.is_some() {
                    let mistake = Mistake::warning(place, "nobody logs in with half a login");
                    self.advise(mistake.help("write both 'username' and 'password', or none of them"));
                    return Ok(Talk::Smtp { login: None });
                }
                Ok(Talk::Smtp { login: login.user.zip(login.password) })
            }
        }
    }

    /// Reads `username` or `password`; `false`: neither comes.
    fn login(&mut self, login: &mut Login) -> Parse<bool> {
        match self.key() {
            Some(Username) => {
                self.take();
                login.user = Some(self.login_name()?);
            }
            Some(Password) => {
                self.take();
                login.password = Some(Hidden::new(self.string("a password")?));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Who logs in: nobody without a name.
    fn logged_in(&mut self, login: Login, place: Place) -> Option<(String, Hidden)> {
        let Some(user) = login.user else {
            if login.password.is_some() {
                let mistake = Mistake::warning(place, "a password is of no use without a user name");
                self.advise(mistake.help("nobody logs in, as in Monit; write 'username' too"));
            }
            return None;
        };
        Some((user, login.password.unwrap_or_else(|| Hidden::new(""))))
    }

    fn mysql(&mut self, secured: bool, place: Place, found: &mut Option<Mistake>) -> Parse<Talk> {
        let mut login = Login::default();
        let mut rsa_key = None;
        loop {
            if self.at(RsaKey) {
                let place = self.here();
                self.take();
                rsa_key = Some((self.expected_digest()?, place));
            } else if !self.login(&mut login)? {
                break;
            }
        }
        let flaw = match &rsa_key {
            Some(_) if secured => {
                Some("with TLS the server's own key is not asked for; write certificate checksum \"DIGEST\"")
            }
            Some(_) if login.user.is_none() => {
                Some("the key is asked for when somebody logs in; write 'username' and 'password' too")
            }
            _ => None,
        };
        if let (Some(help), Some((digest, place))) = (flaw, &rsa_key) {
            let mistake = Mistake::error(place.clone(), "the rsakey checksum test is not possible here");
            *found = Some(mistake.word(digest.digits.clone()).help(help));
        }
        Ok(Talk::Mysql { login: self.logged_in(login, place), rsa_key: rsa_key.map(|(digest, _)| digest) })
    }

    fn sip(&mut self) -> Parse<Talk> {
        let (mut target, mut max_forward) = (None, None);
        loop {
            if self.eat(Target) {
                let found = self.token.is_string() || self.token.kind == Kind::Mail;
                if !found {
                    return self.unexpected(&["an address such as \"user@example.com\""]);
                }
                let token = self.take();
                target = Some(self.text(&token).to_owned());
            } else if self.eat(MaxForward) {
                let token = self.token.clone();
                let n = self.int("a number")?;
                max_forward = Some(u32::try_from(n).ok().filter(|n| *n <= 255).unwrap_or_else(|| {
                    let message = "SIP max forward is outside the range [0..255]. Setting max forward to 70";
                    let mistake = Mistake::warning(self.place(&token), message).word(n.to_string());
                    self.note(mistake.help("write a number from 0 to 255"));
                    70
                }));
            } else {
                return Ok(Talk::Sip { target, max_forward });
            }
        }
    }

    /// At least one option follows.
    fn websocket(&mut self) -> Parse<Websocket> {
        let mut websocket = Websocket::default();
        let mut any = false;
        loop {
            match self.key() {
                Some(Origin) => {
                    self.take();
                    websocket.origin = Some(self.string("an origin such as \"http://www.example.com\"")?);
                }
                Some(Request) => {
                    self.take();
                    let path = self.path("a path that begins with /")?;
                    websocket.request = Some(path.display().to_string());
                }
                Some(Host) => {
                    self.take();
                    websocket.host = Some(self.string("a host name")?);
                }
                Some(Version) => {
                    self.take();
                    let n = self.int("a version such as 13")?;
                    websocket.version = Some(u32::try_from(n).unwrap_or(u32::MAX));
                }
                _ if any => return Ok(websocket),
                _ => return self.unexpected(&["origin", "request", "host", "version"]),
            }
            any = true;
        }
    }

    /// At least one option follows.
    fn apache_status(&mut self) -> Parse<ApacheStatus> {
        let mut status = ApacheStatus::default();
        let mut login = Login::default();
        let mut any = false;
        loop {
            match self.key() {
                Some(Path) => {
                    self.take();
                    let path = self.path("a path that begins with /")?;
                    status.path = Some(path.display().to_string());
                }
                Some(ApacheLimit) => {
                    let (state, operator, percent) = self.apache_limit()?;
                    status.limits.retain(|(known, ..)| *known != state);
                    if percent > 0 {
                        status.limits.push((state, operator, percent));
                    }
                }
                _ if self.login(&mut login)? => {}
                _ if any => break,
                _ => return self.unexpected(&["path", "username", "password", "loglimit > 10 %"]),
            }
            any = true;
        }
        if login.user.is_some() || login.password.is_some() {
            status.login =
                Some((login.user.unwrap_or_default(), login.password.unwrap_or_else(|| Hidden::new(""))));
        }
        Ok(status)
    }

    /// `replylimit > 10 %`, which is next.
    fn apache_limit(&mut self) -> Parse<(Scoreboard, Operator, u8)> {
        const LIMITS: [(&str, Scoreboard); 10] = [
            ("loglimit", Scoreboard::Log),
            ("closelimit", Scoreboard::Close),
            ("dnslimit", Scoreboard::Dns),
            ("keepalivelimit", Scoreboard::KeepAlive),
            ("replylimit", Scoreboard::Reply),
            ("requestlimit", Scoreboard::Request),
            ("startlimit", Scoreboard::Start),
            ("waitlimit", Scoreboard::Wait),
            ("gracefullimit", Scoreboard::Graceful),
            ("cleanuplimit", Scoreboard::Cleanup),
        ];
        let place = self.here();
        let token = self.take();
        let word = self.raw(&token).to_ascii_lowercase();
        let state =
            LIMITS.iter().find(|(name, _)| *name == word).map_or(Scoreboard::Log, |(_, state)| *state);
        let operator = self.operator()?;
        let n = self.int("a whole number")?;
        if !self.percent() {
            return self.unexpected(&["%"]);
        }
        if n == 0 {
            let mistake = Mistake::warning(place, "a limit of 0 % is not looked at").word(word);
            self.advise(mistake.help("that is how Monit takes it; write 1 %, or take it away"));
        }
        Ok((state, operator, u8::try_from(n).unwrap_or(u8::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_protocol_is_a_word_of_the_language() {
        let names = OTHERS.into_iter().chain(Plain::ALL.iter().map(|row| row.1));
        for name in names {
            assert_eq!(crate::keyword::Keyword::find(name.as_bytes()), Some(OtherProtocol), "{name}");
        }
    }
}
