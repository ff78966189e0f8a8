//! Texts in quotes and their escapes.

use crate::scan::Scanned;
use crate::token::{Kind, Value};

/// The text in quotes that begins at `at`. There is no way to put the same quote into it.
pub(crate) fn string(text: &str, at: usize) -> Scanned {
    let bytes = text.as_bytes();
    let quote = bytes[at];
    let Some(length) = bytes[at + 1..].iter().position(|b| *b == quote) else {
        return unbalanced(text, at);
    };
    let inner = &text[at + 1..at + 1 + length];
    let kind = if inner.starts_with('/') && !inner.contains('\n') { Kind::Path } else { Kind::Quoted };
    let found = Scanned::new(kind, at, at + length + 2);
    match cooked(inner) {
        Some(cooked) => found.with(Value::Text(cooked)),
        None => found,
    }
}

/// What Monit makes of the text between two quotes: it takes away blanks and quotes of either kind at both ends, then
/// resolves escapes. `None` if that changes nothing.
pub(crate) fn cooked(inner: &str) -> Option<String> {
    let bare = inner.trim_matches([' ', '\t', '\r', '\n', '\x0b', '\x0c', '"', '\'']);
    unescape(bare).or_else(|| (bare.len() < inner.len()).then(|| bare.to_owned()))
}

/// A quote without its partner. The rest of its line is given up, no more.
pub(crate) fn unbalanced(text: &str, at: usize) -> Scanned {
    let line = text[at..].find('\n').map_or(text.len(), |n| at + n);
    let found = Scanned::new(Kind::Bad, at, at + 1)
        .flawed("unbalanced quotes", "the text that begins here has no closing quote; \\\" does not escape one: use the other kind of quotes around it");
    Scanned { next: line, ..found }
}

/// A text with its escapes resolved: `\n`, `\t`, `\r`, `\ `, `\\` and `\0xHH`; any other pair stays as it is, and so
/// does `\0x00`. `None` if there was none.
fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (char, length) = match rest.as_bytes().get(1) {
            Some(b'n') => ('\n', 2),
            Some(b't') => ('\t', 2),
            Some(b'r') => ('\r', 2),
            Some(b' ') => (' ', 2),
            Some(b'\\') => ('\\', 2),
            Some(b'0') => match hex(rest) {
                Some(byte) => (char::from(byte), 5),
                None => ('\\', 1),
            },
            _ => ('\\', 1),
        };
        out.push(char);
        rest = &rest[length..];
    }
    out.push_str(rest);
    Some(out)
}

/// The byte of `\0xHH`, unless it is NUL.
fn hex(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("\\0x")?.get(..2)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok().filter(|byte| *byte != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_monit() {
        for (text, want) in [
            (r"a\nb", "a\nb"),
            (r"a\ b\tc", "a b\tc"),
            (r"\\n", r"\n"),
            (r"\d\.", r"\d\."),
            (r"\0x41\0x00", r"A\0x00"),
            (r"\0x4", r"\0x4"),
            (r"\0xé", r"\0xé"),
            (r"end\", r"end\"),
        ] {
            assert_eq!(unescape(text).as_deref(), Some(want), "{text}");
        }
        assert_eq!(unescape("plain"), None);
    }

    #[test]
    fn blanks_and_quotes_at_both_ends_go_before_escapes_are_resolved() {
        for (text, want) in [
            (" a  b ", "a  b"),
            ("'a' ", "a"),
            ("\" \"it's'", "it's"),
            (r"\ta\t", "\ta\t"),
            (r"a\ ", r"a\"),
            ("  ", ""),
        ] {
            assert_eq!(cooked(text).as_deref(), Some(want), "{text}");
        }
        assert_eq!(cooked("it's"), None);
    }
}
