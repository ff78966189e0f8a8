//! Why a word was not understood, in words for people: the traps of this language have their own.

use crate::token::Kind;

/// What to do about a token where one of `expected` should stand: spellings, or texts that begin with an article.
pub(crate) fn explain(kind: Kind, raw: &str, expected: &[&str]) -> String {
    let wanted = list(expected);
    let string =
        expected.iter().any(|e| e.starts_with("a ") || e.starts_with("an ") || e.starts_with("the name"));
    let number = expected.iter().any(|e| e.contains("number"));
    let path = expected.iter().any(|e| e.contains("path"));
    if let Some(reason) = trap(kind, raw, Wanted { string, number, path }) {
        return format!("{reason}; expected {wanted}");
    }
    if matches!(kind, Kind::Word | Kind::Key(_) | Kind::Name)
        && let Some(near) = nearest(raw, expected)
    {
        return format!("did you mean '{near}'?");
    }
    if kind == Kind::End {
        format!("the file ends here; expected {wanted}")
    } else {
        format!("expected {wanted}")
    }
}

/// What sort of value should stand there.
#[derive(Clone, Copy)]
struct Wanted {
    string: bool,
    number: bool,
    path: bool,
}

/// What people commonly fall into.
fn trap(kind: Kind, raw: &str, wanted: Wanted) -> Option<String> {
    let Wanted { string, number, path } = wanted;
    let first = raw.chars().next().unwrap_or(' ');
    if first == '\u{feff}' {
        return Some("the file begins with a byte order mark; save it without one".to_owned());
    }
    if matches!(first, '“' | '”' | '„' | '‘' | '’' | '«') {
        return Some("these are typographic quotes; write \" instead".to_owned());
    }
    let word = kind == Kind::Word;
    if matches!(kind, Kind::Open | Kind::Percent)
        || (word && (matches!(first, '<' | '$' | '[') && raw.len() > 2))
    {
        return Some("this looks like a placeholder that nobody filled in".to_owned());
    }
    if word && raw.len() > 2 && raw.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && raw.contains('_')
    {
        return Some("this looks like a placeholder that nobody filled in".to_owned());
    }
    let digits = raw.bytes().take_while(u8::is_ascii_digit).count();
    if word && digits > 0 && raw[digits..].bytes().next().is_some_and(|b| b.is_ascii_alphabetic()) {
        return Some(format!("write a blank between number and unit: {} {}", &raw[..digits], &raw[digits..]));
    }
    if word && digits > 0 && raw[digits..].starts_with('#') {
        return Some("a comment begins after a blank: here the # is part of the word".to_owned());
    }
    if word && raw.len() > 1 && raw.contains(['<', '>', '=']) {
        return Some("an operator has blanks on both sides".to_owned());
    }
    match kind {
        Kind::Key(_) if string => {
            Some(format!("'{raw}' is a word of this language; as a value it goes into quotes: \"{raw}\""))
        }
        Kind::Number if string && !number => Some(format!("as a text this goes into quotes: \"{raw}\"")),
        Kind::Quoted
            if number && raw[1..raw.len() - 1].bytes().all(|b| b.is_ascii_digit()) && raw.len() > 2 =>
        {
            Some(format!("numbers have no quotes: {}", &raw[1..raw.len() - 1]))
        }
        Kind::Word if path => Some("a path begins with /".to_owned()),
        Kind::Path if string => Some("this begins with / and so is a path".to_owned()),
        Kind::Mail if string => Some("an @ makes this a mail address; put it into quotes".to_owned()),
        Kind::Colon => Some("a colon ends a word; a text that holds one goes into quotes".to_owned()),
        _ => None,
    }
}

/// `a`, `a or b`, `a, b or c`; spellings in quotes.
fn list(expected: &[&str]) -> String {
    let mut out = String::new();
    for (i, one) in expected.iter().enumerate() {
        out.push_str(match i {
            0 => "",
            _ if i + 1 == expected.len() => " or ",
            _ => ", ",
        });
        let described = ["a ", "an ", "the ", "for N", "N "].iter().any(|start| one.starts_with(start));
        if described {
            out.push_str(one);
        } else {
            out.push('\'');
            out.push_str(one);
            out.push('\'');
        }
    }
    out
}

/// The spelling that a word is most likely meant to be: at most two letters off, and fewer than half of them.
pub(crate) fn nearest<'s>(word: &str, spellings: &[&'s str]) -> Option<&'s str> {
    let word = word.to_lowercase();
    let near = spellings.iter().map(|s| (distance(&word, &s.to_lowercase()), *s)).min_by_key(|(d, _)| *d);
    near.filter(|(d, s)| (1..=2).contains(d) && d * 2 < s.chars().count()).map(|(_, s)| s)
}

/// Letters to insert, delete, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(32).collect(), b.chars().take(32).collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_spelling_is_found_and_strangers_are_not() {
        assert_eq!(nearest("pidfle", &["pidfile", "matching"]), Some("pidfile"));
        assert_eq!(nearest("pop3", &["http", "pop", "imap"]), Some("pop"));
        assert_eq!(nearest("tehn", &["then"]), Some("then"));
        assert_eq!(nearest("dropbear", &["ssh", "http"]), None);
        assert_eq!(nearest("b", &["get", "{"]), None);
    }
}
