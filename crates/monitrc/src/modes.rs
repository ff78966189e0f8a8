//! One token in one of the special modes, in which there are neither keywords nor noise words.

use crate::keyword::Keyword;
use crate::lexer::Mode;
use crate::quoted;
use crate::scan::{Flaw, Scanned, is_word, skip_blanks, word_end};
use crate::token::{Kind, Value};

/// Reads one token in a mode that is not the normal one.
pub(crate) fn special(mode: Mode, text: &str, at: usize) -> Scanned {
    match mode {
        Mode::Normal | Mode::Name => name(text, skip_lines(text.as_bytes(), at)),
        Mode::Group => group(text, at),
        Mode::Names => names(text, at),
        Mode::Arguments => arguments(text, at),
        Mode::Every => every(text, at),
        Mode::Headers => headers(text, at),
    }
}

/// The first byte from here that is neither a blank nor the end of a line.
fn skip_lines(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// Whatever character stands here, as a token that fits nowhere.
fn stray(text: &str, at: usize) -> Scanned {
    match text[at..].chars().next() {
        None => Scanned::end(at),
        Some(char) => {
            let kind = if char == ':' { Kind::Colon } else { Kind::Stray };
            Scanned::new(kind, at, at + char.len_utf8())
        }
    }
}

/// A name: a bare word, or a text in quotes within one line.
fn name(text: &str, at: usize) -> Scanned {
    let bytes = text.as_bytes();
    match bytes.get(at) {
        Some(quote @ (b'"' | b'\'')) => {
            // Of the two quotes the double one ends a name in any case.
            let stop = bytes[at + 1..].iter().position(|b| b == quote || matches!(b, b'\n' | b'"'));
            match stop {
                Some(length @ 1..) if bytes[at + 1 + length] == *quote => {
                    let found = Scanned::new(Kind::Name, at, at + length + 2);
                    match quoted::cooked(&text[at + 1..at + 1 + length]) {
                        Some(cooked) => found.with(Value::Text(cooked)),
                        None => found,
                    }
                }
                _ => quoted::unbalanced(text, at),
            }
        }
        Some(byte) if is_word(*byte) => Scanned::new(Kind::Name, at, word_end(bytes, at)),
        _ => stray(text, at),
    }
}

fn group(text: &str, at: usize) -> Scanned {
    let found = name(text, at);
    let inner = text[found.start..found.end].trim_matches(['"', '\'']);
    if found.kind == Kind::Name && !inner.bytes().all(is_word) {
        return found.flawed(
            "unbalanced quotes",
            "the name of a group is one word, even in quotes: no blanks, no : or @",
        );
    }
    found
}

/// Where the next name of a list may begin: behind commas and what counts for one. One line may end before a comma, and
/// one behind it; a blank line ends the list, whatever it ends in.
fn skip_commas(bytes: &[u8], from: usize) -> usize {
    let space = |at: usize| match skip_blanks(bytes, at) {
        at if bytes.get(at) == Some(&b'\n') => skip_blanks(bytes, at + 1),
        at => at,
    };
    let mut at = from;
    while matches!(bytes.get(space(at)), Some(b',' | b';' | b'(' | b')')) {
        at = space(space(at) + 1);
    }
    at
}

/// Names separated by commas, semicolons or parentheses; the list ends at the first blank that none of them precedes or
/// follows.
fn names(text: &str, from: usize) -> Scanned {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let (mut at, mut end) = (skip_commas(bytes, from), from);
    loop {
        let found = name(text, at);
        match found.kind {
            Kind::Name => {}
            Kind::Bad => return found,
            _ if words.is_empty() => return found,
            _ => break,
        }
        words.push(match found.value {
            Value::Text(cooked) => cooked,
            _ => text[found.start..found.end].trim_matches(['"', '\'']).to_owned(),
        });
        end = found.end;
        at = skip_commas(bytes, end);
        if at == end {
            break;
        }
    }
    Scanned::new(Kind::Names, from, end).with(Value::Words(words))
}

/// The words of a command. Blanks and ends of lines separate them, single quotes around a whole word hold
/// it together, quotes inside a word are characters; there are no escapes outside of quotes, no comments and no shell. The end of the file closes the command silently in Monit; here
/// with a warning.
fn arguments(text: &str, from: usize) -> Scanned {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = from;
    loop {
        at = skip_lines(bytes, at);
        match bytes.get(at) {
            None | Some(b'"') => break,
            Some(first) => {
                let stops = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'"');
                let end = bytes[at..].iter().position(stops).map_or(bytes.len(), |n| at + n);
                let closing = match first {
                    b'\'' => bytes[at + 1..].iter().position(|b| *b == b'\'').map(|n| at + 1 + n),
                    _ => None,
                };
                // A quote that stands alone and closes nothing is no word.
                if bytes[at..end] == *b"'" && closing.is_none() {
                    return quoted::unbalanced(text, at);
                }
                match closing.filter(|close| close + 1 >= end) {
                    Some(close) => {
                        let inner = &text[at + 1..close];
                        words.push(quoted::cooked(inner).unwrap_or_else(|| inner.to_owned()));
                        at = close + 1;
                    }
                    None => {
                        words.push(text[at..end].to_owned());
                        at = end;
                    }
                }
            }
        }
    }
    let end = (at + 1).min(bytes.len());
    words.shrink_to_fit();
    let found = Scanned::new(Kind::Arguments, from - 1, end).with(Value::Words(words));
    if at < bytes.len() {
        return found;
    }
    let help = "everything up to the end of the file became part of this command; close it with \"";
    Scanned { flaw: Some(Flaw { message: "the command has no closing quote", help, fatal: false }), ..found }
}

