use std::fmt;
use std::sync::Arc;

/// Which cycles a service is looked at in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Turns {
    /// In each.
    #[default]
    Each,
    /// In the first, and then in each so many-th. 0 is as good as 1: in each.
    Nth(u32),
    /// When the pattern's time has come: once for each minute that it names.
    At(Cron),
    /// In each, but not while the pattern's time is.
    Except(Cron),
}

impl Turns {
    /// Its pattern, if it has one.
    pub fn pattern(&self) -> Option<&Cron> {
        match self {
            Turns::At(cron) | Turns::Except(cron) => Some(cron),
            Turns::Each | Turns::Nth(_) => None,
        }
    }
}

/// Minutes of the calendar: five fields as crontab(5) writes them, but *all five* must match, the day of the month and the
/// day of the week too. That is Monit's meaning of `every "…"`.
#[derive(Clone, PartialEq, Eq)]
pub struct Cron(Arc<Minutes>);

#[derive(PartialEq, Eq)]
struct Minutes {
    text: String,
    minutes: u64,
    hours: u32,
    days: u32,
    months: u16,
    weekdays: u8,
}

/// A field: its name, its least value and its greatest.
const FIELDS: [(&str, u32, u32); 5] = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 6),
];

/// Something in a pattern that can never match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Never {
    /// What, such as `61 is no minute: it may be 0 to 59`.
    pub text: String,
}

