//! One token in normal mode: a pure function of a text and a position. Monit's lexer takes the longest match and, of
//! equal ones, the keyword; so does this.

use crate::joined;
use crate::keyword::Keyword;
use crate::lexer::Mode;
use crate::quoted;
use crate::sender;
use crate::token::{Kind, Value};

/// What was found, and how reading goes on.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) value: Value,
    /// Where reading goes on.
    pub(crate) next: usize,
    /// How.
    pub(crate) mode: Mode,
    /// Whether a line began between the last token and this.
    pub(crate) fresh: bool,
    /// What is wrong with it.
    pub(crate) flaw: Option<Flaw>,
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flaw {
    pub(crate) message: &'static str,
    pub(crate) help: &'static str,
    /// Whether the file cannot be used.
    pub(crate) fatal: bool,
}

impl Scanned {
    /// A token of these bytes, followed by normal mode.
    pub(crate) fn new(kind: Kind, start: usize, end: usize) -> Self {
        Self { kind, start, end, value: Value::None, next: end, mode: Mode::Normal, fresh: false, flaw: None }
    }

    /// The end of the text.
    pub(crate) fn end(at: usize) -> Self {
        Self::new(Kind::End, at, at)
    }

    pub(crate) fn with(self, value: Value) -> Self {
        Self { value, ..self }
    }

    pub(crate) fn then(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    pub(crate) fn flawed(self, message: &'static str, help: &'static str) -> Self {
        Self { kind: Kind::Bad, flaw: Some(Flaw { message, help, fatal: true }), ..self }
    }
}

/// Whether a byte may be part of a bare word.
pub(crate) fn is_word(byte: u8) -> bool {
    byte >= 0x21
        && !matches!(byte, b'!' | b'@' | b':' | b'{' | b'}' | b'"' | b'\'' | b';' | b'(' | b')' | b',' | b'%')
}

/// The end of the word that begins here.
pub(crate) fn word_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| !is_word(*b)).map_or(bytes.len(), |n| at + n)
}

/// The first byte from here that is no blank within a line.
pub(crate) fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// Reads one token. `command_path`: `path "…"` begins a command.
pub(crate) fn normal(text: &str, from: usize, command_path: bool) -> Scanned {
    let bytes = text.as_bytes();
    let mut at = from;
    let mut fresh = false;
    loop {
        match bytes.get(at) {
            None => return Scanned { fresh, ..Scanned::end(at) },
            Some(b'\n') => {
                fresh = true;
                at += 1;
            }
            Some(b' ' | b'\t' | b'\r' | b';' | b',' | b'(' | b')') => at += 1,
            Some(b'#') => {
                at = bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n);
            }
            // At the end of a line, or alone.
            Some(b'\\') if bytes.get(at + 1).is_none_or(|next| !is_word(*next)) => at += 1,
            Some(_) => {
                let found = token(text, at, command_path);
                if found.kind == Kind::Key(Keyword::Noise) {
                    at = found.next;
                    continue;
                }
                return Scanned { fresh, ..found };
            }
        }
    }
}

fn token(text: &str, at: usize, command_path: bool) -> Scanned {
    let bytes = text.as_bytes();
    let single = match bytes[at] {
        b'"' | b'\'' => return quoted::string(text, at),
        b'%' => Kind::Percent,
        b'{' => Kind::Open,
        b'}' => Kind::Close,
        b'@' => Kind::At,
        b':' => match ipv6_end(text, at) {
            Some(end) => return Scanned::new(Kind::Word, at, end),
            None => Kind::Colon,
        },
        // The one operator that needs no blank behind it, as no word begins like this.
        b'!' if bytes.get(at + 1) == Some(&b'=') => {
            return Scanned::new(Kind::Key(Keyword::NotEqual), at, at + 2);
        }
        b'!' => Kind::Stray,
        byte if !is_word(byte) => Kind::Stray,
        _ => return word(text, at, command_path),
    };
    Scanned::new(single, at, at + 1)
}

