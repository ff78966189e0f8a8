//! Times, spans and foreign text, fit for people.

use std::time::Duration;

use hinoban_reading::Stamp;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Lines of a command's output that are shown; the end says why it failed.
const OUTPUT_LINES: usize = 20;

fn zoned(at: Stamp, zone: &TimeZone) -> Zoned {
    Timestamp::from_microsecond(at.micros()).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

/// As Monit writes it: local time without a zone.
pub(crate) fn date(at: Stamp, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%a, %d %b %Y %H:%M:%S").to_string()
}

/// The same with the distance from UTC, for readers elsewhere.
pub(crate) fn date_with_zone(at: Stamp, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// A span in at most two units: `80 ms`, `0.3 s`, `12 s`, `5 min 3 s`, `2 h`, `3 d 4 h`. Cut, not rounded, so that no
/// unit overflows into the next.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |many: u64, unit: &str, few: u64, smaller: &str| match few {
        0 => format!("{many} {unit}"),
        few => format!("{many} {unit} {few} {smaller}"),
    };
    match seconds {
        0 if span < Duration::from_millis(100) => format!("{} ms", span.as_millis()),
        0..10 => format!("{}.{} s", seconds, span.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
    }
}

/// Foreign text without what could garble a message or a terminal: only lines and tabs stay, no carriage returns.
pub(crate) fn clean(text: &str) -> String {
    let keep = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.replace("\r\n", "\n").chars().map(keep).collect()
}

/// Foreign text as one line, for a subject.
pub(crate) fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cut after so many characters.
pub(crate) fn cut(text: String, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text,
    }
}

/// The end of what a command printed, each line set in; `None` if it printed nothing.
pub(crate) fn output(text: &str) -> Option<String> {
    let text = clean(text);
    let lines: Vec<_> = text.trim_end().lines().collect();
    let from = lines.len().saturating_sub(OUTPUT_LINES);
    let shown: String = lines[from..].iter().map(|line| format!("    {line}\n")).collect();
    (!shown.trim().is_empty()).then_some(shown)
}

/// With a full stop, unless it ends in one or in a line break.
pub(crate) fn sentence(text: &str) -> String {
    let text = clean(text);
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let says = |millis| span(Duration::from_millis(millis));
        let pairs = [
            (0, "0 ms"),
            (80, "80 ms"),
            (340, "0.3 s"),
            (1_999, "1.9 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (303_000, "5 min 3 s"),
            (7_200_000, "2 h"),
            (86_399_000, "23 h 59 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (millis, expected) in pairs {
            assert_eq!(says(millis), expected);
        }
    }

    #[test]
    fn output_cannot_garble_the_message() {
        assert_eq!(output("a\r\nb\x1b[31m\0"), Some("    a\n    b\u{fffd}[31m\u{fffd}\n".to_owned()));
        assert_eq!(output(" \n\n"), None);
        let long: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let shown = output(&long).unwrap();
        assert_eq!(shown.lines().count(), 20);
        assert!(shown.ends_with("line 99\n"));
    }

    #[test]
    fn a_subject_is_one_line_of_bearable_length() {
        assert_eq!(one_line("a\r\nBcc: b\tc"), "a Bcc: b c");
        assert_eq!(cut("ééé".to_owned(), 2), "éé…");
        assert_eq!(cut("éé".to_owned(), 2), "éé");
    }
}
