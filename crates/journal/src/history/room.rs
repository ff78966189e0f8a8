//! What goes when there is no more room, or when it is old.

use std::collections::BTreeMap;

use redb::{ReadableTable, WriteTransaction};

use super::disk::Trouble;
use super::store::{BY_SERVICE, HOUR, INCIDENTS, META, OPEN, RAW, ROW, SERIES, SLOTS, THIN, put_thin};
use super::thin::{self, SLOT, Sum};

/// The least room: tables and a few readings.
pub(super) const LEAST: u64 = 1_000_000;

/// How much of the longest file is used, in thousandths. The rest is for pages that are not full, which takes half as
/// much again, and for the copy that each change makes before it takes the place of what was there: only so is the file
/// whole at any moment.
pub(super) const SHARE: u64 = 500;

/// How long the file can become within this room: redb makes it twice as long whenever it is full.
pub(super) fn longest(room: u64) -> u64 {
    /// The first lengths, and what does not double of them.
    const FIRST: u64 = 561_152;
    const HEADER: u64 = 4096;
    let mut length = FIRST;
    while 2 * length - HEADER <= room {
        length = 2 * length - HEADER;
    }
    length
}

/// Raw readings are kept this long, in hours: eight days.
const RAW_HOURS: u32 = 8 * 24;

/// Thinned ones, in days.
const THIN_DAYS: u32 = 90;

/// Bytes of what is kept, and the next number for a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) raw: u64,
    pub(super) thin: u64,
    pub(super) incidents: u64,
    pub(super) next_series: u32,
    /// The last day on which series without readings were looked for.
    swept: u64,
}

impl Totals {
    pub(super) fn read(transaction: &WriteTransaction) -> Result<Self, Trouble> {
        let table = transaction.open_table(META)?;
        let read = |name| -> Result<u64, Trouble> { Ok(table.get(name)?.map_or(0, |row| row.value())) };
        Ok(Self {
            raw: read("raw")?,
            thin: read("thin")?,
            incidents: read("incidents")?,
            next_series: u32::try_from(read("next-series")?).unwrap_or(u32::MAX),
            swept: read("swept")?,
        })
    }

    pub(super) fn write(&self, transaction: &WriteTransaction) -> Result<(), Trouble> {
        let mut table = transaction.open_table(META)?;
        let rows = [
            ("raw", self.raw),
            ("thin", self.thin),
            ("incidents", self.incidents),
            ("next-series", self.next_series.into()),
            ("swept", self.swept),
        ];
        for (name, value) in rows {
            if table.get(name)?.map(|row| row.value()) != Some(value) {
                table.insert(name, value)?;
            }
        }
        Ok(())
    }

    fn sum(&self) -> u64 {
        self.raw + self.thin + self.incidents
    }
}

/// Lets the oldest go until what is left fits.
pub(super) fn fit(transaction: &WriteTransaction, totals: &mut Totals, target: u64) -> Result<(), Trouble> {
    while totals.incidents > target / 4 && forget_incident(transaction, totals)? {}
    while totals.sum() > target {
        // Raw readings become points before points go.
        let went = totals.raw > totals.thin && thin_out(transaction, totals, u32::MAX)?
            || forget_points(transaction, totals, u32::MAX)?
            || thin_out(transaction, totals, u32::MAX)?;
        if !went && !forget_incident(transaction, totals)? {
            // What was counted is not there.
            *totals = Totals { raw: 0, thin: 0, incidents: 0, ..*totals };
        }
    }
    Ok(())
}

