//! Limits of what stands in a directory: modes, owners, ages and checksums.

use std::ops::Range;

use hinoban_reading::{Metric, Value, metrics as m};

use super::limit::Limit;
use super::reader::Reader;
use crate::Operator;

/// Checksums: their metrics, how they are called before a colon, and how many digits they have.
static CHECKSUMS: [(Metric, &str, usize); 3] =
    [(m::CHECKSUM_MD5, "md5", 32), (m::CHECKSUM_SHA1, "sha1", 40), (m::CHECKSUM_SHA256, "sha256", 64)];

/// Whether these words ask for a checksum of whatever kind.
pub(super) fn any_checksum(words: &str) -> bool {
    words.eq_ignore_ascii_case("checksum")
}

/// Whether this is a checksum.
pub(super) fn is_checksum(metric: &Metric) -> bool {
    CHECKSUMS.iter().any(|(checksum, ..)| checksum.name == metric.name)
}

/// Whether this is a moment, and the reading that tells how long ago it was.
fn age_of(metric: &Metric) -> Option<Metric> {
    let ages = [
        (m::ACCESS_TIME, m::ACCESS_AGE),
        (m::CHANGE_TIME, m::CHANGE_AGE),
        (m::MODIFY_TIME, m::MODIFY_AGE),
        (m::TIMESTAMP, m::TIMESTAMP_AGE),
    ];
    ages.into_iter().find(|(time, _)| time.name == metric.name).map(|(_, age)| age)
}

impl Reader<'_> {
    /// A moment is compared by its age: this says so, and is an error. `Some(())` of all other metrics.
    pub(super) fn no_moment(&mut self, metric: &Metric, span: Range<usize>, written: &str) -> Option<()> {
        let Some(age) = age_of(metric) else { return Some(()) };
        let written = if written.ends_with(|c: char| c.is_ascii_alphabetic()) { written } else { "1h" };
        self.error(
            span,
            format!("`{}` is a moment, and a moment has no limit", metric.name),
            format!("compare how long ago it was: `{} > {written}`; or ask whether it changed", age.name),
        );
        None
    }

    /// Mode bits as chmod(1) takes them: in octal, so that 0644 is what it looks like.
    pub(super) fn permission(&mut self, span: Range<usize>, written: &str) -> Option<Value> {
        let octal = matches!(written.len(), 3 | 4) && written.bytes().all(|b| matches!(b, b'0'..=b'7'));
        match i64::from_str_radix(written, 8) {
            Ok(bits) if octal => Some(Value::Int(bits)),
            _ => {
                let help = "write it as for chmod, three or four digits from 0 to 7: `permission != 0644`";
                self.error(span, format!("`{written}` is no permission"), help);
                None
            }
        }
    }

    /// A user or a group by its name, where the metric is one; `None`: it is not, or there is no such name, which is told.
    pub(super) fn owner(
        &mut self,
        metric: &Metric,
        limit: &Limit<'_>,
        span: Range<usize>,
    ) -> Option<Option<Value>> {
        let Limit::Text(name) = limit else { return None };
        let (id, what) = match metric {
            _ if [m::UID, m::EUID].iter().any(|user| user.name == metric.name) => {
                (self.around.user(name), "user")
            }
            _ if metric.name == m::GID.name => (self.around.group(name), "group"),
            _ => return None,
        };
        if id.is_none() {
            let message = format!("there is no {what} `{name}` on this host");
            self.error(span, message, "create it, correct the name, or write its number");
        }
        Some(id.map(|id| Value::Int(id.into())))
    }

    /// A checksum: `written` with or without its kind and a colon before it. `any`: how long it is says which kind is meant.
    pub(super) fn checksum(
        &mut self,
        metric: &Metric,
        any: bool,
        operator: Operator,
        span: Range<usize>,
        written: &str,
    ) -> Option<(String, Value)> {
        let bare = ['\'', '"'].into_iter().find_map(|q| written.strip_prefix(q)?.strip_suffix(q));
        let bare = bare.unwrap_or(written);
        let (called, digits) = match bare.split_once(':') {
            Some((called, digits)) => (Some(called.to_ascii_lowercase().replace('-', "")), digits),
            None => (None, bare),
        };
        if !matches!(operator, Operator::Equal | Operator::NotEqual) {
            let message = format!("checksums cannot be compared with `{}`", operator.sign());
            self.error(span, message, "they are only equal (`=`) or not (`!=`)");
            return None;
        }
        let known = CHECKSUMS.iter().find(|(_, _, length)| *length == digits.len());
        let known = known.filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some((found, name, _)) = known else {
            self.error(
                span,
                format!("`{bare}` is no checksum"),
                "a checksum has 64 hexadecimal digits (SHA-256), 40 (SHA-1) or 32 (MD5), as sha256sum(1) and its like print",
            );
            return None;
        };
        let is_meant = (any || found.name == metric.name) && called.is_none_or(|called| called == *name);
        if !is_meant {
            let message = format!("`{bare}` has the length of a {name}, and another kind is named");
            self.error(span, message, format!("write `checksum {} '{digits}'`", operator.sign()));
            return None;
        }
        Some((found.name.to_string(), Value::Text(digits.to_ascii_lowercase())))
    }
}
