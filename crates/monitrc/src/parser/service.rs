//! `check …` and the options of a service.

use hinoban_config::{
    Condition, Found, Kind as Type, Link, MONIT_BUFFER, Mistake, Mode as Repair, Pattern, Prerequisite, Rule,
    Service, Speech,
};

use super::{Parse, Parser, Wrong};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Subject, Token, Value};

/// A service that options and rules are being added to.
pub(super) struct Draft {
    pub(super) service: Service,
    /// What was written after `check`.
    pub(super) subject: Subject,
    /// Whether a rule was tried, understood or not.
    pub(super) tested: bool,
    /// How many patterns its rules about content have.
    pub(super) contents: usize,
    /// Whether its head was wrong, and its options are read only to find the mistakes in them.
    pub(super) discarded: bool,
}

impl Parser<'_> {
    /// A `check` statement, which is the next token. After one of a supported type a service is open, if only to be
    /// thrown away.
    pub(super) fn check(&mut self, subject: Subject) -> Parse<()> {
        let check = self.take();
        let read = self.head(subject, check);
        let (service, discarded) = match read {
            Ok(service) => (service, false),
            Err(_) => (Service::new("", Type::System), true),
        };
        self.draft = Some(Draft { service, subject, tested: discarded, contents: 0, discarded });
        if discarded { Err(Wrong) } else { Ok(()) }
    }

    fn head(&mut self, subject: Subject, check: Token) -> Parse<Service> {
        let place = self.place(&check);
        if self.token.kind != Kind::Name {
            return self.unexpected(&["the name of the service"]);
        }
        let token = self.take();
        let mut name = self.text(&token).to_owned();
        if subject == Subject::System && name.contains("$HOST") {
            name = name.replace("$HOST", &self.around.host_name());
        }
        if token.start == check.end && !self.raw(&token).starts_with(['"', '\'']) {
            let typed = self.raw(&check).to_owned();
            let mistake = Mistake::warning(place.clone(), format!("this is '{typed}' and the name '{name}'"));
            self.advise(mistake.help("Monit reads it so, too; put a blank between them"));
        }
        // Known even if the rest of its head is wrong: others may depend on it.
        let fresh = self.names.insert(name.to_lowercase());
        let untyped = check.end - check.start == "check".len();
        let kind = match subject {
            Subject::Host => {
                self.need(Address, &["address"])?;
                Type::Host { address: self.string("a host name or address")? }
            }
            Subject::System => Type::System,
            Subject::File => {
                self.path_word()?;
                Type::File { path: self.path("a path that begins with /")? }
            }
            Subject::Directory => {
                self.path_word()?;
                Type::Directory { path: self.path("a path that begins with /")? }
            }
            Subject::Fifo => {
                self.path_word()?;
                Type::Fifo { path: self.path("a path that begins with /")? }
            }
            Subject::Filesystem => {
                self.path_word()?;
                Type::filesystem(self.source()?)
            }
            Subject::Network => Type::Network { link: self.link()? },
            Subject::Program => {
                self.path_word()?;
                let command = self.here();
                let program = self.program(self.captured.program)?;
                self.must_exist(&program.words[0], command);
                Type::Program { program, speech: Speech::Plain }
            }
            _ => match self.key() {
                Some(PidFile | Path) => {
                    self.take();
                    Type::pidfile(self.path("a path that begins with /")?)
                }
                Some(Match) => {
                    self.take();
                    Type::Process { found: Found::Matching(self.regex()?) }
                }
                _ if untyped && self.token.kind != Kind::End => return self.unknown_type(&name),
                _ => return self.unexpected(&["pidfile", "matching"]),
            },
        };
        let name_place = self.place(&token);
        if name.starts_with('/') {
            let mistake = Mistake::error(
                name_place.clone(),
                format!("Service name '{name}' must not start with '/' --"),
            )
            .word(name.clone());
            self.note(mistake.help("a name is no path; take the slash away"));
        }
        if let Some(why) = Service::collision(&name) {
            let mistake = Mistake::warning(name_place.clone(), format!("this name is hard to reach: {why}"));
            self.advise(mistake.word(name.clone()).help("give it another name"));
        }
        if !fresh {
            let mistake =
                Mistake::error(name_place, format!("Service name conflict, {name} already defined"));
            self.note(
                mistake.help("names are unique, upper and lower case being the same; rename one of the two"),
            );
        }
        let mut service = Service::new(name, kind);
        service.place = place;
        service.buffer = if subject == Subject::Program { self.captured.output } else { MONIT_BUFFER };
        service.on_reboot = self.captured.on_reboot;
        Ok(service)
    }

    /// `path`, behind the name of a file or a file system.
    fn path_word(&mut self) -> Parse<()> {
        if self.token.kind == Kind::Path {
            let help = format!("write 'with path' before it: with path {}", self.raw(&self.token));
            return self.refuse(help);
        }
        if self.at(PidFile) {
            return self.refuse("what is not a process is named by 'path'; a pidfile is of 'check process'");
        }
        self.need(Path, &["path"])
    }

    /// `interface NAME` or `address ADDRESS`.
    fn link(&mut self) -> Parse<Link> {
        if self.eat(Interface) {
            return Ok(Link::Interface(self.string("the name of an interface")?));
        }
        self.need(Address, &["interface", "address"])?;
        let place = self.here();
        let text = self.string("an address of this machine")?;
        match text.parse() {
            Ok(address) => Ok(Link::Address(address)),
            Err(_) => {
                let mistake = Mistake::error(place, "this is no address").word(text);
                self.note(
                    mistake.help("write an IPv4 or IPv6 address that this machine has, or 'interface eth0'"),
                );
                Err(Wrong)
            }
        }
    }

    /// A regular expression, in quotes or as a bare path.
    pub(super) fn regex(&mut self) -> Parse<Pattern> {
        if !self.token.is_string() && self.token.kind != Kind::Path {
            return self.unexpected(&["a regular expression in quotes"]);
        }
        let token = self.take();
        let text = self.text(&token).to_owned();
        match Pattern::posix(&text) {
            Ok(pattern) => Ok(pattern),
            Err(why) => {
                let mistake =
                    Mistake::error(self.place(&token), format!("Regex parsing error: {why}")).word(text);
                self.note(mistake.help("patterns are extended regular expressions of POSIX, as of grep -E"));
                Err(Wrong)
            }
        }
    }

    /// A mount point, a device, or what a file system was mounted from, which is no path if it is on another host.
    fn source(&mut self) -> Parse<std::path::PathBuf> {
        if !self.token.is_string() && self.token.kind != Kind::Path {
            return self.unexpected(&["a path or the name it was mounted from"]);
        }
        let token = self.take();
        let text = self.text(&token).to_owned();
        if self.token.kind == Kind::Colon {
            return self
                .refuse(format!("a colon ends a word; put all of it into quotes: \"{text}:/export\""));
        }
        Ok(text.into())
    }

    /// `check WORD …` was read as a process called WORD, which is rarely what was meant.
    fn unknown_type<T>(&mut self, name: &str) -> Parse<T> {
        const TYPES: [&str; 9] =
            ["process", "host", "system", "file", "directory", "fifo", "filesystem", "network", "program"];
        let other = match name.to_ascii_lowercase().as_str() {
            "disk" | "volume" | "mount" | "partition" => Some("filesystem"),
            "folder" | "dir" => Some("directory"),
            "script" | "command" => Some("program"),
            "interface" => Some("network"),
            "server" | "remote" => Some("host"),
            _ => None,
        };
        let help = match other.or_else(|| crate::help::nearest(name, &TYPES)) {
            Some(near) => format!("'{name}' is no type of service; did you mean 'check {near}'?"),
            None => format!(
                "without a type, 'check {name}' is a process of this name, and its pidfile comes next"
            ),
        };
        self.refuse(help)
    }

    /// An option or a rule of the open service.
    pub(super) fn option(&mut self) -> Parse<()> {
        match self.key() {
            Some(key @ (Start | Stop | Restart)) => {
                let command = self.here();
                self.take();
                let timeout = match key {
                    Start => self.captured.start,
                    Stop => self.captured.stop,
                    _ => self.captured.restart,
                };
                let program = Some(self.program(timeout)?);
                let again = self.draft.as_ref().is_some_and(|draft| draft.has(key));
                let word = if key == Start {
                    "start"
                } else if key == Stop {
                    "stop"
                } else {
                    "restart"
                };
                self.doubt_again(command, again, word);
                if let Some(draft) = &mut self.draft {
                    match key {
                        Start => draft.service.start = program,
                        Stop => draft.service.stop = program,
                        _ => draft.service.restart = program,
                    }
                }
                Ok(())
            }
            Some(Group) => {
                self.take();
                if self.token.kind != Kind::Name {
                    return self.unexpected(&["the name of a group"]);
                }
                let token = self.take();
                let group = self.text(&token).to_owned();
                if let Some(draft) = &mut self.draft
                    && !draft.service.groups.iter().any(|g| g.eq_ignore_ascii_case(&group))
                {
                    draft.service.groups.push(group);
                }
                Ok(())
            }
            Some(Mode) => self.mode(),
            Some(OnReboot) => {
                self.take();
                let on_reboot = self.on_reboot()?;
                self.draft.iter_mut().for_each(|draft| draft.service.on_reboot = on_reboot);
                Ok(())
            }
            Some(If) => {
                let start = self.token.clone();
                let read = self.rule();
                // How often it was restarted says nothing of a thing that is never looked at.
                let tests = |rule: &Rule| !matches!(rule.when, Condition::Restarts { .. });
                self.draft.iter_mut().for_each(|draft| draft.tested |= read.as_ref().map_or(true, tests));
                let rule = read?;
                self.doubt(&rule, &start);
                self.draft.iter_mut().for_each(|draft| draft.service.rules.push(rule.clone()));
                Ok(())
            }
            Some(Ignore) if self.draft.as_ref().is_some_and(|draft| draft.subject == Subject::File) => {
                self.left_out()
            }
            Some(Depends) => self.depends(),
            Some(Every | NotEvery) => self.turns(),
            Some(key @ (Alert | NoAlert)) => {
                let behind = !self.token.fresh;
                self.take();
                if behind && !matches!(self.token.kind, Kind::Mail | Kind::Word | Kind::Quoted) {
                    return self
                        .refuse("a rule has one action, and every action alerts: this 'alert' can go");
                }
                let recipient = if key == Alert { self.recipient()? } else { self.spared()? };
                self.draft.iter_mut().for_each(|draft| draft.service.alerts.push(recipient.clone()));
                Ok(())
            }
            _ => self.unexpected(&[
                "if", "start", "stop", "restart", "group", "mode", "onreboot", "depends", "every", "alert",
                "noalert", "check", "set", "include",
            ]),
        }
    }

    /// `depends on NAME, …`; several statements add up.
    fn depends(&mut self) -> Parse<()> {
        let keyword = self.take();
        if self.token.kind != Kind::Names {
            return self.unexpected(&["the name of a service"]);
        }
        let token = self.take();
        let place = self.place(&token);
        if token.start == keyword.end && !self.raw(&token).starts_with(['"', '\'']) {
            let message = format!("this is 'depends on' and the name '{}'", self.raw(&token));
            let help = "Monit takes the 'on' off, too; write 'depends on' and a blank before each name";
            self.advise(Mistake::warning(place.clone(), message).help(help));
        }
        let Value::Words(names) = &token.value else { return Ok(()) };
        if let Some(draft) = &mut self.draft {
            let wanted = |name: &String| Prerequisite { name: name.clone(), place: place.clone() };
            draft.service.depends_on.extend(names.iter().map(wanted));
        }
        Ok(())
    }

    fn mode(&mut self) -> Parse<()> {
        self.take();
        let mode = match self.key() {
            Some(Active) => Some(Repair::Active),
            Some(Passive) => Some(Repair::Passive),
            // The old name of another setting; how repairs are made stays as it was.
            Some(Manual) => None,
            _ => return self.unexpected(&["active", "passive", "manual"]),
        };
        self.take();
        if let Some(draft) = &mut self.draft {
            match mode {
                Some(mode) => draft.service.mode = mode,
                None => draft.service.on_reboot = hinoban_config::OnReboot::LastState,
            }
        }
        Ok(())
    }

    /// Ends the open service: adds the rules that follow from its kind, and checks that it is whole.
    pub(super) fn close(&mut self) {
        let Some(Draft { mut service, subject, tested, discarded: false, .. }) = self.draft.take() else {
            return;
        };
        let found = matches!(
            subject,
            Subject::Process | Subject::File | Subject::Directory | Subject::Fifo | Subject::Filesystem
        );
        if found && !service.rules.iter().any(Rule::is_existence) {
            service.rules.push(Rule::existence());
        }
        match subject {
            Subject::File | Subject::Directory | Subject::Fifo => service.rules.push(Rule::wrong_type()),
            Subject::Filesystem if !service.rules.iter().any(super::change::of_flags) => {
                service.rules.push(super::change::flags());
            }
            Subject::Network => {
                let implied = super::network::implied(&service.rules);
                service.rules.extend(implied);
            }
            Subject::Program if !tested => {
                let mistake = Mistake::error(
                    service.place.clone(),
                    format!(
                        "'check program {}' is incomplete: Please add a 'status' or 'content' test",
                        service.name
                    ),
                );
                self.note(mistake.late().help(
                    "a program is watched through its rules; add one, such as 'if status != 0 then alert'",
                ));
            }
            Subject::Program => service.rules.push(Rule::runnable()),
            Subject::Host if !tested => {
                let mistake = Mistake::error(
                    service.place.clone(),
                    "'check host' statement is incomplete: Please specify a port number to test or an icmp test at the remote host:",
                );
                let mistake = mistake.word(service.name.clone());
                self.note(mistake.late().help(
                    "a host is watched through its rules; add one, such as 'if failed port 80 then alert'",
                ));
            }
            _ => {}
        }
        self.doubt_service(&service);
        service.rules.shrink_to_fit();
        self.config.services.push(service.into());
    }

    /// Whether nothing more belongs to a `set` statement.
    pub(super) fn ended(&self) -> bool {
        matches!(self.token.kind, Kind::End | Kind::Check(_) | Kind::Key(Set))
    }
}