/// After `every`: a number, or a pattern in quotes.
fn every(text: &str, from: usize) -> Scanned {
    let bytes = text.as_bytes();
    let at = skip_lines(bytes, from);
    let help = "a number of cycles, or a pattern of five fields in quotes, belongs here: every 5 cycles, every \"0 3 * * *\"";
    match bytes.get(at) {
        None => Scanned::end(at),
        Some(b'"' | b'\'') => {
            let found = quoted::string(text, at);
            if found.kind == Kind::Bad {
                return found;
            }
            Scanned { kind: Kind::Cron, ..found }
        }
        Some(b'0'..=b'9') => {
            let digits = bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
            let value = text[at..at + digits].parse().unwrap_or(i64::MAX);
            Scanned::new(Kind::Number, at, at + digits).with(Value::Int(value))
        }
        Some(_) if Keyword::find(&bytes[at..word_end(bytes, at)]) == Some(Keyword::Cycle) => {
            Scanned::new(Kind::Key(Keyword::Cycle), at, word_end(bytes, at))
        }
        Some(_) => {
            let end = word_end(bytes, at).max(at + 1);
            let end = (end..=text.len()).find(|e| text.is_char_boundary(*e)).unwrap_or(text.len());
            Scanned::new(Kind::Bad, at, end).flawed("invalid every format", help)
        }
    }
}

/// No header field has a name as long as this.
const LONGEST_NAME: usize = 1024;

/// `[name: value, …]`. Monit cuts a bare value at a second colon and sends the rest as a line of its own; here it is
/// kept whole, with a warning.
fn headers(text: &str, from: usize) -> Scanned {
    let bytes = text.as_bytes();
    let open = skip_lines(bytes, from);
    if bytes.get(open) != Some(&b'[') {
        return stray(text, open);
    }
    let mut pairs = Vec::new();
    let mut at = open + 1;
    let mut cut = false;
    loop {
        while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r' | b'\n' | b',')) {
            at += 1;
        }
        let help = "header fields are written as [name: \"value\", name: \"value\"]";
        match bytes.get(at) {
            None => {
                let line = text[open..].find('\n').map_or(text.len(), |n| open + n);
                let found = Scanned::new(Kind::Bad, open, open + 1);
                return Scanned { next: line, ..found.flawed("invalid HTTP header list format", help) };
            }
            Some(b']') => break,
            Some(_) => {}
        }
        let stops = |b: &u8| matches!(b, b':' | b',' | b']' | b'\n');
        let Some(colon) = bytes[at..].iter().take(LONGEST_NAME).position(stops).map(|n| at + n) else {
            return Scanned::new(Kind::Bad, open, open + 1).flawed("invalid HTTP header list format", help);
        };
        if bytes[colon] != b':' || bytes[at..colon].contains(&b'[') {
            let found = Scanned::new(Kind::Bad, at, colon).flawed("invalid HTTP header list format", help);
            return Scanned {
                next: bytes[colon..]
                    .iter()
                    .take(LONGEST_NAME)
                    .position(|b| *b == b']')
                    .map_or(colon, |n| colon + n + 1),
                ..found
            };
        }
        let name = text[at..colon].trim().trim_matches('"').to_owned();
        let begin = skip_blanks(bytes, colon + 1);
        if matches!(bytes.get(begin), Some(b'"' | b'\'')) {
            let found = quoted::string(text, begin);
            if found.kind == Kind::Bad {
                return found;
            }
            let value = match found.value {
                Value::Text(cooked) => cooked,
                _ => text[begin + 1..found.end - 1].to_owned(),
            };
            pairs.push((name, value));
            at = found.end;
        } else {
            let end = text[begin..].find([',', ']', '\n']).map_or(text.len(), |n| begin + n);
            let value = text[begin..end].trim();
            cut |= value.contains(':');
            pairs.push((name, value.to_owned()));
            at = end;
        }
    }
    let found = Scanned::new(Kind::Headers, open, at + 1).with(Value::Pairs(pairs));
    let help = "put the value in quotes: Monit cuts it at the colon";
    let flaw = Flaw { message: "a value of a header field holds a colon", help, fatal: false };
    Scanned { flaw: cut.then_some(flaw), ..found }
}
