//! What is written to the file, and read back: tables of redb, open only while somebody needs them.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::block::Block;
use super::disk::{self, Trouble};
use super::incident::Incident;
use super::room::{self, Totals};
use super::series::{Asked, Chunk, Content, Point, Readings, Series};
use super::thin::{self, SLOT, Sum, Thin};

/// Length of a bucket of raw readings, in milliseconds: an hour.
pub(super) const HOUR: i64 = 3_600_000;

/// Points in a bucket of thinned ones: six hours of them.
pub(super) const SLOTS: i64 = 72;

/// A block is gone on with up to this many bytes: some of them share a page.
const BLOCK: usize = 900;

/// What a row takes besides its value.
pub(super) const ROW: u64 = 20;

/// The form of all this. Another one is not ours to read.
const FORM: u64 = 1;

/// Hour, series, milliseconds within the hour: the bytes of a [`Block`].
pub(super) const RAW: TableDefinition<'_, (u32, u32, u32), &[u8]> = TableDefinition::new("raw");
/// Bucket, series: the bytes of its points.
pub(super) const THIN: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("thin");
/// Service, part and metric: number, unit, and the last day it had readings.
pub(super) const SERIES: TableDefinition<'_, &str, (u32, &str, u32)> = TableDefinition::new("series");
/// Incidents as JSON.
pub(super) const INCIDENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("incidents");
/// The incidents of a service.
pub(super) const BY_SERVICE: TableDefinition<'_, (&str, u64), ()> =
    TableDefinition::new("incidents-by-service");
/// Those that go on.
pub(super) const OPEN: TableDefinition<'_, u64, ()> = TableDefinition::new("open-incidents");
/// Counters.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The file of the history.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    room: u64,
    database: Option<Database>,
    /// How much of the room may be used, in thousandths: less, once that proved too much.
    share: u64,
}

impl Store {
    pub(super) fn new(path: &Path, room: u64) -> Self {
        Self { path: path.to_owned(), room: room.max(room::LEAST), database: None, share: room::SHARE }
    }

    /// Whether there is a file.
    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    pub(super) fn is_open(&self) -> bool {
        self.database.is_some()
    }

    /// Lets go of the file, and of the memory that it takes to have it open.
    pub(super) fn close(&mut self) -> Result<(), Trouble> {
        match self.database.take() {
            Some(database) => disk::guarded(|| {
                drop(database);
                Ok(())
            }),
            None => Ok(()),
        }
    }

    /// Puts the file aside: it is not ours, or damaged. Gives a sentence about it for people.
    pub(super) fn set_aside(&mut self, why: &str) -> Result<String, Trouble> {
        let _ = self.close();
        disk::set_aside(&self.path, why)
    }

    /// Takes on another size. A file that is longer becomes shorter at the next opportunity.
    pub(super) fn set_room(&mut self, room: u64) {
        self.room = room.max(room::LEAST);
        self.share = room::SHARE;
        let _ = self.close();
    }

    /// Opens it, if it is not open.
    fn open(&mut self) -> Result<&Database, Trouble> {
        if self.database.is_none() {
            let mut database = disk::open(&self.path, self.room)?;
            let found = disk::guarded(|| form(&database))?;
            if found != FORM {
                return Err(Trouble::Damaged(format!(
                    "it is of form {found}, and this version knows {FORM}"
                )));
            }
            if std::fs::metadata(&self.path).is_ok_and(|found| found.len() > self.room) {
                let target = self.target();
                disk::guarded(|| shrink(&mut database, target))?;
                drop(database);
                database = disk::open(&self.path, self.room)?;
            }
            self.database = Some(database);
        }
        self.database.as_ref().ok_or(Trouble::Full)
    }

    fn target(&self) -> u64 {
        room::longest(self.room) / 1000 * self.share
    }

    /// Writes by one transaction.
    pub(super) fn write<T>(
        &mut self,
        mut act: impl FnMut(&WriteTransaction, &mut Totals) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let result = self.write_once(&mut act);
        if result.is_err() {
            // What follows an error of the disk is answered with it until the file is opened again.
            let _ = self.close();
        }
        if result.as_ref().err() != Some(&Trouble::Full) {
            return result;
        }
        // It was arranged so that it did not fit: less of it does.
        self.share = self.share * 4 / 5;
        let again = self.write_once(&mut |_, _| Ok(())).and_then(|()| self.write_once(&mut act));
        if again.is_err() {
            let _ = self.close();
        }
        if again.as_ref().err() == Some(&Trouble::Full) {
            // Not even room to take something away: better to begin anew than never to keep anything again.
            let _ = std::fs::remove_file(&self.path);
        }
        again
    }

