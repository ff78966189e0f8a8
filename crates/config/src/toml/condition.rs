//! `when = "total cpu > 80%"`: a reading compared with a limit.

use hinoban_reading::{Metric, Unit, Value, metrics as m};

use super::change;
use super::limit::{Limit, limit, loose, seconds};
use super::metric::{self, Named};
use super::node;
use super::reader::{Item, Reader};
use super::shipped;
use crate::units::UnitError;
use crate::{Condition, Kind, Operator, Speech, spelling};

/// What a condition looks like.
pub(super) const SHAPE: &str = "write a reading, a sign and a limit: \"total cpu > 80%\", \"queue.depth >= 100\"; or \"pid changed\", \"version matches '^1'\"";

/// What a Nagios plug-in can say that something is.
const STATES: [&str; 4] = ["ok", "warning", "critical", "unknown"];

/// Longer signs first: `>=` is not `>` and a limit that begins with `=`.
const SIGNS: [(&str, Operator); 9] = [
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("≥", Operator::GreaterOrEqual),
    ("≤", Operator::LessOrEqual),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("=", Operator::Equal),
];

/// Splits at the first comparison sign.
pub(super) fn operator(text: &str) -> Option<(&str, Operator, &str)> {
    let (at, sign, operator) = SIGNS
        .iter()
        .enumerate()
        .filter_map(|(rank, (sign, operator))| text.find(sign).map(|at| ((at, rank), *sign, *operator)))
        .min_by_key(|(order, ..)| *order)
        .map(|((at, _), sign, operator)| (at, sign, operator))?;
    Some((text[..at].trim(), operator, text[at + sign.len()..].trim()))
}

/// Where the first comparison sign is.
pub(super) fn sign(text: &str) -> Option<usize> {
    SIGNS.iter().filter_map(|(sign, _)| text.find(sign)).min()
}

/// Whether this word would join two conditions.
pub(super) fn joins(word: &str) -> bool {
    matches!(word, "and" | "or" | "&&" | "||")
}

/// What to do instead of joining two conditions by this word.
pub(super) fn joined(word: &str) -> &'static str {
    match word {
        "or" | "||" => "write each comparison as a check of its own",
        _ => "checks are made one by one and cannot be joined; keep the one that matters most",
    }
}

