//! What stands behind `from:` and `reply-to:`: an address, and maybe a name before or behind it.

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// No address.
    Missing,
    /// A tab, or the end of a line of a file whose lines end in CR LF: Monit 5.33 passes over neither here.
    Blank,
}

/// Reads the rest of a line: `ADDRESS` or `NAME <ADDRESS>`. As Monit does, it takes the longer of a word and of a name at each
/// step, the word if there is nothing between them, and of several names and addresses the last.
pub(crate) fn read(text: &str) -> Result<String, Flaw> {
    let (mut name, mut address) = (String::new(), String::new());
    let mut rest = text.trim_start_matches([' ', '\t']);
    // Further on, blanks before a name are a part of it; if nothing but the end follows they are nothing.
    while !rest.trim_matches(' ').is_empty() {
        let spoken = rest.find(['@', '<', '\r', '\t']).unwrap_or(rest.len());
        let word = &rest[..rest.find([' ', '\t', '\r']).unwrap_or(rest.len())];
        if !word.is_empty() && word.len() >= spoken {
            if word.starts_with('<') && !word.contains('>') && rest.contains('>') {
                return Err(Flaw::Missing);
            }
            let from = word.rfind('<').map_or(word, |open| &word[open + 1..]);
            address = from.split('>').next().unwrap_or(from).to_owned();
            rest = &rest[word.len()..];
        } else if spoken > 0 {
            name = rest[..spoken].trim_matches([' ', '"', '\'']).to_owned();
            rest = &rest[spoken..];
        } else if rest.starts_with(['\r', '\t']) {
            return Err(Flaw::Blank);
        } else {
            rest = rest.trim_start_matches(' ');
        }
    }
    match (address.is_empty(), name.is_empty()) {
        (true, _) => Err(Flaw::Missing),
        (false, true) => Ok(address),
        (false, false) => Ok(format!("{name} <{address}>")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_those_of_monit() {
        for (text, want) in [
            (" a@b ", "a@b"),
            (" Foo Bar <a@b> ", "Foo Bar <a@b>"),
            ("\"Foo Bar\" <a@b>", "Foo Bar <a@b>"),
            ("'Foo Bar' <a@$HOST>", "Foo Bar <a@$HOST>"),
            ("<a@b>", "a@b"),
            ("<a@b> \"X\"", "X <a@b>"),
            ("Foo<a@b>", "a@b"),
            ("a@b, c@d", "c <@d>"),
            ("a@b # comment", "# comment <a@b>"),
            ("a @b", "a <@b>"),
            ("monit", "monit"),
            ("\t$HOST", "$HOST"),
            ("foo <bar", "foo <bar>"),
        ] {
            assert_eq!(read(text), Ok(want.to_owned()), "{text}");
        }
        for text in ["", " ", " $HOST ", "foo bar", "<>", "<your address>"] {
            assert_eq!(read(text), Err(Flaw::Missing), "{text}");
        }
        for text in [" a@b\r", "<a@b>\r", "A <a@b>\t"] {
            assert_eq!(read(text), Err(Flaw::Blank), "{text}");
        }
    }
}
