//! What the lexer gives the parser.

use crate::keyword::Keyword;

/// One token: what it is, where it stands, what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// Which file of the run it stands in.
    pub(crate) file: u32,
    /// First byte, quotes included.
    pub(crate) start: usize,
    /// Byte after the last.
    pub(crate) end: usize,
    /// Whether it is the first of its line.
    pub(crate) fresh: bool,
    /// What it holds beyond its text.
    pub(crate) value: Value,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The end of the main file.
    End,
    /// A reserved word.
    Key(Keyword),
    /// A bare word.
    Word,
    /// A text in quotes that is no path.
    Quoted,
    /// A word or a text in quotes that begins with `/`.
    Path,
    /// `name@host`.
    Mail,
    /// `scheme://…`.
    Url,
    /// Digits.
    Number,
    /// Digits, a dot, digits.
    Real,
    /// `%`.
    Percent,
    /// `:`.
    Colon,
    /// `{`.
    Open,
    /// `}`.
    Close,
    /// `@`.
    At,
    /// `check TYPE`, up to the name.
    Check(Subject),
    /// A name of a service or a group.
    Name,
    /// Names of services, in [`Value::Words`].
    Names,
    /// The words of a command in double quotes, in [`Value::Words`].
    Arguments,
    /// A five-field pattern in quotes.
    Cron,
    /// `[name: value, …]`, in [`Value::Pairs`].
    Headers,
    /// `from:`, `subject:` … with its text.
    MailField,
    /// `include` with its pattern in [`Value::Text`]; the parser never sees it.
    Include,
    /// A character that begins no token.
    Stray,
    /// Something whose mistake has been noted already.
    Bad,
}

/// What stands after `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Process,
    File,
    Fifo,
    Directory,
    Filesystem,
    Host,
    Network,
    System,
    Program,
}

/// What a token holds beyond its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing: the text is in the file as it is.
    None,
    /// A whole number, cut at 2^63 - 1.
    Int(i64),
    /// A number with a fraction.
    Real(f64),
    /// The text that escapes have made.
    Text(String),
    /// Words.
    Words(Vec<String>),
    /// Header fields: name, value.
    Pairs(Vec<(String, String)>),
}

impl Subject {
    /// The longest type that this word begins with, in any case, and how long its name is.
    pub(crate) fn begins(word: &[u8]) -> Option<(Self, usize)> {
        const ALL: [(&str, Subject); 10] = [
            ("process", Subject::Process),
            ("file", Subject::File),
            ("fifo", Subject::Fifo),
            ("directory", Subject::Directory),
            ("filesystem", Subject::Filesystem),
            ("device", Subject::Filesystem),
            ("host", Subject::Host),
            ("network", Subject::Network),
            ("system", Subject::System),
            ("program", Subject::Program),
        ];
        let fits =
            |name: &str| word.get(..name.len()).is_some_and(|w| w.eq_ignore_ascii_case(name.as_bytes()));
        let found = ALL.iter().filter(|(name, _)| fits(name)).max_by_key(|(name, _)| name.len());
        found.map(|(name, subject)| (*subject, name.len()))
    }
}

impl Token {
    /// The number in it, 0 if there is none.
    pub(crate) fn int(&self) -> i64 {
        match self.value {
            Value::Int(n) => n,
            _ => 0,
        }
    }

    /// The number in it, whole or not, 0 if there is none.
    pub(crate) fn real(&self) -> f64 {
        match self.value {
            Value::Int(n) => n as f64,
            Value::Real(x) => x,
            _ => 0.0,
        }
    }

    /// Whether it is this keyword.
    pub(crate) fn is(&self, keyword: Keyword) -> bool {
        self.kind == Kind::Key(keyword)
    }

    /// Whether it is a string of the grammar: bare or quoted.
    pub(crate) fn is_string(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}
