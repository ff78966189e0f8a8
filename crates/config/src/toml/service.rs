//! `[service.NAME]`.

use std::collections::HashMap;

use ::toml::de::DeValue;

use super::program::{KINDS, kind_hint};
use super::reader::{self, Fields, Item, Reader};
use super::settings::ON_REBOOT;
use super::{content, mask};
use crate::{
    Branch, Condition, Dialect, Found, Kind, Link, Mode, Pattern, Prerequisite, Rule, Service, Then, depends,
};

impl Reader<'_> {
    /// All services in the order written, and the system if it is not among them.
    pub(super) fn services(&mut self, item: Option<Item<'_>>) -> Vec<Service> {
        let mut services = Vec::new();
        let mut seen: HashMap<String, (String, u32)> = HashMap::new();
        let entries = match &item {
            Some(Item { value: DeValue::Table(table), .. }) => reader::entries(table),
            Some(item) => {
                let help = "each service is a table with its name: [service.httpd]";
                self.wrong(item, "a table of services", help);
                Vec::new()
            }
            None => Vec::new(),
        };
        let mut system: Option<u32> = None;
        for (span, entry) in entries {
            let line = self.place(span.clone()).line;
            if let Some((other, before)) = seen.insert(entry.key.to_lowercase(), (entry.key.to_owned(), line))
            {
                self.error(
                    span.clone(),
                    format!("`{}` and `{other}` in line {before} are the same name", entry.key),
                    "capital and small letters make no difference; give one of them another name",
                );
            }
            let Some(service) = self.service(span.clone(), &entry) else { continue };
            if service.kind == Kind::System {
                if let Some(before) = system {
                    let message = format!("there is a second system; the first is in line {before}");
                    self.error(span, message, "there is one machine: put all its checks into one service");
                }
                system = Some(line);
            }
            services.push(service);
        }
        if system.is_none() {
            let host = self.around.host_name();
            if let Some((name, line)) = seen.get(&host.to_lowercase()) {
                let place = services.iter().find(|s| s.name == *name).map(|s| s.place.span.clone());
                self.missing(
                    place.unwrap_or(0..0),
                    format!("`{name}` in line {line} is the name of this host, which the system has already"),
                    "give the service another name, or the system: [service.NAME] with system = true",
                );
            }
            services.push(Service {
                patience: self.patience,
                on_reboot: self.on_reboot,
                ..Service::system(&host)
            });
        }
        for mistake in depends::check(services.iter(), |name| seen.contains_key(name), Dialect::Toml) {
            self.note(mistake);
        }
        services
    }

    /// One service; `None` if it is not even clear what it is.
    fn service(&mut self, span: std::ops::Range<usize>, item: &Item<'_>) -> Option<Service> {
        let name = item.key;
        if name.trim().is_empty() || name.starts_with('/') || name.chars().any(char::is_control) {
            self.error(
                span.clone(),
                format!("\"{}\" cannot be the name of a service", name.escape_debug()),
                "a name is not empty, does not begin with `/` and is in one line",
            );
        } else if let Some(why) = Service::collision(name) {
            self.error(
                span.clone(),
                format!("`{name}` cannot be the name of a service: {why}"),
                "give it another name",
            );
        }
        let DeValue::Table(table) = item.value else {
            let help =
                format!("write a table: [service.{name}] and below it pidfile = \"/var/run/{name}.pid\"");
            self.error(
                item.span.clone(),
                format!("the service `{name}` must be a table, not {}", reader::type_name(item.value)),
                help,
            );
            return None;
        };
        let mut fields = Fields::new(format!("[service.{name}]"), table, span.clone());
        let kind = self.kind(&mut fields);
        let mut service = Service::new(name, kind.clone().unwrap_or(Kind::System));
        service.place = self.place(span.clone());
        let kept = match service.kind {
            Kind::Program { .. } => self.defaults.program_output,
            Kind::File { .. } => self.defaults.file_content,
            _ => u64::from(service.buffer),
        };
        service.buffer = u32::try_from(kept).unwrap_or(u32::MAX);
        let [start, stop, restart] = ["start", "stop", "restart"].map(|key| fields.take(key));
        service.start = start.and_then(|item| self.program(&item));
        service.stop = stop.as_ref().and_then(|item| self.program(item));
        service.kill_after =
            stop.and_then(|item| self.kill_after(&item, service.stop.as_ref(), kind.as_ref()));
        service.restart = restart.and_then(|item| self.program(&item));
        service.patience = match fields.take("patience") {
            Some(item) => self.patience(&item, format!("[service.{name}.patience]"), self.patience),
            None => self.patience,
        };
        self.turns(&mut fields, &mut service);
        self.period = service.period(self.every);
        if let Some(item) = fields.take("mode") {
            service.mode =
                self.word(&item, &[("active", Mode::Active), ("passive", Mode::Passive)]).unwrap_or_default();
        }
        service.on_reboot = self.on_reboot;
        if let Some(item) = fields.take("on-reboot") {
            service.on_reboot = self.word(&item, &ON_REBOOT).unwrap_or_default();
        }
        if let Some(item) = fields.take("alerts") {
            service.alerts = item.list().iter().filter_map(|item| self.recipient(item)).collect();
        }
        if let Some(item) = fields.take("groups") {
            for group in item.list() {
                let Some(name) = self.text(&group, "names of groups", "[\"www\", \"front\"]") else {
                    continue;
                };
                if name.contains(char::is_control) {
                    let message = format!("\"{}\" cannot be the name of a group", name.escape_debug());
                    self.error(
                        group.span.clone(),
                        message,
                        "a name is in one line, and has no control characters",
                    );
                }
                service.groups.push(name.to_owned());
            }
        }
        if let Some(item) = fields.take("depends-on") {
            for wanted in item.list() {
                let name = self.text(&wanted, "names of services", "[\"db\", \"data\"]").map(str::to_owned);
                let place = self.place(wanted.span.clone());
                service.depends_on.extend(name.map(|name| Prerequisite { name, place }));
            }
        }
        let missing = fields.take("missing");
        let implied = missing.is_none();
        self.existence(&mut service, kind.as_ref(), missing);
        self.output_limit(&mut service, table);
        self.lines(&mut fields, &mut service, kind.as_ref());
        let checks = fields.take("check");
        self.close(fields);

        let written = checks.is_some();
        let mut rules = Vec::new();
        for check in checks.iter().flat_map(Item::list) {
            let example = format!("write [[service.{name}.check]] and below it when = \"cpu > 80%\"");
            if let Some(fields) = self.fields(&check, "this check", &example) {
                rules.extend(self.check(fields, kind.as_ref()));
            }
        }
        if implied && rules.iter().any(Rule::is_existence) {
            service.rules.retain(|rule| !rule.is_existence());
        }
        if rules.iter().any(|rule| rule.when == Condition::WrongType) {
            service.rules.retain(|rule| rule.when != Condition::WrongType);
        }
        service.rules.append(&mut rules);
        content::number(&mut service);
        if let Some(Kind::Program { speech, .. }) = kind {
            // What is written is judged first, and that it can be run at all before that.
            if self.must_succeed(table) && !service.rules.iter().any(Rule::is_of_an_end) {
                service.rules.insert(0, Rule::succeeds(speech));
            }
            service.rules.push(Rule::runnable());
        }
        service.rules.shrink_to_fit();
        if matches!(kind, Some(Kind::Host { .. })) && !written {
            let help = format!("add [[service.{name}.check]] with `http`, `tcp` or `url`");
            self.missing(span, format!("nothing is tested of the host `{name}`"), help);
        }
        kind.is_some().then_some(service)
    }

    /// What it is: by the one key that says so.
    fn kind(&mut self, fields: &mut Fields<'_>) -> Option<Kind> {
        let mut given: Vec<Item<'_>> = KINDS.into_iter().filter_map(|key| fields.take(key)).collect();
        let options = fields.take("options");
        let is_probe = given.iter().any(|item| item.key == "probe");
        if let (Some(options), false) = (&options, is_probe) {
            let help = "take it out; it goes with `probe`, which names a registered kind";
            self.error(options.span.clone(), "`options` are only for registered kinds", help);
        }
        if let [first, second, ..] = &given[..] {
            let message = format!("{} cannot have both `{}` and `{}`", fields.what, first.key, second.key);
            let help = "each says what the service is; split it into two services";
            self.error(second.span.clone(), message, help);
        }
        if given.is_empty() {
            let message = format!("{} does not say what it is", fields.what);
            // A misspelt key is told where it stands; the hint is the same.
            if kind_hint(fields.table()).is_none() {
                let help = "it needs one of pidfile = \"…\", matching = \"…\", file = \"…\", directory = \"…\", fifo = \"…\", filesystem = \"…\", program = \"…\", network = \"…\", host = \"…\", system = true or probe = \"…\"";
                self.missing(fields.span.clone(), message, help);
            }
            return None;
        }
        let item = given.swap_remove(0);
        match item.key {
            "pidfile" => self.path(&item).map(Kind::pidfile),
            "matching" => {
                let example = "\"^/usr/sbin/nginx\"";
                let text =
                    self.text(&item, "a pattern that the command line of the process matches", example)?;
                let pattern = self.regex(&item, text)?;
                Some(Kind::Process { found: Found::Matching(pattern) })
            }
            "file" => self.node(&item, "a file", "\"/var/log/syslog\"").map(|path| Kind::File { path }),
            "directory" => {
                self.node(&item, "a directory", "\"/var/spool/mail\"").map(|path| Kind::Directory { path })
            }
            "fifo" => self.node(&item, "a named pipe", "\"/run/initctl\"").map(|path| Kind::Fifo { path }),
            "program" => self.probing(&item),
            "network" => {
                let text = self.text(&item, "an interface or an address that it has", "\"eth0\"")?;
                Some(Kind::Network {
                    link: match text.parse() {
                        Ok(address) => Link::Address(address),
                        Err(_) => Link::Interface(text.to_owned()),
                    },
                })
            }
            "filesystem" => match item.value {
                DeValue::Table(table) => {
                    let mut fields = Fields::new("`filesystem`", table, item.span.clone());
                    let holds = fields.take("holding");
                    let unknown = fields.table().keys().any(|key| key.get_ref() != "holding");
                    self.close(fields);
                    let Some(holds) = holds else {
                        if unknown {
                            return None;
                        }
                        let help = "write filesystem = \"/data\" for a mount point or a device, or { holding = \"/any/path\" }";
                        self.error(item.span.clone(), "`filesystem` says nothing", help);
                        return None;
                    };
                    let path = self.node(&holds, "something on the file system", "\"/var/lib/mysql\"")?;
                    Some(Kind::Filesystem { path, holds: true })
                }
                _ => self.source(&item).map(Kind::filesystem),
            },
            "host" => {
                let text = self.text(&item, "the name or address of a host", "\"www.example.com\"")?;
                if text.contains("://") || text.contains(char::is_whitespace) || text.contains('/') {
                    let help = "write the name or address alone; addresses of pages go into a check: http = \"http://…\"";
                    self.error(
                        item.span.clone(),
                        format!("\"{}\" is not the name of a host", mask::secrets(text)),
                        help,
                    );
                    return None;
                }
                Some(Kind::Host { address: text.to_owned() })
            }
            "system" => match self.flag(&item)? {
                true => Some(Kind::System),
                false => {
                    let help = "take it out, and write pidfile, file, filesystem, host or probe";
                    self.error(item.span.clone(), "`system = false` does not say what the service is", help);
                    None
                }
            },
            _ => {
                fields.hint = "; options of a registered kind stand in options = { … }";
                let options = self.options(options);
                let probe = self.text(&item, "the name of a registered kind", "\"queue\"")?;
                Some(Kind::Custom { probe: probe.to_owned(), options })
            }
        }
    }

    /// The path of something that stands in a directory.
    fn node(&mut self, item: &Item<'_>, what: &str, example: &str) -> Option<std::path::PathBuf> {
        let text = self.text(item, &format!("the path of {what}"), example)?;
        self.whole_path(item, text)?;
        self.resolved(item, text)
    }

    /// A regular expression.
    pub(super) fn regex(&mut self, item: &Item<'_>, text: &str) -> Option<Pattern> {
        match Pattern::new(text) {
            Ok(pattern) if !text.is_empty() => Some(pattern),
            Ok(_) => {
                self.error(
                    item.span.clone(),
                    "an empty pattern matches everything",
                    "write what is to match",
                );
                None
            }
            Err(why) => {
                let help = "patterns are regular expressions; a backslash is written twice in \"…\", and once in '…'";
                self.error(item.span.clone(), format!("`{text}` is no pattern: {why}"), help);
                None
            }
        }
    }

    /// The rule about existence: as written, or the one that follows from the kind. What stands in place of a file is
    /// dealt with in the same way.
    fn existence(&mut self, service: &mut Service, kind: Option<&Kind>, missing: Option<Item<'_>>) {
        let missing = match missing {
            Some(item) if matches!(kind, Some(Kind::Host { .. } | Kind::System | Kind::Program { .. })) => {
                let message =
                    "`missing` means nothing here: neither hosts nor programs nor the system can be missing";
                self.error(
                    item.span.clone(),
                    message,
                    "take it out; to learn that a host does not answer, add a check",
                );
                return;
            }
            missing => missing,
        };
        let repair = match kind {
            Some(Kind::Process { .. }) => true,
            Some(
                Kind::File { .. }
                | Kind::Directory { .. }
                | Kind::Fifo { .. }
                | Kind::Filesystem { .. }
                | Kind::Network { .. }
                | Kind::Custom { .. },
            ) => service.start.is_some() || service.restart.is_some(),
            _ if missing.is_none() => return,
            _ => false,
        };
        let active = service.mode == Mode::Active;
        let usual = if repair && active { Then::Restart } else { Then::Alert };
        let Some((fail, ok)) = self.gone(missing.as_ref(), usual) else { return };
        let place = missing.map(|item| self.place(item.span)).unwrap_or_default();
        let existence = Rule { fail, ok, place, ..Rule::existence() };
        let wrong_type = matches!(kind, Some(Kind::File { .. } | Kind::Directory { .. } | Kind::Fifo { .. }))
            .then(|| Rule { when: Condition::WrongType, ..existence.clone() });
        service.rules.push(existence);
        service.rules.extend(wrong_type);
    }

    /// What `missing` says: what to do, or a table with the keys that a check has for that.
    fn gone(&mut self, missing: Option<&Item<'_>>, usual: Then) -> Option<(Branch, Branch)> {
        let told = Branch::once(Then::Alert);
        let Some(item) = missing else { return Some((Branch::once(usual), told)) };
        match item.value {
            DeValue::Table(table) if !table.contains_key("exec") && !table.contains_key("run") => {
                let mut fields = Fields::new("`missing`", table, item.span.clone());
                fields.hint = "; a program is { exec = \"…\" }";
                let (then, lasts) = (fields.take("then"), fields.take("for"));
                let (other, back) = (fields.take("else"), fields.take("else-for"));
                self.close(fields);
                let silent = then.is_none();
                let fail = self.branch(then, lasts);
                let ok = self.branch(other, back);
                let fail = fail?;
                Some((if silent { Branch { then: usual, ..fail } } else { fail }, ok?))
            }
            _ => {
                let fail = self.branch(Some(item.clone()), None)?;
                Some((fail, told))
            }
        }
    }
}
