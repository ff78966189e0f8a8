//! Readings as they were taken, many in a block.
//!
//! Of each the time since the one before is kept, as the difference to the last such step, and the value, as the
//! difference to the last one. A service looked at every second whose reading rests takes one byte a reading; one whose
//! reading is a whole number that moves, two to four; one with fractions, up to six.

use super::bytes::{put, put_core, take, take_core, unzigzag, zigzag};

/// Whole numbers up to here are kept exactly; further ones, and fractions, to seven digits.
const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53

/// One reading: when, in milliseconds since the Unix epoch, and what.
pub(super) type Sample = (i64, f64);

/// What the value of a sample is written as, in the two lowest bits of what its time is written as.
const SAME: u64 = 0;
const WHOLE: u64 = 1;
const BITS: u64 = 2;

/// Readings of one series, in the order in which they were taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    start: i64,
    bytes: Vec<u8>,
    at: At,
}

/// Where a block stands after its last sample.
#[derive(Debug, Clone, Copy, PartialEq)]
struct At {
    time: i64,
    step: i64,
    value: Option<f64>,
    whole: i64,
    bits: u32,
}

impl Block {
    /// An empty block that begins at this time, in milliseconds since the Unix epoch.
    pub fn new(start: i64) -> Self {
        Self { start, bytes: Vec::new(), at: At::new(start) }
    }

    /// The block whose start and bytes these are. What is damaged in it, and what follows that, is left out.
    pub(super) fn read(start: i64, bytes: &[u8]) -> Self {
        let mut at = At::new(start);
        let mut left = bytes;
        let mut whole = bytes.len();
        while at.next(&mut left).is_some() {
            whole = left.len();
        }
        let end = if bytes.is_empty() || whole == bytes.len() { 0 } else { bytes.len() - whole };
        // One that could not be read may have moved it.
        let mut at = At::new(start);
        let mut left = &bytes[..end];
        while at.next(&mut left).is_some() {}
        Self { start, bytes: bytes[..end].to_vec(), at }
    }

    /// Adds a reading, at a time in milliseconds since the Unix epoch. What is no number is left out.
    pub fn push(&mut self, time: i64, value: f64) {
        if !value.is_finite() {
            return;
        }
        let value = kept(value);
        let step = time.wrapping_sub(self.at.time);
        let turn = zigzag(step.wrapping_sub(self.at.step));
        let mode = match value {
            _ if self.at.value == Some(value) => SAME,
            whole if is_whole(whole) => WHOLE,
            _ => BITS,
        };
        // Steps of years would not leave two bits free.
        put(&mut self.bytes, turn.min(u64::MAX >> 2) << 2 | mode);
        match mode {
            WHOLE => put(&mut self.bytes, zigzag((value as i64).wrapping_sub(self.at.whole))),
            BITS => put_core(&mut self.bytes, (value as f32).to_bits() ^ self.at.bits),
            _ => {}
        }
        self.at.took(unzigzag(turn.min(u64::MAX >> 2)), value);
    }

    /// When it begins, in milliseconds since the Unix epoch.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// When its last reading was taken, in milliseconds since the Unix epoch.
    pub fn end(&self) -> i64 {
        self.at.time
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Gives the readings so far as a block of their own, and goes on with an empty one that begins at this time.
    pub fn replace(&mut self, start: i64) -> Self {
        std::mem::replace(self, Self::new(start))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn samples(&self) -> impl Iterator<Item = Sample> {
        samples(self.start, &self.bytes)
    }
}

/// The readings of a block, as far as it is not damaged.
pub(super) fn samples(start: i64, mut bytes: &[u8]) -> impl Iterator<Item = Sample> {
    let mut at = At::new(start);
    std::iter::from_fn(move || at.next(&mut bytes))
}

impl At {
    fn new(start: i64) -> Self {
        Self { time: start, step: 0, value: None, whole: 0, bits: 0 }
    }

    fn next(&mut self, bytes: &mut &[u8]) -> Option<Sample> {
        let token = take(bytes)?;
        let value = match token & 3 {
            SAME => self.value?,
            WHOLE => self.whole.wrapping_add(unzigzag(take(bytes)?)) as f64,
            BITS => f64::from(f32::from_bits(self.bits ^ take_core(bytes)?)),
            _ => return None,
        };
        self.took(unzigzag(token >> 2), value);
        Some((self.time, value))
    }

    fn took(&mut self, turn: i64, value: f64) {
        self.step = self.step.wrapping_add(turn);
        self.time = self.time.wrapping_add(self.step);
        self.value = Some(value);
        self.bits = (value as f32).to_bits();
        if is_whole(value) {
            self.whole = value as i64;
        }
    }
}

fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() <= EXACT
}

/// The value as it will be read.
fn kept(value: f64) -> f64 {
    let kept = match is_whole(value) {
        true => value,
        false => f64::from((value as f32).clamp(f32::MIN, f32::MAX)),
    };
    // There is no whole number that is a negative nothing.
    if kept == 0.0 { 0.0 } else { kept }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<i32>().prop_map(f64::from),
            (0u32..1000).prop_map(|n| f64::from(n) / 10.0),
            any::<f64>(),
            Just(0.0),
            Just(5.0)
        ]
    }

    proptest! {
        #[test]
        fn readings_come_back(
            start in 0i64..4_000_000_000_000,
            steps in prop::collection::vec((-100_000i64..10_000_000, value()), 0..200),
        ) {
            let mut block = Block::new(start);
            let mut time = start;
            let mut expected = Vec::new();
            for (step, value) in steps {
                time += step;
                block.push(time, value);
                if value.is_finite() {
                    expected.push((time, value));
                }
            }
            let found: Vec<Sample> = block.samples().collect();
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!(found.0, expected.0);
                let (found, expected) = (found.1, expected.1.clamp(f64::from(f32::MIN), f64::from(f32::MAX)));
                // Seven digits, and nothing below the least of them.
                let off = (found - expected).abs();
                prop_assert!(off <= expected.abs() * 1e-7 || off < 1e-38, "{found} {expected}");
                if expected.fract() == 0.0 && expected.abs() <= EXACT {
                    prop_assert_eq!(found, expected);
                }
            }
            // Read from disk and gone on with, it is the same block.
            let mut again = Block::read(block.start, block.bytes());
            again.push(time + 1000, 12.5);
            block.push(time + 1000, 12.5);
            prop_assert_eq!(again, block);
        }

        #[test]
        fn damage_costs_what_follows_it_and_nothing_panics(bytes: Vec<u8>) {
            let block = Block::read(0, &bytes);
            prop_assert_eq!(block.samples().count(), samples(0, &bytes).count());
        }
    }

    #[test]
    fn a_reading_that_rests_takes_a_byte_and_one_that_moves_a_few() {
        let size = |value: fn(i64) -> f64| {
            let mut block = Block::new(0);
            // A cycle of a second, some milliseconds late now and then.
            (0..1000).for_each(|i| block.push(1000 * i + i % 5, value(i)));
            block.size() as f64 / 1000.0
        };
        let (rests, counts, bytes, percent) = (
            size(|_| 42.0),
            size(|i| i as f64),
            size(|i| (22_000_000 + 4096 * (i * i % 37)) as f64),
            size(|i| (i * 7919 % 1000) as f64 / 10.0),
        );
        assert!(rests < 1.1, "{rests}");
        assert!(counts < 2.1, "{counts}");
        assert!(bytes < 4.1, "{bytes}");
        assert!(percent < 6.1, "{percent}");
    }
}