impl Cron {
    /// Reads a pattern: minute, hour, day of the month, month, day of the week (0 is Sunday), each `*`, a number, a range
    /// `8-19`, steps `*/5` or `8-19/2`, or several of them with commas between. Names are not understood.
    ///
    /// Also gives what in it can never match: numbers that the calendar does not have, and ranges that run backwards.
    /// Monit 5.33 takes them as they are.
    ///
    /// # Errors
    /// If it is no pattern, and why.
    pub fn parse(text: &str) -> Result<(Self, Vec<Never>), String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            let n = fields.len();
            return Err(format!(
                "it has {n} field{}, not five: minute, hour, day of the month, month, day of the week",
                if n == 1 { "" } else { "s" }
            ));
        }
        let mut sets = [0u64; 5];
        let mut never = Vec::new();
        for ((set, field), (name, least, greatest)) in sets.iter_mut().zip(&fields).zip(FIELDS) {
            for part in field.split(',') {
                *set |= read(part, name, least, greatest, &mut never)?;
            }
        }
        let [minutes, hours, days, months, weekdays] = sets;
        let text = fields.join(" ");
        let minutes = Minutes {
            text,
            minutes,
            hours: hours as u32,
            days: days as u32,
            months: months as u16,
            weekdays: weekdays as u8,
        };
        Ok((Self(Arc::new(minutes)), never))
    }

    /// As it was written, with single blanks.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether some minute of this day is named. `month` and `day` count from 1, `weekday` from Sunday, which is 0.
    pub fn names_day(&self, month: u32, day: u32, weekday: u32) -> bool {
        let has = |set: u32, n: u32| n < 32 && set & 1 << n != 0;
        has(self.0.months.into(), month) && has(self.0.days, day) && has(self.0.weekdays.into(), weekday)
    }

    /// The first minute of a day, counted from midnight, that is named and not before `from`.
    pub fn first_from(&self, from: u32) -> Option<u32> {
        let (hour, minute) = (from / 60, from % 60);
        let after =
            |set: u64, n: u32| set.checked_shr(n).filter(|rest| *rest != 0).map(|r| n + r.trailing_zeros());
        if hour < 24
            && self.0.hours & 1 << hour != 0
            && let Some(minute) = after(self.0.minutes, minute)
        {
            return Some(hour * 60 + minute);
        }
        let hour = after(self.0.hours.into(), hour + 1)?;
        Some(hour * 60 + after(self.0.minutes, 0)?)
    }

    /// Whether it names something in every hour of its days.
    pub fn is_hourly(&self) -> bool {
        self.0.hours == (1 << 24) - 1
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cron").field(&self.0.text).finish()
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// One part of a field, as bits.
fn read(part: &str, name: &str, least: u32, greatest: u32, never: &mut Vec<Never>) -> Result<u64, String> {
    let number = |text: &str| -> Result<u32, String> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(n) if digits => Ok(n),
            _ if digits => Ok(u32::MAX),
            _ if text.is_empty() => Err(format!("a number is missing in the {name}")),
            _ => Err(format!("\"{text}\" is no {name}: it may be {least} to {greatest}, or *")),
        }
    };
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, number(step)?),
        None => (part, 1),
    };
    if step == 0 {
        return Err(format!("a step of 0 in the {name} goes nowhere"));
    }
    let (from, to) = match range.split_once('-') {
        _ if range == "*" => (least, greatest),
        Some((from, to)) => (number(from)?, number(to)?),
        None if part.contains('/') => {
            return Err(format!("a step in the {name} follows * or a range: */{step}"));
        }
        None => number(range).map(|n| (n, n))?,
    };
    for n in if from == to { vec![from] } else { vec![from, to] } {
        if !(least..=greatest).contains(&n) {
            let sunday = if name == "day of the week" && n == 7 { "; Sunday is 0" } else { "" };
            never.push(Never { text: format!("{n} is no {name}: it may be {least} to {greatest}{sunday}") });
        }
    }
    if from > to {
        never.push(Never { text: format!("{from}-{to} runs backwards: the lower {name} comes first") });
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    let all = (from..=to.min(greatest)).step_by(step).filter(|n| *n >= least);
    Ok(all.fold(0, |set, n| set | 1 << n))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cron(text: &str) -> Cron {
        Cron::parse(text).unwrap().0
    }

    /// By going through all minutes.
    fn minutes(cron: &Cron) -> Vec<u32> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(minute) = cron.first_from(from) {
            found.push(minute);
            from = minute + 1;
        }
        found
    }

    #[test]
    fn fields_are_read_as_crontab_writes_them() {
        assert_eq!(minutes(&cron("30 4 * * *")), [270]);
        assert_eq!(minutes(&cron("0,30 8-9 * * *")), [480, 510, 540, 570]);
        assert_eq!(minutes(&cron("*/20 0-23/12 * * *")), [0, 20, 40, 720, 740, 760]);
        assert_eq!(minutes(&cron("59 23 * * *")), [1439]);
        assert_eq!(minutes(&cron("* * * * *")).len(), 1440);
        assert!(cron("5 * * * *").is_hourly() && !cron("* 1-23 * * *").is_hourly());
    }

    #[test]
    fn the_day_of_the_month_and_that_of_the_week_must_both_match() {
        let friday_13 = cron("0 0 13 * 5");
        assert!(friday_13.names_day(11, 13, 5));
        assert!(!friday_13.names_day(11, 13, 4) && !friday_13.names_day(11, 20, 5));
        assert!(cron("* * 31 12 0-6").names_day(12, 31, 0));
    }

    #[test]
    fn what_never_matches_is_told_and_what_is_no_pattern_refused() {
        let told = |text: &str| {
            let never = Cron::parse(text).map(|(_, never)| never);
            never.map(|never| never.into_iter().map(|n| n.text).collect::<Vec<_>>())
        };
        assert_eq!(told("0 0 * * 7").unwrap(), ["7 is no day of the week: it may be 0 to 6; Sunday is 0"]);
        assert_eq!(told("50-10 * * * *").unwrap(), ["50-10 runs backwards: the lower minute comes first"]);
        assert_eq!(told("0 0 0 * *").unwrap(), ["0 is no day of the month: it may be 1 to 31"]);
        assert_eq!(told("0-99999999999 * * * *").unwrap().len(), 1);
        assert_eq!(minutes(&cron("50-10 99 * * *")), [] as [u32; 0]);
        for wrong in [
            "",
            "* * * *",
            "* * * * * *",
            ", * * * *",
            "1,,2 * * * *",
            "*/0 * * * *",
            "5/2 * * * *",
            "a * * * *",
            "-5 * * * *",
            "* * * jan *",
        ] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[0-9*,/a -]{0,30}") {
            let _ = Cron::parse(&text);
        }

        #[test]
        fn the_first_minute_from_anywhere_is_the_one_that_is_named(
            hours in 0u32..24, span in 0u32..24, minute in 0u32..60, step in 1u32..40, from in 0u32..1500,
        ) {
            let last = (hours + span).min(23);
            let cron = cron(&format!("{minute}-59/{step} {hours}-{last} * * *"));
            let named = |m: u32| (hours..=last).contains(&(m / 60)) && m % 60 >= minute && (m % 60 - minute).is_multiple_of(step);
            prop_assert_eq!(cron.first_from(from), (from..1440).find(|m| named(*m)));
        }
    }
}
