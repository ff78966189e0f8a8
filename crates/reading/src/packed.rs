use crate::metric::metrics;
use crate::{Metric, MetricName, Reading, Unit, Value};

/// Readings in little room: a tenth of what they take as [`Reading`]s. For whoever keeps the last readings of thousands of
/// things; nothing is lost, and any reading can be asked for without unpacking the others.
///
/// Each is the number of its metric among those that are known ([`metrics::ALL`]; a name that is not among them is
/// written out), and its value in as few bytes as it needs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Packed(Box<[u8]>);

/// In place of the number of a metric: its unit, the length of its name, and the name follow.
const NAMED: u8 = u8::MAX;

// Of a value, the first byte: a whole number up to here is that byte itself.
const SMALL: u8 = 0xEF;
const INT_1: u8 = 0xF0;
const INT_2: u8 = 0xF1;
const INT_4: u8 = 0xF2;
const INT_8: u8 = 0xF3;
const ZERO: u8 = 0xF4;
const REAL_4: u8 = 0xF5;
const REAL_8: u8 = 0xF6;
const TEXT: u8 = 0xF7;

/// In the order of their numbers here.
const UNITS: [Unit; 9] = [
    Unit::Count,
    Unit::Bytes,
    Unit::BytesPerSecond,
    Unit::PerSecond,
    Unit::Seconds,
    Unit::Percent,
    Unit::Ratio,
    Unit::Text,
    Unit::BitsPerSecond,
];

impl Packed {
    /// Packs these, taking the room of `self` where they fit exactly: what is measured again and again mostly does.
    pub fn replace(&mut self, readings: &[Reading]) {
        let mut bytes = Vec::with_capacity(256);
        let mut next = 0;
        for reading in readings {
            match number(reading, next) {
                Some(n) => {
                    bytes.push(n);
                    next = usize::from(n) + 1;
                }
                None => {
                    let unit = UNITS.iter().position(|unit| *unit == reading.unit).unwrap_or(0);
                    bytes.extend([NAMED, u8::try_from(unit).unwrap_or(0)]);
                    text(&mut bytes, &reading.name);
                }
            }
            value(&mut bytes, &reading.value);
        }
        match self.0.len() == bytes.len() {
            true => self.0.copy_from_slice(&bytes),
            false => self.0 = bytes.as_slice().into(),
        }
    }

    /// The value read under this name.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.iter().find(|(found, ..)| found.is(name)).map(|(.., value)| value.open())
    }

    /// The reading of this name.
    pub fn reading(&self, name: &str) -> Option<Reading> {
        self.iter().find(|(found, ..)| found.is(name)).map(open)
    }

    /// All of them, in the order in which they were read.
    pub fn readings(&self) -> Vec<Reading> {
        let mut all = Vec::with_capacity(self.iter().count());
        all.extend(self.iter().map(open));
        all
    }

    fn iter(&self) -> impl Iterator<Item = (Name<'_>, Unit, Held<'_>)> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || one(&mut rest))
    }
}

impl From<&[Reading]> for Packed {
    fn from(readings: &[Reading]) -> Self {
        let mut packed = Self::default();
        packed.replace(readings);
        packed
    }
}

/// A name as it is kept.
enum Name<'a> {
    Known(&'static Metric),
    Written(&'a str),
}

impl Name<'_> {
    fn is(&self, name: &str) -> bool {
        match self {
            Name::Known(metric) => metric.name == name,
            Name::Written(written) => *written == name,
        }
    }
}

/// A value as it is kept.
enum Held<'a> {
    Int(i64),
    Real(f64),
    Text(&'a str),
}

impl Held<'_> {
    fn open(&self) -> Value {
        match self {
            Held::Int(n) => Value::Int(*n),
            Held::Real(x) => Value::Real(*x),
            Held::Text(text) => Value::Text((*text).to_owned()),
        }
    }
}

fn open((name, unit, value): (Name<'_>, Unit, Held<'_>)) -> Reading {
    let name = match name {
        Name::Known(metric) => metric.name.clone(),
        Name::Written(name) => MetricName::Owned(name.to_owned()),
    };
    Reading { name, unit, value: value.open() }
}

/// The number of the reading's metric. Probes read in the order of the table, so it mostly is the `next` one, or soon after.
fn number(reading: &Reading, next: usize) -> Option<u8> {
    // The cheaper question first.
    let is = |metric: &Metric| metric.unit == reading.unit && metric.name == reading.name;
    let (before, after) = metrics::ALL.split_at(next.min(metrics::ALL.len()));
    let further = after.iter().position(is).map(|n| next + n);
    let at = further.or_else(|| before.iter().position(is))?;
    u8::try_from(at).ok().filter(|n| *n != NAMED)
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    bytes.extend(length.to_le_bytes());
    bytes.extend(&text.as_bytes()[..length as usize]);
}

