//! `[patience]`, `[budget]` and `[history]`: how repairs are repeated, how many the host is to bear, what is kept of it all.

use std::time::Duration;

use ::toml::de::DeValue;

use super::reader::{Item, Reader};
use crate::units::{self, UnitError};
use crate::{Budget, HISTORY, Patience, spelling};

const DAY: Duration = Duration::from_secs(86_400);

/// Room that the history needs at the least, and may have at the most.
const ROOM: (u64, u64) = (4_000_000, 1_000_000_000_000);

impl Reader<'_> {
    /// What this table says, and `above` for what it leaves out. `false` is none: as Monit, whose next repair is made in the
    /// next cycle.
    pub(super) fn patience(
        &mut self,
        item: &Item<'_>,
        what: String,
        above: Option<Patience>,
    ) -> Option<Patience> {
        const HELP: &str = "write a table, or false for none; for a repair a second for ever: { longest = \"1s\", give-up = \"never\" }";
        const FIRST: Duration = Duration::from_millis(100);
        const SECOND: Duration = Duration::from_secs(1);
        if let DeValue::Boolean(yes) = item.value {
            return if *yes { above.or_else(|| Some(Patience::default())) } else { None };
        }
        let mut patience = above.unwrap_or_default();
        let Some(mut fields) = self.fields(item, what, HELP) else { return above };
        let (first, longest) = (fields.take("first"), fields.take("longest"));
        let mut refused = false;
        for (item, slot, least, most) in [
            (&first, &mut patience.first, FIRST, DAY),
            (&longest, &mut patience.longest, FIRST, DAY),
            (&fields.take("stable"), &mut patience.stable, SECOND, 30 * DAY),
            (&fields.take("remind"), &mut patience.remind, SECOND, DAY),
        ] {
            let Some(item) = item else { continue };
            match self.between(item, least, most) {
                Some(time) => *slot = time,
                None => refused |= matches!(item.key, "first" | "longest"),
            }
        }
        if let Some(item) = fields.take("give-up") {
            patience.give_up = self.attempts(&item).unwrap_or(patience.give_up);
        }
        if let Some(item) = fields.take("give-up-gone") {
            patience.give_up_gone = self.attempts(&item).unwrap_or(patience.give_up_gone);
        }
        self.close(fields);
        // What was refused has been told, and what stands for it then is nobody's.
        if !refused
            && patience.first > patience.longest
            && let Some(item) = longest.or(first)
        {
            let (first, longest) =
                (units::duration_text(patience.first), units::duration_text(patience.longest));
            let message = format!("the first pause, {first}, is longer than the longest, {longest}");
            let help = match item.key {
                "first" => format!("raise the longest too: longest = \"{first}\""),
                _ => format!("lower the first too: first = \"{longest}\""),
            };
            self.error(item.span.clone(), message, help);
            return above;
        }
        Some(patience)
    }

    /// After how many attempts in vain; `"never"` is none.
    fn attempts(&mut self, item: &Item<'_>) -> Option<Option<u32>> {
        match item.value {
            DeValue::String(text) if text == "never" => Some(None),
            DeValue::String(_) | DeValue::Boolean(_) => {
                let help = match item.value {
                    DeValue::String(text) if text.trim().parse::<u32>().is_ok() => {
                        format!("write it without quotes: {} = {}", item.key, text.trim())
                    }
                    DeValue::String(text) if spelling::nearest(text, ["never"]).is_some() => {
                        "did you mean \"never\"?".to_owned()
                    }
                    _ => format!("write {0} = 5, or {0} = \"never\"", item.key),
                };
                let message = format!("`{}` must be a number of repairs in vain, or \"never\"", item.key);
                self.error(item.span.clone(), message, help);
                None
            }
            _ => self.whole(item, 1..1001).map(|n| Some(n as u32)),
        }
    }

    /// `[budget]`, or `budget = false`.
    pub(super) fn budget(&mut self, item: &Item<'_>) -> Option<Budget> {
        let mut budget = Budget::default();
        if let DeValue::Boolean(yes) = item.value {
            return yes.then_some(budget);
        }
        let help = "write [budget] and below it restarts = 3 and within = \"1m\", or budget = false for none";
        let mut fields = self.fields(item, "[budget]", help)?;
        if let Some(item) = fields.take("restarts") {
            match item.value {
                DeValue::Integer(n) if n.as_str() == "0" => {
                    let help = "for no budget at all write budget = false; to have nothing repaired, mode = \"passive\"";
                    self.error(
                        item.span.clone(),
                        "a budget of no restarts would hold every one for ever",
                        help,
                    );
                }
                _ => budget.restarts = self.whole(&item, 1..1001).map_or(budget.restarts, |n| n as u32),
            }
        }
        if let Some(item) = fields.take("within") {
            budget.within = self.between(&item, Duration::from_secs(1), DAY).unwrap_or(budget.within);
        }
        self.close(fields);
        Some(budget)
    }

    /// `[history]`, or `history = false`.
    pub(super) fn history(&mut self, item: &Item<'_>) -> Option<u64> {
        if let DeValue::Boolean(yes) = item.value {
            return yes.then_some(HISTORY);
        }
        let help = "write [history] and below it size = \"64 MB\", or history = false to keep none";
        let mut fields = self.fields(item, "[history]", help)?;
        let size = fields.take("size").and_then(|item| self.room(&item));
        self.close(fields);
        Some(size.unwrap_or(HISTORY))
    }

    fn room(&mut self, item: &Item<'_>) -> Option<u64> {
        let DeValue::String(text) = item.value else {
            let help = match item.value {
                DeValue::Integer(n) => format!("write {} = \"{n} B\", or \"64 MB\"", item.key),
                _ => format!("for example: {} = \"64 MB\"", item.key),
            };
            self.wrong(item, "a size in quotes, such as \"64 MB\"", help);
            return None;
        };
        let (message, help) = match units::size(text) {
            Ok(size) if size < ROOM.0 => (
                format!("`{}` must be at least 4 MB", item.key),
                "to keep no history at all: history = false".to_owned(),
            ),
            Ok(size) if size > ROOM.1 => {
                (format!("`{}` must be at most 1 TB", item.key), "64 MB are usual".to_owned())
            }
            Ok(size) => return Some(size),
            Err(e) => {
                let help = match &e {
                    UnitError::UnknownUnit { nearest: Some(near), .. } => format!("did you mean `{near}`?"),
                    UnitError::NoUnit { number } => format!("write \"{number} MB\""),
                    _ => "a size is a number with a unit: \"64 MB\", \"1 GiB\"".to_owned(),
                };
                (format!("`{}` is not a size: {e}", item.key), help)
            }
        };
        self.error(item.span.clone(), message, help);
        None
    }
}
