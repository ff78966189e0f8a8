//! `if cpu > 80% …`: rules that compare a reading.

use hinoban_config::{Condition, Mistake, Operator};
use hinoban_reading::{Metric, Value as Limit, metrics};

use super::{Parse, Parser};
use crate::keyword::Keyword::{self, *};
use crate::token::{Kind, Subject};

impl Parser<'_> {
    /// One comparison, or several in a row. `and` has no meaning: Monit takes the last and drops the others.
    pub(super) fn resources(&mut self, subject: Subject) -> Parse<Condition> {
        let first = self.here();
        let mut condition = self.resource(subject)?;
        let mut dropped = false;
        while self.key().is_some_and(|key| comparable(key, subject)) {
            condition = self.resource(subject)?;
            dropped = true;
        }
        if dropped {
            let mistake = Mistake::warning(first, "only the last of these conditions counts");
            self.advise(mistake.help(
                "'and' joins nothing: Monit takes the last condition and drops the others; write a rule for each",
            ));
        }
        Ok(condition)
    }

    fn resource(&mut self, subject: Subject) -> Parse<Condition> {
        let Some(key) = self.key().filter(|key| comparable(*key, subject)) else {
            return self.unexpected(match subject {
                Subject::Process => &[
                    "not",
                    "exist",
                    "failed",
                    "succeeded",
                    "changed",
                    "cpu",
                    "total cpu",
                    "memory",
                    "total memory",
                    "children",
                    "threads",
                    "uptime",
                    "filedescriptors",
                    "total filedescriptors",
                    "read",
                    "write",
                    "disk read",
                    "disk write",
                    "loadavg",
                    "N restarts within M cycles",
                ],
                Subject::System => &[
                    "cpu",
                    "cpu(user)",
                    "memory",
                    "swap",
                    "loadavg",
                    "loadavg(5min)",
                    "uptime",
                    "filedescriptors",
                ],
                _ => &["failed", "succeeded", "N restarts within M cycles"],
            });
        };
        if matches!(key, Disk | Read | Write) {
            let activity = self.activity()?;
            let operator = self.operator()?;
            let (metric, limit) = self.activity_limit(activity)?;
            return Ok(Condition::Compare { metric: metric.name.into_owned(), operator, limit });
        }
        self.take();
        let core = matches!(key, Load1 | Load5 | Load15) && self.eat(Core);
        let operator = self.operator()?;
        let (metric, limit) = match key {
            Memory => self.bytes(&metrics::MEMORY, &metrics::MEMORY_PERCENT)?,
            TotalMemory => self.bytes(&metrics::MEMORY_TOTAL, &metrics::MEMORY_TOTAL_PERCENT)?,
            Swap => self.bytes(&metrics::SWAP, &metrics::SWAP_PERCENT)?,
            Load1 | Load5 | Load15 => (load(key, core), Limit::Real(self.real("a number")?)),
            Children => (metrics::CHILDREN, Limit::Int(self.int("a whole number")?)),
            Threads => (metrics::THREADS, Limit::Int(self.int("a whole number")?)),
            Uptime => (metrics::UPTIME, Limit::Int(self.span()?)),
            _ => {
                let percent = self.real("a number")?;
                if !self.percent() {
                    return self.unexpected(&["%"]);
                }
                (cpu(key), Limit::Real(percent))
            }
        };
        Ok(Condition::Compare { metric: metric.name.into_owned(), operator, limit })
    }

    /// `filedescriptors > 80%`: of the system, in numbers or in percent of what there may be.
    pub(super) fn system_descriptors(&mut self) -> Parse<Condition> {
        self.take();
        let operator = self.operator()?;
        let (metric, limit) = self.inodes(metrics::FDS_ALLOCATED, metrics::FDS_ALLOCATED_PERCENT)?;
        Ok(Condition::Compare { metric: metric.name.into_owned(), operator, limit })
    }

    /// A percentage, or bytes with or without a unit.
    pub(super) fn bytes(&mut self, bytes: &Metric, percent: &Metric) -> Parse<(Metric, Limit)> {
        let n = self.real("a number")?;
        if self.percent() {
            return Ok((percent.clone(), Limit::Real(n)));
        }
        let unit = self.byte_unit().unwrap_or(1);
        Ok((bytes.clone(), Limit::Int((n * unit as f64) as i64)))
    }

    /// How many bytes the unit that may come next is, counted in 1024s.
    pub(super) fn byte_unit(&mut self) -> Option<i64> {
        let unit = match self.key()? {
            Byte => 1,
            Kilobyte => 1 << 10,
            Megabyte => 1 << 20,
            Gigabyte => 1 << 30,
            _ => return None,
        };
        self.take();
        Some(unit)
    }

    pub(super) fn percent(&mut self) -> bool {
        let found = self.token.kind == Kind::Percent || self.at(Percent);
        if found {
            self.take();
        }
        found
    }

    /// A number and a unit of time; seconds without one.
    pub(super) fn span(&mut self) -> Parse<i64> {
        let n = self.int("a whole number")?;
        let unit = match self.key() {
            Some(Second) => 1,
            Some(Minute) => 60,
            Some(Hour) => 3600,
            Some(Day) => 86_400,
            Some(Month) => 31 * 86_400,
            _ => return Ok(n),
        };
        self.take();
        Ok(n.saturating_mul(unit))
    }

    /// An operator; none is equality.
    pub(super) fn operator(&mut self) -> Parse<Operator> {
        let operator = match self.key() {
            Some(Changed) => {
                let place = self.here();
                self.take();
                if !matches!(self.token.kind, Kind::Number | Kind::Real) {
                    return self.refuse("'changed' comes first: if changed size then alert");
                }
                let mistake = Mistake::warning(place, "'changed' compares with this number, as != does");
                self.advise(mistake.help("that is what Monit makes of it; write != to say so"));
                return Ok(Operator::NotEqual);
            }
            Some(Greater) => Operator::Greater,
            Some(GreaterOrEqual) => Operator::GreaterOrEqual,
            Some(Less) => Operator::Less,
            Some(LessOrEqual) => Operator::LessOrEqual,
            Some(Equal) => Operator::Equal,
            Some(NotEqual) => Operator::NotEqual,
            _ => return Ok(Operator::Equal),
        };
        self.take();
        Ok(operator)
    }
}

