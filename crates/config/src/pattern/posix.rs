//! Monit's regular expressions, those of POSIX as glibc reads them (regex(7)), in the syntax of `regex-lite`.
//!
//! What differs: a backslash within brackets is a plain sign, as are `[` there and a `]` that comes first; a second
//! repetition repeats the first, where it would only make it lazy otherwise; a backslash before any other sign means that
//! sign. `.` and `[^x]` match the end of a line too, and `^` and `$` are the ends of all of it. What cannot be said is
//! refused: references back (`\1`).

use std::iter::Peekable;
use std::str::Chars;

/// The same expression in the other syntax.
///
/// # Errors
/// What it asks for that cannot be said there.
pub(super) fn translated(text: &str) -> Result<String, String> {
    let mut out = String::from("(?s)");
    let mut chars = text.chars().peekable();
    // Where what a repetition repeats begins, and whether it has one already.
    let mut groups: Vec<usize> = Vec::new();
    let mut atom: Option<(usize, bool)> = None;
    while let Some(c) = chars.next() {
        let at = out.len();
        match c {
            '\\' => {
                atom = Some((at, false));
                escape(chars.next(), &mut out)?;
            }
            '[' => {
                atom = Some((at, false));
                bracket(&mut chars, &mut out)?;
            }
            '(' => {
                groups.push(at);
                out.push('(');
                atom = None;
            }
            ')' => match groups.pop() {
                Some(begin) => {
                    out.push(')');
                    atom = Some((begin, false));
                }
                None => {
                    out.push_str(r"\)");
                    atom = Some((at, false));
                }
            },
            '*' | '+' | '?' => repeat(&mut out, &mut atom, &c.to_string()),
            '{' => {
                let (count, length) = count(&chars).ok_or("a brace { begins no count, such as {2,3}")?;
                for _ in 0..length {
                    chars.next();
                }
                repeat(&mut out, &mut atom, &count);
            }
            '|' => {
                out.push('|');
                atom = None;
            }
            '^' | '$' => {
                out.push(c);
                atom = None;
            }
            '}' | ']' => {
                out.push('\\');
                out.push(c);
                atom = Some((at, false));
            }
            _ => {
                out.push(c);
                atom = Some((at, false));
            }
        }
    }
    Ok(out)
}

/// Repeats what stands last. A repetition of what is repeated already is one of all that.
fn repeat(out: &mut String, atom: &mut Option<(usize, bool)>, sign: &str) {
    if let Some((begin, repeated)) = atom {
        if *repeated {
            out.insert_str(*begin, "(?:");
            out.push(')');
        }
        *repeated = true;
    }
    out.push_str(sign);
}

fn escape(c: Option<char>, out: &mut String) -> Result<(), String> {
    match c {
        None => return Err("a backslash at its end has nothing to stand before".to_owned()),
        Some(digit @ '1'..='9') => {
            return Err(format!(
                "it refers back to what was matched before (\\{digit}), which is not supported"
            ));
        }
        Some(c @ ('w' | 'W' | 's' | 'S' | 'b' | 'B' | '<' | '>')) => {
            out.push('\\');
            out.push(c);
        }
        Some('`') => out.push_str(r"\A"),
        Some('\'') => out.push_str(r"\z"),
        Some(c) if c.is_ascii_punctuation() => {
            out.push('\\');
            out.push(c);
        }
        Some(c) => out.push(c),
    }
    Ok(())
}

/// Everything behind `[`.
fn bracket(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        let Some(c) = chars.next() else { return Err("a bracket [ is not closed".to_owned()) };
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(());
            }
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                loop {
                    let Some(c) = chars.next() else { return Err("a class [: is not closed".to_owned()) };
                    out.push(c);
                    if c == ':' && chars.next_if_eq(&']').is_some() {
                        out.push(']');
                        break;
                    }
                }
            }
            '[' if matches!(chars.peek(), Some('.' | '=')) => {
                return Err("[. .] and [= =] are not supported".to_owned());
            }
            // A range, or the sign itself at either end.
            '-' if !first && chars.peek().is_some_and(|next| *next != ']') => out.push('-'),
            c if c.is_ascii_punctuation() => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        first = false;
    }
}

/// `{n}`, `{n,}`, `{,m}` or `{n,m}`, and how much of it stands behind the brace.
fn count(chars: &Peekable<Chars<'_>>) -> Option<(String, usize)> {
    let inside: String = chars.clone().take_while(|c| *c != '}').collect();
    chars.clone().find(|c| *c == '}')?;
    let (from, to) = inside.split_once(',').unwrap_or((&inside, ""));
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !number(from) || !number(to) || from.is_empty() && to.is_empty() {
        return None;
    }
    let from = if from.is_empty() { "0" } else { from };
    let until = if inside.contains(',') { format!(",{to}") } else { String::new() };
    Some((format!("{{{from}{until}}}"), inside.len() + 1))
}

#[cfg(test)]
mod tests {
    use regex_lite::Regex;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let translated = translated(pattern).unwrap();
        Regex::new(&translated).unwrap_or_else(|e| panic!("{pattern} as {translated}: {e}")).is_match(text)
    }

    /// Each as regcomp(3) with REG_EXTENDED and regexec(3) of glibc have it.
    #[test]
    fn expressions_mean_what_they_mean_to_monit() {
        for (pattern, yes, no) in [
            ("[[]error", "[error", "error"),
            ("[]x]y", "]y", "y"),
            ("[^]x]y", "ay", "]y"),
            (r"[\d]", r"\", "5"),
            (r"[\.]z", "\\z", "az"),
            ("[a-]z", "-z", "bz"),
            ("[-a]z", "-z", "bz"),
            ("[[:digit:]]{2,3}$", "x123", "x1"),
            ("[[:alpha:][:digit:]_]+=", "a_1=", "-="),
            ("^a{,2}b{1,}c{2}$", "aabcc", "aaabcc"),
            ("^a+?$", "", "b"),
            ("^(ab)*{2}$", "abab", "aba"),
            ("one.two", "one\ntwo", "onetwo"),
            ("^b", "b", "a\nb"),
            (r"\<word\>", "a word", "swords"),
            (r"\/x\-y", "/x-y", "/xy"),
            ("a|b)", "b)", "b"),
            ("x{0,2}y", "y", "z"),
            ("(a|)b$", "b", "a"),
            ("[a&&b]", "&", "c"),
            ("[a~~b]", "~", "c"),
            ("p]q}", "p]q}", "pq"),
        ] {
            assert!(matches(pattern, yes), "{pattern} in {yes:?}");
            assert!(!matches(pattern, no), "{pattern} in {no:?}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for pattern in [r"(a)\1", "a{x", "a{1", "a{", "a{}", "[[.x.]]", "[[=x=]]", "[a", "a\\"] {
            assert!(translated(pattern).is_err(), "{pattern}");
        }
        for pattern in ["*a", "(a", "a{2,1}"] {
            let translated = translated(pattern).unwrap();
            assert!(Regex::new(&translated).is_err(), "{pattern} as {translated}");
        }
    }
}
