//! `if changed …`: a reading that differs from the look before.

use hinoban_config::{Branch, Change, Condition, Mistake, Place, Rule, Then as Act};
use hinoban_reading::{Metric, metrics};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Subject;

impl Parser<'_> {
    /// The rule at `changed`, which is the next token. It has no recovery: Monit never tells that a change is over.
    pub(super) fn changed(&mut self, subject: Subject, place: Place) -> Parse<Rule> {
        self.take();
        let node = matches!(subject, Subject::File | Subject::Directory | Subject::Fifo);
        let metric = match (subject, self.key()) {
            (_, Some(Time)) if node => self.stamp().0,
            (Subject::File, _) if self.at_checksum() => {
                let kind = self.checksum()?;
                self.only_one_checksum();
                self.has_checksum(place.clone(), "it is compared with the first that is seen");
                kind.unwrap_or(metrics::CHECKSUM_MD5)
            }
            _ => self.plain_change(subject)?,
        };
        let fail = self.branch()?;
        if metric == metrics::PERMISSION {
            self.only_one(std::slice::from_ref(&metric), &metric.name);
            self.ends_by_itself()?;
        } else if self.at(Else) {
            return self.refuse("a rule about a change has no 'else': at the next look it is over by itself");
        }
        let when = Condition::Changed { metric: metric.name.into_owned(), expect: Change::Changed };
        Ok(Rule { when, fail, ok: Branch::once(Act::Nothing), place })
    }

    /// What is named by one word.
    fn plain_change(&mut self, subject: Subject) -> Parse<Metric> {
        let node = matches!(subject, Subject::File | Subject::Directory | Subject::Fifo);
        let metric = match (subject, self.key()) {
            (Subject::Process, Some(Pid)) => metrics::PID,
            (Subject::Process, Some(Ppid)) => metrics::PPID,
            (Subject::File, Some(Size)) => metrics::SIZE,
            (Subject::Filesystem, Some(Permission)) => metrics::PERMISSION,
            (_, Some(Permission)) if node => metrics::PERMISSION,
            _ if node && self.at_links() => metrics::LINKS,
            (Subject::Filesystem, Some(FsFlags)) => metrics::FILESYSTEM_FLAGS,
            (Subject::Process, _) => return self.unexpected(&["pid", "ppid"]),
            (Subject::File, _) => {
                return self.unexpected(&["size", "permission", "timestamp", "checksum"]);
            }
            _ if node => return self.unexpected(&["permission", "timestamp"]),
            _ => return self.unexpected(&["fsflags", "permission"]),
        };
        self.take();
        Ok(metric)
    }

    /// An `else` behind a change of the mode is read and forgotten.
    fn ends_by_itself(&mut self) -> Parse<()> {
        if self.at(Else) {
            let mistake = Mistake::warning(self.here(), "'else' is without effect here").word("else");
            self.advise(
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
