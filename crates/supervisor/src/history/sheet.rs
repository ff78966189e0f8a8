//! What one look has seen lately.

use std::collections::HashSet;
use std::sync::Arc;

use hinoban_config::{Condition, Service, Test};
use hinoban_journal::history::{Block, Chunk, Content, Series, Thin};
use hinoban_reading::{MetricName, Observation, Reading, Stamp, Unit, metrics as m};
use hinoban_scheduler::{Part, condition_name};

/// A block goes when it holds so many bytes. Those of services that began together go together, and then the file rests
/// again: if a few went all the time it would never be let go of, which takes more memory than they do.
const BLOCK: usize = 256;

/// What sheets have in common, each once: the names of metrics, and which columns there are.
#[derive(Debug, Default)]
pub(super) struct Names {
    metrics: Vec<(MetricName, Unit)>,
    columns: HashSet<Arc<[Column]>>,
    /// When there are so many of those, the ones that nobody uses go.
    many: usize,
}

impl Names {
    fn number(&mut self, reading: &Reading) -> Option<u16> {
        let known =
            self.metrics.iter().position(|(name, unit)| *name == reading.name && *unit == reading.unit);
        let at = known.unwrap_or(self.metrics.len());
        let number = u16::try_from(at).ok()?;
        if known.is_none() {
            self.metrics.push((reading.name.clone(), reading.unit));
        }
        Some(number)
    }

    fn get(&self, number: u16) -> Option<&(MetricName, Unit)> {
        self.metrics.get(usize::from(number))
    }

    /// These columns, shared with all who have the same.
    fn share(&mut self, columns: &[Column]) -> Arc<[Column]> {
        if let Some(known) = self.columns.get(columns) {
            return known.clone();
        }
        if self.columns.len() >= self.many {
            self.columns.retain(|columns| Arc::strong_count(columns) > 1);
            self.many = 2 * self.columns.len() + 16;
        }
        let columns: Arc<[Column]> = columns.into();
        self.columns.insert(columns.clone());
        columns
    }
}

/// What one look sees, of five minutes.
#[derive(Debug)]
pub(super) struct Sheet {
    service: Arc<str>,
    /// Nothing for the look at the service itself.
    part: Option<Arc<str>>,
    slot: i64,
    /// In the order in which the look gives its readings.
    columns: Arc<[Column]>,
    sums: Box<[Sum]>,
    blocks: Box<[Block]>,
}

/// Where a reading goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Column {
    name: u16,
    keep: Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Keep {
    /// It says nothing over time.
    Not,
    /// Into which of the sums.
    Thin(u16),
    /// Into which of the blocks.
    Raw(u16),
}

/// One reading, added up.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: u32,
    min: f32,
    max: f32,
    sum: f64,
}

impl Sheet {
    pub(super) fn new(service: &Service, part: Part) -> Self {
        let part = match part {
            Part::Subject => None,
            Part::Test(rule) => Some(name_of(service, rule).into()),
        };
        let service = service.name.as_str().into();
        let (columns, sums, blocks) = Default::default();
        Self { service, part, slot: i64::MIN, columns, sums, blocks }
    }

    pub(super) fn is_of(&self, service: &str) -> bool {
        *self.service == *service
    }

    /// Goes on to this slot: what there is of another one is complete.
    pub(super) fn turn(&mut self, slot: i64, names: &Names, out: &mut Vec<Chunk>) {
        if self.slot == slot {
            return;
        }
        out.extend(self.copy(names));
        self.slot = slot;
        self.sums.fill(Sum::default());
        self.blocks.iter_mut().for_each(|block| *block = Block::new(0));
    }

