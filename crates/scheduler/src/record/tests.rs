use hinoban_config::{Rate, Then};
use proptest::prelude::*;

use super::*;
use Step::*;

const S: Duration = Duration::from_secs(1);

fn at(count: u8, within: u8) -> Branch {
    Branch::at(Then::Alert, Rate { count, within })
}

fn lasting(time: Duration) -> Branch {
    Branch { lasting: Some(time), ..Branch::once(Then::Alert) }
}

fn now(secs: u64) -> Now {
    Now { moment: Moment::new(S * secs as u32), stamp: Stamp::from_micros(secs as i64 * 1_000_000) }
}

/// One sample a second: `F` fails, `S` holds, `C` fails by a change.
fn steps(samples: &str, fail: &Branch, ok: &Branch, dialect: Dialect) -> Vec<Step> {
    let mut record = Record::new(Stamp::default());
    let sample = |c| match c {
        'F' => Sample::Failed,
        'C' => Sample::changed(dialect),
        _ => Sample::Held,
    };
    (0..).zip(samples.chars()).map(|(secs, c)| record.sample(sample(c), fail, ok, now(secs))).collect()
}

fn run(samples: &str, fail: (u8, u8), ok: (u8, u8)) -> Vec<Step> {
    steps(samples, &at(fail.0, fail.1), &at(ok.0, ok.1), Dialect::Toml)
}

#[test]
fn three_cycles_in_a_row_are_needed_and_then_each_failing_look_counts() {
    assert_eq!(run("FFFF", (3, 3), (1, 1)), [Doubt, Doubt, Fail, StillFailing]);
    assert_eq!(run("FFSFF", (3, 3), (1, 1)), [Doubt, Doubt, Quiet, Doubt, Doubt]);
}

#[test]
fn three_times_within_five_forgives_two_good_looks_between() {
    assert_eq!(run("FSFF", (3, 5), (1, 1)), [Doubt, Quiet, Doubt, Fail]);
}

#[test]
fn recovery_waits_for_its_own_count() {
    assert_eq!(run("FSFSS", (1, 1), (2, 2)), [Fail, Quiet, StillFailing, Quiet, Recover]);
    // Two of the last three: the failures before the fall do not count as recovery.
    assert_eq!(run("FFFSS", (3, 5), (2, 3)), [Doubt, Doubt, Fail, Quiet, Recover]);
}

#[test]
fn after_a_recovery_the_full_count_is_needed_again() {
    assert_eq!(run("FFSFF", (2, 2), (1, 1)), [Doubt, Fail, Recover, Doubt, Fail]);
}

#[test]
fn a_change_is_news_each_time_until_a_look_finds_none() {
    for dialect in [Dialect::Monit, Dialect::Toml] {
        assert_eq!(steps("CCSSC", &at(1, 1), &at(1, 1), dialect), [Fail, Fail, Recover, Quiet, Fail]);
    }
}

/// Seen of Monit 5.33, with a file that grows in each cycle.
#[test]
fn changes_that_are_counted_fail_at_each_second_one_after_the_first_in_monit_and_at_each_one_otherwise() {
    let (three, once) = (at(3, 3), at(1, 1));
    let monit = steps("CCCCCCCCS", &three, &once, Dialect::Monit);
    let odd = [Doubt, Doubt, Fail, StillFailing, Fail, StillFailing, Fail, StillFailing, Recover];
    assert_eq!(monit, odd);
    let ours = steps("CCCCCSC", &three, &once, Dialect::Toml);
    assert_eq!(ours, [Doubt, Doubt, Fail, Fail, Fail, Recover, Doubt]);
}

#[test]
fn of_a_time_that_passes_the_beginning_is_told_and_one_good_look_begins_it_anew() {
    let (fail, ok) = (lasting(3 * S), lasting(2 * S));
    let seen = steps("FFFSFFFFFSSFSSS", &fail, &ok, Dialect::Toml);
    let first = [Doubt, Quiet, Quiet, Quiet];
    let second = [Doubt, Quiet, Quiet, Fail, StillFailing];
    let back = [Quiet, Quiet, StillFailing, Quiet, Quiet, Recover];
    assert_eq!(seen, [&first[..], &second[..], &back[..]].concat());
}

#[test]
fn how_long_it_lasts_can_be_asked() {
    let (fail, ok) = (lasting(60 * S), lasting(30 * S));
    let mut record = Record::new(Stamp::default());
    assert_eq!(record.lasted(now(5).moment), None);
    record.sample(Sample::Failed, &fail, &ok, now(5));
    assert_eq!(record.lasted(now(45).moment), Some(40 * S));
    assert_eq!(record.sample(Sample::Failed, &fail, &ok, now(65)), Fail);
    assert_eq!(record.lasted(now(70).moment), None, "it has failed, and nothing speaks against it");
    record.sample(Sample::Held, &fail, &ok, now(80));
    assert_eq!(record.lasted(now(90).moment), Some(10 * S));
}

proptest! {
    /// Against the definition, written plainly: a window of the newest samples.
    #[test]
    fn failing_takes_exactly_the_count_within_the_window(samples in "[FS]{1,80}", within in 1u8..=64, count in 1u8..=64) {
        let count = count.min(within);
        let steps = steps(&samples, &at(count, within), &at(1, 1), Dialect::Toml);
        let mut newest: Vec<bool> = Vec::new();
        for (c, step) in samples.chars().zip(steps) {
            newest.insert(0, c == 'F');
            let failures = newest.iter().take(within.into()).filter(|f| **f).count();
            prop_assert_eq!(step == Fail, c == 'F' && failures >= count.into());
            if step == Fail { break; }
        }
    }

    /// Against the definition, written plainly: each sample looks back to the first of those that say the same.
    #[test]
    fn what_must_last_changes_the_state_when_all_looks_have_said_so_for_so_long(
        looks in proptest::collection::vec((0u64..20, any::<bool>()), 1..60),
        fails in 1u64..60,
        holds in 1u64..60,
    ) {
        let (fail, ok) = (lasting(S * fails as u32), lasting(S * holds as u32));
        let mut record = Record::new(Stamp::default());
        let mut past: Vec<(u64, bool)> = Vec::new();
        let (mut time, mut failed) = (0, false);
        for (pause, bad) in looks {
            time += pause;
            past.push((time, bad));
            // Only what came after the last change of state counts.
            let first = past.iter().rev().take_while(|(_, other)| *other == bad).last().unwrap().0;
            let needed = if bad { fails } else { holds };
            let changes = bad != failed && time - first >= needed;
            let sample = if bad { Sample::Failed } else { Sample::Held };
            let step = record.sample(sample, &fail, &ok, now(time));
            prop_assert_eq!(matches!(step, Fail | Recover), changes, "at {}", time);
            if changes {
                failed = bad;
                past.clear();
            }
            prop_assert_eq!(record.state == State::Failed, failed);
        }
    }
}
