//! Rules of processes alone: `if failed uid …`, `if filedescriptors > 80% …`, `if disk read > 1 MB/s …`.

use hinoban_config::{Condition, Mistake, Operator};
use hinoban_reading::{Metric, Value as Limit, metrics};

use super::{Parse, Parser, Wrong};
use crate::keyword::Keyword::*;
use crate::token::Kind;

impl Parser<'_> {
    /// Who owns the process, or its security attribute; the next token is the first behind `failed`.
    pub(super) fn attribute_of_process(&mut self) -> Parse<Condition> {
        let (metric, limit) = match self.key() {
            Some(Uid) => (metrics::UID, self.user()?),
            Some(Euid) => (metrics::EUID, self.user()?),
            Some(Gid) => (metrics::GID, self.group()?),
            _ => return self.security(),
        };
        self.only(&metric);
        let limit = Limit::Int(limit.ok_or(Wrong)?.into());
        Ok(Condition::Compare { metric: metric.name.into_owned(), operator: Operator::NotEqual, limit })
    }

    /// `security attribute TEXT`
    fn security(&mut self) -> Parse<Condition> {
        self.take();
        self.need(Attribute, &["attribute"])?;
        if !self.token.is_string() && self.token.kind != Kind::Path {
            return self.unexpected(&["a security attribute, as ps -Z shows it"]);
        }
        let token = self.take();
        let limit = Limit::Text(self.text(&token).to_owned());
        let metric = metrics::SECURITY.name.into_owned();
        Ok(Condition::Compare { metric, operator: Operator::NotEqual, limit })
    }

    /// Of rules about one owner only the last counts.
    fn only(&mut self, metric: &Metric) {
        let of =
            |when: &Condition| matches!(when, Condition::Compare { metric: m, .. } if **m == *metric.name);
        let rules = self.draft.as_mut().map(|draft| &mut draft.service.rules);
        let replaced =
            rules.and_then(|rules| rules.iter().position(|rule| of(&rule.when)).map(|at| rules.remove(at)));
        if let Some(rule) = replaced {
            let mistake =
                Mistake::warning(rule.place, format!("only the last rule about the {} counts", metric.name));
            self.advise(mistake.help("the other one, further down, replaces it; take this one out"));
        }
    }

    /// `[total] filedescriptors`: a number of them, or, of the process alone, percent of what it may open.
    pub(super) fn descriptors(&mut self) -> Parse<Condition> {
        let total = self.eat(Total);
        self.need(FileDescriptors, &["cpu", "memory", "filedescriptors"])?;
        let operator = self.operator()?;
        let whole = self.token.kind == Kind::Number;
        let (metric, limit) = if total {
            let n = self.int("a whole number")?;
            if self.token.kind == Kind::Percent || self.at(Percent) {
                return self
                    .refuse("each process has a limit of its own; without 'total', percent can be asked");
            }
            (metrics::FDS_TOTAL, Limit::Int(n))
        } else {
            let n = self.real("a number")?;
            match self.percent() {
                true => (metrics::FDS_PERCENT, Limit::Real(n)),
                false if whole => (metrics::FDS, Limit::Int(n as i64)),
                false => return self.unexpected(&["%"]),
            }
        };
        Ok(Condition::Compare { metric: metric.name.into_owned(), operator, limit })
    }

    /// `[disk] read` or `[disk] write`, of which the first word is the next token: what it is measured in.
    pub(super) fn activity(&mut self) -> Parse<Activity> {
        let disk = self.eat(Disk);
        let read = self.at(Read);
        if !read && !self.at(Write) {
            return self.unexpected(&["read", "write"]);
        }
        self.take();
        Ok(match (disk, read) {
            (false, true) => Activity { bytes: metrics::READ_RATE, operations: None },
            (false, false) => Activity { bytes: metrics::WRITE_RATE, operations: None },
            (true, true) => {
                Activity { bytes: metrics::DISK_READ_RATE, operations: Some(metrics::DISK_READ_OPS_RATE) }
            }
            (true, false) => {
                Activity { bytes: metrics::DISK_WRITE_RATE, operations: Some(metrics::DISK_WRITE_OPS_RATE) }
            }
        })
    }

    /// The limit of that.
    pub(super) fn activity_limit(&mut self, activity: Activity) -> Parse<(Metric, Limit)> {
        let whole = self.token.kind == Kind::Number;
        let n = self.real("a number")?;
        if self.at(Operation) {
            return match activity.operations {
                Some(operations) if whole => {
                    self.take();
                    Ok((operations, Limit::Int(n as i64)))
                }
                Some(_) => self.refuse("operations are counted in whole numbers"),
                None => self.refuse("operations are those of disks: if disk read > 10 operations/s"),
            };
        }
        let unit = self.byte_unit().unwrap_or(1);
        self.eat(Second);
        Ok((activity.bytes, Limit::Int((n * unit as f64) as i64)))
    }
}

/// What reading or writing is measured by.
pub(super) struct Activity {
    bytes: Metric,
    operations: Option<Metric>,
}
