//! `[web]`: where the pages are served, and to whom.

use ::toml::de::DeValue;

use super::address;
use super::reader::{Fields, Item, Reader};
use crate::{Allow, Config, Listen, User};

const EXAMPLE: &str = "users = [{ name = \"admin\", password = { file = \"…\" } }]";

impl Reader<'_> {
    pub(super) fn web(&mut self, item: &Item<'_>, config: &mut Config) {
        const HELP: &str = "write [web] and below it listen = \"127.0.0.1:2812\"";
        let Some(mut fields) = self.fields(item, "[web]", HELP) else { return };
        let listen = fields.take("listen");
        for socket in listen.iter().flat_map(Item::list) {
            config.web.listen.extend(self.listen(&socket));
        }
        let allow = fields.take("allow");
        for host in allow.iter().flat_map(Item::list) {
            config.web.allow.extend(self.allowed(&host));
        }
        let users = fields.take("users");
        let mut names: Vec<String> = Vec::new();
        for entry in users.iter().flat_map(Item::list) {
            let Some(user) = self.web_user(&entry) else { continue };
            // Log-in takes upper and lower case for the same.
            if let Some(other) = names.iter().find(|name| name.to_lowercase() == user.name.to_lowercase()) {
                let message = match *other == user.name {
                    true => format!("there are two users called `{other}`"),
                    false => format!(
                        "the users `{other}` and `{}` are the same: case makes no difference",
                        user.name
                    ),
                };
                self.error(entry.span, message, "only one of the passwords would count; take one out");
            }
            names.push(user.name.clone());
            config.web.allow.push(Allow::User(user));
        }
        let (files, groups) = (fields.take("user-files"), fields.take("groups"));
        for entry in files.iter().flat_map(Item::list) {
            let Some(mut file) = self.password_file(&entry) else { continue };
            // Whoever was named before has his password already.
            file.users.retain(|(user, _)| !names.iter().any(|name| name.eq_ignore_ascii_case(user)));
            names.extend(file.users.iter().map(|(user, _)| user.clone()));
            config.web.allow.push(Allow::File(file));
        }
        for entry in groups.iter().flat_map(Item::list) {
            config.web.allow.extend(self.web_group(&entry));
        }
        if let Some(item) = fields.take("signature") {
            config.web.anonymous = !self.flag(&item).unwrap_or(true);
        }
        if let Some(item) = fields.take("tls") {
            config.web.tls = self.web_tls(&item);
        }
        let open = config.web.listen.iter().any(|l| matches!(l, Listen::Tcp { .. }));
        // A user or host with a mistake in it is told of where it stands, and is somebody all the same.
        let none = |item: &Option<Item<'_>>| item.iter().flat_map(Item::list).next().is_none();
        let somebody = |item| !none(item);
        let known = [&users, &files, &groups].into_iter().any(somebody);
        let nobody = none(&allow) && !known;
        if let (Some(listen), true, true) = (&listen, open, nobody) {
            let message = "nothing will listen there: nobody is allowed to connect";
            self.warning(listen.span.clone(), message, EXAMPLE);
        }
        if let (Some(listen), false, Some(message)) = (&listen, known, config.web.open_to_others()) {
            let help =
                format!("add a user: {EXAMPLE}; or let others only look: {{ at = \"…\", read-only = true }}");
            self.warning(listen.span.clone(), message, help);
        }
        self.close(fields);
    }

    fn listen(&mut self, item: &Item<'_>) -> Option<Listen> {
        const EXPECTED: &str = "an address with a port, or a unix socket";
        const EXAMPLE: &str = "\"127.0.0.1:2812\"";
        if let DeValue::Integer(port) = item.value {
            let help =
                format!("write listen = \"127.0.0.1:{port}\", or listen = \":{port}\" for all addresses");
            self.wrong(item, EXPECTED, help);
            return None;
        }
        let DeValue::Table(table) = item.value else {
            let text = self.text(item, EXPECTED, EXAMPLE)?;
            return self.socket(item, text);
        };
        let mut fields = Fields::new("this socket", table, item.span.clone());
        let at = fields.take("at");
        let flag = fields.take("read-only").map(|item| self.flag(&item)).unwrap_or(Some(false));
        let only_unix: Vec<Item<'_>> =
            ["permission", "user", "group"].into_iter().filter_map(|key| fields.take(key)).collect();
        self.close(fields);
        let Some(at) = at else {
            let help = "{ at = \"127.0.0.1:2812\", read-only = true }";
            self.missing(item.span.clone(), "this socket does not say where it is: `at` is missing", help);
            return None;
        };
        let text = self.text(&at, EXPECTED, EXAMPLE)?;
        let mut socket = self.socket(&at, text)?;
        match &mut socket {
            Listen::Tcp { read_only, .. } => {
                *read_only = flag?;
                for item in only_unix {
                    let message = format!("`{}` means nothing for a TCP port", item.key);
                    self.error(
                        item.span,
                        message,
                        "take it out; only unix sockets have owner and permissions",
                    );
                }
            }
            Listen::Unix { read_only, permission, uid, gid, .. } => {
                *read_only = flag?;
                for item in &only_unix {
                    match item.key {
                        "permission" => *permission = self.mode_bits(item),
                        "user" => *uid = self.user_id(item),
                        _ => *gid = self.group_id(item),
                    }
                }
            }
        }
        Some(socket)
    }

    fn socket(&mut self, item: &Item<'_>, text: &str) -> Option<Listen> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                let help = "for example: listen = \"unix:/run/hinoban.sock\"";
                self.error(item.span.clone(), "this unix socket has no path", help);
                return None;
            }
            let path = self.resolved(item, path)?;
            return Some(Listen::Unix { path, read_only: false, permission: None, uid: None, gid: None });
        }
        let (why, help) = match address::host_port(text) {
            Ok((host, Some(port))) => {
                let address = (!matches!(host, "" | "*")).then(|| host.to_owned());
                return Some(Listen::Tcp { address, port, read_only: false });
            }
            Ok((host, None)) if host.starts_with('/') => {
                (String::new(), format!("for a unix socket: \"unix:{text}\""))
            }
            Ok((host, None)) if host.parse::<u16>().is_ok() => {
                (String::new(), format!("write \"127.0.0.1:{host}\", or \":{host}\" for all addresses"))
            }
            Ok(_) => (": a port is missing".to_owned(), format!("write \"{text}:2812\"")),
            Err(_) if text.starts_with('/') => (String::new(), format!("for a unix socket: \"unix:{text}\"")),
            Err(why) => (format!(": {why}"), format!("for example: listen = {}", "\"127.0.0.1:2812\"")),
        };
        self.error(item.span.clone(), format!("\"{text}\" is no place to listen at{why}"), help);
        None
    }

    fn mode_bits(&mut self, item: &Item<'_>) -> Option<u32> {
        let text = self.text(item, "permissions in octal", "\"0660\"")?;
        match u32::from_str_radix(text.trim_start_matches("0o"), 8) {
            Ok(bits) if bits <= 0o7777 => Some(bits),
            _ => {
                let help = "permissions are octal digits as in chmod(1): \"0660\"";
                self.error(item.span.clone(), format!("\"{text}\" are no permissions"), help);
                None
            }
        }
    }

    fn allowed(&mut self, item: &Item<'_>) -> Option<Allow> {
        let text = self.text(item, "hosts and networks", "[\"127.0.0.1\", \"10.0.0.0/8\"]")?;
        match address::network(text) {
            Ok(true) => {}
            Err(why) => {
                let help = "networks are written \"10.0.0.0/8\" or \"10.0.0.0/255.0.0.0\"";
                self.error(item.span.clone(), format!("\"{text}\" is no network: {why}"), help);
                return None;
            }
            Ok(false) if text.contains([':', '@', ' ', '=', '"']) => {
                // Monit writes NAME:PASSWORD here.
                self.hide(item);
                let help = "users have a list of their own: users = [{ name = \"admin\", password = { file = \"…\" } }]";
                self.error(
                    item.span.clone(),
                    "`allow` holds something that is neither a host nor a network",
                    help,
                );
                return None;
            }
            Ok(false) => {
                if !self.around.resolves(text) {
                    let help = "correct the name; until it resolves nobody can connect from there";
                    self.warning(item.span.clone(), format!("`{text}` has no address"), help);
                }
            }
        }
        Some(Allow::Host(text.to_owned()))
    }

    fn web_user(&mut self, item: &Item<'_>) -> Option<User> {
        let mut fields = match item.value {
            DeValue::Table(table) => Fields::new("a user", table, item.span.clone()),
            _ => {
                self.wrong(item, "a list of tables", EXAMPLE);
                return None;
            }
        };
        let (name, password) = (fields.take("name"), fields.take("password"));
        let read_only = fields.take("read-only").map(|item| self.flag(&item)).unwrap_or(Some(false));
        self.close(fields);
        for (given, key) in [(&name, "name"), (&password, "password")] {
            if given.is_none() {
                self.missing(item.span.clone(), format!("this user has no `{key}`"), EXAMPLE);
            }
        }
        let name = name.and_then(|item| self.web_name(&item));
        let password = password.and_then(|item| self.secret(&item));
        Some(User { name: name?, password: password?, read_only: read_only? })
    }

    /// A name that can be sent as HTTP sends it, before a colon (RFC 7617, section 2).
    fn web_name(&mut self, item: &Item<'_>) -> Option<String> {
        let name = self.text(item, "the name of a user", "\"admin\"")?;
        if name.contains(':') || name.contains(char::is_control) {
            let help = "browsers send name and password joined by a colon; leave it out";
            self.error(item.span.clone(), "the name of a user cannot hold a colon", help);
            return None;
        }
        Some(name.to_owned())
    }
}
