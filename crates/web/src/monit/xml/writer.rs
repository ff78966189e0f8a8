use std::fmt::{Display, Write};

use hinoban_reading::Metric;

use crate::monit::readings::Readings;

/// A document in the making. Everything goes straight into its one string: collectors ask often, and a document of a
/// hundred services has thousands of elements.
pub(super) struct Xml(String);

impl Xml {
    /// The prolog, and room for this many bytes of services.
    pub(super) fn new(room: usize) -> Self {
        let mut text = String::with_capacity(1024 + room);
        text.push_str("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>");
        Self(text)
    }

    pub(super) fn done(self) -> String {
        self.0
    }

    /// An element with a value that needs no escaping.
    pub(super) fn leaf(&mut self, name: &str, value: impl Display) {
        self.open(name);
        // Writing into a string cannot fail.
        let _ = write!(self.0, "{value}");
        self.close(name);
    }

    /// An element with a number of this many decimals.
    pub(super) fn real(&mut self, name: &str, decimals: usize, value: f64) {
        self.leaf(name, format_args!("{value:.decimals$}"));
    }

    /// An element with any text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        self.escaped(text);
        self.close(name);
    }

    /// An element with text that is not to be read as markup. Character references do not work in it: what is beyond
    /// ASCII goes as a URL writes it.
    pub(super) fn cdata(&mut self, name: &str, text: &str) {
        self.open(name);
        self.0 += "<![CDATA[";
        if text.bytes().all(|b| matches!(b, b' '..=b'~')) && !text.contains("]]>") {
            self.0 += text;
        } else {
            let ascii: String = text
                .chars()
                .map(|c| match c {
                    ' '..='~' => c.to_string(),
                    _ => crate::form::encode(c.encode_utf8(&mut [0; 4]), ""),
                })
                .collect();
            self.0 += &ascii.replace("]]>", "]]&gt;");
        }
        self.0 += "]]>";
        self.close(name);
    }

    /// An element with what a program printed. What is beyond ASCII stands as references between sections, what XML cannot
    /// hold as a question mark.
    pub(super) fn printed(&mut self, name: &str, text: &str) {
        const OPEN: &str = "<![CDATA[";
        self.open(name);
        self.0 += OPEN;
        for c in text.replace("]]>", "]]&gt;").chars() {
            match c {
                ' '..='~' | '\n' | '\t' => self.0.push(c),
                // A reader would make a line end of it.
                '\r' => self.0 += "]]>&#13;<![CDATA[",
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => self.0.push('?'),
                _ => self.0 += &format!("]]>&#{};{OPEN}", u32::from(c)),
            }
        }
        self.0 += "]]>";
        self.close(name);
    }

    pub(super) fn within(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.open(name);
        inside(self);
        self.close(name);
    }

    /// An element with attributes.
    pub(super) fn with(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.0.push('<');
        self.0 += name;
        for (key, value) in attributes {
            self.0.push(' ');
            self.0 += key;
            self.0 += "=\"";
            self.escaped(value);
            self.0.push('"');
        }
        self.0.push('>');
        inside(self);
        self.close(name);
    }

    /// Rate and total of a counter, if it could be read. The rate is rounded to a whole number.
    pub(super) fn counter(&mut self, name: &str, seen: Readings<'_>, rate: Metric, total: Metric) {
        if let Some(total) = seen.int(total) {
            self.within(name, |x| {
                x.real("count", 0, seen.real(rate).unwrap_or(0.0).max(0.0));
                x.leaf("total", total);
            });
        }
    }

    fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0 += name;
        self.0.push('>');
    }

    fn close(&mut self, name: &str) {
        self.0 += "</";
        self.0 += name;
        self.0.push('>');
    }

    pub(super) fn escaped(&mut self, text: &str) {
        let mut copied = 0;
        for (at, c) in text.char_indices() {
            let instead = match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\t' | ' '..='~' => continue,
                // XML 1.0 has no way to write other control characters, nor these two.
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => "?",
                _ => "",
            };
            self.0 += &text[copied..at];
            copied = at + c.len_utf8();
            if instead.is_empty() {
                let _ = write!(self.0, "&#{};", u32::from(c));
            } else {
                self.0 += instead;
            }
        }
        self.0 += &text[copied..];
    }
}
