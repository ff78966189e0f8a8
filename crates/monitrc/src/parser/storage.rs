//! Rules of files, directories, pipes and file systems: `if size > 10 MB …`, `if space usage > 80% …`.

use hinoban_config::{Condition, Place};
use hinoban_reading::{Metric, Value as Limit, metrics};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Subject};

impl Parser<'_> {
    /// What it is compared in; the next token is the first behind `if`.
    pub(super) fn storage(&mut self, subject: Subject, place: Place) -> Parse<Condition> {
        let (file, mounted) = (subject == Subject::File, subject == Subject::Filesystem);
        match self.key() {
            Some(Failed) => return self.attribute(subject, place),
            Some(Time) if !mounted => {}
            _ if !mounted && self.at_links() => {}
            Some(Size) if file => {}
            Some(Space | Inode | Read | Write | ServiceTime) if mounted => {}
            Some(Size) if !mounted => {
                return self
                    .refuse("what lies in it or flows through it is not measured; 'size' is of a file");
            }
            Some(Space) if file => {
                return self.refuse("a file has a size: if size > 10 MB; 'space' is of a file system");
            }
            Some(Size) if mounted => {
                return self.refuse("a file system has space: if space > 80%; 'size' is of a file");
            }
            Some(Free) => return self.refuse("'free' comes second: 'space free' or 'inode free'"),
            _ => {
                return self.unexpected(match subject {
                    Subject::File => {
                        &["not", "exist", "size", "failed", "changed", "timestamp", "content", "hardlinks"]
                    }
                    Subject::Directory | Subject::Fifo => {
                        &["not", "exist", "failed", "changed", "timestamp", "hardlinks"]
                    }
                    _ => &[
                        "not",
                        "exist",
                        "space",
                        "inode",
                        "read",
                        "write",
                        "service time",
                        "failed",
                        "changed",
                    ],
                });
            }
        }
        if self.at(Time) {
            let (_, age) = self.stamp();
            let (operator, limit) = (self.operator()?, Limit::Int(self.span()?));
            return Ok(Condition::Compare { metric: age.name.into_owned(), operator, limit });
        }
        let key = self.take();
        let free = (key.is(Space) || key.is(Inode)) && self.eat(Free);
        let operator = self.operator()?;
        let (metric, limit) = match key.kind {
            Kind::Word => (metrics::LINKS, Limit::Int(self.int("a whole number")?)),
            Kind::Key(Size) => (metrics::SIZE, self.whole_bytes()?),
            Kind::Key(Space) if free => self.bytes(&metrics::SPACE_FREE, &metrics::SPACE_FREE_PERCENT)?,
            Kind::Key(Space) => self.bytes(&metrics::SPACE, &metrics::SPACE_PERCENT)?,
            Kind::Key(Inode) if free => self.inodes(metrics::INODES_FREE, metrics::INODES_FREE_PERCENT)?,
            Kind::Key(Inode) => self.inodes(metrics::INODES, metrics::INODES_PERCENT)?,
            Kind::Key(Read) => self.throughput(metrics::DISK_READ_RATE, metrics::DISK_READ_OPS_RATE)?,
            Kind::Key(Write) => self.throughput(metrics::DISK_WRITE_RATE, metrics::DISK_WRITE_OPS_RATE)?,
            _ => (metrics::SERVICE_TIME, self.service_time()?),
        };
        if matches!(self.key(), Some(Size | Space | Inode | Read | Write | ServiceTime)) {
            return self
                .refuse("a rule has one condition here, and 'and' joins nothing; write a rule for each");
        }
        Ok(Condition::Compare { metric: metric.name.into_owned(), operator, limit })
    }

    /// Whole bytes, with or without a unit. A fraction is an error here, unlike with memory and space.
    fn whole_bytes(&mut self) -> Parse<Limit> {
        if self.token.kind == Kind::Real {
            return self.refuse("sizes of files are whole numbers; write 1536 KB instead of 1.5 MB");
        }
        let n = self.int("a whole number")?;
        if self.token.kind == Kind::Percent || self.at(Percent) {
            return self.refuse("a file is not measured in percent; write a size, such as 10 MB");
        }
        Ok(Limit::Int(n.saturating_mul(self.byte_unit().unwrap_or(1))))
    }

    /// A number of inodes, or a percentage of them.
    pub(super) fn inodes(&mut self, count: Metric, percent: Metric) -> Parse<(Metric, Limit)> {
        let whole = self.token.kind == Kind::Number;
        let n = self.real("a number")?;
        match self.percent() {
            true => Ok((percent, Limit::Real(n))),
            false if whole => Ok((count, Limit::Int(n as i64))),
            false => self.unexpected(&["%"]),
        }
    }

    /// Bytes or operations a second; `/s` and `per second` say no more than the number does.
    fn throughput(&mut self, bytes: Metric, operations: Metric) -> Parse<(Metric, Limit)> {
        let whole = self.token.kind == Kind::Number;
        let n = self.real("a number")?;
        if whole && self.eat(Operation) {
            return Ok((operations, Limit::Int(n as i64)));
        }
        let unit = self.byte_unit().unwrap_or(1);
        self.eat(Second);
        Ok((bytes, Limit::Int((n * unit as f64) as i64)))
    }

    /// Seconds, in a unit that must be there; a fraction of milliseconds is none.
    fn service_time(&mut self) -> Parse<Limit> {
        let whole = self.token.kind == Kind::Number;
        let n = self.real("a number")?;
        if self.eat(Second) {
            return Ok(Limit::Real(n));
        }
        if whole && self.eat(Millisecond) {
            return Ok(Limit::Real(n / 1000.0));
        }
        self.unexpected(if whole { &["milliseconds", "seconds"] } else { &["seconds"] })
    }
}
