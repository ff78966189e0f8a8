//! What a certificate says of itself: until when it is good, and whether it signs itself (RFC 5280, section 4.1).

/// The fields of a certificate that a test asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Its last second, since the Unix epoch.
    pub(crate) end: i64,
    /// Whether who issued it is whom it is for.
    pub(crate) self_signed: bool,
}

impl Certificate {
    /// Reads DER; `None` if it is no certificate.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (certificate, _) = sequence(der)?;
        let (mut rest, _) = sequence(certificate)?;
        if rest.first() == Some(&0xa0) {
            rest = element(rest)?.rest; // the version
        }
        rest = element(rest)?.rest; // the serial number
        rest = element(rest)?.rest; // the algorithm
        let issuer = element(rest)?;
        let (validity, rest) = sequence(issuer.rest)?;
        let subject = element(rest)?;
        let end = element(element(validity)?.rest)?;
        Some(Self { end: time(end.tag, end.content)?, self_signed: issuer.content == subject.content })
    }

    /// Whole days from `now`, in seconds since the Unix epoch, to the end of the one of these that ends first.
    pub(crate) fn days_left<'a>(chain: impl Iterator<Item = &'a [u8]>, now: i64) -> Option<i64> {
        let ends = chain.map(|der| Self::read(der).map(|certificate| certificate.end));
        let soonest = ends.min_by_key(|end| end.unwrap_or(i64::MAX))??;
        Some((soonest - now).div_euclid(86_400))
    }
}

struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

/// The first element (X.690, section 8.1): its tag, its length in one byte or behind a count of bytes, its content.
fn element(der: &[u8]) -> Option<Element<'_>> {
    let (&[tag, first], mut rest) = der.split_first_chunk::<2>()?;
    let mut length = usize::from(first & 0x7f);
    if first >= 0x80 {
        let (bytes, after) =
            rest.split_at_checked(length).filter(|(bytes, _)| (1..=4).contains(&bytes.len()))?;
        length = bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some(Element { tag, content, rest })
}

fn sequence(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let element = element(der).filter(|element| element.tag == 0x30)?;
    Some((element.content, element.rest))
}

/// UTCTime (years 1950 to 2049) or GeneralizedTime, both to the second and in UTC.
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = text.split_at_checked(if tag == 0x17 { 2 } else { 4 })?;
    let year: i64 = year.parse().ok()?;
    let year = match tag {
        0x17 if year < 50 => year + 2000,
        0x17 => year + 1900,
        _ => year,
    };
    let mut parts = [0i64; 5];
    for (n, part) in parts.iter_mut().enumerate() {
        *part = rest.get(2 * n..2 * n + 2)?.parse().ok()?;
    }
    let [month, day, hour, minute, second] = parts;
    // Days since the epoch, of a year that begins in March: its leap day is the last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 719_469;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(time(0x17, b"700101000000Z"), Some(0));
        assert_eq!(time(0x17, b"240229235959Z"), Some(1_709_251_199));
        assert_eq!(time(0x18, b"20500101000000Z"), Some(2_524_608_000));
        assert_eq!(time(0x17, b"7001010000Z"), None);
        assert_eq!(time(0x17, "70é101000000Z".as_bytes()), None);
    }

    #[test]
    fn a_certificate_says_when_it_ends_and_who_signed_it() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2030, 1, 2);
        let made = params.self_signed(&key).unwrap();
        let read = Certificate::read(made.der()).unwrap();
        assert_eq!(read, Certificate { end: 1_893_542_400, self_signed: true });
        let now = 1_893_542_400 - 10 * 86_400 - 1;
        assert_eq!(Certificate::days_left([&**made.der()].into_iter(), now), Some(10));
        assert_eq!(Certificate::days_left([&**made.der()].into_iter(), 1_893_542_401), Some(-1));
        // No prefix and no change makes it panic.
        for cut in 0..made.der().len() {
            let _ = Certificate::read(&made.der()[..cut]);
            let mut changed = made.der().to_vec();
            changed[cut] ^= 0xff;
            let _ = Certificate::read(&changed);
        }
    }
}