/// Whether a service of this type compares this.
fn comparable(key: Keyword, subject: Subject) -> bool {
    match subject {
        Subject::Process => {
            matches!(
                key,
                Cpu | TotalCpu
                    | Memory
                    | TotalMemory
                    | Children
                    | Threads
                    | Uptime
                    | Disk
                    | Read
                    | Write
                    | Load1
                    | Load5
                    | Load15
            )
        }
        Subject::System => {
            cpu_part(key).is_some() || matches!(key, Cpu | Memory | Swap | Load1 | Load5 | Load15 | Uptime)
        }
        _ => false,
    }
}

fn load(key: Keyword, core: bool) -> Metric {
    match (key, core) {
        (Load1, false) => metrics::LOAD_1,
        (Load1, true) => metrics::LOAD_1_CORE,
        (Load5, false) => metrics::LOAD_5,
        (Load5, true) => metrics::LOAD_5_CORE,
        (_, false) => metrics::LOAD_15,
        (_, true) => metrics::LOAD_15_CORE,
    }
}

fn cpu(key: Keyword) -> Metric {
    if key == TotalCpu { metrics::CPU_TOTAL } else { cpu_part(key).unwrap_or(metrics::CPU) }
}

fn cpu_part(key: Keyword) -> Option<Metric> {
    Some(match key {
        CpuUser => metrics::CPU_USER,
        CpuSystem => metrics::CPU_SYSTEM,
        CpuWait => metrics::CPU_WAIT,
        CpuNice => metrics::CPU_NICE,
        CpuHardIrq => metrics::CPU_HARDIRQ,
        CpuSoftIrq => metrics::CPU_SOFTIRQ,
        CpuSteal => metrics::CPU_STEAL,
        CpuGuest => metrics::CPU_GUEST,
        CpuGuestNice => metrics::CPU_GUESTNICE,
        _ => return None,
    })
}
