//! Tokens of more than one word. They are matched literally, so the blanks inside them are fixed.

use crate::keyword::Keyword;
use crate::lexer::Mode;
use crate::quoted;
use crate::scan::{Scanned, is_word, skip_blanks, word_end};
use crate::token::{Kind, Subject, Value};

/// The token of more than one word, or with a mode of its own, that begins with the word at `at..end`.
pub(crate) fn token(text: &str, at: usize, end: usize, command_path: bool) -> Option<Scanned> {
    let bytes = text.as_bytes();
    let key = |keyword, end| Scanned::new(Kind::Key(keyword), at, end);
    let is = |word: &str| bytes[at..end].eq_ignore_ascii_case(word.as_bytes());
    let blanks = skip_blanks(bytes, end);
    let next = &bytes[blanks..word_end(bytes, blanks)];
    let next_is = |word: &str| blanks > end && next.eq_ignore_ascii_case(word.as_bytes());
    let one_blank = bytes.get(end) == Some(&b' ') && blanks == end + 1;
    // The first letter rules most words out.
    match bytes[at].to_ascii_lowercase() {
        b'a' | b'm' if is("access") || is("modification") || is("modify") => {
            time(bytes, end).map(|e| key(Keyword::Time, e))
        }
        b'c' if is("change") => time(bytes, end).map(|e| key(Keyword::Time, e)),
        b'c' if is("check") => check(bytes, at, end, blanks),
        b'c' if is("cpu") || is("cpuusage") => cpu_part(bytes, at + 3).map(|(keyword, e)| key(keyword, e)),
        b'd' if is("depends") || is("depend") => (blanks > end).then(|| {
            // No blank need follow: `depends online` is about `line`.
            let stop = if begins(next, b"on") { blanks + 2 } else { end };
            Scanned { next: skip_blanks(bytes, stop), ..key(Keyword::Depends, stop) }.then(Mode::Names)
        }),
        b'd' | b'e' if (is("disable") || is("enable")) && next_is("ssl") => {
            Some(key(if is("enable") { Keyword::Ssl } else { Keyword::Noise }, blanks + next.len()))
        }
        b'e' if is("every") => Some(key(Keyword::Every, end).then(Mode::Every)),
        b'e' if is("exec") || is("execute") => {
            command(bytes, end).map(|next| Scanned { next, ..key(Keyword::Exec, end) }.then(Mode::Arguments))
        }
        b'g' if is("group") => matches!(bytes.get(end), Some(b' ' | b'\t'))
            .then(|| Scanned { next: blanks, ..key(Keyword::Group, end) }.then(Mode::Group)),
        b'h' if is("http") && next_is("headers") => {
            let stop = blanks + next.len();
            let blank = matches!(bytes.get(stop), Some(b' ' | b'\t' | b'\r' | b'\n'));
            blank.then(|| key(Keyword::HttpHeaders, stop).then(Mode::Headers))
        }
        b'i' if is("include") => Some(include(text, at, end)),
        b'l' if is("loadavg") => Some(load(bytes, end)).map(|(keyword, e)| key(keyword, e)),
        b'n' if is("not") && next_is("every") => {
            Some(key(Keyword::NotEvery, blanks + next.len()).then(Mode::Every))
        }
        b'p' if is("path") && command_path && bytes.get(blanks) == Some(&b'"') => {
            Some(Scanned { next: blanks + 1, ..key(Keyword::Path, end) }.then(Mode::Arguments))
        }
        b'r' | b's'
            if [&b"start"[..], b"stop", b"restart"].into_iter().any(|word| begins(&bytes[at..end], word)) =>
        {
            started(bytes, at, end)
        }
        b's' if is("service") && one_blank && begins(next, b"time") => {
            Some(key(Keyword::ServiceTime, blanks + 4))
        }
        b's' if is("ssl") && next_is("enable") => Some(key(Keyword::Ssl, blanks + next.len())),
        b's' if is("ssl") && next_is("disable") => Some(key(Keyword::Noise, blanks + next.len())),
        b't' if is("total") && one_blank && begins(next, b"cpu") => Some(key(Keyword::TotalCpu, blanks + 3)),
        b't' if is("total") && one_blank && begins(next, b"memory") => {
            Some(key(Keyword::TotalMemory, blanks + 6))
        }
        b't' if is("total") && one_blank && begins(next, b"mem") => {
            Some(key(Keyword::TotalMemory, blanks + 3))
        }
        _ => None,
    }
}

/// `start`, `stop` or `restart` and all up to the quote that opens its command. Of these, blanks need not be between any two.
fn started(bytes: &[u8], at: usize, end: usize) -> Option<Scanned> {
    let word = &bytes[at..end];
    let name = [&b"start"[..], b"stop", b"restart"].into_iter().find(|name| begins(word, name))?;
    let stop = at + name.len();
    let glued = [&b""[..], b"=", b"program", b"program="];
    if !glued.into_iter().any(|rest| bytes[stop..end].eq_ignore_ascii_case(rest)) {
        return None;
    }
    let next = command(bytes, stop)?;
    let found = Scanned::new(Kind::Key(Keyword::find(name)?), at, stop);
    Some(Scanned { next, ..found }.then(Mode::Arguments))
}

