//! `[web]` and `[[collector]]`.

use hinoban_config::{Allow, Collector, Config, Entries, Listen, PasswordFile, Web};

use super::notes::{Note, Notes, What};
use super::sheet::Sheet;
use super::{connection, settings, text, tls};
use crate::keyword::Keyword;

/// Writes `[web]`.
pub(super) fn web(sheet: &mut Sheet, config: &Config) {
    let web = &config.web;
    if *web == Web::default() {
        return;
    }
    let note = settings::note(sheet, &[Keyword::Httpd]);
    settings::table(sheet, note, "web");
    let mut note = Note::default();
    for keyword in [Keyword::Port, Keyword::Address, Keyword::UnixSocket] {
        note = note.and(sheet.notes.take_settings(|what| what == What::Httpd(keyword)));
    }
    let sockets = web.listen.iter().map(|socket| (std::mem::take(&mut note), listen(socket, &sheet.notes)));
    let sockets = sockets.collect();
    sheet.list(0, "listen", sockets);
    if web.anonymous {
        sheet.entry(0, Note::default(), "signature", "false");
    }
    if let Some(options) = &web.tls {
        sheet.entry(0, Note::default(), "tls", &text::table(&tls::entries(options)));
    }
    let (mut hosts, mut users, mut files, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for allow in &web.allow {
        let note = sheet.notes.take_next(What::Httpd(Keyword::Allow));
        match allow {
            Allow::Host(host) => hosts.push((note, text::string(host))),
            Allow::User(user) => {
                let mut entries = vec![
                    ("name", text::string(&user.name)),
                    ("password", text::string(user.password.reveal())),
                ];
                entries.extend(read_only(user.read_only));
                users.push((note, text::table(&entries)));
            }
            Allow::File(file) => files.push((note, password_file(file))),
            Allow::Group { name, read_only: only } => {
                let mut entries = vec![("name", text::string(name))];
                entries.extend(read_only(*only));
                groups.push((note, alone_or_table(&entries)));
            }
        }
    }
    for (key, items) in [("allow", hosts), ("users", users), ("user-files", files), ("groups", groups)] {
        sheet.list(0, key, items);
    }
}

/// The value of the one entry there is, or a table of all.
fn alone_or_table(entries: &[(&str, String)]) -> String {
    match entries {
        [(_, value)] => value.clone(),
        entries => text::table(entries),
    }
}

fn read_only(only: bool) -> Option<(&'static str, String)> {
    only.then(|| ("read-only", "true".to_owned()))
}

fn listen(listen: &Listen, notes: &Notes) -> String {
    let mut entries = Vec::new();
    match listen {
        Listen::Tcp { address, port, read_only: only } => {
            let host = match address {
                Some(address) if address.contains(':') => format!("[{address}]"),
                Some(address) => address.clone(),
                None => String::new(),
            };
            entries.push(("at", text::string(&format!("{host}:{port}"))));
            entries.extend(read_only(*only));
        }
        Listen::Unix { path, read_only: only, permission, uid, gid } => {
            entries.push(("at", text::string(&format!("unix:{}", path.display()))));
            entries.extend(read_only(*only));
            entries.extend(permission.map(|bits| ("permission", format!("\"{bits:04o}\""))));
            entries.extend(uid.map(|uid| ("user", text::string(&notes.user(uid)))));
            entries.extend(gid.map(|gid| ("group", text::string(&notes.group(gid)))));
        }
    }
    alone_or_table(&entries)
}

fn password_file(file: &PasswordFile) -> String {
    let mut entries = vec![("file", text::string(&file.path.to_string_lossy()))];
    match file.entries {
        Entries::Cleartext => {}
        Entries::Md5 => entries.push(("entries", "\"md5\"".to_owned())),
        Entries::Crypt => entries.push(("entries", "\"crypt\"".to_owned())),
    }
    if !file.only.is_empty() {
        let names: Vec<String> = file.only.iter().map(|name| text::string(name)).collect();
        entries.push(("only", text::list(&names)));
    }
    entries.extend(read_only(file.read_only));
    alone_or_table(&entries)
}

/// Writes the M/Monit servers.
pub(super) fn collectors(sheet: &mut Sheet, config: &Config) {
    let mut note = settings::note(sheet, &[Keyword::Mmonit]);
    let mut register = Some(config.register_credentials);
    for Collector { url, timeout, tls: options, groups } in &config.collectors {
        sheet.gap();
        sheet.line(0, std::mem::take(&mut note), "[[mmonit]]");
        let (url, login) = connection::login_apart(url.reveal());
        sheet.entry(0, Note::default(), "url", &text::string(&url));
        if let Some((user, password)) = login {
            sheet.entry(0, Note::default(), "user", &text::string(user));
            sheet.entry(0, Note::default(), "password", &text::string(password.unwrap_or_default()));
        }
        if *timeout != config.limits.network {
            sheet.entry(0, Note::default(), "timeout", &text::duration(*timeout));
        }
        if let Some(options) = options {
            sheet.entry(0, Note::default(), "tls", &text::table(&tls::entries(options)));
        }
        let groups: Vec<String> = groups.iter().map(|group| text::string(group)).collect();
        if !groups.is_empty() {
            sheet.entry(0, Note::default(), "groups", &text::one_or_many(&groups));
        }
        if let Some(false) = register.take() {
            sheet.entry(0, Note::default(), "register", "false");
        }
    }
}