    fn write_once<T>(
        &mut self,
        act: &mut impl FnMut(&WriteTransaction, &mut Totals) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let target = self.target();
        let database = self.open()?;
        disk::guarded(|| {
            let transaction = database.begin_write()?;
            let mut totals = Totals::read(&transaction)?;
            let done = act(&transaction, &mut totals)?;
            room::fit(&transaction, &mut totals, target)?;
            totals.write(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }

    /// Reads; a file that is not there holds nothing.
    fn read<T: Default>(
        &mut self,
        act: impl FnOnce(&redb::ReadTransaction) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        if !self.exists() {
            return Ok(T::default());
        }
        let database = self.open()?;
        disk::guarded(|| act(&database.begin_read()?))
    }

    /// The incidents, the newest first: of this service, or all; at most so many.
    pub(super) fn incidents(
        &mut self,
        service: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Incident>, Trouble> {
        self.read(|transaction| {
            let table = transaction.open_table(INCIDENTS)?;
            let mut found = Vec::new();
            match service {
                None => {
                    for row in table.iter()?.rev().take(limit) {
                        found.extend(incident(row?.1.value()));
                    }
                }
                Some(name) => {
                    let ids = transaction.open_table(BY_SERVICE)?;
                    for row in ids.range((name, 0)..=(name, u64::MAX))?.rev().take(limit) {
                        let id = row?.0.value().1;
                        found.extend(table.get(id)?.and_then(|row| incident(row.value())));
                    }
                }
            }
            Ok(found)
        })
    }

    /// One incident.
    pub(super) fn incident(&mut self, id: u64) -> Result<Option<Incident>, Trouble> {
        self.read(|transaction| {
            let row = transaction.open_table(INCIDENTS)?.get(id)?;
            Ok(row.and_then(|row| incident(row.value())))
        })
    }

    /// The incidents that go on, and the number for the next one; 0: it does not say.
    pub(super) fn going_on(&mut self) -> Result<(Vec<Incident>, u64), Trouble> {
        self.read(|transaction| {
            let table = transaction.open_table(INCIDENTS)?;
            let mut open = Vec::new();
            for row in transaction.open_table(OPEN)?.iter()? {
                let id = row?.0.value();
                open.extend(table.get(id)?.and_then(|row| incident(row.value())));
            }
            let next = transaction.open_table(META)?.get("next-incident")?.map_or(0, |row| row.value());
            Ok((open, next))
        })
    }

    /// The series of a service.
    pub(super) fn series(&mut self, service: &str) -> Result<Vec<Series>, Trouble> {
        self.read(|transaction| {
            let mut found = Vec::new();
            let (from, to) = (format!("{service}\0"), format!("{service}\x01"));
            for row in transaction.open_table(SERIES)?.range(from.as_str()..to.as_str())? {
                let (name, value) = row?;
                found.extend(read_series(name.value(), value.value().1));
            }
            Ok(found)
        })
    }

    /// The readings of a series between two times, in so many points.
    pub(super) fn readings(&mut self, asked: &Asked) -> Result<Readings, Trouble> {
        let known = self.series(&asked.service)?;
        let wanted: Vec<&Series> = known
            .iter()
            .filter(|series| {
                series.metric == asked.metric && asked.part.as_ref().is_none_or(|p| **p == *series.part)
            })
            .collect();
        let mut points = Stretches::new(asked);
        let (from, to) = (asked.from.micros().div_euclid(1000), asked.to.micros().div_euclid(1000));
        self.read(|transaction| {
            let numbers = transaction.open_table(SERIES)?;
            let (raw, thinned) = (transaction.open_table(RAW)?, transaction.open_table(THIN)?);
            for series in &wanted {
                let Some(number) = numbers.get(name(series).as_str())?.map(|row| row.value().0) else {
                    continue;
                };
                // A block may reach a little into the next hour.
                let hours = (from.div_euclid(HOUR) - 1, to.div_euclid(HOUR));
                for hour in held(
                    hours,
                    raw.first()?.map(|row| row.0.value().0),
                    raw.last()?.map(|row| row.0.value().0),
                ) {
                    for row in raw.range((hour, number, 0)..=(hour, number, u32::MAX))? {
                        let (key, value) = row?;
                        let start = i64::from(hour) * HOUR + i64::from(key.value().2);
                        super::block::samples(start, value.value())
                            .for_each(|(at, value)| points.add(at, value));
                    }
                }
                let slots = |time: i64| time.div_euclid(1000 * SLOT * SLOTS);
                let buckets = (slots(from), slots(to));
                for bucket in held(
                    buckets,
                    thinned.first()?.map(|row| row.0.value().0),
                    thinned.last()?.map(|row| row.0.value().0),
                ) {
                    let Some(row) = thinned.get((bucket, number))? else { continue };
                    thin::points(i64::from(bucket) * SLOTS, row.value())
                        .for_each(|point| points.add_thin(&point));
                }
            }
            Ok(())
        })?;
        for chunk in &asked.fresh {
            match &chunk.content {
                Content::Raw(block) => block.samples().for_each(|(at, value)| points.add(at, value)),
                Content::Thin(point) => points.add_thin(point),
            }
        }
        let unit =
            wanted.first().map(|series| series.unit).or_else(|| Some(asked.fresh.first()?.series.unit));
        Ok(Readings { unit, points: points.list() })
    }
}

/// The buckets from one to another, as far as there are any.
fn held((from, to): (i64, i64), first: Option<u32>, last: Option<u32>) -> impl Iterator<Item = u32> {
    let (first, last) = (first.unwrap_or(1), last.unwrap_or(0));
    let clamp = |n: i64| u32::try_from(n.max(0)).unwrap_or(u32::MAX);
    first.max(clamp(from))..=last.min(clamp(to))
}

/// The form of what stands in the file; of a new one, ours.
fn form(database: &Database) -> Result<u64, Trouble> {
    {
        let transaction = database.begin_read()?;
        match transaction.open_table(META) {
            Ok(table) => return Ok(table.get("form")?.map_or(0, |row| row.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => {}
            Err(why) => return Err(why.into()),
        }
        if transaction.list_tables()?.next().is_some() {
            return Ok(0);
        }
    }
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert("form", FORM)?;
    // So that whoever reads finds them.
    transaction.open_table(RAW)?;
    transaction.open_table(THIN)?;
    transaction.open_table(SERIES)?;
    transaction.open_table(INCIDENTS)?;
    transaction.open_table(BY_SERVICE)?;
    transaction.open_table(OPEN)?;
    transaction.commit()?;
    Ok(FORM)
}

/// Brings a file that is longer than it may be to its size.
fn shrink(database: &mut Database, target: u64) -> Result<(), Trouble> {
    let transaction = database.begin_write()?;
    let mut totals = Totals::read(&transaction)?;
    room::fit(&transaction, &mut totals, target)?;
    totals.write(&transaction)?;
    transaction.commit()?;
    database.compact()?;
    Ok(())
}

fn incident(json: &[u8]) -> Option<Incident> {
    serde_json::from_slice(json).ok()
}

/// The name of a series in its table.
fn name(series: &Series) -> String {
    format!("{}\0{}\0{}", series.service, series.part, series.metric)
}

fn read_series(name: &str, unit: &str) -> Option<Series> {
    let mut parts = name.splitn(3, '\0');
    let (service, part, metric) = (parts.next()?, parts.next()?, parts.next()?);
    let unit = serde_json::from_str(unit).ok()?;
    Some(Series { service: service.into(), part: part.into(), metric: metric.to_owned().into(), unit })
}

/// Writes an incident.
pub(super) fn put_incident(
    transaction: &WriteTransaction,
    totals: &mut Totals,
    incident: &Incident,
) -> Result<(), Trouble> {
    let json = serde_json::to_vec(incident).unwrap_or_default();
    let before =
        transaction.open_table(INCIDENTS)?.insert(incident.id, json.as_slice())?.map(|row| row.value().len());
    totals.incidents += json.len() as u64 + ROW;
    totals.incidents = totals.incidents.saturating_sub(before.map_or(0, |length| length as u64 + ROW));
    transaction.open_table(BY_SERVICE)?.insert((&*incident.service, incident.id), ())?;
    let mut open = transaction.open_table(OPEN)?;
    match incident.closed {
        None => drop(open.insert(incident.id, ())?),
        Some(_) => drop(open.remove(incident.id)?),
    }
    Ok(())
}

/// Writes which number the next incident has.
pub(super) fn put_next(transaction: &WriteTransaction, next: u64) -> Result<(), Trouble> {
    transaction.open_table(META)?.insert("next-incident", next)?;
    Ok(())
}

/// Writes readings.
pub(super) fn put_readings(
    transaction: &WriteTransaction,
    totals: &mut Totals,
    chunks: &[Chunk],
) -> Result<(), Trouble> {
    let mut series = transaction.open_table(SERIES)?;
    let mut raw = transaction.open_table(RAW)?;
    let mut thinned = transaction.open_table(THIN)?;
    for chunk in chunks {
        let end = match &chunk.content {
            Content::Raw(block) => block.end() / 1000,
            Content::Thin(point) => point.slot * SLOT,
        };
        let day = u32::try_from(end / 86_400).unwrap_or(0);
        let key = name(&chunk.series);
        let known = series.get(key.as_str())?.map(|row| (row.value().0, row.value().2));
        let number = match known {
            Some((number, last)) if last >= day => number,
            _ => {
                let number = known.map_or(totals.next_series, |(number, _)| number);
                totals.next_series = totals.next_series.max(number + 1);
                let unit = serde_json::to_string(&chunk.series.unit).unwrap_or_default();
                series.insert(key.as_str(), (number, unit.as_str(), day))?;
                number
            }
        };
        match &chunk.content {
            Content::Raw(block) if block.is_empty() => {}
            Content::Raw(block) => put_raw(&mut raw, totals, number, block)?,
            Content::Thin(point) => put_thin(&mut thinned, totals, number, std::slice::from_ref(point))?,
        }
    }
    Ok(())
}

fn put_raw(
    table: &mut redb::Table<'_, (u32, u32, u32), &'static [u8]>,
    totals: &mut Totals,
    number: u32,
    block: &Block,
) -> Result<(), Trouble> {
    let hour = u32::try_from(block.start().div_euclid(HOUR)).unwrap_or(0);
    let place = u32::try_from(block.start().rem_euclid(HOUR)).unwrap_or(0);
    let last = {
        let row = table.range((hour, number, 0)..=(hour, number, u32::MAX))?.next_back().transpose()?;
        row.map(|(key, value)| (key.value().2, value.value().to_vec()))
    };
    match last {
        // One of the same place is gone on with in any case: it would be written over.
        Some((at, bytes)) if at == place || (at < place && bytes.len() + block.size() <= BLOCK) => {
            let mut longer = Block::read(i64::from(hour) * HOUR + i64::from(at), &bytes);
            block.samples().for_each(|(time, value)| longer.push(time, value));
            totals.raw = (totals.raw + longer.size() as u64).saturating_sub(bytes.len() as u64);
            table.insert((hour, number, at), longer.bytes())?;
        }
        _ => {
            totals.raw += block.size() as u64 + ROW;
            let before =
                table.insert((hour, number, place), block.bytes())?.map(|row| row.value().len() as u64);
            totals.raw = totals.raw.saturating_sub(before.map_or(0, |length| length + ROW));
        }
    }
    Ok(())
}

/// Adds points to those of a series; all of one bucket at a time.
pub(super) fn put_thin(
    table: &mut redb::Table<'_, (u32, u32), &'static [u8]>,
    totals: &mut Totals,
    number: u32,
    points: &[Thin],
) -> Result<(), Trouble> {
    for points in points.chunk_by(|a, b| a.slot.div_euclid(SLOTS) == b.slot.div_euclid(SLOTS)) {
        let first = points[0].slot.div_euclid(SLOTS);
        let bucket = u32::try_from(first).unwrap_or(0);
        let before = table.get((bucket, number))?.map(|row| row.value().to_vec());
        let mut bytes = before.clone().unwrap_or_default();
        let mut last = thin::points(first * SLOTS, &bytes).last();
        for point in points {
            thin::push(&mut bytes, first * SLOTS, last.as_ref(), point);
            last = Some(*point);
        }
        totals.thin += bytes.len() as u64 + if before.is_none() { ROW } else { 0 };
        totals.thin = totals.thin.saturating_sub(before.map_or(0, |before| before.len() as u64));
        table.insert((bucket, number), bytes.as_slice())?;
    }
    Ok(())
}

/// Readings, put where they belong in time.
struct Stretches {
    from: i64,
    length: i64,
    sums: Vec<Sum>,
}

impl Stretches {
    fn new(asked: &Asked) -> Self {
        let (from, to) = (asked.from.micros().div_euclid(1000), asked.to.micros().div_euclid(1000));
        let time = to.saturating_sub(from).max(0);
        let points = i64::try_from(asked.points.max(1)).unwrap_or(i64::MAX);
        let length = time.div_euclid(points).saturating_add(i64::from(time.rem_euclid(points) > 0)).max(1);
        let many = usize::try_from(time / length + i64::from(time % length > 0)).unwrap_or(0);
        Self { from, length, sums: vec![Sum::default(); many] }
    }

    fn at(&mut self, time: i64) -> Option<&mut Sum> {
        let place = usize::try_from(time.checked_sub(self.from)?.div_euclid(self.length)).ok()?;
        self.sums.get_mut(place)
    }

    fn add(&mut self, time: i64, value: f64) {
        if let Some(sum) = self.at(time) {
            sum.add(value);
        }
    }

    /// A point is put where the middle of its five minutes lies.
    fn add_thin(&mut self, point: &Thin) {
        if let Some(sum) = self.at(point.slot.saturating_mul(1000 * SLOT).saturating_add(500 * SLOT)) {
            sum.add_thin(point);
        }
    }

    fn list(&self) -> Vec<Point> {
        let point = |(place, sum): (usize, &Sum)| {
            let (count, min, mean, max) = sum.all()?;
            let at = hinoban_reading::Stamp::from_micros((self.from + self.length * place as i64) * 1000);
            Some(Point { at, count, min, mean, max })
        };
        self.sums.iter().enumerate().filter_map(point).collect()
    }
}
