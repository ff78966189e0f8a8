//! `allow …` of `set httpd`: who may use the pages.

use hinoban_config::{Allow as Allowed, Entries, Mistake, PasswordFile, Secret as Hidden, User};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Token};

impl Parser<'_> {
    /// `allow` and whom: what kind of token comes next tells which.
    pub(super) fn allow(&mut self) -> Parse<()> {
        self.take();
        let entries = match self.key() {
            Some(ClearText) => Some(Entries::Cleartext),
            Some(Md5) => Some(Entries::Md5),
            Some(Crypt) => Some(Entries::Crypt),
            _ => None,
        };
        if entries.is_some() {
            self.take();
        }
        match self.token.kind {
            Kind::Path => return self.allow_file(entries.unwrap_or_default()),
            _ if entries.is_some() => return self.unexpected(&["the path of a file of passwords"]),
            Kind::At => return self.allow_group(),
            _ => {}
        }
        let token = self.token.clone();
        let who = self.string("a host, a network, a user, a file of passwords or @group")?;
        if self.token.kind != Kind::Colon {
            return self.allow_host(who, &token);
        }
        self.take();
        let password = self.string("a password")?;
        let read_only = self.eat(ReadOnly);
        if self.token.is_string() && !self.token.fresh {
            return self.refuse("a password with a blank in it goes into quotes: allow user:\"my password\"");
        }
        if !self.allowed_already(&who, &token) {
            let user = User { name: who, password: Hidden::new(password), read_only };
            self.config.web.allow.push(Allowed::User(user));
        }
        Ok(())
    }

    /// A group of the host, behind the `@` that comes next.
    fn allow_group(&mut self) -> Parse<()> {
        self.take();
        let token = self.token.clone();
        let name = self.string("the name of a group")?;
        let read_only = self.eat(ReadOnly);
        let twice = |allow: &Allowed| matches!(allow, Allowed::Group { name: known, .. } if *known == name);
        if self.config.web.allow.iter().any(twice) {
            let mistake =
                Mistake::warning(self.place(&token), "this group is allowed already; the entry is ignored");
            self.note(mistake.word(name).help("the first 'allow' of a group counts; take the other away"));
        } else {
            self.config.web.allow.push(Allowed::Group { name, read_only });
        }
        Ok(())
    }

    /// A file of passwords, whose path is next, and which users of it.
    fn allow_file(&mut self, entries: Entries) -> Parse<()> {
        let token = self.token.clone();
        let path = self.path("the path of a file of passwords")?;
        let found = match self.around.read(&path) {
            Ok(text) => Some(PasswordFile::entries_of(&text, entries)),
            Err(why) => {
                let mistake = Mistake::error(
                    self.place(&token),
                    format!("Cannot read htpasswd ({}): {why}", path.display()),
                );
                self.note(
                    mistake
                        .word(path.display().to_string())
                        .help("create it, correct its path, or make it readable"),
                );
                None
            }
        };
        let mut file = PasswordFile { path, entries, only: Vec::new(), read_only: false, users: Vec::new() };
        if self.token.is_string() {
            while self.token.is_string() {
                let token = self.take();
                let name = self.text(&token).to_owned();
                let mut all = found.iter().flatten();
                match all.find(|(user, _)| *user == name) {
                    Some(entry) if !self.allowed_already(&name, &token) => file.users.push(entry.clone()),
                    Some(_) => {}
                    None if found.is_none() => {}
                    None => {
                        let mistake =
                            Mistake::warning(self.place(&token), "the file of passwords has no such user");
                        self.note(
                            mistake.word(name.clone()).help("add him to the file, or take him out here"),
                        );
                    }
                }
                file.only.push(name);
            }
        } else {
            if found.as_ref().is_some_and(Vec::is_empty) {
                let mistake = Mistake::warning(self.place(&token), "the file of passwords holds no user");
                let word = file.path.display().to_string();
                self.note(mistake.word(word).help("nobody can log in by it; its lines are USER:PASSWORD"));
            }
            for (name, password) in found.into_iter().flatten() {
                if !self.allowed_already(&name, &token) && file.users.iter().all(|(known, _)| *known != name)
                {
                    file.users.push((name, password));
                }
            }
        }
        self.config.web.allow.push(Allowed::File(file));
        Ok(())
    }

    /// Whether somebody of this name may log in already: then the first one counts, and that is said.
    fn allowed_already(&mut self, name: &str, token: &Token) -> bool {
        let known = self.config.web.allow.iter().any(|allow| match allow {
            Allowed::User(user) => user.name.eq_ignore_ascii_case(name),
            Allowed::File(file) => file.users.iter().any(|(user, _)| user.eq_ignore_ascii_case(name)),
            Allowed::Host(_) | Allowed::Group { .. } => false,
        });
        if known {
            let message = format!("Credentials for user {name} were already added, entry ignored");
            let mistake = Mistake::warning(self.place(token), message);
            self.note(mistake.help("the first 'allow' of a user counts; take the other away"));
        }
        known
    }
}
