//! One statement after another, and where to go on after a mistake.

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Kind;

impl Parser<'_> {
    /// Reads a statement at the top of the grammar: `set`, `check`, or an option or rule of the open service.
    pub(super) fn statement(&mut self) {
        let (read, top) = match self.token.kind {
            Kind::Key(Set) => {
                self.close();
                (self.set(), true)
            }
            Kind::Check(subject) => {
                self.close();
                let read = self.check(subject);
                let top = self.draft.is_none();
                (read, top)
            }
            _ if self.draft.is_some() => (self.option(), false),
            _ => (self.stray(), true),
        };
        if read.is_err() {
            self.recover(top);
        }
    }

    /// Something that stands outside of every statement.
    fn stray(&mut self) -> Parse<()> {
        let option = matches!(
            self.key(),
            Some(
                If | Start
                    | Stop
                    | Restart
                    | Depends
                    | Group
                    | Mode
                    | Every
                    | NotEvery
                    | Alert
                    | NoAlert
                    | Ignore
            )
        );
        if option {
            return self.refuse(
                "this belongs to a service, and none is open here: a 'set' statement closes the service before it",
            );
        }
        self.unexpected(&["set", "check", "include"])
    }

    /// Skips to where a statement may begin: the next `set` or `check`, or, within a service, the next option or
    /// rule. What follows `then` or `else` is an action and begins nothing.
    fn recover(&mut self, top: bool) {
        let mut action = false;
        let mut first = true;
        loop {
            let fresh = self.token.fresh && !first;
            match self.token.kind {
                Kind::End => return,
                // `set` and `check` may be the very word that was wrong.
                Kind::Key(Set) | Kind::Check(_) if !first || self.token.fresh => return,
                Kind::Key(If) if !top && !action && !first => return,
                Kind::Key(
                    Start | Stop | Restart | Depends | Group | Mode | Every | NotEvery | Alert | NoAlert
                    | OnReboot | Ignore,
                ) if !top && !action && fresh => return,
                _ => {}
            }
            action = matches!(self.key(), Some(Then | Else | Repeat));
            first = false;
            self.take();
        }
    }
}
