//! One rule's memory: a history of samples, and the state they add up to.
//!
//! The counting is Monit's: "for N cycles" and "K times within N cycles" count the newest samples of the rule, and a
//! sample is one look that had something to say. One thing differs: after a rule failed, its history says that the whole
//! window failed, so that it holds again only when it held as often as was asked for.
//!
//! A rule may ask for a time instead: then all samples since the first of them must have said the same for so long.

use std::time::Duration;

use hinoban_config::{Branch, Dialect, Rate};
use hinoban_event::Class;
use hinoban_reading::{Moment, Now, Stamp};

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

/// What one look says of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    /// It holds.
    Held,
    /// It fails.
    Failed,
    /// It fails because something changed. That is news each time, also while it fails already.
    Changed {
        /// The history that is left when it has failed by this.
        left: u64,
    },
}

impl Sample {
    /// A change, as counted under this dialect.
    ///
    /// `if changed size for 3 cycles` fails in Monit 5.33 at the third change in a row, and then at each second one, for
    /// that forgets all but the last change, and those at each eighth place behind it. Otherwise it fails at the third and
    /// at each one after it.
    pub(crate) fn changed(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Monit => Sample::Changed { left: 0x0101_0101_0101_0101 },
            Dialect::Toml => Sample::Changed { left: u64::MAX },
        }
    }

    fn fails(self) -> bool {
        self != Sample::Held
    }
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
    seen: u8,
    pub(crate) state: State,
    /// Samples since the last change of state, which is number 1.
    pub(crate) times: u32,
    pub(crate) since: Stamp,
    /// Of what it failed, if that is not the class of the rule: of a connection that stands, its time or its certificate.
    pub(crate) class: Option<Class>,
    /// Since when all samples have been against the state: failing while it has not failed, holding while it has.
    against: Option<Moment>,
}

impl Record {
    pub(crate) fn new(at: Stamp) -> Self {
        Self { history: 0, seen: 0, state: State::Unsure, times: 0, since: at, class: None, against: None }
    }

    /// A rule that had failed before we began.
    pub(crate) fn failed(since: Stamp, class: Option<Class>) -> Self {
        Self { history: u64::MAX, seen: 64, state: State::Failed, times: 1, since, class, against: None }
    }

    /// It has failed, and now fails of something else: that is news.
    pub(crate) fn turn(&mut self, class: Option<Class>, at: Stamp) {
        (self.class, self.times, self.since) = (class, 1, at);
    }

    /// Takes one sample, with both branches of the rule.
    pub(crate) fn sample(&mut self, sample: Sample, fail: &Branch, ok: &Branch, now: Now) -> Step {
        let failed = sample.fails();
        self.history = self.history << 1 | u64::from(failed);
        self.seen = (self.seen + 1).min(64);
        let against = failed != (self.state == State::Failed);
        let first = against && self.against.is_none();
        self.against = against.then(|| self.against.unwrap_or(now.moment));
        let branch = if failed { fail } else { ok };
        let changes = match sample {
            Sample::Changed { .. } => self.reached(failed, branch, now.moment),
            _ => against && self.reached(failed, branch, now.moment),
        };
        if changes {
            self.state = if failed { State::Failed } else { State::Recovered };
            self.history = match sample {
                Sample::Held => 0,
                Sample::Failed => u64::MAX,
                Sample::Changed { left } => left,
            };
            self.seen = 64;
            self.times = 1;
            self.since = now.stamp;
            self.against = None;
        } else {
            self.times = self.times.saturating_add(1);
        }
        match (changes, self.state, failed) {
            (true, _, true) => Step::Fail,
            (true, _, false) => Step::Recover,
            (false, State::Failed, true) => Step::StillFailing,
            // Of a time that passes the beginning is news.
            (false, _, true) if branch.lasting.is_some() && !first => Step::Quiet,
            (false, _, true) => Step::Doubt,
            (false, _, false) => Step::Quiet,
        }
    }

    /// It is seen to fail still, by a look that is no sample.
    pub(crate) fn again(&mut self) -> Step {
        self.times = self.times.saturating_add(1);
        Step::StillFailing
    }

    /// Whether the newest samples are enough for this branch.
    fn reached(&self, failed: bool, branch: &Branch, now: Moment) -> bool {
        match branch.lasting {
            Some(lasting) => self.lasted(now).is_some_and(|time| time >= lasting),
            None => self.count(failed, branch.rate) >= u32::from(branch.rate.count),
        }
    }

    /// For how long all samples have been against the state; `None`: the last one was not.
    pub(crate) fn lasted(&self, now: Moment) -> Option<Duration> {
        self.against.map(|first| now.since(first))
    }

    /// How many of the samples in the window of this rate failed, or held.
    pub(crate) fn count(&self, failed: bool, rate: Rate) -> u32 {
        let within = u32::from(rate.within.clamp(1, 64)).min(self.seen.into());
        let window = self.history & (u64::MAX >> (64 - within.max(1)));
        if failed { window.count_ones() } else { within - window.count_ones() }
    }
}

#[cfg(test)]
mod tests;
