//! Commands: a text, a list of words, or a table with user and timeout.

use std::path::Path;
use std::time::Duration;

use ::toml::de::{DeTable, DeValue};

use super::reader::{Fields, Item, Reader};
use super::words;
use crate::{Kind, Program, Service, Speech, spelling, units};

impl Reader<'_> {
    /// The program in this value: `"…"`, `["…", "…"]` or `{ run = …, timeout = "60s", user = "…", group = "…" }`.
    pub(super) fn program(&mut self, item: &Item<'_>) -> Option<Program> {
        let DeValue::Table(table) = item.value else {
            let words = self.command(item)?;
            let timeout = self.program_time(item.key);
            return Some(Program { words, uid: None, gid: None, timeout });
        };
        let mut fields = Fields::new(format!("`{}`", item.key), table, item.span.clone());
        match item.key {
            // Its value is read by itself.
            "stop" => drop(fields.take("kill-after")),
            _ => fields.hint = "; `kill-after` goes with `stop`",
        }
        let run = fields.take("run");
        let time = self.program_time(item.key);
        let program = self.program_in(&mut fields, run, "run", time);
        self.close(fields);
        program
    }

    /// A program that is run at each look: a command, or a table that may also say how its output is understood.
    pub(super) fn probing(&mut self, item: &Item<'_>) -> Option<Kind> {
        let DeValue::Table(table) = item.value else {
            return Some(Kind::Program { program: self.program(item)?, speech: Speech::Plain });
        };
        let mut fields = Fields::new(format!("`{}`", item.key), table, item.span.clone());
        // Their values are read by themselves.
        let _ = (fields.take("output-limit"), fields.take("must"));
        let words = [("plain", Speech::Plain), ("nagios", Speech::Nagios), ("json", Speech::Json)];
        let speech =
            fields.take("format").map(|item| self.word(&item, &words)).unwrap_or(Some(Speech::Plain));
        let run = fields.take("run");
        let time = self.program_time(item.key);
        let program = self.program_in(&mut fields, run, "run", time);
        self.close(fields);
        Some(Kind::Program { program: program?, speech: speech? })
    }

    /// `must` of the program that this service is: whether it fails if its end says so, or only if it cannot be run.
    pub(super) fn must_succeed(&mut self, table: &DeTable<'_>) -> bool {
        let Some(item) = Fields::new("", table, 0..0).take("program") else { return true };
        let DeValue::Table(table) = item.value else { return true };
        let Some(item) = Fields::new("", table, item.span.clone()).take("must") else { return true };
        self.word(&item, &[("succeed", true), ("run", false)]).unwrap_or(true)
    }

    /// `output-limit` of the program that this service is.
    pub(super) fn output_limit(&mut self, service: &mut Service, table: &DeTable<'_>) {
        const MOST: u64 = 16 << 20;
        let span = service.place.span.clone();
        let Some(item) = Fields::new("", table, span).take("program") else { return };
        let DeValue::Table(table) = item.value else { return };
        let Some(item) = Fields::new("", table, item.span.clone()).take("output-limit") else { return };
        let example = "\"64 kB\"";
        let Some(text) = self.text(&item, "a size", example) else { return };
        match units::size(text) {
            Ok(bytes @ 1..=MOST) => service.buffer = bytes as u32,
            Ok(_) => {
                let help = "it may be from 1 B to 16 MiB; what a program prints is held in memory";
                self.error(item.span, format!("`output-limit` cannot be {text}"), help);
            }
            Err(e) => {
                let help = format!("write a size such as {example}");
                self.error(item.span, format!("\"{text}\" is no size: {e}"), help);
            }
        }
    }

    /// `kill-after` of the stop program in this value: when the process is killed that still lives.
    pub(super) fn kill_after(
        &mut self,
        stop: &Item<'_>,
        program: Option<&Program>,
        kind: Option<&Kind>,
    ) -> Option<Duration> {
        let DeValue::Table(table) = stop.value else { return None };
        let item = Fields::new("", table, stop.span.clone()).take("kill-after")?;
        let after = self.duration(&item)?;
        if kind.is_some_and(|kind| !matches!(kind, Kind::Process { .. })) {
            let help = "take it out; only a service with a `pidfile` has a process of its own";
            self.error(item.span, "`kill-after` is for processes: there is none to kill here", help);
            return None;
        }
        let timeout = program?.timeout;
        if after >= timeout {
            let timeout = units::duration_text(timeout);
            let message = format!("`kill-after` must be shorter than the time-out, {timeout}");
            let help = "what was killed must still be seen to end; raise `timeout`, or kill earlier";
            self.error(item.span, message, help);
            return None;
        }
        Some(after)
    }

    /// The rest of a table that holds a command: the command itself was taken already.
    pub(super) fn program_in(
        &mut self,
        fields: &mut Fields<'_>,
        run: Option<Item<'_>>,
        key: &str,
        time: Duration,
    ) -> Option<Program> {
        let (user, group) = (fields.take("user"), fields.take("group"));
        let timeout = match fields.take("timeout") {
            // Nobody waits for the end of what a rule runs.
            Some(Item { value: DeValue::Boolean(false), .. }) if key == "exec" => Some(Program::FOR_EVER),
            Some(item) => self.duration(&item),
            None => Some(time),
        };
        let uid = user.and_then(|item| self.user_id(&item));
        let gid = match group {
            Some(Item { value: DeValue::Boolean(false), .. }) => None,
            Some(item) => self.group_id(&item),
            // Who gives up being root gives up root's group too.
            None => uid.and_then(|uid| self.around.primary_group(uid)),
        };
        let words = match run {
            Some(run) => self.command(&run),
            None => {
                let help = format!("{{ {key} = \"/etc/init.d/httpd start\", timeout = \"60s\" }}");
                self.missing(fields.span.clone(), format!("{} says no program to run", fields.what), help);
                None
            }
        };
        Some(Program { words: words?, uid, gid, timeout: timeout? })
    }

    pub(super) fn user_id(&mut self, item: &Item<'_>) -> Option<u32> {
        let name = self.text(item, "the name of a user", "\"www-data\"")?;
        let id = self.around.user(name);
        if id.is_none() {
            let help = "create it (adduser --system), or correct the name";
            self.error(item.span.clone(), format!("there is no user `{name}` on this host"), help);
        }
        id
    }

    pub(super) fn group_id(&mut self, item: &Item<'_>) -> Option<u32> {
        let name = self.text(item, "the name of a group", "\"www-data\"")?;
        let id = self.around.group(name);
        if id.is_none() {
            let help = "create it (addgroup --system), or correct the name";
            self.error(item.span.clone(), format!("there is no group `{name}` on this host"), help);
        }
        id
    }

    /// The words of a command, which are not none.
    fn command(&mut self, item: &Item<'_>) -> Option<Vec<String>> {
        const EXPECTED: &str = "a command: a text, or a list of words";
        let mut words: Vec<String> = match item.value {
            DeValue::String(text) => match words::split(text) {
                Ok(words) => {
                    if let Some(sign) = words::for_a_shell(&words) {
                        let message = format!(
                            "no shell runs this command: `{sign}` is given to the program as it stands"
                        );
                        let help =
                            format!("if a shell is wanted: {} = [\"/bin/sh\", \"-c\", \"…\"]", item.key);
                        self.warning(item.span.clone(), message, help);
                    }
                    words.into_iter().map(|w| w.text).collect()
                }
                Err(why) => {
                    let help =
                        "close it, or write a list of words: [\"/usr/bin/program\", \"it's one word\"]";
                    self.error(
                        item.span.clone(),
                        format!("this command cannot be split into words: {why}"),
                        help,
                    );
                    return None;
                }
            },
            DeValue::Array(_) => {
                let mut words = Vec::new();
                for word in item.list() {
                    match word.value {
                        DeValue::String(text) => words.push(text.clone().into_owned()),
                        _ => {
                            let help = format!("write it in quotes: \"{}\"", self.written(word.span.clone()));
                            self.wrong(&word, "a list of texts only", help);
                            return None;
                        }
                    }
                }
                words
            }
            _ => {
                let help = format!("for example: {} = \"/etc/init.d/httpd start\"", item.key);
                self.wrong(item, EXPECTED, help);
                return None;
            }
        };
        words.shrink_to_fit();
        if words.first().is_none_or(String::is_empty) {
            let help = format!("for example: {} = \"/etc/init.d/httpd start\"", item.key);
            self.error(item.span.clone(), format!("`{}` names no program", item.key), help);
            return None;
        }
        if words.iter().any(|w| w.contains('\0')) {
            self.error(
                item.span.clone(),
                "a word of this command holds a zero byte",
                "no program can be given one",
            );
            return None;
        }
        if words[0].contains('/') {
            let program = self.resolved(item, &words[0])?;
            if !self.around.exists(&program, true) {
                self.warning(
                    item.span.clone(),
                    format!("{} is not there, or cannot be executed", program.display()),
                    "correct the path, install it, or chmod +x it",
                );
            }
            words[0] = lossless(&program, &words[0]);
        }
        Some(words)
    }

    /// A registered kind and its options.
    pub(super) fn options(&mut self, item: Option<Item<'_>>) -> crate::Options {
        let Some(item) = item else { return crate::Options::new() };
        let Some(fields) = self.fields(&item, "`options`", "for example: options = { depth = 100 }") else {
            return crate::Options::new();
        };
        self.option_values(&fields)
    }

    fn option_values(&mut self, fields: &Fields<'_>) -> crate::Options {
        use hinoban_reading::Value;
        let mut options = crate::Options::new();
        for (_, option) in fields.entries() {
            let value = match option.value {
                DeValue::String(text) => Value::Text(text.clone().into_owned()),
                DeValue::Boolean(yes) => Value::Text(yes.to_string()),
                DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                    Ok(n) => Value::Int(n),
                    Err(_) => {
                        let help =
                            "whole numbers go up to 9223372036854775807; write it in quotes if it is a name";
                        self.error(
                            option.span.clone(),
                            format!("`{}` is too large a number", option.key),
                            help,
                        );
                        continue;
                    }
                },
                DeValue::Float(x) => match x.as_str().parse::<f64>() {
                    Ok(x) => Value::Real(x),
                    Err(_) => continue,
                },
                _ => {
                    self.wrong(&option, "a text or a number", "options are plain values; write it in quotes");
                    continue;
                }
            };
            options.insert(option.key.to_owned(), value);
        }
        options
    }
}

/// `path` as a text; it was made of texts, so nothing is lost but in a folder whose name is no UTF-8.
fn lossless(path: &Path, written: &str) -> String {
    path.to_str().map_or_else(|| written.to_owned(), str::to_owned)
}

/// The keys that say what a service is; each has exactly one of them.
pub(super) const KINDS: [&str; 11] = [
    "pidfile",
    "matching",
    "file",
    "directory",
    "fifo",
    "filesystem",
    "program",
    "network",
    "host",
    "system",
    "probe",
];

/// A hint for a table that should be a service: which kind it could be.
pub(super) fn kind_hint(table: &DeTable<'_>) -> Option<&'static str> {
    table.keys().find_map(|key| spelling::nearest(key.get_ref(), KINDS))
}
