//! `then`, `else` and `for`: what to do, and how often a rule must fail first.

use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader};
use crate::{Rate, Then, spelling};

/// Longest window of a rate, in looks.
const WINDOW: u8 = 64;

impl Reader<'_> {
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
        let program = self.program_in(&mut fields, command, "exec");
        let repeat = match fields.take("repeat") {
            None => Some(None),
            Some(item) => self.whole(&item, 1..1_000_001).map(|n| Some(n as u32)),
        };
        self.close(fields);
        Some(Then::Exec { program: program?, repeat: repeat? })
    }

    /// How many looks of how many: `"5 of 8"`, `"3 cycles"`, `"3"` or `3`.
    pub(super) fn rate(&mut self, item: &Item<'_>) -> Option<Rate> {
        const HELP: &str = "write \"3 cycles\" for 3 looks in a row, \"5 of 8\" for 5 of the last 8";
        let text = match item.value {
            DeValue::Integer(n) => n.to_string(),
            DeValue::String(text) => text.clone().into_owned(),
            _ => {
                self.wrong(item, "how many looks of how many", HELP);
                return None;
            }
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let cycles = |word: &str| matches!(word, "cycle" | "cycles" | "times" | "time" | "looks" | "look");
        let (count, within) = match words[..] {
            [n] => (n, n),
            [n, word] if cycles(word) => (n, n),
            [n, "of", m] => (n, m),
            [n, "of", m, word] if cycles(word) => (n, m),
            [n, "within", m, word] if cycles(word) => (n, m),
            [n, times, "within", m, word] if cycles(times) && cycles(word) => (n, m),
            _ => (text.as_str(), ""),
        };
        let (Ok(count), Ok(within)) = (count.parse::<u32>(), within.parse::<u32>()) else {
            if crate::units::duration(&text).is_ok() {
                let message = "`for` cannot be a duration yet";
                self.error(item.span.clone(), message, format!("count looks instead: {HELP}"));
            } else {
                let help = match words.iter().find_map(|w| spelling::nearest(w, ["cycles", "cycle"])) {
                    Some(near) if words.len() == 2 => format!("did you mean \"{} {near}\"?", words[0]),
                    _ => HELP.to_owned(),
                };
                self.error(item.span.clone(), format!("`for` cannot be \"{text}\""), help);
            }
            return None;
        };
        if count == 0 || within > WINDOW.into() || count > within {
            let (message, help) = if count == 0 || within == 0 {
                ("a rule that fails after no look at all is no rule".to_owned(), "1 is the least".to_owned())
            } else if count > within {
                (
                    format!("there are never {count} of {within}"),
                    format!("did you mean \"{within} of {count}\"?"),
                )
            } else {
                (format!("{within} looks are too many to remember"), format!("{WINDOW} are the most"))
            };
            self.error(item.span.clone(), message, help);
            return None;
        }
        Some(Rate { count: count as u8, within: within as u8 })
    }
}
