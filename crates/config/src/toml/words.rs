//! Splitting a command line into words as a shell quotes them, without being a shell.

/// Splits at blanks. `'…'` keeps everything, `"…"` keeps all but `\"`, `\\`, `\$` and `` \` ``, a backslash keeps the
/// next character. Nothing is expanded.
///
/// # Errors
/// If a quote is not closed or a backslash ends the text: which one.
pub(super) fn split(line: &str) -> Result<Vec<Word>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let current = word.get_or_insert_with(Word::default);
        match c {
            '\'' => {
                current.quoted = true;
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => current.text.push(c),
                        None => return Err("a ' is not closed"),
                    }
                }
            }
            '"' => {
                current.quoted = true;
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => current.text.push(c),
                            Some(c) => current.text.extend(['\\', c]),
                            None => return Err("a \" is not closed"),
                        },
                        Some(c) => current.text.push(c),
                        None => return Err("a \" is not closed"),
                    }
                }
            }
            '\\' => {
                current.quoted = true;
                current.text.push(chars.next().ok_or("a \\ stands at its end")?);
            }
            c => current.text.push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// One word of a command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Whether a part of it was quoted: then it was meant as it stands.
    pub(super) quoted: bool,
}

/// A word that would mean something to a shell and means nothing here.
pub(super) fn for_a_shell(words: &[Word]) -> Option<&str> {
    words.iter().filter(|w| !w.quoted).map(|w| w.text.as_str()).find(|w| {
        matches!(*w, "|" | "||" | "&&" | "&" | ";" | ">" | ">>" | "<" | "2>&1" | "2>/dev/null" | ">/dev/null")
            || w.ends_with(';')
            || w.starts_with("$(")
            || w.starts_with('`')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        split(line).expect("a good line").into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn words_are_split_as_a_shell_would() {
        for (line, words) in [
            ("/etc/init.d/httpd start", &["/etc/init.d/httpd", "start"][..]),
            ("  a   b\tc ", &["a", "b", "c"]),
            (r#"sh -c 'a "b" \n'"#, &["sh", "-c", r#"a "b" \n"#]),
            (r#"x "a \"b\" \n" c\ d"#, &["x", r#"a "b" \n"#, "c d"]),
            (r#"--name='x y'"z""#, &["--name=x yz"]),
            ("a '' b", &["a", "", "b"]),
            ("", &[]),
        ] {
            assert_eq!(texts(line), words, "{line}");
        }
    }

    #[test]
    fn an_open_quote_is_told() {
        assert_eq!(split("a 'b"), Err("a ' is not closed"));
        assert_eq!(split("a \"b"), Err("a \" is not closed"));
        assert_eq!(split("a \\"), Err("a \\ stands at its end"));
    }

    #[test]
    fn pipes_are_noticed_unless_they_are_quoted() {
        assert_eq!(for_a_shell(&split("a | b").expect("good")), Some("|"));
        assert_eq!(for_a_shell(&split("sh -c 'a | b' '|'").expect("good")), None);
    }
}
