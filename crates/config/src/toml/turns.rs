//! `every` and `not-every` of a service, and how many restarts are too many.

use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader};
use crate::{Condition, Cron, Service, Turns};

impl Reader<'_> {
    /// When the service is looked at: `every = "10s"`, `"3 cycles"` or a pattern, and `not-every` with a pattern.
    pub(super) fn turns(&mut self, fields: &mut Fields<'_>, service: &mut Service) {
        let every = fields.take("every");
        if let Some(item) = &every {
            match item.value {
                DeValue::String(text) if looks_like_pattern(text) => {
                    service.turns = self.pattern(item).map(Turns::At).unwrap_or_default();
                }
                DeValue::String(text) if text.split_whitespace().nth(1).is_some_and(is_cycles) => {
                    service.turns = self.nth(item, text).map(Turns::Nth).unwrap_or_default();
                }
                _ => service.every = self.period(item),
            }
        }
        let Some(item) = fields.take("not-every") else { return };
        let except = self.pattern(&item).map(Turns::Except).unwrap_or_default();
        if service.turns != Turns::Each {
            let help =
                "leave out one of the two; beside `not-every`, `every` may be a duration: every = \"10s\"";
            self.error(item.span.clone(), "`not-every` does not go with this `every`", help);
            return;
        }
        service.turns = except;
    }

    fn nth(&mut self, item: &Item<'_>, text: &str) -> Option<u32> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let n = words[0].parse::<u32>().ok().filter(|n| *n > 0 && words.len() == 2);
        if n.is_none() {
            let message = format!("`{}` cannot be \"{text}\"", item.key);
            self.error(item.span.clone(), message, "every = \"3 cycles\" looks in each third cycle");
        }
        n
    }

    fn pattern(&mut self, item: &Item<'_>) -> Option<Cron> {
        const FORM: &str = "minute, hour, day of the month, month and day of the week: \"*/5 8-19 * * 1-5\"";
        let text = self.text(item, "a pattern of five fields", "\"* 2-4 * * *\"")?;
        match Cron::parse(text) {
            Ok((cron, never)) => {
                for never in never {
                    let message = format!("`{}` can never match: {}", item.key, never.text);
                    self.warning(item.span.clone(), message, format!("its fields are {FORM}"));
                }
                Some(cron)
            }
            Err(why) => {
                let message = format!("`{}` is no pattern: {why}", item.key);
                self.error(item.span.clone(), message, format!("its fields are {FORM}"));
                None
            }
        }
    }

    /// `restarts = "3 within 5 cycles"`.
    pub(super) fn restarts(&mut self, item: &Item<'_>) -> Option<Condition> {
        const HELP: &str = "write restarts = \"3 within 5 cycles\"";
        let text = self.text(item, "how many restarts within how many cycles", "\"3 within 5 cycles\"")?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let numbers = match words[..] {
            [count, "within", cycles, word] if is_cycles(word) => count.parse().ok().zip(cycles.parse().ok()),
            _ => None,
        };
        let Some((count, within)) = numbers else {
            let time =
                text.split_once("within").is_some_and(|(_, time)| crate::units::duration(time).is_ok());
            let help = if time {
                "count cycles instead, of which `every` is the length: \"3 within 5 cycles\""
            } else {
                HELP
            };
            self.error(item.span.clone(), format!("`restarts` cannot be \"{text}\""), help);
            return None;
        };
        // More than one in a cycle is possible: a death is repaired when it is seen.
        if count == 0 || within == 0 {
            self.error(item.span.clone(), "a limit of no restarts at all is none", HELP);
            return None;
        }
        Some(Condition::Restarts { count, within })
    }

    /// Notes the keys that mean nothing where restarts are counted.
    pub(super) fn counts_itself(&mut self, items: [Option<Item<'_>>; 3]) {
        for item in items.into_iter().flatten() {
            let message = format!("`{}` does not go with `restarts`", item.key);
            self.error(
                item.span,
                message,
                "take it out; `restarts` counts by itself, and ends with its window",
            );
        }
    }
}

/// Five fields of a pattern look like nothing else; four or six are a pattern with a mistake.
fn looks_like_pattern(text: &str) -> bool {
    text.split_whitespace().count() > 2 && text.chars().all(|c| c.is_ascii_digit() || "*,-/ \t".contains(c))
        || text.contains('*')
}

fn is_cycles(word: &str) -> bool {
    matches!(word, "cycle" | "cycles")
}