fn word(text: &str, at: usize, command_path: bool) -> Scanned {
    let bytes = text.as_bytes();
    let end = word_end(bytes, at);
    let word = &bytes[at..end];
    match bytes.get(end) {
        Some(b'@') if bytes.get(end + 1).is_some_and(|b| is_word(*b)) => {
            return Scanned::new(Kind::Mail, at, word_end(bytes, end + 1));
        }
        Some(b':') => {
            if let Some(found) = colon_word(text, at, end) {
                return found;
            }
        }
        _ => {}
    }
    if word[0] == b'/' {
        return Scanned::new(Kind::Path, at, end);
    }
    if word[0].is_ascii_digit()
        && let Some((kind, value)) = number(&text[at..end])
    {
        return Scanned::new(kind, at, end).with(value);
    }
    if let Some(found) = joined::token(text, at, end, command_path) {
        return found;
    }
    match Keyword::find(word) {
        Some(keyword) => Scanned::new(Kind::Key(keyword), at, end),
        None => Scanned::new(Kind::Word, at, end),
    }
}

/// Digits, or digits, a dot and digits. Anything else that begins with a digit is a word.
fn number(word: &str) -> Option<(Kind, Value)> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if digits(word) {
        return Some((Kind::Number, Value::Int(word.parse().unwrap_or(i64::MAX))));
    }
    let (whole, fraction) = word.split_once('.')?;
    if digits(whole) && digits(fraction) {
        return Some((Kind::Real, Value::Real(word.parse().ok()?)));
    }
    None
}

/// What a word directly before a colon may be: a URL, an IPv6 address, a field of a mail format.
fn colon_word(text: &str, at: usize, end: usize) -> Option<Scanned> {
    let bytes = text.as_bytes();
    let word = &text[at..end];
    if bytes[end..].starts_with(b"://") && word.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let stop = bytes[end..].iter().position(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
        let stop = stop.map_or(bytes.len(), |n| end + n);
        let found = Scanned::new(Kind::Url, at, stop);
        if matches!(word.to_ascii_lowercase().as_str(), "http" | "https") {
            return Some(found);
        }
        return Some(found.flawed("URL protocol not supported --", "only http:// and https:// are fetched"));
    }
    if let Some(end) = ipv6_end(text, at) {
        return Some(Scanned::new(Kind::Word, at, end));
    }
    let (stops, address): (&[u8], bool) = match word.to_ascii_lowercase().as_str() {
        "from" | "reply-to" => (b"\n}", true),
        "subject" => (b"\n}", false),
        "message" => (b"}", false),
        _ => return None,
    };
    let stop = bytes[end..].iter().position(|b| stops.contains(b)).map_or(bytes.len(), |n| end + n);
    let found = Scanned::new(Kind::MailField, at, stop);
    if !address {
        return Some(found.with(Value::Text(text[end + 1..stop].trim().to_owned())));
    }
    Some(match sender::read(&text[end + 1..stop]) {
        Ok(address) => found.with(Value::Text(address)),
        Err(sender::Flaw::Missing) => found.flawed(
            "missing address",
            "an address stands here, in the same line: from: monit@$HOST, or from: Monit <monit@$HOST>",
        ),
        Err(sender::Flaw::Blank) => found.flawed(
            "invalid mail format",
            "a tab stands here, or the line ends in a carriage return: write blanks, and save the file with the ends of lines of Unix",
        ),
    })
}

/// The longest IPv6 address, the last four bytes of which may be written as IPv4.
const LONGEST_IPV6: usize = 45;

/// The end of the IPv6 address, with its prefix length if there is one, that begins here.
fn ipv6_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let length = |at: usize, wanted: fn(&u8) -> bool| {
        bytes[at..].iter().take(LONGEST_IPV6 + 1).take_while(|b| wanted(b)).count()
    };
    let mut end = at + length(at, |b| b.is_ascii_hexdigit() || *b == b':' || *b == b'.');
    if end - at > LONGEST_IPV6 {
        return None;
    }
    text[at..end].parse::<std::net::Ipv6Addr>().ok()?;
    if bytes.get(end) == Some(&b'/') {
        let digits = length(end + 1, u8::is_ascii_digit);
        if (1..=3).contains(&digits) {
            end += 1 + digits;
        }
    }
    Some(end)
}
