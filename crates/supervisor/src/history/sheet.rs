//! What one look has seen lately.

use std::sync::Arc;

use hinoban_config::{Condition, Service, Test};
use hinoban_journal::history::{Block, Chunk, Content, Series, Thin};
use hinoban_reading::{MetricName, Observation, Reading, Stamp, Unit, metrics as m};
use hinoban_scheduler::{Part, condition_name};

/// A block goes when it holds so many bytes: of many services at a time, few are in memory.
const BLOCK: usize = 256;

/// The names of metrics, each once.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<(MetricName, Unit)>);

impl Names {
    fn number(&mut self, reading: &Reading) -> Option<u16> {
        let known = self.0.iter().position(|(name, unit)| *name == reading.name && *unit == reading.unit);
        let at = known.unwrap_or(self.0.len());
        let number = u16::try_from(at).ok()?;
        if known.is_none() {
            self.0.push((reading.name.clone(), reading.unit));
        }
        Some(number)
    }
}

/// What one look sees, of five minutes.
#[derive(Debug)]
pub(super) struct Sheet {
    service: Arc<str>,
    part: Arc<str>,
    slot: i64,
    /// In the order in which the look gives its readings.
    cells: Vec<Cell>,
    blocks: Vec<Block>,
}

/// One reading.
#[derive(Debug)]
struct Cell {
    name: u16,
    keep: Keep,
    count: u32,
    min: f32,
    max: f32,
    sum: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Keep {
    /// It says nothing over time.
    Not,
    Thin,
    /// Which of the blocks.
    Raw(u16),
}

impl Sheet {
    pub(super) fn new(service: &Service, part: Part) -> Self {
        let part = match part {
            Part::Subject => "".into(),
            Part::Test(rule) => name_of(service, rule).into(),
        };
        let service = service.name.as_str().into();
        Self { service, part, slot: i64::MIN, cells: Vec::new(), blocks: Vec::new() }
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
        self.cells.iter_mut().for_each(|cell| cell.count = 0);
        self.blocks.iter_mut().for_each(|block| *block = Block::new(0));
    }

    /// What there is.
    pub(super) fn copy<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = Chunk> + 'a {
        self.cells.iter().filter_map(|cell| {
            let content = match cell.keep {
                Keep::Raw(at) => {
                    Content::Raw(self.blocks.get(usize::from(at)).filter(|block| !block.is_empty())?.clone())
                }
                _ => Content::Thin(cell.thin(self.slot)?),
            };
            self.chunk(cell.name, names, content)
        })
    }

    fn chunk(&self, name: u16, names: &Names, content: Content) -> Option<Chunk> {
        let (metric, unit) = names.0.get(usize::from(name))?.clone();
        let series = Series { service: self.service.clone(), part: self.part.clone(), metric, unit };
        Some(Chunk { series, content })
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
        for reading in &seen.readings {
            let Some(value) = reading.value.as_f64().filter(|value| value.is_finite()) else { continue };
            let is_it =
                |cell: &Cell| names.0.get(usize::from(cell.name)).is_some_and(|(n, _)| *n == reading.name);
            // Most looks give the same readings in the same order.
            let place = match self.cells.get(next) {
                Some(cell) if is_it(cell) => Some(next),
                _ => self.cells.iter().position(is_it),
            };
            let Some(place) = place.or_else(|| self.open(next, service, reading, names)) else { continue };
            next = place + 1;
            let cell = &mut self.cells[place];
            match cell.keep {
                Keep::Not => {}
                Keep::Thin => cell.add(value),
                Keep::Raw(which) => {
                    let Some(block) = self.blocks.get_mut(usize::from(which)) else { continue };
                    if block.is_empty() {
                        *block = Block::new(time);
                    }
                    block.push(time, value);
                    if block.size() >= BLOCK {
                        let (full, name) = (block.replace(time), cell.name);
                        out.extend(self.chunk(name, names, Content::Raw(full)));
                    }
                }
            }
        }
    }

    /// A place for a reading that was not seen before: where it came. Rates come from the second look on, in the midst of
    /// the others.
    fn open(&mut self, at: usize, service: &Service, reading: &Reading, names: &mut Names) -> Option<usize> {
        let name = names.number(reading)?;
        let named =
            !self.part.is_empty() || service.rules.iter().any(|rule| names_metric(&rule.when, &reading.name));
        let keep = match u16::try_from(self.blocks.len()) {
            Ok(which) if named => {
                self.blocks.push(Block::new(0));
                Keep::Raw(which)
            }
            _ if rests(&reading.name) => Keep::Not,
            _ => Keep::Thin,
        };
        let at = at.min(self.cells.len());
        self.cells.insert(at, Cell { name, keep, count: 0, min: 0.0, max: 0.0, sum: 0.0 });
        Some(at)
    }
}

impl Cell {
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
        (self.keep == Keep::Thin && self.count > 0).then_some(point)
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
        assert_eq!(size_of::<Cell>(), 32);
    }
}
