//! `every`, `not every`, and limits on restarts.

use hinoban_config::{Branch, Condition, Cron, Mistake, Place, Rule, Then as Act, Turns};

use super::{Parse, Parser, Wrong};
use crate::keyword::Keyword::*;
use crate::token::Kind;

impl Parser<'_> {
    /// `every N cycles`, `every "PATTERN"` or `not every "PATTERN"`; the keyword is the next token. The last one counts.
    pub(super) fn turns(&mut self) -> Parse<()> {
        let keyword = self.take();
        let except = keyword.is(NotEvery);
        let turns = match self.token.kind {
            Kind::Number if !except => {
                let n = self.int("a number")?;
                self.need(Cycle, &["cycles"])?;
                Turns::Nth(u32::try_from(n).unwrap_or(u32::MAX))
            }
            Kind::Cron => {
                let place = self.here();
                let token = self.take();
                let cron = self.pattern(place, token)?;
                if except { Turns::Except(cron) } else { Turns::At(cron) }
            }
            _ if except => return self.unexpected(&["a pattern of five fields in quotes"]),
            _ => return self.unexpected(&["a number of cycles", "a pattern of five fields in quotes"]),
        };
        let place = self.place(&keyword);
        let Some(draft) = &mut self.draft else { return Ok(()) };
        let before = std::mem::replace(&mut draft.service.turns, turns);
        if before != Turns::Each {
            let message = "The 'every' statement can be specified only once, the last value will be used";
            self.note(Mistake::warning(place, message).help("take the others out"));
        }
        Ok(())
    }

    fn pattern(&mut self, place: Place, token: crate::token::Token) -> Parse<Cron> {
        let text = self.text(&token).to_owned();
        match Cron::parse(&text) {
            Ok((cron, never)) => {
                for never in never {
                    let mistake = Mistake::warning(place.clone(), "part of this pattern never matches");
                    self.advise(mistake.word(text.clone()).help(never.text));
                }
                Ok(cron)
            }
            Err(why) => {
                let mistake = Mistake::error(place, "invalid every format").word(text);
                self.note(mistake.help(format!("{why}; write it as in every \"0,30 8-19 * * 1-5\"")));
                Err(Wrong)
            }
        }
    }

    /// `N restarts within M cycles then ACTION`, behind `if`; the number is the next token.
    pub(super) fn restarts(&mut self, place: Place) -> Parse<Rule> {
        let bounds = self.here();
        let count = self.int("a number")?;
        self.need(Restart, &["restarts"])?;
        let within = self.int("a number of cycles")?;
        self.need(Cycle, &["cycles"])?;
        if !self.eat(Then) {
            return self.unexpected(&["then"]);
        }
        let then = if self.eat(Timeout) { Act::Unmonitor } else { self.action()? };
        if count < 1 || within < 1 {
            let mistake = Mistake::error(
                bounds.clone(),
                "Zero or negative values not allowed in a action rate statement",
            );
            self.note(mistake.help("write it as in: if 3 restarts within 5 cycles then unmonitor"));
        } else if count > within {
            let message = "The number of restarts must be less than poll cycles";
            let mistake = Mistake::error(bounds, message).word(count.to_string());
            self.note(mistake.help(format!(
                "Monit restarts at most once in a cycle; did you mean: if {within} restarts within {count} cycles?"
            )));
        }
        let number = |n: i64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        let when = Condition::Restarts { count: number(count), within: number(within) };
        let fail = Branch::once(then);
        Ok(Rule { when, fail, ok: Branch::once(Act::Alert), place })
    }
}
