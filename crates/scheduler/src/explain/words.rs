//! Times, lists and lines, as people say them.

use std::fmt::{self, Write};
use std::time::Duration;

use hinoban_reading::Stamp;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time in at most two units, cut off: `80 ms`, `1.5 s`, `40 s`, `5 min 3 s`, `3 h 12 min`, `2 d`.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let two = |many: u64, unit: &str, few: u64, smaller: &str| match few {
        0 => format!("{many} {unit}"),
        few => format!("{many} {unit} {few} {smaller}"),
    };
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..10 if time.subsec_millis() >= 100 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        1..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
    }
}

/// The time of day, with the day where that is another than `now`'s, and with the year where that is.
pub(super) fn clock(stamp: Stamp, now: Stamp, zone: &TimeZone) -> String {
    let zoned = |at: Stamp| {
        Timestamp::from_microsecond(at.micros()).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
    };
    let (at, now) = (zoned(stamp), zoned(now));
    let form = match (at.date() == now.date(), at.year() == now.year()) {
        (true, _) => "%H:%M:%S",
        (false, true) => "%a %-d %b %H:%M:%S",
        (false, false) => "%a %-d %b %Y %H:%M:%S",
    };
    at.strftime(form).to_string()
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

/// `once`, `3 times`.
pub(super) fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

/// `1 look`, `3 looks`.
pub(super) fn many(n: u32, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// On one line, without what could garble a terminal, with a full stop.
pub(super) fn sentence(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

/// A sentence, set in, on as many lines as it needs.
pub(super) fn wrapped(f: &mut fmt::Formatter<'_>, sentence: &str, width: usize) -> fmt::Result {
    let mut column = 0;
    for word in pieces(sentence) {
        let length = word.chars().count();
        if column == 0 {
            f.write_str("  ")?;
            column = 2;
        } else if column + 1 + length > width {
            f.write_str("\n    ")?;
            column = 4;
        } else {
            f.write_char(' ')?;
            column += 1;
        }
        f.write_str(word)?;
        column += length;
    }
    f.write_char('\n')
}

/// The words of a sentence; a number and its unit are one, and so is a command.
fn pieces(sentence: &str) -> Vec<&str> {
    let mut pieces: Vec<&str> = Vec::new();
    let (mut from, mut at) = (0, 0);
    for word in sentence.split(' ') {
        let to = at + word.len();
        let unit = matches!(word.trim_end_matches(['.', ',', ';', ':', ')']), "ms" | "s" | "min" | "h" | "d");
        let number = pieces.last().is_some_and(|last| last.ends_with(|c: char| c.is_ascii_digit()));
        let command = pieces.last().is_some_and(|last| last.matches('`').count() % 2 == 1);
        if unit && number || command {
            pieces.pop();
        } else {
            from = at;
        }
        pieces.push(&sentence[from..to]);
        at = to + 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_clocks_read_as_people_say_them() {
        for (millis, text) in [
            (80, "80 ms"),
            (1_000, "1 s"),
            (1_540, "1.5 s"),
            (40_900, "40 s"),
            (303_000, "5 min 3 s"),
            (11_520_000, "3 h 12 min"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
        // 2023-11-14T22:13:20Z
        let now = Stamp::from_micros(1_700_000_000_000_000);
        let at =
            |seconds: i64| clock(Stamp::from_micros(now.micros() + seconds * 1_000_000), now, &TimeZone::UTC);
        assert_eq!(at(-60), "22:12:20");
        assert_eq!(at(7_200), "Wed 15 Nov 00:13:20");
        assert_eq!(at(60 * 86_400), "Sat 13 Jan 2024 22:13:20");
    }

    #[test]
    fn lines_are_broken_between_words_that_do_not_belong_together() {
        let pieces = pieces("In 2 h 5 min, `hinoban start x` a`b c.");
        assert_eq!(pieces, ["In", "2 h", "5 min,", "`hinoban start x`", "a`b c."]);
    }

    #[test]
    fn foreign_text_cannot_garble_a_terminal() {
        assert_eq!(sentence("a\u{1b}[31m\nb"), "a [31m b.");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
