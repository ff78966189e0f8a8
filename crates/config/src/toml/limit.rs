//! What stands behind the sign of a comparison: `80%`, `100 MB`, `30s`, `100/s`, `ext4`.

use hinoban_reading::Value;

use crate::spelling;
use crate::units::{self, UnitError};

/// A limit as it is written, before the metric says what it must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Limit<'t> {
    Percent(Value),
    Plain(Value),
    Size(u64),
    SizeRate(u64),
    BitRate(u64),
    Rate(Value),
    Duration(std::time::Duration),
    Text(&'t str),
}

/// The value of a limit for a metric whose unit is not known here.
pub(super) fn loose(limit: Limit<'_>) -> Value {
    match limit {
        Limit::Percent(value) | Limit::Plain(value) | Limit::Rate(value) => value,
        Limit::Size(n) | Limit::SizeRate(n) | Limit::BitRate(n) => Value::from(n),
        Limit::Duration(duration) => seconds(duration),
        Limit::Text(text) => Value::from(text),
    }
}

pub(super) fn seconds(duration: std::time::Duration) -> Value {
    match duration.subsec_nanos() {
        0 => Value::from(duration.as_secs()),
        _ => Value::Real(duration.as_secs_f64()),
    }
}

pub(super) fn limit(text: &str) -> Result<Limit<'_>, UnitError> {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return Ok(Limit::Text(inside));
        }
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Ok(Limit::Text(text));
    }
    if let Some(value) = plain(text) {
        return Ok(Limit::Plain(value));
    }
    if let Some(before) = text.strip_suffix('%') {
        let number = before.trim_end();
        return plain(number)
            .map(Limit::Percent)
            .ok_or_else(|| UnitError::NoNumber { rest: text.to_owned() });
    }
    if let Some(before) = text.strip_suffix("/s") {
        let before = before.trim_end();
        return match plain(before) {
            Some(value) => Ok(Limit::Rate(value)),
            None if before.to_lowercase().ends_with("bit") => {
                // The sizes of thousands are the same of bits and of bytes.
                let thousands = &before[..before.len() - "bit".len()];
                units::size(&format!("{thousands}B")).map(Limit::BitRate)
            }
            None => units::size(before).map(Limit::SizeRate),
        };
    }
    match (units::size(text), units::duration(text)) {
        (Ok(bytes), _) => Ok(Limit::Size(bytes)),
        (_, Ok(duration)) => Ok(Limit::Duration(duration)),
        (Err(UnitError::UnknownUnit { unit, nearest: size, .. }), Err(e)) => {
            let time = match e {
                UnitError::UnknownUnit { nearest, .. } => nearest,
                _ => None,
            };
            let nearest = spelling::nearest(&unit, [size, time].into_iter().flatten());
            Err(UnitError::UnknownUnit { unit, quantity: "anything", nearest })
        }
        (Err(e), Err(_)) => Err(e),
    }
}

fn plain(text: &str) -> Option<Value> {
    if !text.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b)) {
        return None;
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(Value::Int(whole)),
        Err(_) => text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::Real),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_keep_what_they_are() {
        assert_eq!(limit("80%"), Ok(Limit::Percent(Value::Int(80))));
        assert_eq!(limit("0.5 %"), Ok(Limit::Percent(Value::Real(0.5))));
        assert_eq!(limit("-3"), Ok(Limit::Plain(Value::Int(-3))));
        assert_eq!(limit("10 MB/s"), Ok(Limit::SizeRate(10_000_000)));
        assert_eq!(limit("1 Gbit/s"), Ok(Limit::BitRate(1_000_000_000)));
        assert_eq!(limit("56 kbit/s"), Ok(Limit::BitRate(56_000)));
        assert_eq!(limit("100/s"), Ok(Limit::Rate(Value::Int(100))));
        assert_eq!(limit("30m"), Ok(Limit::Duration(std::time::Duration::from_secs(1800))));
        assert_eq!(limit("running"), Ok(Limit::Text("running")));
        assert!(limit("100 MG").is_err());
    }
}
