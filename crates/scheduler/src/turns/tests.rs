use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;

/// As the host has them: the kernel of this test is the calendar, not our own copy of it.
fn zone(name: &str) -> Option<TimeZone> {
    let path = format!("/usr/share/zoneinfo/{name}");
    match std::fs::read(&path) {
        Ok(data) => Some(TimeZone::tzif(name, &data).expect("a time zone")),
        Err(_) => {
            assert!(std::env::var_os("CI").is_none(), "{path} is not there; install tzdata");
            eprintln!("passed over: there is no time zone database here");
            None
        }
    }
}

fn cron(text: &str) -> Cron {
    Cron::parse(text).expect("a pattern").0
}

fn stamp(minute: i64) -> Stamp {
    Stamp::from_micros(minute * 60_000_000 + 17_000_000)
}

/// The minute since the epoch in which it is this time in UTC.
fn utc(text: &str) -> i64 {
    let time: DateTime = text.parse().expect("a time");
    minute_of(time, &TimeZone::UTC)
}

fn minute_of(time: DateTime, zone: &TimeZone) -> i64 {
    time.to_zoned(zone.clone()).expect("a time").timestamp().as_second() / 60
}

/// The minutes of a span, each looked at once, in which it has its turn: as local time.
fn turns(pattern: &str, zone: &TimeZone, from: i64, to: i64, step: usize) -> Vec<String> {
    let mut turn = Turn::default();
    let turns = Turns::At(cron(pattern));
    turn.comes(&turns, zone, stamp(from - 1));
    let comes = (from..to).step_by(step).filter(|minute| turn.comes(&turns, zone, stamp(*minute)));
    let local = |minute: i64| timestamp(minute).to_zoned(zone.clone()).strftime("%H:%M%z").to_string();
    comes.map(local).collect()
}

#[test]
fn the_first_cycle_is_its_turn_and_then_each_third() {
    let mut turn = Turn::default();
    let comes: Vec<bool> =
        (0..7).map(|_| turn.comes(&Turns::Nth(3), &TimeZone::UTC, Stamp::default())).collect();
    assert_eq!(comes, [true, false, false, true, false, false, true]);
}

#[test]
fn a_minute_that_passed_between_two_cycles_is_not_lost_and_counts_once() {
    let (from, to) = (utc("2026-11-23T08:58"), utc("2026-11-23T12:00"));
    assert_eq!(turns("0,1,2 9 * * *", &TimeZone::UTC, from, to, 7), ["09:05+0000"]);
    assert_eq!(turns("0 * * * *", &TimeZone::UTC, from, to, 25), ["09:23+0000", "10:13+0000", "11:03+0000"]);
    // Twice within a minute is once.
    let mut turn = Turn::default();
    let at = Turns::At(cron("* * * * *"));
    let comes: Vec<bool> = [0, 20, 40, 60, 80]
        .map(|s| turn.comes(&at, &TimeZone::UTC, Stamp::from_micros(s * 1_000_000)))
        .to_vec();
    assert_eq!(comes, [true, false, false, true, false]);
}

#[test]
fn a_clock_that_is_put_back_or_far_ahead_stops_nothing() {
    let mut turn = Turn::default();
    let daily = Turns::At(cron("0 3 * * *"));
    let mut comes = |text: &str| turn.comes(&daily, &TimeZone::UTC, stamp(utc(text)));
    assert!(comes("2026-11-23T03:00"));
    assert!(!comes("2025-01-01T02:59"), "put back by almost two years");
    assert!(comes("2025-01-01T03:00"));
    assert!(comes("2090-01-01T00:00"), "much was due meanwhile, and is looked at once");
    assert!(!comes("2090-01-01T00:01"));
}

#[test]
fn what_the_change_to_summer_time_leaves_out_comes_right_after_it() {
    let Some(berlin) = zone("Europe/Berlin") else { return };
    // 02:00 to 03:00 is not there on 29 March 2026.
    let (from, to) = (utc("2026-03-28T23:00"), utc("2026-03-29T04:00"));
    assert_eq!(turns("30 2 * * *", &berlin, from, to, 1), ["03:00+0200"]);
    assert_eq!(turns("0,15,30,45 2 * * *", &berlin, from, to, 1), ["03:00+0200"]);
    assert_eq!(turns("59 1-3 * * *", &berlin, from, to, 1), ["01:59+0100", "03:00+0200", "03:59+0200"]);
    assert_eq!(turns("30 * * * *", &berlin, from, to, 1)[..3], ["00:30+0100", "01:30+0100", "03:30+0200"]);
}