/// Lets go what is too old at this time, in seconds since the Unix epoch: one bucket of each kind at a time, so that a
/// clock that is wrong for an hour does not take all of it.
pub(super) fn age(transaction: &WriteTransaction, totals: &mut Totals, now: i64) -> Result<(), Trouble> {
    let hour = u32::try_from(now.div_euclid(HOUR / 1000)).unwrap_or(0);
    thin_out(transaction, totals, hour.saturating_sub(RAW_HOURS))?;
    let bucket = u32::try_from(now.div_euclid(SLOT * SLOTS)).unwrap_or(0);
    let many = THIN_DAYS * u32::try_from(86_400 / (SLOT * SLOTS)).unwrap_or(4);
    forget_points(transaction, totals, bucket.saturating_sub(many))?;
    let day = u32::try_from(now.div_euclid(86_400)).unwrap_or(0);
    if u64::from(day) > totals.swept {
        totals.swept = day.into();
        let oldest = day.saturating_sub(THIN_DAYS + 1);
        transaction.open_table(SERIES)?.retain(|_, (_, _, last)| last >= oldest)?;
    }
    Ok(())
}

/// Makes points of the oldest hour of raw readings, if it is before this one.
fn thin_out(transaction: &WriteTransaction, totals: &mut Totals, before: u32) -> Result<bool, Trouble> {
    let mut raw = transaction.open_table(RAW)?;
    let Some(hour) = raw.first()?.map(|row| row.0.value().0).filter(|hour| *hour < before) else {
        return Ok(false);
    };
    let mut sums: BTreeMap<(u32, i64), Sum> = BTreeMap::new();
    let mut freed = 0;
    raw.retain_in((hour, 0, 0)..=(hour, u32::MAX, u32::MAX), |(_, number, place), bytes| {
        freed += bytes.len() as u64 + ROW;
        let start = i64::from(hour) * HOUR + i64::from(place);
        for (at, value) in super::block::samples(start, bytes) {
            sums.entry((number, at.div_euclid(1000 * SLOT))).or_default().add(value);
        }
        false
    })?;
    totals.raw = totals.raw.saturating_sub(freed);
    let mut thinned = transaction.open_table(THIN)?;
    let points: Vec<(u32, thin::Thin)> =
        sums.iter().filter_map(|((number, slot), sum)| Some((*number, sum.thin(*slot)?))).collect();
    for points in points.chunk_by(|a, b| a.0 == b.0) {
        let list: Vec<thin::Thin> = points.iter().map(|(_, point)| *point).collect();
        put_thin(&mut thinned, totals, points[0].0, &list)?;
    }
    Ok(true)
}

/// Lets the oldest bucket of points go, if it is before this one.
fn forget_points(transaction: &WriteTransaction, totals: &mut Totals, before: u32) -> Result<bool, Trouble> {
    let mut table = transaction.open_table(THIN)?;
    let Some(bucket) = table.first()?.map(|row| row.0.value().0).filter(|bucket| *bucket < before) else {
        return Ok(false);
    };
    let mut freed = 0;
    table.retain_in((bucket, 0)..=(bucket, u32::MAX), |_, bytes| {
        freed += bytes.len() as u64 + ROW;
        false
    })?;
    totals.thin = totals.thin.saturating_sub(freed);
    Ok(true)
}

/// Lets the oldest incident go that is over; any, if none is.
fn forget_incident(transaction: &WriteTransaction, totals: &mut Totals) -> Result<bool, Trouble> {
    let mut incidents = transaction.open_table(INCIDENTS)?;
    let mut open = transaction.open_table(OPEN)?;
    let mut oldest = None;
    for row in incidents.iter()? {
        let id = row?.0.value();
        oldest = oldest.or(Some(id));
        if open.get(id)?.is_none() {
            oldest = Some(id);
            break;
        }
    }
    let Some(id) = oldest else { return Ok(false) };
    open.remove(id)?;
    if let Some(row) = incidents.remove(id)? {
        totals.incidents = totals.incidents.saturating_sub(row.value().len() as u64 + ROW);
        let found: Option<super::incident::Incident> = serde_json::from_slice(row.value()).ok();
        if let Some(incident) = found {
            transaction.open_table(BY_SERVICE)?.remove((&*incident.service, id))?;
        }
    }
    Ok(true)
}