impl Reader<'_> {
    /// The comparison in this text, which is that of `item`.
    pub(super) fn comparison(
        &mut self,
        item: &Item<'_>,
        text: &str,
        kind: Option<&Kind>,
    ) -> Option<Condition> {
        let Some((left, operator, right)) = operator(text) else {
            let help = match change::nearly(text) {
                Some(near) => format!("did you mean `{near}`?"),
                None => SHAPE.to_owned(),
            };
            let message = format!("\"{text}\" compares nothing: it has no sign such as `>`");
            self.error(item.span.clone(), message, help);
            return None;
        };
        if left.is_empty() || right.is_empty() {
            let what = if left.is_empty() { "no reading before" } else { "no limit after" };
            self.error(item.span.clone(), format!("\"{text}\" has {what} its `{}`", operator.sign()), SHAPE);
            return None;
        }
        let span = self.part(item, text, right);
        if let Some(joint) = [" and ", " or ", " && ", " || "].into_iter().find(|j| right.contains(j)) {
            let help = joined(joint.trim());
            self.error(
                span,
                format!("one check makes one comparison; there is a second one after `{}`", joint.trim()),
                help,
            );
            return None;
        }
        if let Some(pattern) = right.strip_prefix('~') {
            let not = if operator == Operator::NotEqual { "does not match" } else { "matches" };
            let help = format!("write when = \"{left} {not} {}\"", pattern.trim().replace('"', "'"));
            self.error(span, "patterns are matched by a word, not by a sign", help);
            return None;
        }
        if let Named::One(metric) = metric::named(left, kind)
            && node::is_checksum(&metric)
        {
            self.reading(item, text, left, kind)?;
            let any = node::any_checksum(left);
            let (metric, limit) = self.checksum(&metric, any, operator, span, right)?;
            return Some(Condition::Compare { metric, operator, limit });
        }
        let limit = match limit(right) {
            Ok(limit) => limit,
            Err(e) => {
                let help = match &e {
                    UnitError::UnknownUnit { nearest: Some(near), .. } => format!("did you mean `{near}`?"),
                    _ => "limits are numbers with a unit: `80%`, `100 MB`, `1 GiB`, `30s`, `10 MB/s`, or plain: `100`".to_owned(),
                };
                self.error(span, format!("`{right}` is no limit: {e}"), help);
                return None;
            }
        };
        if matches!(limit, Limit::Text(_)) && !matches!(operator, Operator::Equal | Operator::NotEqual) {
            self.error(
                span,
                format!("`{right}` is a text, and texts cannot be compared with `{}`", operator.sign()),
                "a limit is a number with its unit; texts are only equal (`=`) or not (`!=`)",
            );
            return None;
        }
        let named = self.reading(item, text, left, kind)?;
        let (metric, limit) = match named {
            Named::Either { amount, percent } => match limit {
                Limit::Plain(_) if amount.unit != Unit::Count => {
                    let help =
                        format!("write `{left} {0} {right}%` or `{left} {0} {right} MB`", operator.sign());
                    self.error(span, format!("`{right}` has no unit, and `{left}` is measured in two"), help);
                    return None;
                }
                Limit::Size(_) | Limit::Plain(_) => self.fit(&amount, limit, span.clone(), right)?,
                _ => self.fit(&percent, limit, span.clone(), right)?,
            },
            Named::One(metric) => self.fit(&metric, limit, span.clone(), right)?,
            Named::Other(name) => (name, loose(limit)),
        };
        Some(Condition::Compare { metric, operator, limit })
    }

    /// What a service of this kind has under these words, which are a part of the text of `item`.
    pub(super) fn reading(
        &mut self,
        item: &Item<'_>,
        text: &str,
        left: &str,
        kind: Option<&Kind>,
    ) -> Option<Named> {
        let named = metric::named(left, kind);
        match &named {
            Named::One(metric) | Named::Either { amount: metric, .. } => {
                let stranger = kind.and_then(|kind| shipped::stranger(metric, kind, left));
                if let Some((message, help)) = stranger {
                    self.error(self.part(item, text, left), message, help);
                    return None;
                }
            }
            Named::Other(name) => self.own_name(item, text, left, name, kind)?,
        }
        let state = matches!(&named, Named::One(metric) if metric.name == m::PLUGIN_STATE.name);
        if state && let Some(Kind::Program { speech: Speech::Plain | Speech::Json, .. }) = kind {
            let help =
                "write program = { run = \"…\", format = \"nagios\" }; of any program, `exit.status` is read";
            let span = self.part(item, text, left);
            self.error(span, format!("`{left}` is read of programs that print in the format nagios"), help);
            return None;
        }
        Some(named)
    }

    /// The limit as a value in the unit of this metric.
    fn fit(
        &mut self,
        metric: &Metric,
        limit: Limit<'_>,
        span: std::ops::Range<usize>,
        written: &str,
    ) -> Option<(String, Value)> {
        if metric.name == m::PERMISSION.name {
            return Some((metric.name.clone().into_owned(), self.permission(span, written)?));
        }
        self.no_moment(metric, span.clone(), written)?;
        if let Some(owner) = self.owner(metric, &limit, span.clone()) {
            return Some((metric.name.clone().into_owned(), owner?));
        }
        if let (true, Limit::Text(text)) = (metric.name == m::PLUGIN_STATE.name, &limit)
            && !STATES.contains(text)
        {
            let help = "it is `ok`, `warning`, `critical` or `unknown`".to_owned();
            self.error(span, format!("a plug-in is never `{text}`"), help);
            return None;
        }
        let value = match (metric.unit, limit) {
            (Unit::Percent, Limit::Percent(value) | Limit::Plain(value)) => {
                if value.as_f64().is_some_and(|x| x > 100.0) {
                    self.warning(
                        span,
                        format!("`{}` is never more than 100%", metric.name),
                        match metric.name.starts_with("cpu") {
                            true => "100% is all of the machine, however many processors it has",
                            false => "100% is all there is; with a limit above it this never happens",
                        },
                    );
                }
                value
            }
            (Unit::Bytes, Limit::Size(bytes))
            | (Unit::BytesPerSecond, Limit::Size(bytes) | Limit::SizeRate(bytes)) => Value::from(bytes),
            (
                Unit::Bytes | Unit::BytesPerSecond | Unit::Count | Unit::Ratio | Unit::PerSecond,
                Limit::Plain(value),
            ) => value,
            (Unit::PerSecond, Limit::Rate(value)) => value,
            (Unit::BitsPerSecond, Limit::BitRate(bits)) => Value::from(bits),
            (Unit::Seconds, Limit::Duration(duration)) => seconds(duration),
            (Unit::Text, Limit::Text(text)) => Value::from(text),
            (unit, _) => {
                let mut help = format!("compare it with {}", metric::example(unit));
                if unit == Unit::Bytes && written.ends_with('%') {
                    let percent = metric.name.replace(".bytes", ".percent");
                    if percent != metric.name && shipped::all().any(|m| m.name == percent) {
                        help = format!("{help}, or use `{percent}`");
                    }
                }
                self.error(span, format!("`{}` cannot be compared with `{written}`", metric.name), help);
                return None;
            }
        };
        Some((metric.name.clone().into_owned(), value))
    }

    /// Whether a name that is none of ours may be one of a registered kind.
    fn own_name(
        &mut self,
        item: &Item<'_>,
        text: &str,
        written: &str,
        name: &str,
        kind: Option<&Kind>,
    ) -> Option<()> {
        let canonical = name.split('.').all(|word| {
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
        });
        let most_used = kind.and_then(shipped::most_used);
        if canonical && most_used.is_none() || kind.is_some_and(|kind| shipped::of_family(kind, written)) {
            return Some(());
        }
        let span = self.part(item, text, written);
        let format = |family| match (kind, written.starts_with(family)) {
            (Some(Kind::Program { .. }), true) => match family {
                "perf." => Some("nagios"),
                _ => Some("json"),
            },
            _ => None,
        };
        if let Some(format) = format("perf.").or(format("json.")) {
            let help = format!("write program = {{ run = \"…\", format = \"{format}\" }}");
            let message = format!("`{written}` is read of programs that print in the format {format}");
            self.error(span, message, help);
            return None;
        }
        let help = match spelling::nearest(written, metric::vocabulary()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if most_used.is_some() => format!("the most used are {}", most_used.unwrap_or_default()),
            None => "a reading is named in small letters, words joined by dots: `queue.depth`".to_owned(),
        };
        self.error(span, format!("there is no reading called `{written}`"), help);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sign_divides() {
        assert_eq!(operator("cpu >= 5"), Some(("cpu", Operator::GreaterOrEqual, "5")));
        assert_eq!(operator("a = '>'"), Some(("a", Operator::Equal, "'>'")));
        assert_eq!(operator("load 1≥2"), Some(("load 1", Operator::GreaterOrEqual, "2")));
        assert_eq!(operator("cpu 5"), None);
    }
}
