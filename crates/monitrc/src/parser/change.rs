//! `if changed …`: a reading that differs from the look before.

use hinoban_config::{Branch, Change, Condition, Mistake, Place, Rule, Then as Act};
use hinoban_reading::metrics;

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Subject;

impl Parser<'_> {
    /// The rule at `changed`, which is the next token. It has no recovery: Monit never tells that a change is over.
    pub(super) fn changed(&mut self, subject: Subject, place: Place) -> Parse<Rule> {
        self.take();
        let metric = match (subject, self.key()) {
            (Subject::Process, Some(Pid)) => metrics::PID,
            (Subject::Process, Some(Ppid)) => metrics::PPID,
            (Subject::File, Some(Size)) => metrics::SIZE,
            (Subject::File | Subject::Filesystem, Some(Permission)) => metrics::PERMISSION,
            (Subject::Filesystem, Some(FsFlags)) => metrics::FILESYSTEM_FLAGS,
            (Subject::File, Some(Time)) => return self.unsupported(place, "if changed timestamp"),
            (Subject::File, Some(Checksum | Md5 | Sha1)) => {
                return self.unsupported(place, "if changed checksum");
            }
            (Subject::Process, _) => return self.unexpected(&["pid", "ppid"]),
            (Subject::File, _) => {
                return self.unexpected(&["size", "permission", "timestamp", "checksum"]);
            }
            _ => return self.unexpected(&["fsflags", "permission"]),
        };
        self.take();
        let fail = self.branch()?;
        if metric == metrics::PERMISSION {
            self.only_permission(&metric.name)?;
        } else if self.at(Else) {
            return self.refuse("a rule about a change has no 'else': at the next look it is over by itself");
        }
        let when = Condition::Changed { metric: metric.name.into_owned(), expect: Change::Changed };
        Ok(Rule { when, fail, ok: Branch::once(Act::Nothing), place })
    }

    /// Rules about the mode are odd in two ways: the last one replaces the others, and an `else` is read and forgotten.
    fn only_permission(&mut self, metric: &str) -> Parse<()> {
        let other = |rule: &Rule| matches!(&rule.when, Condition::Changed { metric: m, .. } if m == metric);
        let rules = self.draft.as_mut().map(|draft| &mut draft.service.rules);
        let replaced = rules.and_then(|rules| rules.iter().position(other).map(|at| rules.remove(at)));
        if let Some(rule) = replaced {
            let mistake = Mistake::warning(rule.place, "only the last rule about the permission counts");
            self.note(mistake.help("take this one out"));
        }
        if self.at(Else) {
            let mistake = Mistake::warning(self.here(), "'else' is without effect here").word("else");
            self.note(
                mistake.help("at the next look a change is over by itself, and Monit does nothing then"),
            );
            self.recovery(false)?;
        }
        Ok(())
    }
}

/// The rule that a file system has if none about its mount options is written.
pub(super) fn flags() -> Rule {
    let metric = metrics::FILESYSTEM_FLAGS.name.into_owned();
    let when = Condition::Changed { metric, expect: Change::Changed };
    let [fail, ok] = [Act::Alert, Act::Nothing].map(Branch::once);
    Rule { when, fail, ok, place: Place::default() }
}

/// Whether this rule is about changes of mount options.
pub(super) fn of_flags(rule: &Rule) -> bool {
    matches!(&rule.when, Condition::Changed { metric, .. } if *metric == metrics::FILESYSTEM_FLAGS.name)
}
