//! Readings of five minutes in one point: the least, the mean, the greatest.

use super::bytes::{put, put_core, take, take_core};

/// Length of time that one point stands for, in seconds.
pub const SLOT: i64 = 300;

/// What the readings of one slot come to. Values are kept to a few millionths of their size, whole ones up to 65,536
/// exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thin {
    /// Which slot: seconds since the Unix epoch, divided by [`SLOT`].
    pub slot: i64,
    /// How many readings it is of.
    pub count: u32,
    /// The least.
    pub min: f32,
    /// Their mean.
    pub mean: f32,
    /// The greatest.
    pub max: f32,
}

/// One point that stands for all of these readings; `None`: there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sum {
    count: u32,
    min: f64,
    sum: f64,
    max: f64,
}

impl Sum {
    pub(super) fn add(&mut self, value: f64) {
        self.add_all(1, value, value, value);
    }

    pub(super) fn add_thin(&mut self, thin: &Thin) {
        self.add_all(thin.count, thin.min.into(), thin.mean.into(), thin.max.into());
    }

    fn add_all(&mut self, count: u32, min: f64, mean: f64, max: f64) {
        (self.min, self.max) = match self.count {
            0 => (min, max),
            _ => (self.min.min(min), self.max.max(max)),
        };
        self.sum += mean * f64::from(count);
        self.count = self.count.saturating_add(count);
    }

    /// Count, least, mean, greatest.
    pub(super) fn all(&self) -> Option<(u32, f64, f64, f64)> {
        // Rounding never puts the mean outside.
        let mean = (self.sum / f64::from(self.count)).clamp(self.min, self.max.max(self.min));
        (self.count > 0).then_some((self.count, self.min, mean, self.max))
    }

    pub(super) fn thin(&self, slot: i64) -> Option<Thin> {
        let (count, min, mean, max) = self.all()?;
        Some(Thin { slot, count, min: min as f32, mean: mean as f32, max: max as f32 })
    }
}

/// All three are the same.
const FLAT: u64 = 1;
/// There were as many as in the point before.
const AS_MANY: u64 = 2;

/// Appends a point to those of a bucket whose first slot is `first`; `before` is the last point there.
pub(super) fn push(out: &mut Vec<u8>, first: i64, before: Option<&Thin>, point: &Thin) {
    let (min, mean, max) = (rounded(point.min), rounded(point.mean), rounded(point.max));
    let flat = if min == max { FLAT } else { 0 };
    let as_many = if before.is_some_and(|b| b.count == point.count) { AS_MANY } else { 0 };
    // By place in the bucket: a clock that was set back leaves the order of arrival, and nothing breaks.
    let place = u64::try_from(point.slot - first).unwrap_or(0);
    put(out, place << 2 | as_many | flat);
    if as_many == 0 {
        put(out, point.count.into());
    }
    let last = before.map_or(0, |b| rounded(b.mean));
    put_core(out, mean ^ last);
    if flat == 0 {
        put_core(out, min ^ mean);
        put_core(out, max ^ mean);
    }
}

/// The points of a bucket, as far as it is not damaged.
pub(super) fn points(first: i64, mut bytes: &[u8]) -> impl Iterator<Item = Thin> {
    let (mut count, mut last) = (0u32, 0u32);
    std::iter::from_fn(move || {
        let token = take(&mut bytes)?;
        if token & AS_MANY == 0 {
            count = u32::try_from(take(&mut bytes)?).ok()?;
        }
        let mean = take_core(&mut bytes)? ^ last;
        last = mean;
        let (min, max) = match token & FLAT {
            0 => (take_core(&mut bytes)? ^ mean, take_core(&mut bytes)? ^ mean),
            _ => (mean, mean),
        };
        let slot = first.checked_add(i64::try_from(token >> 2).ok()?)?;
        let [min, mean, max] = [min, mean, max].map(f32::from_bits);
        // What is no number was not written by us.
        let sound = [min, mean, max].iter().all(|value| value.is_finite());
        sound.then_some(Thin { slot, count, min, mean, max })
    })
}

/// The value in 24 bits of a word: sign, exponent and 15 bits.
fn rounded(value: f32) -> u32 {
    let bits = value.to_bits();
    // To the nearest, unless that is no number any more.
    let up = bits.wrapping_add(0x80) & !0xff;
    if f32::from_bits(up).is_finite() { up } else { bits & !0xff }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn points_come_back(list in prop::collection::vec((0i64..72, 1u32..400, -1e9f32..1e9, 0f32..1e6, 0f32..1e6), 0..72)) {
            let first = 5_965_000;
            let mut out = Vec::new();
            let mut put: Vec<Thin> = Vec::new();
            for (place, count, mean, below, above) in list {
                let point = Thin { slot: first + place, count, min: mean - below, mean, max: mean + above };
                push(&mut out, first, put.last(), &point);
                put.push(point);
            }
            let found: Vec<Thin> = points(first, &out).collect();
            prop_assert_eq!(found.len(), put.len());
            for (found, put) in found.iter().zip(&put) {
                prop_assert_eq!((found.slot, found.count), (put.slot, put.count));
                for (a, b) in [(found.min, put.min), (found.mean, put.mean), (found.max, put.max)] {
                    prop_assert!((a - b).abs() <= b.abs() * 2e-5, "{a} {b}");
                }
            }
        }

        #[test]
        fn damage_never_panics(bytes: Vec<u8>) {
            points(0, &bytes).for_each(drop);
        }
    }

    #[test]
    fn numbers_that_people_count_stay_whole() {
        for n in [0u32, 1, 3, 200, 8192, 65_535] {
            assert_eq!(f32::from_bits(rounded(n as f32)), n as f32);
        }
    }

    #[test]
    fn a_mean_is_of_readings_and_not_of_points() {
        let mut sum = Sum::default();
        [1.0, 2.0, 3.0].into_iter().for_each(|v| sum.add(v));
        sum.add_thin(&Thin { slot: 0, count: 1, min: 6.0, mean: 6.0, max: 6.0 });
        assert_eq!(sum.all(), Some((4, 1.0, 3.0, 6.0)));
        assert_eq!(Sum::default().all(), None);
    }
}
