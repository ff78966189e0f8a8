//! Hiding passwords in a text that is shown with the mistakes in it.

/// Keys whose values are hidden wherever they stand.
const SECRET: [&str; 4] = ["password", "authorization", "cookie", "token"];

/// How the names of parameters end whose values are hidden in the query of an address, beside [`SECRET`].
const IN_QUERY: [&str; 9] =
    ["passwd", "pwd", "pass", "secret", "key", "auth", "signature", "sig", "credential"];

/// The same text, of the same length, with stars for passwords: texts under a key that ends like one of [`SECRET`],
/// what stands between `:` and `@` in an address, and the secrets of its query. Works on the bare text, because a text with a mistake in it may be no
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
            for secret in in_query(piece) {
                let at = begin + (piece.as_ptr() as usize - line.as_ptr() as usize);
                hidden[at + secret.start..at + secret.end].fill(b'*');
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

/// An address or its path with `***` for each secret in its query; `None` if it holds none.
pub(super) fn query(address: &str) -> Option<String> {
    let mut masked = address.to_owned();
    for secret in in_query(address).into_iter().rev() {
        masked.replace_range(secret, "***");
    }
    (masked != address).then_some(masked)
}

/// The values in the query of an address whose names say that they are secret, in order.
fn in_query(address: &str) -> Vec<std::ops::Range<usize>> {
    let Some(begin) = address.find('?').map(|at| at + 1) else { return Vec::new() };
    let end = address[begin..].find(['#', '\n', '\r']).map_or(address.len(), |at| begin + at);
    let mut found = Vec::new();
    let mut at = begin;
    for pair in address[begin..end].split(['&', ';']) {
        if let Some((name, value)) = pair.split_once('=') {
            // What a form calls `auth[token]` or `tokens` is one too.
            let name = name.to_ascii_lowercase().replace("%5b", "[").replace("%5d", "]");
            let name = name.trim_end_matches(']');
            let one = name.strip_suffix('s').unwrap_or(name);
            let secret = |end: &&str| name.ends_with(end) || one.ends_with(end);
            if !value.is_empty() && SECRET.iter().chain(&IN_QUERY).any(secret) {
                found.push(at + pair.len() - value.len()..at + pair.len());
            }
        }
        at += pair.len() + 1;
    }
    found
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
    use super::{query, secrets};

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

    #[test]
    fn secrets_of_a_query_are_hidden_and_the_rest_is_shown() {
        for (address, masked) in [
            ("http://h/p?token=SECRET", Some("http://h/p?token=***")),
            ("/p?x=1&Api_Key=SECRET&y=2#z", Some("/p?x=1&Api_Key=***&y=2#z")),
            ("/?access_token=SECRET;sig=SECRET", Some("/?access_token=***;sig=***")),
            ("/?auth%5Btoken%5D=SECRET&pass=a=b", Some("/?auth%5Btoken%5D=***&pass=***")),
            ("/p?token=", None),
            ("/p?page=2&tokenless=1", None),
            ("/token=x", None),
        ] {
            assert_eq!(query(address).as_deref(), masked, "{address}");
        }
        let line = "http = 'http://h/?apikey=SECRET&x=1' # why";
        assert_eq!(secrets(line), "http = 'http://h/?apikey=******&x=1' # why");
    }
}
