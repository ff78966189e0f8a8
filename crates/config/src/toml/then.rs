//! `then` and `else`: what to do.

use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader};
use crate::Then;

/// More programs than these in one list are a program of their own.
const PROGRAMS: usize = 16;

impl Reader<'_> {
    /// What to do, alone or in a list: what is done in the end, and what is run before that. A list changes the service
    /// in one way at most; if it does not, its last program is what is done in the end.
    pub(super) fn deeds(&mut self, item: &Item<'_>) -> Option<(Then, Vec<Then>)> {
        let DeValue::Array(list) = item.value else { return Some((self.then(item)?, Vec::new())) };
        if list.is_empty() {
            let help = format!("write what to do, or {} = \"nothing\"", item.key);
            self.error(item.span.clone(), format!("`{}` is an empty list", item.key), help);
            return None;
        }
        let mut change: Option<(Then, &str)> = None;
        let mut programs = Vec::new();
        let mut wrong = false;
        for one in item.list() {
            match self.then(&one) {
                None => wrong = true,
                Some(Then::Alert) => {}
                Some(Then::Nothing) => {
                    let help = format!("take it out, or write {} = \"nothing\" alone", item.key);
                    self.error(one.span.clone(), "\"nothing\" does not go with other actions", help);
                    wrong = true;
                }
                Some(program @ (Then::Exec { .. } | Then::Custom(_))) => programs.push(program),
                Some(then) => {
                    let word = one.value.as_str().unwrap_or_default();
                    if let Some((_, first)) = &change {
                        let (message, help) = match *first == word {
                            true => {
                                (format!("\"{word}\" is written twice"), "take one of the two out".to_owned())
                            }
                            false => (
                                format!("`{}` cannot be both \"{first}\" and \"{word}\"", item.key),
                                format!(
                                    "a rule changes the service in one way; for \"{word}\" write a check of its own"
                                ),
                            ),
                        };
                        self.error(one.span.clone(), message, help);
                        wrong = true;
                        continue;
                    }
                    change = Some((then, word));
                }
            }
        }
        if programs.len() > PROGRAMS {
            let help = "let one program do them all";
            self.error(
                item.span.clone(),
                format!("{} programs are too many for one rule", programs.len()),
                help,
            );
            wrong = true;
        }
        if wrong {
            return None;
        }
        let last = match change {
            Some((then, _)) => then,
            None => programs.pop().unwrap_or(Then::Alert),
        };
        Some((last, programs))
    }

    /// What to do: a word, or `{ exec = "…" }`. A word that is none of ours is the name of a registered action; whether
    /// there is one is known later.
    pub(super) fn then(&mut self, item: &Item<'_>) -> Option<Then> {
        const EXPECTED: &str = "an action";
        const HELP: &str = "it may be alert, start, stop, restart, unmonitor, nothing, { exec = \"/usr/bin/program\" }, or the name of a registered action";
        if let DeValue::Table(table) = item.value {
            return self.exec(Fields::new(format!("`{}`", item.key), table, item.span.clone()));
        }
        let DeValue::String(text) = item.value else {
            self.wrong(item, EXPECTED, HELP);
            return None;
        };
        Some(match text.as_ref() {
            "alert" => Then::Alert,
            "start" => Then::Start,
            "stop" => Then::Stop,
            "restart" => Then::Restart,
            "unmonitor" => Then::Unmonitor,
            "nothing" => Then::Nothing,
            name => {
                let plain =
                    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c));
                if !plain {
                    let message = format!("\"{name}\" is no action");
                    let help = match name.strip_prefix("exec").map(str::trim) {
                        Some(command) => format!(
                            "write {} = {{ exec = \"{}\" }}",
                            item.key,
                            command.trim_matches(['"', '\''])
                        ),
                        None if name.contains('/') => {
                            format!("to run a program: {} = {{ exec = \"{name}\" }}", item.key)
                        }
                        None => HELP.to_owned(),
                    };
                    self.error(item.span.clone(), message, help);
                    return None;
                }
                let ours = ["alert", "start", "stop", "restart", "unmonitor", "nothing"];
                if let Some(same) = ours.into_iter().find(|word| word.eq_ignore_ascii_case(name)) {
                    self.error(
                        item.span.clone(),
                        format!("actions are written small: not \"{name}\""),
                        format!("write \"{same}\""),
                    );
                    return None;
                }
                if name == "exec" {
                    let help = format!("write {} = {{ exec = \"/usr/bin/program\" }}", item.key);
                    self.error(item.span.clone(), "\"exec\" says no program to run", help);
                    return None;
                }
                Then::Custom(name.to_owned())
            }
        })
    }

    fn exec(&mut self, mut fields: Fields<'_>) -> Option<Then> {
        let command = fields.take("exec");
        let program = self.program_in(&mut fields, command, "exec", self.program_time("exec"));
        let repeat = match fields.take("repeat") {
            None => Some(None),
            Some(item) => self.whole(&item, 1..1_000_001).map(|n| Some(n as u32)),
        };
        self.close(fields);
        Some(Then::Exec { program: program?.into(), repeat: repeat? })
    }
}