    /// What there is.
    pub(super) fn copy<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = Chunk> + 'a {
        self.columns.iter().filter_map(|column| {
            let content = match column.keep {
                Keep::Not => return None,
                Keep::Thin(at) => Content::Thin(self.sums.get(usize::from(at))?.thin(self.slot)?),
                Keep::Raw(at) => {
                    Content::Raw(self.blocks.get(usize::from(at)).filter(|block| !block.is_empty())?.clone())
                }
            };
            self.chunk(column.name, names, content)
        })
    }

    fn chunk(&self, name: u16, names: &Names, content: Content) -> Option<Chunk> {
        let (metric, unit) = names.get(name)?.clone();
        let part = self.part.clone().unwrap_or_default();
        Some(Chunk { series: Series { service: self.service.clone(), part, metric, unit }, content })
    }

    /// Takes in what a look saw.
    pub(super) fn add(
        &mut self,
        service: &Service,
        seen: &Observation,
        at: Stamp,
        names: &mut Names,
        out: &mut Vec<Chunk>,
    ) {
        let time = at.micros().div_euclid(1000);
        let mut next = 0;
        for (i, reading) in seen.readings.iter().enumerate() {
            let Some(value) = number(reading) else { continue };
            let mut place = self.place(next, reading, names);
            if place.is_none() {
                self.open(next, service, &seen.readings[i..], names);
                place = self.place(next, reading, names);
            }
            let Some(place) = place else { continue };
            next = place + 1;
            let Column { name, keep } = self.columns[place];
            match keep {
                Keep::Not => {}
                Keep::Thin(which) => {
                    if let Some(sum) = self.sums.get_mut(usize::from(which)) {
                        sum.add(value);
                    }
                }
                Keep::Raw(which) => {
                    let Some(block) = self.blocks.get_mut(usize::from(which)) else { continue };
                    if block.is_empty() {
                        *block = Block::new(time);
                    }
                    block.push(time, value);
                    if block.size() >= BLOCK {
                        let full = block.replace(time);
                        out.extend(self.chunk(name, names, Content::Raw(full)));
                    }
                }
            }
        }
    }

    /// The column of a reading, which is the `next` one in most looks: they give the same readings in the same order.
    fn place(&self, next: usize, reading: &Reading, names: &Names) -> Option<usize> {
        place(&self.columns, next, reading, names)
    }

    /// Makes columns for those of these readings that were not seen before, each where it comes. Rates come from the second
    /// look on, in the midst of the others.
    fn open(&mut self, next: usize, service: &Service, readings: &[Reading], names: &mut Names) {
        let mut columns = self.columns.to_vec();
        let mut sums = std::mem::take(&mut self.sums).into_vec();
        let mut blocks = std::mem::take(&mut self.blocks).into_vec();
        let mut next = next;
        for reading in readings.iter().filter(|reading| number(reading).is_some()) {
            if let Some(known) = place(&columns, next, reading, names) {
                next = known + 1;
                continue;
            }
            let Some(name) = names.number(reading) else { continue };
            let named = self.part.is_some()
                || service.rules.iter().any(|rule| names_metric(&rule.when, &reading.name));
            let keep = match (u16::try_from(blocks.len()), u16::try_from(sums.len())) {
                (Ok(which), _) if named => {
                    blocks.push(Block::new(0));
                    Keep::Raw(which)
                }
                (_, Ok(which)) if !rests(&reading.name) => {
                    sums.push(Sum::default());
                    Keep::Thin(which)
                }
                _ => Keep::Not,
            };
            next = next.min(columns.len());
            columns.insert(next, Column { name, keep });
            next += 1;
        }
        (self.sums, self.blocks) = (sums.into(), blocks.into());
        self.columns = names.share(&columns);
    }
}

/// A reading as it can be reckoned with.
fn number(reading: &Reading) -> Option<f64> {
    reading.value.as_f64().filter(|value| value.is_finite())
}

fn place(columns: &[Column], next: usize, reading: &Reading, names: &Names) -> Option<usize> {
    let is_it = |column: &Column| names.get(column.name).is_some_and(|(name, _)| *name == reading.name);
    match columns.get(next) {
        Some(column) if is_it(column) => Some(next),
        _ => columns.iter().position(is_it),
    }
}

impl Sum {
    fn add(&mut self, value: f64) {
        let small = value as f32;
        (self.min, self.max, self.sum) = match self.count {
            0 => (small, small, value),
            _ => (self.min.min(small), self.max.max(small), self.sum + value),
        };
        self.count += 1;
    }

    fn thin(&self, slot: i64) -> Option<Thin> {
        let mean = (self.sum / f64::from(self.count)) as f32;
        let point = Thin { slot, count: self.count, min: self.min, mean, max: self.max };
        (self.count > 0).then_some(point)
    }
}

/// Whether a rule is about this reading of the thing itself.
fn names_metric(when: &Condition, name: &str) -> bool {
    match when {
        Condition::Compare { metric, .. }
        | Condition::Changed { metric, .. }
        | Condition::Differs { metric }
        | Condition::Content { metric, .. }
        | Condition::Matches { metric, .. } => metric == name,
        _ => false,
    }
}

