use std::fmt;

use serde::{Deserialize, Serialize};

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unit {
    /// A plain number of things, ids and codes included.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes in each second.
    BytesPerSecond,
    /// Bits in each second, as the speed of a wire is told.
    BitsPerSecond,
    /// Things in each second.
    PerSecond,
    /// Seconds; fractions allowed.
    Seconds,
    /// 0 to 100, where 100 is all of it.
    Percent,
    /// A dimensionless quotient, such as a load average.
    Ratio,
    /// Text, for equality and "changed".
    Text,
}

/// One measured value. Whole numbers stay whole: comparisons with them are exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text.
    Text(String),
}

impl Value {
    /// The value as a floating-point number; `None` for text.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Real(x) => Some(*x),
            Value::Text(_) => None,
        }
    }

    /// The value as a whole number, fractions cut off; `None` for text.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            Value::Real(x) => Some(*x as i64),
            Value::Text(_) => None,
        }
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Int(n)
    }
}
impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Value::Int(n.into())
    }
}
impl From<u64> for Value {
    /// Values past `i64::MAX` become `i64::MAX`.
    fn from(n: u64) -> Self {
        Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }
}
impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Value::Real(x)
    }
}
impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Text(s.to_owned())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(n) => n.fmt(f),
            Value::Real(x) => x.fmt(f),
            Value::Text(s) => s.fmt(f),
        }
    }
}