#[test]
fn what_comes_twice_has_its_turn_once_and_every_hour_is_an_hour() {
    let Some(new_york) = zone("America/New_York") else { return };
    // 01:00 to 02:00 is there twice on 1 November 2026.
    let (from, to) = (utc("2026-11-01T04:00"), utc("2026-11-01T08:00"));
    assert_eq!(turns("30 1 * * *", &new_york, from, to, 1), ["01:30-0400"]);
    assert_eq!(turns("30 1-2 * * *", &new_york, from, to, 1), ["01:30-0400", "02:30-0500"]);
    assert_eq!(
        turns("30 * * * *", &new_york, from, to, 1),
        ["00:30-0400", "01:30-0400", "01:30-0500", "02:30-0500"]
    );
}

#[test]
fn the_next_turn_is_told() {
    use hinoban_config::{Kind, Service};
    use hinoban_reading::Moment;
    let next = |turns: Turns, passed: u32, due: &str| {
        let mut service = Service::new("x", Kind::System);
        service.turns = turns.clone();
        let every = std::time::Duration::from_secs(30);
        let mut watched = Watched::new(crate::ServiceId(0), service.into(), every, Moment::ZERO, true);
        for _ in 0..=passed {
            watched.turn.get_or_insert_default().comes(&turns, &TimeZone::UTC, stamp(utc(due) - 1));
        }
        next_turn(&watched, &TimeZone::UTC, stamp(utc(due))).map(|(n, at)| (n, minute(at) - utc(due)))
    };
    assert_eq!(next(Turns::Each, 0, "2026-11-23T12:00"), Some((0, 0)));
    assert_eq!(next(Turns::Nth(5), 1, "2026-11-23T12:00"), Some((3, 0)));
    assert_eq!(next(Turns::At(cron("0 13 * * *")), 0, "2026-11-23T12:00"), Some((0, 60)));
    assert_eq!(next(Turns::At(cron("0 0 31 2 *")), 0, "2026-11-23T12:00"), None);
    assert_eq!(next(Turns::Except(cron("* 12 * * *")), 0, "2026-11-23T12:30"), Some((0, 30)));
    assert_eq!(next(Turns::Except(cron("* * * * *")), 0, "2026-11-23T12:30"), None);
}

/// Whether a pattern names this local time, by reading it again, plainly.
fn names(pattern: &str, time: DateTime) -> bool {
    let fields: Vec<&str> = pattern.split(' ').collect();
    let weekday = time.weekday().to_sunday_zero_offset();
    let values = [time.minute(), time.hour(), time.day(), time.month(), weekday].map(i32::from);
    fields.iter().zip(values).all(|(field, value)| {
        field.split(',').any(|part| {
            let (range, step) = part.split_once('/').unwrap_or((part, "1"));
            let least = if range == "*" { 0 } else { range.split('-').next().unwrap_or("").parse().unwrap() };
            let greatest =
                if range == "*" { 99 } else { range.split('-').next_back().unwrap_or("").parse().unwrap() };
            (least..=greatest).contains(&value) && (value - least) % step.parse::<i32>().unwrap() == 0
        })
    })
}

proptest! {
    /// Against the definition: go through all local minutes there are, real or left out, in order.
    #[test]
    fn turns_come_when_the_definition_says(
        which in 0usize..3,
        minutes in "(\\*|\\*/15|[1-5]?[0-9]|[0-2][0-9]-[3-5][0-9])",
        hours in "(\\*|[0-4]|[0-2]-[2-5]|1,2,3|\\*/2)",
        days in "(\\*|1|29|1-15)",
        weekday in "(\\*|0|0-3)",
        back in 0i64..1500,
        cycle in 1usize..90,
    ) {
        let name = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"][which];
        let Some(zone) = zone(name) else { return Ok(()) };
        let changes = ["2026-03-29T01:00", "2026-10-25T01:00", "2026-03-08T07:00", "2026-11-01T06:00", "2026-04-04T15:00", "2026-10-03T15:30"];
        let pattern = format!("{minutes} {hours} {days} * {weekday}");
        let each_hour = cron(&pattern).is_hourly();
        for change in changes {
            let from = utc(change) - back;
            let mut turn = Turn::default();
            let turns = Turns::At(cron(&pattern));
            turn.comes(&turns, &zone, stamp(from));
            let civil = |minute: i64| zone.to_datetime(timestamp(minute));
            let mut local = civil(from);
            let mut last = from;
            for now in (from..from + 2000).step_by(cycle).skip(1) {
                let mut due = false;
                for minute in last + 1..=now {
                    let time = civil(minute);
                    if each_hour {
                        due |= names(&pattern, time);
                    } else {
                        while local < time {
                            local += jiff::Span::new().minutes(1);
                            due |= names(&pattern, local);
                        }
                    }
                }
                prop_assert_eq!(turn.comes(&turns, &zone, stamp(now)), due, "{} {} {}", name, pattern, civil(now));
                last = now;
            }
        }
    }
}
