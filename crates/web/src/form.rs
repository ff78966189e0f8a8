//! Parameters as forms and queries carry them: percent-encoding (RFC 3986, section 2.1) with `+` for a blank.

/// Parameters in the order sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// From `name=value&name=value`. What has no `=` has an empty value.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let pairs = text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
            let cut = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(cut);
            (decode(name, true), decode(value.strip_prefix(b"=").unwrap_or(value), true))
        });
        Self(pairs.collect())
    }

    /// The value of a parameter. If it was sent more than once the last one counts, as with Monit.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter, without empty ones.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }
}

/// Undoes percent-encoding. A `%` without two digits stands for itself; what is not UTF-8 is replaced.
pub(crate) fn decode(text: &[u8], plus: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = tail;
            }
            (b'+', _) if plus => out.push(b' '),
            _ => out.push(*byte),
        }
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Percent-encodes everything but unreserved characters and those in `keep`.
pub(crate) fn encode(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text, keep);
    out
}

/// The same, behind what `out` holds already.
pub(crate) fn encode_into(out: &mut String, text: &str, keep: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.as_bytes().contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_last_one_counts() {
        let form =
            Form::parse(b"action=stop&service=a%2Fb&service=b%20c&service=d+e&flag&action=start&x=50%");
        assert_eq!(form.get("action"), Some("start"));
        assert_eq!(form.all("service").collect::<Vec<_>>(), ["a/b", "b c", "d e"]);
        assert_eq!(form.get("flag"), Some(""));
        assert_eq!(form.get("x"), Some("50%"));
        assert_eq!(form.get("y"), None);
    }

    #[test]
    fn any_name_survives_encoding() {
        for name in ["svc", "b c", "a/b?c&d=e+f%20", "größe", "<x>"] {
            assert_eq!(decode(encode(name, "").as_bytes(), true), name);
            assert_eq!(decode(encode(name, "/").as_bytes(), false), name);
        }
    }
}
