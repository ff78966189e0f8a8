//! Hiding passwords in a text that is shown with the mistakes in it.

/// Keys whose values are hidden wherever they stand.
const SECRET: [&str; 4] = ["password", "authorization", "cookie", "token"];

/// The same text, of the same length, with stars for passwords: texts under a key that ends like one of [`SECRET`],
/// and what stands between `:` and `@` in an address. Works on the bare text, because a text with a mistake in it may be no
/// TOML at all.
pub(super) fn secrets(text: &str) -> String {
    let mut hidden = text.as_bytes().to_vec();
    for (begin, line) in lines(text) {
        let lower = line.to_ascii_lowercase();
        for key in SECRET {
            for (at, _) in lower.match_indices(key) {
                if let Some((from, to)) = literal(line, at + key.len()) {
                    hidden[begin + from..begin + to].fill(b'*');
                }
            }
        }
        for piece in line.split(['"', '\'']) {
            if let Some((from, to)) = in_address(piece) {
                let at = begin + (piece.as_ptr() as usize - line.as_ptr() as usize);
                hidden[at + from..at + to].fill(b'*');
            }
        }
    }
    // Only whole characters were replaced, by ASCII.
    String::from_utf8(hidden).unwrap_or_default()
}

/// The same text, of the same length, with stars in these spans.
pub(super) fn spans(text: &str, spans: &[std::ops::Range<usize>]) -> String {
    let mut hidden = text.to_owned();
    for span in spans {
        if text.get(span.clone()).is_some() {
            hidden.replace_range(span.clone(), &"*".repeat(span.len()));
        }
    }
    hidden
}

/// What stands between `:` and `@` in `scheme://user:password@host` or `user:password@host`.
fn in_address(text: &str) -> Option<(usize, usize)> {
    let user = text.find("://").map_or(0, |at| at + 3);
    let password = user + text[user..].find(':')? + 1;
    let at = text.rfind('@').filter(|at| password < *at)?;
    (!text[password..at].contains(char::is_whitespace)).then_some((password, at))
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let begin = *at;
        *at += line.len();
        Some((begin, line))
    })
}

/// The inside of the string literal that follows `=` at `at`; to the end of the line if it is not closed.
fn literal(line: &str, at: usize) -> Option<(usize, usize)> {
    let after = line[at..].trim_start_matches(['"', '\'']).trim_start();
    let after = after.strip_prefix('=')?.trim_start();
    let quote = after.chars().next()?;
    let from = line.len() - after.len();
    if quote == '{' || quote == '[' {
        return None;
    }
    if quote != '"' && quote != '\'' {
        // Unquoted: no TOML, but a password all the same.
        let to = after.find([',', '}', '#']).unwrap_or(after.len());
        let to = after[..to].trim_end().len();
        return Some((from, from + to));
    }
    let triple = [quote; 3].iter().collect::<String>();
    let inside = after.strip_prefix(&triple).unwrap_or(&after[1..]);
    let from = line.len() - inside.len();
    let mut escaped = false;
    for (i, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            '\n' | '\r' => return Some((from, from + i)),
            c if c == quote => return Some((from, from + i)),
            _ => {}
        }
    }
    Some((from, line.len()))
}

#[cfg(test)]
mod tests {
    use super::secrets;

    #[test]
    fn passwords_become_stars_and_nothing_moves() {
        for (shown, hidden) in [
            (r#"password = "monit", x = 1"#, r#"password = "*****", x = 1"#),
            (r#"{ name = "a", password="a\"b" }"#, r#"{ name = "a", password="****" }"#),
            ("password = 'pässe'\nnext = 1", "password = '******'\nnext = 1"),
            (r#"password = "", x = "y""#, r#"password = "", x = "y""#),
            (r#"password = "open"#, r#"password = "****"#),
            ("password = monit # bare", "password = ***** # bare"),
            (r#"password = { file = "/etc/pw" }"#, r#"password = { file = "/etc/pw" }"#),
            (r#""Authorization" = "Bearer x""#, r#""Authorization" = "********""#),
            (r#"url = "smtps://me:s3/cret@host:465""#, r#"url = "smtps://me:*******@host:465""#),
            (r#""me:s3cret@host:25""#, r#""me:******@host:25""#),
            (r#"to = ["a@b", "c@d"] # two: a@b"#, r#"to = ["a@b", "c@d"] # two: a@b"#),
            (r#"http = "http://host:80/a""#, r#"http = "http://host:80/a""#),
        ] {
            assert_eq!(secrets(shown), hidden);
            assert_eq!(shown.len(), secrets(shown).len());
        }
    }
}