/// `[program] [=] "`, all on one line: where the words of the command begin.
fn command(bytes: &[u8], end: usize) -> Option<usize> {
    let mut at = skip_blanks(bytes, end);
    let word = word_end(bytes, at);
    if bytes[at..word].eq_ignore_ascii_case(b"program") {
        at = skip_blanks(bytes, word);
    } else if bytes[at..word].eq_ignore_ascii_case(b"program=") {
        at = word - 1;
    }
    if bytes.get(at) == Some(&b'=') {
        at = skip_blanks(bytes, at + 1);
    }
    (bytes.get(at) == Some(&b'"')).then_some(at + 1)
}

/// `check TYPE` followed by a blank; without a type it is a process.
fn check(bytes: &[u8], at: usize, end: usize, blanks: usize) -> Option<Scanned> {
    if blanks == end {
        return None;
    }
    let word = word_end(bytes, blanks);
    let followed = matches!(bytes.get(word), Some(b' ' | b'\t' | b'\r'));
    let (subject, stop) = match Subject::begins(&bytes[blanks..word]) {
        // Monit wants a blank behind this one type alone: `check hostdb` is a host called `db`.
        Some((Subject::Process, length)) if followed && blanks + length == word => (Subject::Process, word),
        Some((Subject::Process, _)) | None => (Subject::Process, end),
        Some((subject, length)) => (subject, blanks + length),
    };
    Some(Scanned::new(Kind::Check(subject), at, stop).then(Mode::Name))
}

/// Whether a text begins so, in any case. What is glued to a token of two words is a token of its own: `total cpu> 5`.
fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
}

/// ` time` or ` timestamp` after exactly one blank.
fn time(bytes: &[u8], end: usize) -> Option<usize> {
    let rest = bytes.get(end + 1..)?;
    let found = [&b"timestamp"[..], b"time"].into_iter().find(|word| begins(rest, word))?;
    (bytes.get(end) == Some(&b' ')).then_some(end + 1 + found.len())
}

/// `[usage] ( part )`. Nothing between the parentheses means user.
fn cpu_part(bytes: &[u8], end: usize) -> Option<(Keyword, usize)> {
    let mut at = skip_spaces(bytes, end);
    let word = word_end(bytes, at);
    if bytes[at..word].eq_ignore_ascii_case(b"usage") {
        at = skip_spaces(bytes, word);
    }
    let (inner, stop) = parentheses(bytes, at)?;
    let keyword = match inner.to_ascii_lowercase().as_slice() {
        b"" | b"us" | b"usr" | b"user" => Keyword::CpuUser,
        b"sy" | b"sys" | b"system" => Keyword::CpuSystem,
        b"wa" | b"wait" => Keyword::CpuWait,
        b"nice" => Keyword::CpuNice,
        b"hardirq" => Keyword::CpuHardIrq,
        b"softirq" => Keyword::CpuSoftIrq,
        b"steal" => Keyword::CpuSteal,
        b"guest" => Keyword::CpuGuest,
        b"guestnice" => Keyword::CpuGuestNice,
        _ => return None,
    };
    Some((keyword, stop))
}

/// `(1)`, `(5)`, `(15)`, with `m` or `min` after the number; without any it is one minute.
fn load(bytes: &[u8], end: usize) -> (Keyword, usize) {
    let part = parentheses(bytes, skip_spaces(bytes, end)).and_then(|(inner, stop)| {
        let digits = inner.iter().take_while(|b| b.is_ascii_digit()).count();
        let unit = inner[digits..].trim_ascii().to_ascii_lowercase();
        let keyword = match (&inner[..digits], unit.as_slice()) {
            (b"1", b"" | b"m" | b"min") => Keyword::Load1,
            (b"5", b"" | b"m" | b"min") => Keyword::Load5,
            (b"15", b"" | b"m" | b"min") => Keyword::Load15,
            _ => return None,
        };
        Some((keyword, stop))
    });
    part.unwrap_or((Keyword::Load1, end))
}

/// The word in parentheses that stands here, and where they end.
fn parentheses(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if bytes.get(at) != Some(&b'(') {
        return None;
    }
    let from = skip_spaces(bytes, at + 1);
    let mut to = from;
    while bytes.get(to).is_some_and(|b| is_word(*b) || *b == b' ') {
        to += 1;
    }
    (bytes.get(to) == Some(&b')')).then(|| (bytes[from..to].trim_ascii(), to + 1))
}

/// The first byte from here that is no blank: tabs do not stand inside these tokens.
fn skip_spaces(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|b| **b == b' ').count()
}

/// `include` and its pattern: a bare word or a text in quotes, of which only blanks may be on another line.
fn include(text: &str, at: usize, end: usize) -> Scanned {
    let bytes = text.as_bytes();
    let mut from = end;
    while matches!(bytes.get(from), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        from += 1;
    }
    match bytes.get(from) {
        None => Scanned::end(from),
        Some(b'"' | b'\'') => {
            let found = quoted::string(text, from);
            if found.kind == Kind::Bad {
                return found;
            }
            let pattern = match found.value {
                Value::Text(pattern) => pattern,
                _ => text[found.start + 1..found.end - 1].to_owned(),
            };
            Scanned::new(Kind::Include, at, found.end).with(Value::Text(pattern))
        }
        Some(_) => {
            let stop = bytes[from..].iter().position(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
            let stop = stop.map_or(bytes.len(), |n| from + n);
            Scanned::new(Kind::Include, at, stop).with(Value::Text(text[from..stop].to_owned()))
        }
    }
}
