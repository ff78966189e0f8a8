//! Whose turn it is among those that are not looked at in each cycle, by counting or by the calendar.
//!
//! A pattern of the calendar is about local time, which is not even: a clock change leaves out minutes, or has them twice.
//! What is named and left out has its turn right after the gap; what is named and comes twice has it the first time only,
//! unless the pattern names every hour: then hours are hours. A minute that passed between two cycles is not lost.

use hinoban_config::{Cron, Turns};
use hinoban_reading::{Now, Stamp};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::machine::Scheduler;
use crate::watched::Watched;

/// Longest time that is searched for a named minute: the next 29 February may be eight years away.
const FAR: i64 = 8 * 366 * DAY;

const DAY: i64 = 24 * 60;

/// What is remembered of a service's turns.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Turn {
    /// Whether the last cycle was not its turn.
    pub(crate) waits: bool,
    /// Cycles passed over since its last one; `None` before the first.
    passed: Option<u32>,
    read: Option<Read>,
}

/// How far the calendar has been read, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Read {
    /// Since the Unix epoch.
    minute: i64,
    /// The latest there was on local clocks.
    local: i64,
}

impl Turn {
    /// Cycles passed over since its last one.
    pub(crate) fn passed(&self) -> u32 {
        self.passed.unwrap_or(0)
    }

    /// Whether this cycle is its turn. To be asked once in each.
    fn comes(&mut self, turns: &Turns, zone: &TimeZone, stamp: Stamp) -> bool {
        let comes = match turns {
            Turns::Each => true,
            Turns::Nth(n) => {
                let passed = self.passed.map_or(0, |passed| passed + 1);
                let comes = self.passed.is_none() || passed >= *n;
                self.passed = Some(if comes { 0 } else { passed });
                comes
            }
            Turns::At(cron) => self.has_come(cron, zone, minute(stamp)),
            Turns::Except(cron) => !is_named(cron, zone, minute(stamp)),
        };
        self.waits = !comes;
        comes
    }

    /// Whether a named minute has begun since this was last asked.
    fn has_come(&mut self, cron: &Cron, zone: &TimeZone, now: i64) -> bool {
        // At first, and when the clock was put back, only the minute that is now.
        let before = Read { minute: now - 1, local: now - 1 + offset(zone, now) };
        let before = self.read.filter(|read| read.minute <= now).unwrap_or(before);
        let (mut read, mut named) = (before, false);
        while read.minute < now {
            // Up to the next change of the clock.
            let to =
                change_after(zone, read.minute).map_or(now, |change| now.min(change - 1)).max(read.minute);
            let to = if to == read.minute { (read.minute + 1).min(now) } else { to };
            let shift = offset(zone, to);
            let from = if cron.is_hourly() { read.minute + shift } else { read.local };
            named |= first(cron, from + 1, to + shift).is_some();
            read = Read { minute: to, local: read.local.max(to + shift) };
        }
        self.read = Some(read);
        named
    }
}

impl Scheduler {
    /// Whether this cycle is this service's turn.
    pub(crate) fn turn_comes(&mut self, now: Now, i: usize) -> bool {
        let zone = &self.zone;
        let watched = &mut self.services[i];
        let service = watched.service.clone();
        match &service.turns {
            Turns::Each => true,
            turns => watched.turn.get_or_insert_default().comes(turns, zone, now.stamp),
        }
    }

    /// Whether a look before its turn is allowed: a pattern says when a service is to be left alone.
    pub(crate) fn may_look_early(&self, now: Now, i: usize) -> bool {
        match &self.services[i].service.turns {
            Turns::Each | Turns::Nth(_) => true,
            Turns::At(cron) => is_named(cron, &self.zone, minute(now.stamp)),
            Turns::Except(cron) => !is_named(cron, &self.zone, minute(now.stamp)),
        }
    }
}

/// How many cycles, and how many minutes, pass until its next turn, if the next cycle is at `due`. `None`: nobody can say.
pub(crate) fn next_turn(watched: &Watched, zone: &TimeZone, due: Stamp) -> Option<(u32, Stamp)> {
    let at = minute(due);
    let begins = |minute: i64| Stamp::from_micros(minute.saturating_mul(60_000_000));
    match &watched.service.turns {
        Turns::Each => Some((0, due)),
        Turns::Nth(n) => Some((
            watched
                .turn
                .as_ref()
                .and_then(|turn| turn.passed)
                .map_or(0, |passed| n.saturating_sub(passed + 1)),
            due,
        )),
        Turns::At(cron) => {
            let read = watched
                .turn
                .as_ref()
                .and_then(|turn| turn.read)
                .map_or(at - 1 + offset(zone, at), |read| read.local);
            let local = first(cron, read + 1, read + 366 * DAY)?;
            // What a change of the clock leaves out comes right after it, and so does this.
            let guess = local - offset(zone, at);
            let minute = local - offset(zone, guess);
            Some((0, begins(minute).max(due)))
        }
        Turns::Except(cron) => {
            let minute = (at..at + DAY).find(|minute| !is_named(cron, zone, *minute))?;
            Some((0, begins(minute).max(due)))
        }
    }
}

fn minute(stamp: Stamp) -> i64 {
    stamp.secs().div_euclid(60)
}

fn timestamp(minute: i64) -> Timestamp {
    let edge = if minute < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(minute.saturating_mul(60)).unwrap_or(edge)
}

/// What local clocks are ahead of UTC, in minutes.
fn offset(zone: &TimeZone, minute: i64) -> i64 {
    i64::from(zone.to_offset(timestamp(minute)).seconds()).div_euclid(60)
}

/// The first minute after this one that local clocks show differently.
fn change_after(zone: &TimeZone, minute: i64) -> Option<i64> {
    zone.following(timestamp(minute)).next().map(|change| change.timestamp().as_second().div_euclid(60))
}

fn is_named(cron: &Cron, zone: &TimeZone, minute: i64) -> bool {
    let local = minute + offset(zone, minute);
    first(cron, local, local).is_some()
}

/// The first local minute from `from` to `to` that is named.
fn first(cron: &Cron, from: i64, to: i64) -> Option<i64> {
    let from = from.max(to - FAR);
    let mut day = from.div_euclid(DAY);
    let mut after = from.rem_euclid(DAY);
    while day * DAY + after <= to {
        let date = Offset::UTC.to_datetime(timestamp(day * DAY)).date();
        let weekday = date.weekday().to_sunday_zero_offset();
        let [month, of_month, weekday] =
            [date.month(), date.day(), weekday].map(|n| u32::from(n.unsigned_abs()));
        if cron.names_day(month, of_month, weekday)
            && let Some(minute) = u32::try_from(after).ok().and_then(|after| cron.first_from(after))
        {
            return Some(day * DAY + i64::from(minute)).filter(|at| *at <= to);
        }
        day += 1;
        after = 0;
    }
    None
}

#[cfg(test)]
mod tests;
