//! What stands behind `from:` and `reply-to:`: an address, and maybe a name before or behind it.

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// No address.
    Missing,
    /// The end of a line of a file whose lines end in CR LF: Monit 5.33 does not pass over it here.
    Return,
}

/// Reads the rest of a line: `ADDRESS` or `NAME <ADDRESS>`. As Monit does, it takes the longer of a name and of a word with an
/// `@` in it at each step, and of several names and addresses the last.
pub(crate) fn read(text: &str) -> Result<String, Flaw> {
    let (mut name, mut address) = (String::new(), String::new());
    let mut rest = text.trim_start_matches([' ', '\t']);
    // Further on, blanks before a name are a part of it, if nothing but the end follows they are nothing.
    while !rest.trim_matches([' ', '\t']).is_empty() {
        let spoken = rest.find(['@', '<', '\r']).unwrap_or(rest.len());
        let word = &rest[..rest.find([' ', '\t', '\r']).unwrap_or(rest.len())];
        if word.contains('@') && word.len() >= spoken {
            let from = word.rfind('<').map_or(word, |open| &word[open + 1..]);
            address = from.split('>').next().unwrap_or(from).to_owned();
            rest = &rest[word.len()..];
        } else if spoken > 0 {
            name = rest[..spoken].trim_matches([' ', '\t', '"', '\'']).to_owned();
            rest = &rest[spoken..];
        } else if rest.starts_with('\r') {
            return Err(Flaw::Return);
        } else {
            rest = &rest[word.len().max(1)..];
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
        ] {
            assert_eq!(read(text), Ok(want.to_owned()), "{text}");
        }
        for text in ["", " ", " $HOST ", "foo", "<>"] {
            assert_eq!(read(text), Err(Flaw::Missing), "{text}");
        }
        for text in [" a@b\r", "<a@b>\r"] {
            assert_eq!(read(text), Err(Flaw::Return), "{text}");
        }
    }
}