/// Whether a reading is a name, a limit or a counter that only grows: nobody looks at its course. A rule may name it all
/// the same; then it is kept.
fn rests(name: &str) -> bool {
    let rests = [
        m::PID,
        m::PPID,
        m::UID,
        m::EUID,
        m::GID,
        m::UPTIME,
        m::FDS_SOFT,
        m::FDS_HARD,
        m::FDS_MAXIMUM,
        m::READ_BYTES,
        m::WRITE_BYTES,
        m::DISK_READ_BYTES,
        m::DISK_WRITE_BYTES,
        m::DISK_READ_OPS,
        m::DISK_WRITE_OPS,
        m::BOOT_TIME,
        m::PERMISSION,
        m::LINKS,
        m::ACCESS_TIME,
        m::CHANGE_TIME,
        m::MODIFY_TIME,
        m::TIMESTAMP,
        m::BLOCK_SIZE,
        m::SPACE_TOTAL,
        m::INODES_TOTAL,
    ];
    rests.iter().any(|metric| metric.name == name)
}

/// The name of a test: what it is about, and a number if there are several of it.
fn name_of(service: &Service, rule: usize) -> String {
    let name = |rule: usize| match service.rules.get(rule).map(|rule| &rule.when) {
        Some(Condition::Test { test: Test::Port(port), .. }) => Some(format!("{}:{}", port.host, port.port)),
        Some(Condition::Test { test: Test::Url(url), .. }) => Some(public(url.shown())),
        Some(Condition::Test { test: Test::Unix(unix), .. }) => Some(unix.path.display().to_string()),
        Some(Condition::Test { test: Test::Ping(ping), .. }) => Some(format!("ping {}", ping.host)),
        Some(when @ Condition::Test { .. }) => Some(condition_name(when)),
        _ => None,
    };
    let own = name(rule).unwrap_or_default();
    match (0..rule).filter(|before| name(*before).as_ref() == Some(&own)).count() {
        0 => own,
        before => format!("{own} ({})", before + 1),
    }
}

/// A URL without user and password.
fn public(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hinoban_journal::history::SLOT;

    use super::*;

    #[test]
    fn a_name_of_a_test_holds_no_password() {
        assert_eq!(public("https://u:secret@example.com/a@b"), "https://example.com/a@b");
        assert_eq!(public("http://example.com/@"), "http://example.com/@");
    }

    #[test]
    fn five_minutes_become_a_point_and_what_only_grows_is_left_out() {
        let service = Service::system("h");
        let mut names = Names::default();
        let mut sheet = Sheet::new(&service, Part::Subject);
        let mut out = Vec::new();
        let at = |secs: i64| Stamp::from_micros(secs * 1_000_000);
        for (i, load) in [1.0, 4.0, 1.0].into_iter().enumerate() {
            let secs = SLOT + 10 * i as i64;
            sheet.turn(secs / SLOT, &names, &mut out);
            let seen = Observation::up().with(&m::BOOT_TIME, 7i64).with(&m::LOAD_1, load);
            sheet.add(&service, &seen, at(secs), &mut names, &mut out);
        }
        assert_eq!(out, []);
        sheet.turn(2, &names, &mut out);
        let points: Vec<_> = out.iter().map(|chunk| (&*chunk.series.metric, chunk.content.clone())).collect();
        let thin = Thin { slot: 1, count: 3, min: 1.0, mean: 2.0, max: 4.0 };
        assert_eq!(points, [("load.1", Content::Thin(thin))]);
    }

    /// There are some fifteen sums to each of what may be thousands of processes.
    #[test]
    fn a_sheet_is_small_and_what_is_the_same_for_many_is_kept_once() {
        assert!(size_of::<Sum>() <= 24 && size_of::<Sheet>() <= 88);
        let mut names = Names::default();
        let sheets = [0, 1].map(|_| {
            let service = Service::system("h");
            let mut sheet = Sheet::new(&service, Part::Subject);
            for rate in [false, true] {
                let mut seen = Observation::up().with(&m::BOOT_TIME, 7i64);
                if rate {
                    seen.push(&m::CPU, 1.0);
                }
                let seen = seen.with(&m::LOAD_1, 0.5);
                sheet.add(&service, &seen, Stamp::from_micros(0), &mut names, &mut Vec::new());
            }
            sheet
        });
        assert!(Arc::ptr_eq(&sheets[0].columns, &sheets[1].columns));
        let order = sheets[0].columns.iter().map(|column| &*names.get(column.name).unwrap().0);
        assert_eq!(order.collect::<Vec<_>>(), ["boot.time", "cpu.percent", "load.1"]);
        assert_eq!((sheets[0].sums.len(), sheets[0].sums[0].count), (2, 2), "the load goes on in its place");
    }
}
