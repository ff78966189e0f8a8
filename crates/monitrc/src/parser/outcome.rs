//! `if status …` and `if content …`: rules about how a program ended and what it printed.

use hinoban_config::{Branch, Change, Condition, Place, Rule, Then as Act};
use hinoban_reading::{Value, metrics};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;

impl Parser<'_> {
    /// The rule of a program whose condition is next.
    pub(super) fn outcome(&mut self, place: Place) -> Parse<Rule> {
        if self.eat(Changed) {
            self.need(Status, &["status"])?;
            return self.news(changed(metrics::EXIT_STATUS.name.into_owned(), Change::Changed), place);
        }
        if self.eat(Content) {
            return self.printed(place);
        }
        self.need(Status, &["status", "changed status", "content"])?;
        let metric = metrics::EXIT_STATUS.name.into_owned();
        if self.eat(Changed) {
            // The number says nothing; Monit takes it all the same.
            self.int("a number")?;
            let (fail, ok) = self.branches(false)?;
            return Ok(Rule { when: changed(metric, Change::Changed), fail, ok, place });
        }
        let operator = self.operator()?;
        let limit = Value::Int(self.int("an exit status")?);
        let (fail, ok) = self.branches(false)?;
        Ok(Rule { when: Condition::Compare { metric, operator, limit }, fail, ok, place })
    }

    /// What stands behind `content`. That it changed can be asked since Monit 5.34.
    fn printed(&mut self, place: Place) -> Parse<Rule> {
        let metric = metrics::OUTPUT.name.into_owned();
        match self.key() {
            Some(key @ (Equal | NotEqual)) => {
                self.take();
                let pattern = self.regex()?;
                let fails_on_match = key == Equal;
                self.news(Condition::Content { metric, pattern, fails_on_match }, place)
            }
            Some(Changed) => {
                self.take();
                self.news(changed(metric, Change::Changed), place)
            }
            Some(Not) => {
                self.take();
                self.need(Changed, &["changed"])?;
                self.news(changed(metric, Change::Unchanged), place)
            }
            _ => self.unexpected(&["=", "!=", "changed", "not changed"]),
        }
    }

    /// The rest of a rule that has no recovery: at the next look it is over by itself.
    fn news(&mut self, when: Condition, place: Place) -> Parse<Rule> {
        let fail = self.branch()?;
        if self.at(Else) {
            return self.refuse("this rule has no 'else': at the next look it is over by itself");
        }
        Ok(Rule { when, fail, ok: Branch::once(Act::Nothing), place })
    }
}

fn changed(metric: String, expect: Change) -> Condition {
    Condition::Changed { metric, expect }
}
