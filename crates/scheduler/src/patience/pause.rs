//! The arithmetic of pauses.

use std::time::Duration;

use hinoban_config::Patience;

/// The pause after so many repairs in a row, which is at least one: it doubles with each, up to the longest, give or take a
/// tenth that is the same for the same service and count, and mostly another for others.
pub(crate) fn pause(patience: &Patience, in_row: u32, service: &str) -> Duration {
    let Patience { first, longest, .. } = *patience;
    let even = doubled(first.min(longest), in_row.saturating_sub(1), longest);
    // In thousandths: 900 to 1,100.
    let share = 900 + u32::try_from(hash(service, in_row) % 201).unwrap_or(100);
    let pause = even / 1000 * share + (even - even / 1000 * 1000) * share / 1000;
    // At the longest all would beat as one again if they were cut there.
    match pause.checked_sub(longest) {
        Some(above) => longest - above.min(longest),
        None => pause,
    }
}

/// This, doubled so often, but not above `most`.
pub(crate) fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    let factor = 1u32.checked_shl(times).unwrap_or(u32::MAX);
    first.checked_mul(factor).unwrap_or(most).min(most)
}

/// FNV-1a, then stirred: neighbours among names and counts are to be far apart.
fn hash(service: &str, in_row: u32) -> u64 {
    let bytes = service.bytes().chain(in_row.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_the_longest() {
        let patience = Patience::default();
        let even: Vec<u64> =
            (0..10).map(|k| doubled(patience.first, k, patience.longest).as_secs()).collect();
        assert_eq!(even, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    }

    #[test]
    fn services_that_fail_together_are_not_repaired_together() {
        let patience = Patience::default();
        let mut pauses: Vec<Duration> = (0..100).map(|n| pause(&patience, 9, &format!("web{n}"))).collect();
        pauses.sort();
        pauses.dedup();
        assert!(pauses.len() > 60, "{} different pauses among 100", pauses.len());
        assert!(pauses[pauses.len() - 1] - pauses[0] > 40 * S);
    }

    proptest! {
        #[test]
        fn a_pause_is_near_what_doubling_says_and_never_above_the_longest(
            first in 1u64..1_000_000, longest in 1u64..100_000_000, in_row in 1u32..200, name in "[a-z]{1,12}",
        ) {
            let (first, longest) = (Duration::from_millis(first), Duration::from_millis(longest));
            let patience = Patience { first, longest, ..Patience::default() };
            let plain = (1..in_row).fold(first.min(longest), |pause, _| (pause * 2).min(longest));
            let pause = pause(&patience, in_row, &name);
            prop_assert!(pause <= longest);
            prop_assert!(pause >= plain.mul_f64(0.8999), "{pause:?} for {plain:?}");
            prop_assert!(pause <= plain.mul_f64(1.1001), "{pause:?} for {plain:?}");
            prop_assert_eq!(pause, super::pause(&patience, in_row, &name));
        }
    }
}
