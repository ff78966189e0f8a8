//! Basic authentication (RFC 7617), both ways, and the base64 (RFC 4648, section 4) it needs.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of an `Authorization` field for this login.
pub(crate) fn header(user: &str, password: &str) -> String {
    format!("Basic {}", encode(format!("{user}:{password}").as_bytes()))
}

/// User and password from the value of an `Authorization` field. The user is not empty.
pub(crate) fn login(header: &[u8]) -> Option<(String, String)> {
    let (scheme, rest) = header.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let text = String::from_utf8(decode(rest.trim_ascii())?).ok()?;
    let (user, password) = text.split_once(':')?;
    (!user.is_empty()).then(|| (user.to_owned(), password.to_owned()))
}

fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(ALPHABET[(word >> (18 - 6 * place) & 63) as usize] as char);
            } else {
                out.push('=');
            }
        }
    }
    out
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0u32, 0);
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    for digit in digits {
        let value = ALPHABET.iter().position(|a| a == digit)? as u32;
        word = word << 6 | value;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
            word &= (1 << bits) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_survives_the_way_there_and_back() {
        assert_eq!(header("alpha", "pw1"), "Basic YWxwaGE6cHcx");
        for password in ["a", "ab", "abc", "p:w", "päß"] {
            let sent = header("admin", password);
            assert_eq!(login(sent.as_bytes()), Some(("admin".to_owned(), password.to_owned())));
        }
    }

    #[test]
    fn junk_is_no_login() {
        for junk in
            ["", "Basic", "Basic ", "Bearer YWxwaGE6cHcx", "Basic !!!!", "Basic YWxwaGE=", "Basic OnB3"]
        {
            assert_eq!(login(junk.as_bytes()), None, "{junk}");
        }
        assert!(login(b"bAsIc YWxwaGE6cHcx").is_some(), "the scheme is a word without case");
    }
}
