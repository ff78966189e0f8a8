//! `for` and `else-for`: how often, or for how long, before something is done.

use std::time::Duration;

use ::toml::de::DeValue;

use super::reader::{Item, Reader};
use crate::units::{self, UnitError};
use crate::{Branch, Rate, Then, spelling};

/// Longest window of a rate, in looks.
const WINDOW: u8 = 64;

/// Shortest and longest time that something may have to last.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

impl Reader<'_> {
    /// One side of a rule: what to do (people are told, if nothing else is written), and after how much.
    pub(super) fn branch(&mut self, then: Option<Item<'_>>, lasts: Option<Item<'_>>) -> Option<Branch> {
        let deeds = then.map(|item| self.deeds(&item)).unwrap_or(Some((Then::Alert, Vec::new())));
        let lasts = lasts.map(|item| self.lasts(&item)).unwrap_or(Some((Rate::ONCE, None)));
        let ((then, also), (rate, lasting)) = (deeds?, lasts?);
        Some(Branch { then, also, rate, lasting })
    }

    /// `"5 of 8"`, `"3 cycles"`, `3`, or `"2m"`: a rate, or a time.
    fn lasts(&mut self, item: &Item<'_>) -> Option<(Rate, Option<Duration>)> {
        const HELP: &str =
            "write \"3 cycles\" for 3 looks in a row, \"5 of 8\" for 5 of the last 8, or a time: \"2m\"";
        let text = match item.value {
            DeValue::Integer(n) => n.to_string(),
            DeValue::String(text) => text.clone().into_owned(),
            _ => {
                self.wrong(item, "how many looks, or how long", HELP);
                return None;
            }
        };
        match units::duration(&text) {
            Ok(time) => return self.lasting(item, time).map(|time| (Rate::ONCE, Some(time))),
            Err(UnitError::TooLarge) => {
                return self.lasting(item, Duration::MAX).map(|time| (Rate::ONCE, Some(time)));
            }
            Err(_) => {}
        }
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
            let units =
                ["cycles", "cycle", "minutes", "minute", "seconds", "second", "hours", "hour", "days"];
            let help = match words.iter().find_map(|w| spelling::nearest(w, units)) {
                Some(near) if words.len() == 2 => format!("did you mean \"{} {near}\"?", words[0]),
                _ => HELP.to_owned(),
            };
            self.error(item.span.clone(), format!("`{}` cannot be \"{text}\"", item.key), help);
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
                (
                    format!("{within} looks are too many to remember"),
                    format!("{WINDOW} are the most; a time may be longer: {} = \"2h\"", item.key),
                )
            };
            self.error(item.span.clone(), message, help);
            return None;
        }
        Some((Rate { count: count as u8, within: within as u8 }, None))
    }

    fn lasting(&mut self, item: &Item<'_>, time: Duration) -> Option<Duration> {
        let (message, help) = if time < SHORTEST {
            (format!("`{}` must be at least 1s", item.key), "leave it out to act at once".to_owned())
        } else if time > LONGEST {
            (format!("`{}` must be at most 30d", item.key), "no count of it is kept for longer".to_owned())
        } else {
            if let Some(period) = self.period.filter(|period| time < *period) {
                let period = units::duration_text(period);
                let message = format!("`{}` is shorter than the time between two looks, {period}", item.key);
                let help = format!(
                    "whether it lasts is seen at the next look only; write at least {} = \"{period}\", or look more often",
                    item.key
                );
                self.warning(item.span.clone(), message, help);
            }
            return Some(time);
        };
        self.error(item.span.clone(), message, help);
        None
    }
}
