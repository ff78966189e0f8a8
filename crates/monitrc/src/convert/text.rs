//! Values as TOML writes them (toml.io, version 1.0).

use std::time::Duration;

use hinoban_config::units;

/// A text in quotes: single ones where that saves escapes.
pub(super) fn string(text: &str) -> String {
    let plain = !text.chars().any(|c| c.is_control());
    if plain && text.contains(['"', '\\']) && !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        escaped(c, &mut out);
    }
    out.push('"');
    out
}

/// A text of several lines, each on a line of its own; one of one line as any other.
pub(super) fn lines(text: &str) -> String {
    if !text.contains('\n') {
        return string(text);
    }
    let mut out = String::from("\"\"\"\n");
    for c in text.chars() {
        match c {
            '\n' => out.push('\n'),
            c => escaped(c, &mut out),
        }
    }
    out.push_str("\"\"\"");
    out
}

fn escaped(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c.is_control() => out.push_str(&format!("\\u{:04X}", c as u32)),
        c => out.push(c),
    }
}

/// A key: bare where it can be.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { name.to_owned() } else { string(name) }
}

/// A duration in quotes.
pub(super) fn duration(time: Duration) -> String {
    string(&units::duration_text(time))
}

/// A size as [`units::size`] reads it, in the largest unit that divides it.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 7] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("kB", 1_000),
    ];
    let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes} B"), |(name, unit)| format!("{} {name}", bytes / unit))
}

/// A list in one line.
pub(super) fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

/// One text, or a list of texts.
pub(super) fn one_or_many(items: &[String]) -> String {
    match items {
        [one] => one.clone(),
        _ => list(items),
    }
}

/// A table in one line.
pub(super) fn table(entries: &[(&str, String)]) -> String {
    let entries: Vec<String> =
        entries.iter().map(|(name, value)| format!("{} = {value}", key(name))).collect();
    format!("{{ {} }}", entries.join(", "))
}

/// The line of a command of which splitting makes these words, without a word that a shell would take for its own; `None`
/// if only a list can hold them.
pub(super) fn command(words: &[String]) -> Option<String> {
    let plain = |word: &String| {
        let own = |c: char| c.is_alphanumeric() || "/-_.:=@%+,~^".contains(c);
        !word.is_empty() && word.chars().all(own)
    };
    let quotable = |word: &String| !word.contains('\'') && !word.chars().any(char::is_control);
    let line: Option<Vec<String>> = words
        .iter()
        .map(|word| match plain(word) {
            true => Some(word.clone()),
            false => quotable(word).then(|| format!("'{word}'")),
        })
        .collect();
    // More than one word in quotes reads better in a list.
    let quoted = words.iter().filter(|word| !plain(word)).count();
    line.filter(|_| quoted <= 1).map(|line| line.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_so_that_little_is_escaped() {
        assert_eq!(string("a b"), "\"a b\"");
        assert_eq!(string(r#"say "x""#), r#"'say "x"'"#);
        assert_eq!(string(r"^\[a"), r"'^\[a'");
        assert_eq!(string("it's \"x\""), r#""it's \"x\"""#);
        assert_eq!(string("a\u{1}\n"), "\"a\\u0001\\n\"");
        assert_eq!(lines("a\nb \"c\"\n"), "\"\"\"\na\nb \\\"c\\\"\n\"\"\"");
        assert_eq!((key("web-1"), key("a.b")), ("web-1".to_owned(), "\"a.b\"".to_owned()));
    }

    #[test]
    fn sizes_take_the_unit_that_divides_them() {
        for (bytes, text) in
            [(1 << 30, "1 GiB"), (1536 << 20, "1536 MiB"), (2_000_000, "2 MB"), (512, "512 B"), (0, "0 B")]
        {
            assert_eq!(size(bytes), text);
            assert_eq!(units::size(text), Ok(bytes));
        }
    }

    #[test]
    fn commands_are_lines_where_a_line_can_hold_them() {
        let line = |words: &[&str]| command(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(line(&["/bin/sh", "-c", "a | b"]).as_deref(), Some("/bin/sh -c 'a | b'"));
        assert_eq!(line(&["/bin/x", "it's"]), None);
        assert_eq!(line(&["/bin/x", "a b", "c d"]), None);
        assert_eq!(line(&["/bin/x", "|"]).as_deref(), Some("/bin/x '|'"));
    }
}
