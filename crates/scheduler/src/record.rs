//! One rule's memory: a history of samples, and the state they add up to.
//!
//! The counting is Monit's: "for N cycles" and "K times within N cycles" count the newest samples of the rule, and a
//! sample is one look that had something to say. One thing differs: after a rule failed, its history says that the whole
//! window failed, so that it holds again only when it held as often as was asked for.

use hinoban_config::Rate;
use hinoban_reading::Stamp;

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Neither failed nor recovered yet.
    Unsure,
    /// Failed.
    Failed,
    /// Holds again after it had failed.
    Recovered,
}

/// What one sample did to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing to tell.
    Quiet,
    /// It failed this time, but not yet often enough.
    Doubt,
    /// It just failed.
    Fail,
    /// It goes on failing.
    StillFailing,
    /// It just recovered.
    Recover,
}

/// The memory of one rule. Made at its first failing sample.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Newest sample in bit 0; 1 is a failure.
    history: u64,
    /// How many of the bits are samples that were seen.
    seen: u32,
    pub(crate) state: State,
    /// Samples since the last change of state, which is number 1.
    pub(crate) times: u32,
    pub(crate) since: Stamp,
}

impl Record {
    pub(crate) fn new(at: Stamp) -> Self {
        Self { history: 0, seen: 0, state: State::Unsure, times: 0, since: at }
    }

    /// A rule that had failed before we began.
    pub(crate) fn failed(since: Stamp) -> Self {
        Self { history: u64::MAX, seen: 64, state: State::Failed, times: 1, since }
    }

    /// Takes one sample, with the rates of both branches of the rule.
    pub(crate) fn sample(&mut self, failed: bool, fail: Rate, ok: Rate, at: Stamp) -> Step {
        self.history = self.history << 1 | u64::from(failed);
        self.seen = (self.seen + 1).min(64);
        let rate = if failed { fail } else { ok };
        let reached = self.count(failed, rate) >= u32::from(rate.count);
        let changes = match (self.state, failed) {
            (State::Failed, true) | (State::Recovered | State::Unsure, false) => false,
            (State::Failed, false) | (State::Recovered | State::Unsure, true) => reached,
        };
        if changes {
            self.state = if failed { State::Failed } else { State::Recovered };
            self.history = if failed { u64::MAX } else { 0 };
            self.seen = 64;
            self.times = 1;
            self.since = at;
        } else {
            self.times = self.times.saturating_add(1);
        }
        match (changes, self.state, failed) {
            (true, _, true) => Step::Fail,
            (true, _, false) => Step::Recover,
            (false, State::Failed, true) => Step::StillFailing,
            (false, _, true) => Step::Doubt,
            (false, _, false) => Step::Quiet,
        }
    }

    /// How many of the samples in the window of this rate failed, or held.
    pub(crate) fn count(&self, failed: bool, rate: Rate) -> u32 {
        let within = u32::from(rate.within.clamp(1, 64)).min(self.seen);
        let window = self.history & (u64::MAX >> (64 - within.max(1)));
        if failed { window.count_ones() } else { within - window.count_ones() }
    }
}

#[cfg(test)]
mod tests {
    use hinoban_config::Rate;
    use hinoban_reading::Stamp;
    use proptest::prelude::*;

    use super::*;

    fn run(samples: &str, fail: (u8, u8), ok: (u8, u8)) -> Vec<Step> {
        let rate = |(count, within)| Rate { count, within };
        let mut record = Record::new(Stamp::default());
        samples.chars().map(|c| record.sample(c == 'F', rate(fail), rate(ok), Stamp::default())).collect()
    }

    use Step::*;

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

    proptest! {
        /// Against the definition, written plainly: a window of the newest samples.
        #[test]
        fn failing_takes_exactly_the_count_within_the_window(samples in "[FS]{1,80}", within in 1u8..=64, count in 1u8..=64) {
            let count = count.min(within);
            let mut record = Record::new(Stamp::default());
            let rate = Rate { count, within };
            let mut newest: Vec<bool> = Vec::new();
            for c in samples.chars() {
                newest.insert(0, c == 'F');
                let step = record.sample(c == 'F', rate, Rate::ONCE, Stamp::default());
                let failures = newest.iter().take(within.into()).filter(|f| **f).count();
                let expected = c == 'F' && failures >= count.into();
                prop_assert_eq!(step == Step::Fail, expected);
                if step == Step::Fail { break; }
            }
        }
    }
}
