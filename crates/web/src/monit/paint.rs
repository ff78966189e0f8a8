/// What a piece of text means; on a terminal, its colour. The sequences are those of Monit 5.33's text answers, which
/// its command line removes again where there is no terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Heading,
    Value,
    Good,
    Bad,
    Careful,
    New,
    Waiting,
    Faint,
}

impl Tone {
    fn code(self) -> Option<&'static str> {
        Some(match self {
            Tone::Plain => return None,
            Tone::Heading => "1;36",
            Tone::Value => "0;39",
            Tone::Good => "0;92",
            Tone::Bad => "0;91",
            Tone::Careful => "0;93",
            Tone::New => "0;94",
            Tone::Waiting => "0;37",
            Tone::Faint => "0;90",
        })
    }

    /// The text in this colour.
    pub(crate) fn paint(self, text: &str) -> String {
        match self.code() {
            Some(code) => format!("\x1b[{code}m{text}\x1b[0m"),
            None => text.to_owned(),
        }
    }
}
