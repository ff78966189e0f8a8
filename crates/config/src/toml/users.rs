//! `[web]`: files of passwords, groups of the host, and what encrypts the pages.

use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader};
use crate::{Allow, Entries, PasswordFile, Tls};

const EXAMPLE: &str = "user-files = [{ file = \"/etc/hinoban/users\", only = [\"admin\"] }]";

impl Reader<'_> {
    /// A file of passwords: its path, or `{ file, entries, only, read-only }`.
    pub(super) fn password_file(&mut self, item: &Item<'_>) -> Option<PasswordFile> {
        let (path, span, entries, only, read_only) = match item.value {
            DeValue::Table(table) => {
                let mut fields = Fields::new("a file of passwords", table, item.span.clone());
                let words =
                    [("cleartext", Entries::Cleartext), ("md5", Entries::Md5), ("crypt", Entries::Crypt)];
                let entries = fields
                    .take("entries")
                    .map(|item| self.word(&item, &words))
                    .unwrap_or(Some(Entries::default()));
                let (file, only) = (fields.take("file"), fields.take("only"));
                let read_only = fields.take("read-only").map(|item| self.flag(&item)).unwrap_or(Some(false));
                self.close(fields);
                let Some(file) = file else {
                    self.missing(item.span.clone(), "this file of passwords has no `file`", EXAMPLE);
                    return None;
                };
                let names = only.iter().flat_map(Item::list);
                let only: Vec<_> = names
                    .filter_map(|item| {
                        let name = self.text(&item, "names of users", "[\"admin\"]")?.to_owned();
                        Some((name, item.span))
                    })
                    .collect();
                (self.path(&file)?, file.span, entries?, only, read_only?)
            }
            _ => (self.path(item)?, item.span.clone(), Entries::default(), Vec::new(), false),
        };
        let text = match self.around.read(&path) {
            Ok(text) => text,
            Err(why) => {
                let help = "its lines are USER:PASSWORD, and the user this runs as reads it";
                self.error(span, format!("{} cannot be read: {why}", path.display()), help);
                return None;
            }
        };
        let mut users = PasswordFile::entries_of(&text, entries);
        if users.is_empty() {
            let message = format!("{} holds no user", path.display());
            self.warning(span, message, "nobody can log in by it; its lines are USER:PASSWORD");
        }
        for (name, span) in &only {
            if !users.is_empty() && users.iter().all(|(user, _)| user != name) {
                let message = format!("{} has no user `{name}`", path.display());
                self.warning(span.clone(), message, "add him to the file, or take him out here");
            }
        }
        let only: Vec<String> = only.into_iter().map(|(name, _)| name).collect();
        users.retain(|(user, _)| only.is_empty() || only.contains(user));
        Some(PasswordFile { path, entries, only, read_only, users })
    }

    /// A group of the host: its name, or `{ name, read-only }`.
    pub(super) fn web_group(&mut self, item: &Item<'_>) -> Option<Allow> {
        let DeValue::Table(table) = item.value else {
            let name = self.text(item, "names of groups of this host", "[\"adm\"]")?;
            return Some(Allow::Group { name: name.to_owned(), read_only: false });
        };
        let mut fields = Fields::new("a group", table, item.span.clone());
        let name = fields.take("name");
        let read_only = fields.take("read-only").map(|item| self.flag(&item)).unwrap_or(Some(false));
        self.close(fields);
        let Some(name) = name else {
            let help = "groups = [{ name = \"adm\", read-only = true }]";
            self.missing(item.span.clone(), "this group has no `name`", help);
            return None;
        };
        let name = self.text(&name, "the name of a group", "\"adm\"")?.to_owned();
        Some(Allow::Group { name, read_only: read_only? })
    }

    /// `tls` of `[web]`: it needs a certificate and its key. With a mistake in it the pages are as closed as with it.
    pub(super) fn web_tls(&mut self, item: &Item<'_>) -> Option<Tls> {
        let tls = self.tls_table(item).unwrap_or_default();
        let pair = tls.pem_chain.is_some() && tls.pem_key.is_some();
        let help = "tls = { pem = \"/etc/ssl/private/hinoban.pem\" }, or pem-chain and pem-key";
        if tls.pem.is_none() && !pair {
            self.missing(item.span.clone(), "these pages have no certificate", help);
        } else if tls.pem.is_some() && (tls.pem_chain.is_some() || tls.pem_key.is_some()) {
            self.error(item.span.clone(), "these pages have two certificates", help);
        }
        Some(tls)
    }
}