fn value(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Int(n) if (0..=i64::from(SMALL)).contains(n) => bytes.push(*n as u8),
        Value::Int(n) => {
            let all = n.to_le_bytes();
            let (tag, width) = match *n {
                n if i8::try_from(n).is_ok() => (INT_1, 1),
                n if i16::try_from(n).is_ok() => (INT_2, 2),
                n if i32::try_from(n).is_ok() => (INT_4, 4),
                _ => (INT_8, 8),
            };
            bytes.push(tag);
            bytes.extend(&all[..width]);
        }
        Value::Real(x) if x.to_bits() == 0 => bytes.push(ZERO),
        Value::Real(x) if f64::from(*x as f32).to_bits() == x.to_bits() => {
            bytes.push(REAL_4);
            bytes.extend((*x as f32).to_le_bytes());
        }
        Value::Real(x) => {
            bytes.push(REAL_8);
            bytes.extend(x.to_le_bytes());
        }
        Value::Text(words) => {
            bytes.push(TEXT);
            text(bytes, words);
        }
    }
}

/// Takes one reading off. `None`: there is none left.
fn one<'a>(rest: &mut &'a [u8]) -> Option<(Name<'a>, Unit, Held<'a>)> {
    let (name, unit) = match take::<1>(rest)? {
        [NAMED] => {
            let [unit] = take(rest)?;
            let name = words(rest)?;
            (Name::Written(name), *UNITS.get(usize::from(unit))?)
        }
        [n] => {
            let metric = metrics::ALL.get(usize::from(n))?;
            (Name::Known(metric), metric.unit)
        }
    };
    let value = match take::<1>(rest)? {
        [n @ ..=SMALL] => Held::Int(n.into()),
        [INT_1] => Held::Int(i8::from_le_bytes(take(rest)?).into()),
        [INT_2] => Held::Int(i16::from_le_bytes(take(rest)?).into()),
        [INT_4] => Held::Int(i32::from_le_bytes(take(rest)?).into()),
        [INT_8] => Held::Int(i64::from_le_bytes(take(rest)?)),
        [ZERO] => Held::Real(0.0),
        [REAL_4] => Held::Real(f32::from_le_bytes(take(rest)?).into()),
        [REAL_8] => Held::Real(f64::from_le_bytes(take(rest)?)),
        _ => Held::Text(words(rest)?),
    };
    Some((name, unit, value))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn words<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = u32::from_le_bytes(take(rest)?) as usize;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    std::str::from_utf8(taken).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Observation;

    fn packed(seen: &Observation) -> Packed {
        Packed::from(seen.readings.as_slice())
    }

    #[test]
    fn every_value_comes_back_as_it_was() {
        let edges = [0, 1, 239, 240, 255, 256, 65_536, 1 << 31, 1 << 40, i64::MAX];
        let ints = edges.iter().flat_map(|n| [*n, -n, i64::MIN]).map(Value::Int);
        let reals = [0.0, -0.0, 0.1, 0.5, 99.99, f64::MAX, f64::INFINITY, 1e-310].map(Value::Real);
        let texts = ["", "ext4", "a long one, with ümlauts"].map(Value::from);
        for value in ints.chain(reals).chain(texts) {
            for name in ["cpu.percent", "perf.mine", ""] {
                let one = Reading { name: name.to_owned().into(), unit: Unit::Percent, value: value.clone() };
                let packed = Packed::from([one.clone()].as_slice());
                assert_eq!(packed.readings(), [one]);
                assert_eq!(packed.get(name), Some(value.clone()));
            }
        }
    }

    #[test]
    fn a_number_that_is_none_stays_none() {
        let seen = Observation::up().with(&metrics::CPU, f64::NAN);
        assert!(matches!(packed(&seen).get("cpu.percent"), Some(Value::Real(x)) if x.is_nan()));
    }

    /// A reading under a known name but in another unit is another one.
    #[test]
    fn names_units_and_their_order_come_back() {
        let seen = Observation::up()
            .with(&metrics::UPTIME, 7_i64)
            .with(&metrics::PID, 42_i64)
            .with(&Metric::new("pid", Unit::Bytes), 43_i64)
            .with(&Metric::new("perf.free", Unit::Ratio), 0.25)
            .with(&metrics::FILESYSTEM_TYPE, "ext4");
        let packed = packed(&seen);
        assert_eq!(packed.readings(), seen.readings);
        assert_eq!(packed.reading("perf.free").as_ref(), seen.readings.get(3));
        assert_eq!(packed.get("pid"), Some(Value::Int(42)), "the first of a name, as in an observation");
        assert_eq!(packed.get("no.such"), None);
    }

    #[test]
    fn other_readings_take_the_place_of_those_before() {
        let (one, two) =
            (Observation::up().with(&metrics::PID, 1_i64), Observation::up().with(&metrics::PID, 1000_i64));
        let mut packed = packed(&one);
        for seen in [&two, &one, &one, &Observation::up()] {
            packed.replace(&seen.readings);
            assert_eq!(packed.readings(), seen.readings);
        }
    }

    /// Numbers of metrics are bytes.
    #[test]
    fn all_known_metrics_have_a_number() {
        for metric in metrics::ALL {
            let seen = Observation::up().with(metric, 1_i64);
            assert_eq!(packed(&seen).0.len(), 2, "{metric}");
        }
    }
}
